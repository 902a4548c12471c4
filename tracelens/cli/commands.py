"""The commands."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path
from typing import Any

import click

import tracelens
from tracelens.cli import options as shared
from tracelens.cli.output import analysed, finish, progress_line, rendered, screen, write
from tracelens.errors import UsageError
from tracelens.settings import load_settings


@click.group(cls=shared.Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(tracelens.__version__, prog_name="tracelens")
def main() -> None:
    """Find what makes a backend slow in its OpenTelemetry traces, what it costs, and how to fix it."""
    shared.set_verbose(click.get_current_context(), click.Option(["-v"]), value=False)


@main.command()
@click.argument("files", nargs=-1, metavar="[FILE]...")
@shared.db
@shared.config
@shared.scope_options
@shared.output_format
@shared.output
@shared.fail_on
@click.option("--limit", type=click.IntRange(0), help="Findings to show in full on a terminal.")
@shared.verbose
def report(**options: Any) -> None:
    """Report the findings over the store, or over trace FILEs and directories of them ("-" is standard input).

    Example: tracelens report --fail-on critical traces.jsonl
    """
    with progress_line() as progress:
        result, damages = analysed(options, progress)
    write(rendered(result, options), options["output"])
    finish(result, options["fail_on"], damages)


@main.command()
@click.argument("files", nargs=-1, metavar="[FILE]...")
@shared.db
@shared.config
@shared.scope_options
@shared.output_format
@shared.output
@click.option("--sort", type=click.Choice(["mean", "total", "calls", "p95"]), default="total", show_default=True)
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Query shapes to show.")
@shared.verbose
def top(**options: Any) -> None:
    """Show statistics per query shape, as pg_stat_statements would.

    Example: tracelens top --sort mean --limit 10
    """
    from tracelens.report.top import render_top  # noqa: PLC0415  (each command loads only what it needs)

    with progress_line() as progress:
        result, damages = analysed(options | {"pass_names": ()}, progress)
    text = render_top(
        result.top_queries,
        output_format=options["output_format"],
        sort=options["sort"],
        limit=options["limit"],
        **screen(options["output"]),
    )
    write(text, options["output"])
    finish(result, "never", damages)


@main.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@shared.db
@shared.config
@click.option("--to", metavar="URL", help="Send to this OTLP endpoint: http(s)://host:4318, or grpc://host:4317.")
@shared.verbose
def replay(files: tuple[str, ...], db: Path, config: Path | None, to: str | None) -> None:
    """Load trace FILEs into the store, or send them to an OTLP endpoint. Doing it twice changes nothing.

    Example: tracelens replay --to http://127.0.0.1:4318 sample_traces/demo
    """
    from tracelens.replay import replay_files  # noqa: PLC0415

    damages: list[str] = []
    with progress_line() as progress:
        outcome = replay_files(files, db, to, load_settings(config), damages.append, progress)
    click.echo(outcome)
    finish(None, "never", damages)


@main.command()
@shared.db
@shared.config
@click.option("--grpc", default="127.0.0.1:4317", show_default=True, metavar="HOST:PORT", help="OTLP over gRPC.")
@click.option("--http", default="127.0.0.1:4318", show_default=True, metavar="HOST:PORT", help="OTLP over HTTP.")
@click.option("--ui", default="127.0.0.1:4320", show_default=True, metavar="HOST:PORT", help="Reports, for the commands.")
@shared.verbose
def serve(db: Path, config: Path | None, grpc: str, http: str, ui: str) -> None:
    """Receive OTLP, keep every span, analyse continuously, and print escalation events as lines of JSON.

    Example: tracelens serve --db /var/lib/tracelens/traces.duckdb
    """
    from tracelens.server import ServeAddresses, Server  # noqa: PLC0415

    stopped = threading.Event()
    server = Server(db, ServeAddresses(grpc, http, ui), load_settings(config), emit=click.echo)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    server.start()
    if server.recovered_spans:
        click.echo(f"recovered {server.recovered_spans} spans that were acknowledged before the last stop", err=True)
    click.echo(f"OTLP/gRPC  {server.grpc.address}\nOTLP/HTTP  http://{server.http.address}", err=True)
    click.echo(f"reports    http://{server.ui.address}\nstore      {db.absolute()}", err=True)
    stopped.wait()
    server.stop()


@main.command()
@shared.db
@shared.config
@click.option("--follow", is_flag=True, help="Go on and show new events as they happen.")
@click.option("--format", "output_format", type=click.Choice(["terminal", "json"]), default="terminal", show_default=True)
@shared.verbose
def events(db: Path, config: Path | None, follow: bool, output_format: str) -> None:  # noqa: FBT001
    """Show the escalation events in the store.

    Example: tracelens events --follow --format json
    """
    from tracelens.escalation.events import event_line  # noqa: PLC0415
    from tracelens.report.events import render_event_line  # noqa: PLC0415
    from tracelens.sources import open_source  # noqa: PLC0415

    settings, after = load_settings(config), 0
    display = screen(None)
    while True:
        with open_source(db, settings) as source:
            for number, event in source.events(after):
                after = number
                if output_format == "json":
                    click.echo(event_line(event))
                else:
                    click.echo(
                        render_event_line(event, colour=display["colour"], unicode=display["unicode"]), nl=False, color=True
                    )
        if not follow:
            return
        time.sleep(1.0)


@main.command(name="passes")
@shared.config
@shared.verbose
def list_passes(config: Path | None) -> None:
    """List the passes and what each asks.

    Example: tracelens passes
    """
    from tracelens.analysis import choose_passes  # noqa: PLC0415

    for entry in choose_passes(load_settings(config), ()):
        click.echo(f"{entry.name:22} {entry.question}")


@main.command()
@click.argument("name", metavar="PASS")
@shared.config
@shared.verbose
def explain(name: str, config: Path | None) -> None:
    """Print one pass's page: question, thresholds with their sources, evidence, fix and SQL.

    Example: tracelens explain n_plus_one
    """
    from tracelens.analysis import choose_passes  # noqa: PLC0415
    from tracelens.report.pass_page import render_pass_page  # noqa: PLC0415

    try:
        (entry,) = choose_passes(load_settings(config), (name,))
    except UsageError as error:
        raise UsageError(f"{name}: no such pass; `tracelens passes` lists them") from error
    click.echo(render_pass_page(entry), nl=False)


@main.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@shared.config
@shared.output_format
@shared.output
@shared.fail_on
@click.option("--protocol", type=click.Choice(["http/protobuf", "grpc"]), default="http/protobuf", show_default=True)
@shared.verbose
def run(command: tuple[str, ...], **options: Any) -> None:
    """Run COMMAND with its OpenTelemetry exporter pointed at a receiver of our own, then report what it sent.

    Example: tracelens run --fail-on warning -- pytest tests/integration
    """
    from tracelens.run import run_command  # noqa: PLC0415

    result, exit_code = run_command(command, load_settings(options["config"]), options["protocol"])
    write(rendered(result, options | {"limit": None}), options["output"])
    if exit_code:
        click.get_current_context().exit(exit_code)
    finish(result, options["fail_on"], [])


