"""The commands that take spans in and tell of what they show: serve, replay, events."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from tracelens.cli import options as shared
from tracelens.cli.output import Screen, finish, put
from tracelens.cli.process import one_thread_for_algebra, progress_line, say, verbose

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tracelens.settings import Settings

_log = logging.getLogger(__name__)


@click.command()
@shared.db
@shared.config
@click.option("--grpc", default="127.0.0.1:4317", show_default=True, metavar="HOST:PORT", help="OTLP over gRPC.")
@click.option("--http", default="127.0.0.1:4318", show_default=True, metavar="HOST:PORT", help="OTLP over HTTP.")
@click.option("--ui", default="127.0.0.1:4320", show_default=True, metavar="HOST:PORT", help="For our other commands.")
@click.option(
    "--forward",
    metavar="URL",
    help="Pass every request on to this OTLP endpoint: http(s)://host:4318, or grpc(s)://host:4317.",
)
@verbose
def serve(*, db: Path, config: Path | None, grpc: str, http: str, ui: str, forward: str | None) -> None:
    """Receive OTLP, keep every span, analyse continuously, escalate.

    Escalation events are printed as lines of JSON. Ctrl-C or SIGTERM stops the server.

    Example: tracelens serve --db /var/lib/tracelens/traces.duckdb
    """
    one_thread_for_algebra()
    from tracelens.server import ServeAddresses, Server  # noqa: PLC0415  (each command loads only what it needs)

    settings = shared.settings_of(config)
    if forward is not None:
        settings = replace(settings, forward=replace(settings.forward, url=forward))
    with _stop_signals() as stopped:
        server = Server(
            db,
            ServeAddresses(grpc, http, ui),
            settings,
            forward_option="forward.url" if forward is None else "--forward",
        )
        server.start()
        if server.recovered_spans:
            say(f"recovered {server.recovered_spans:,} spans that were acknowledged before the last stop")
        say(f"OTLP/gRPC  {server.grpc.address}")
        say(f"OTLP/HTTP  {server.http_scheme}://{server.http.address}")
        say(f"reports    http://{server.ui.address}")
        if server.forwarder:
            say(f"forward    {settings.forward.url}")
        say(f"store      {server.db}")
        stopped.wait()
        server.stop()
    # Everything is stored. An analysis that takes long may still run in DuckDB, and must not meet a dying interpreter.
    logging.shutdown()
    sys.stderr.flush()
    os._exit(0)


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """Yield what Ctrl-C and SIGTERM set. A second one ends the process: what is acknowledged is in the journal."""
    stopped = threading.Event()

    def stop(number: int, _frame: object) -> None:
        stopped.set()
        signal.signal(number, signal.SIG_DFL)

    previous = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@shared.db
@shared.config
@click.option("--to", metavar="URL", help="Send to this OTLP endpoint: http(s)://host:4318, or grpc://host:4317.")
@verbose
def replay(files: tuple[str, ...], db: Path, config: Path | None, to: str | None) -> None:
    """Load trace FILEs into the store, or send them to an endpoint.

    Doing it twice changes nothing.

    Example: tracelens replay --to http://127.0.0.1:4318 traces.jsonl
    """
    one_thread_for_algebra()
    from tracelens.replay import replay_files  # noqa: PLC0415

    damages: list[str] = []
    with progress_line() as progress:
        outcome = replay_files(files, db if to is None else to, shared.settings_of(config), damages.append, progress)
    put(outcome + "\n")
    finish(damages=damages)


@click.command()
@shared.db
@shared.config
@click.option("--follow", is_flag=True, help="Go on and show new events as they happen, until Ctrl-C.")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["terminal", "json"]),
    default="terminal",
    show_default=True,
    help="A line for people, or the event itself.",
)
@verbose
def events(db: Path, config: Path | None, follow: bool, output_format: str) -> None:  # noqa: FBT001
    """Show the escalation events in the store.

    Example: tracelens events --follow --format json
    """
    try:
        for line in _event_lines(db, shared.settings_of(config), follow=follow, output_format=output_format):
            if not put(line, "utf-8" if output_format == "json" else None):
                return
    except KeyboardInterrupt:
        if not follow:  # following has no other end
            raise


def _event_lines(db: Path, settings: Settings, *, follow: bool, output_format: str) -> Iterator[str]:
    from tracelens.escalation.events import event_line  # noqa: PLC0415
    from tracelens.report.events import render_event_line  # noqa: PLC0415
    from tracelens.sources import follow_events, open_source  # noqa: PLC0415

    screen = Screen.of(None)
    with ExitStack() as opened:
        if follow:
            found = follow_events(db, settings)
        else:
            source = opened.enter_context(open_source(db, settings))
            found = (event for _, event in source.events(0))
        for event in found:
            if output_format == "json":
                yield event_line(event) + "\n"
            else:
                yield render_event_line(event, colour=screen.colour, unicode=screen.unicode)
