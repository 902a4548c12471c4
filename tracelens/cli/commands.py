"""The program: the group that every command belongs to."""

from __future__ import annotations

import click

import tracelens
from tracelens.cli.notifying import notify
from tracelens.cli.passes import explain, list_passes
from tracelens.cli.process import Commands, verbose
from tracelens.cli.receiving import events, replay, serve
from tracelens.cli.reporting import report, run, top


@click.group(
    "tracelens", cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(tracelens.__version__, prog_name="tracelens")
@verbose
def main() -> None:
    """Find what makes a backend slow in its OpenTelemetry traces, what it costs, and how to fix it.

    Example: tracelens report traces.jsonl
    """


for _command in (serve, report, replay, top, events, notify, list_passes, explain, run):
    main.add_command(_command)
