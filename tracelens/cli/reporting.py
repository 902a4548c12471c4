"""The commands that analyse: report, top, run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from tracelens.cli import options as shared
from tracelens.cli.output import Screen, finish, rendered, write
from tracelens.cli.process import ctrl_c_ends, one_thread_for_algebra, progress_line, verbose

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tracelens.cli.options import Selection
    from tracelens.findings import Report
    from tracelens.report.top import TopFormat, TopSort


@click.command()
@shared.selection
@shared.passes
@shared.output_format
@shared.output
@shared.fail_on
@click.option("--limit", type=click.IntRange(0), help="Findings to show in full on a terminal.")
@verbose
def report(selection: Selection, output_format: str, output: Path | None, fail_on: str, limit: int | None) -> None:
    """Report the findings over the store, or over trace FILEs.

    A directory stands for every trace file under it, "-" for standard input.

    Example: tracelens report --fail-on critical traces.jsonl
    """
    with progress_line() as progress:
        result, damages = _analysed(selection, progress)
    write(rendered(result, output_format, output, limit), output, output_format)
    finish(result, fail_on, damages)


@click.command()
@shared.selection
@shared.table_format
@shared.output
@click.option(
    "--sort",
    type=click.Choice(["mean", "total", "calls", "p95"]),
    default="total",
    show_default=True,
    help="Largest first by this column.",
)
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Query shapes to show.")
@verbose
def top(selection: Selection, output_format: TopFormat, output: Path | None, sort: TopSort, limit: int) -> None:
    """Show statistics per query shape, as pg_stat_statements would.

    Example: tracelens top --sort mean --limit 10 traces.jsonl
    """
    from tracelens.report.top import render_top  # noqa: PLC0415  (each command loads only what it needs)

    with progress_line() as progress:
        result, damages = _analysed(selection, progress)
    screen = Screen.of(output)
    text = render_top(
        result.top_queries,
        output_format=output_format,
        sort=sort,
        limit=limit,
        width=screen.width,
        colour=screen.colour,
        unicode=screen.unicode,
    )
    write(text, output, output_format)
    finish(damages=damages)


@click.command(context_settings={"allow_interspersed_args": False})
@click.argument("command", nargs=-1, required=True, metavar="COMMAND...", type=click.UNPROCESSED)
@shared.config
@shared.output_format
@shared.output
@shared.fail_on
@click.option(
    "--protocol",
    type=click.Choice(["http/protobuf", "grpc"]),
    default="http/protobuf",
    show_default=True,
    help="What COMMAND's exporter is told to speak.",
)
@verbose
def run(
    *,
    command: tuple[str, ...],
    config: Path | None,
    output_format: str,
    output: Path | None,
    fail_on: str,
    protocol: str,
) -> None:
    """Run COMMAND and report on the spans that it exports.

    Its OpenTelemetry exporter is pointed at a receiver of our own on a free port. The exit code is COMMAND's where that
    failed.

    Example: tracelens run --fail-on warning -- pytest tests/integration
    """
    from tracelens.run import run_command  # noqa: PLC0415

    with ctrl_c_ends():
        result, exit_code = run_command(command, shared.settings_of(config), protocol)
    write(rendered(result, output_format, output), output, output_format)
    if exit_code:
        click.get_current_context().exit(exit_code)
    finish(result, fail_on)


def _analysed(selection: Selection, progress: Callable[[str], None]) -> tuple[Report, list[str]]:
    """Return the report that the options ask for, and what could not be read."""
    progress("starting")
    one_thread_for_algebra()
    from tracelens.model import Scope  # noqa: PLC0415

    scope = Scope(
        start_ns=selection.since_ns,
        end_ns=selection.until_ns,
        service_name=selection.service,
        endpoint=selection.endpoint,
        pass_names=selection.pass_names,
    )
    damages: list[str] = []
    if selection.files:
        from tracelens.sources import open_files  # noqa: PLC0415  (files need nothing of servers)

        with open_files(selection.files, selection.settings, damages.append, progress) as source:
            return source.report(replace(scope, from_files=True)), damages
    from tracelens.sources import open_source  # noqa: PLC0415

    with open_source(selection.db, selection.settings, progress) as stored:
        return stored.report(scope), damages
