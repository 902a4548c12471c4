"""Options that several commands share, and how errors end the process."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from tracelens.errors import TracelensError
from tracelens.findings import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Callable

FORMATS: Final = ("terminal", "json", "markdown")


class Commands(click.Group):
    """Turns our errors into one line and an exit code; shows a traceback under -v only."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except TracelensError as error:
            if is_verbose():
                raise
            click.echo(f"tracelens: {error}", err=True)
            ctx.exit(error.exit_code)
        except BrokenPipeError:  # `tracelens report | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(0)


def is_verbose() -> bool:
    return logging.getLogger("tracelens").isEnabledFor(logging.DEBUG)


def set_verbose(_context: click.Context, _parameter: click.Parameter, value: bool) -> None:  # noqa: FBT001
    logging.basicConfig(format="tracelens: %(levelname)s: %(message)s", stream=sys.stderr)
    logging.getLogger("tracelens").setLevel(logging.DEBUG if value else logging.WARNING)


verbose = click.option(
    "-v", "--verbose", is_flag=True, expose_value=False, callback=set_verbose, help="Say more; show tracebacks."
)
db = click.option(
    "--db",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("tracelens.duckdb"),
    show_default=True,
    envvar="TRACELENS_DB",
    show_envvar=True,
    help="The store's file.",
)
config = click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Configuration file.  [default: ./tracelens.toml where it exists]",
)
fail_on = click.option(
    "--fail-on",
    type=click.Choice([*SEVERITIES, "never"]),
    default="never",
    show_default=True,
    help="Exit with 1 where a finding is at least this severe.",
)
output_format = click.option("--format", "output_format", type=click.Choice(FORMATS), default="terminal", show_default=True)
output = click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file.")


def scope_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(
        [
            click.option("--since", metavar="WHEN", help="From here on: a duration ago (15m) or an RFC 3339 time."),
            click.option("--until", metavar="WHEN", help="Up to here, likewise."),
            click.option("--service", metavar="NAME", help="Only this service."),
            click.option("--endpoint", metavar="TEXT", help="Only endpoints that contain this."),
            click.option("--pass", "pass_names", metavar="NAME", multiple=True, help="Only this pass; repeatable."),
        ]
    ):
        command = option(command)
    return command


