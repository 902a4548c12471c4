"""The commands that tell about the passes: passes, explain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tracelens.cli import options as shared
from tracelens.cli.output import put
from tracelens.cli.process import verbose
from tracelens.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


@click.command(name="passes")
@shared.config
@verbose
def list_passes(config: Path | None) -> None:
    """List the passes and what each asks.

    Example: tracelens passes
    """
    from tracelens.passes.registry import load_passes  # noqa: PLC0415  (each command loads only what it needs)

    entries = load_passes(shared.settings_of(config).pass_folders)
    width = max(len(entry.name) for entry in entries)
    put("".join(f"{entry.name:{width}}  {entry.question}\n" for entry in entries))


@click.command()
@click.argument("name", metavar="PASS")
@shared.config
@verbose
def explain(name: str, config: Path | None) -> None:
    """Print a pass's page: question, thresholds, evidence and SQL.

    Example: tracelens explain n_plus_one
    """
    from tracelens.passes.registry import load_passes  # noqa: PLC0415
    from tracelens.report.pass_page import render_pass_page  # noqa: PLC0415

    for entry in load_passes(shared.settings_of(config).pass_folders):
        if entry.name == name:
            put(render_pass_page(entry))
            return
    raise UsageError(f"{name}: no such pass; `tracelens passes` lists them")
