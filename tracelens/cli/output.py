"""What a command shows: on which screen, in which format, with which exit code."""

from __future__ import annotations

import os
import shutil
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import click

from tracelens.cli.options import is_verbose
from tracelens.errors import UsageError
from tracelens.findings import SEVERITIES
from tracelens.settings import load_settings, parse_duration_s

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tracelens.analysis import Scope
    from tracelens.findings import Report

_FINDINGS_FOUND: Final = 1
_DAMAGED: Final = 3


def analysed(options: dict[str, Any], progress: Callable[[str], None]) -> tuple[Report, list[str]]:
    """Return the report that a command's options ask for, and what could not be read."""
    from tracelens.sources import open_files, open_source  # noqa: PLC0415

    settings = load_settings(options["config"])
    scope = _scope(options)
    damages: list[str] = []
    if options["files"]:

        def on_file(name: str, number: int, count: int) -> None:
            progress(f"reading {name} ({number} of {count})")

        with open_files(options["files"], settings, damages.append, on_file) as source:
            progress("analysing")
            return source.report(scope), damages
    with open_source(options["db"], settings, lambda name: progress(f"analysing: {name}")) as stored:
        return stored.report(scope), damages


def _scope(options: dict[str, Any]) -> Scope:
    from tracelens.analysis import Scope  # noqa: PLC0415

    return Scope(
        start_ns=_moment_ns(options["since"], "--since"),
        end_ns=_moment_ns(options["until"], "--until"),
        service_name=options["service"],
        endpoint=options["endpoint"],
        pass_names=tuple(options["pass_names"]),
        from_files=bool(options["files"]),
    )


def _moment_ns(text: str | None, option: str) -> int | None:
    from datetime import UTC, datetime  # noqa: PLC0415

    if text is None:
        return None
    try:
        return time.time_ns() - int(parse_duration_s(text) * 1e9)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option} {text}: neither a duration such as 15m nor an RFC 3339 time") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1e9)


def rendered(result: Report, options: dict[str, Any]) -> str:
    if options["output_format"] == "json":
        from tracelens.report.json import render_json  # noqa: PLC0415

        return render_json(result)
    if options["output_format"] == "markdown":
        from tracelens.report.markdown import render_markdown  # noqa: PLC0415

        return render_markdown(result)
    from tracelens.report.terminal import render_terminal  # noqa: PLC0415

    return render_terminal(result, limit=options["limit"], verbose=is_verbose(), **screen(options["output"]))


def screen(output: Path | None) -> dict[str, Any]:
    """Return what the place of the output can show."""
    terminal = output is None and sys.stdout.isatty()
    encoding = (sys.stdout.encoding or "ascii") if output is None else "utf-8"
    return {
        "width": min(shutil.get_terminal_size((80, 24)).columns, 120) if terminal else 80,
        "colour": terminal and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb",
        "unicode": encoding.lower().replace("-", "").startswith("utf"),
    }


def write(text: str, output: Path | None) -> None:
    if output is None:
        click.echo(text, nl=False, color=True)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{output}: cannot be written: {error.strerror}; choose another with --output") from error


def finish(result: Report | None, fail_on: str, damages: Sequence[str]) -> None:
    """End the process with the contract's exit code; damage outweighs findings."""
    for damage in damages:
        click.echo(f"tracelens: {damage}", err=True)
    if damages:
        click.get_current_context().exit(_DAMAGED)
    if result is not None and fail_on != "never":
        bound = SEVERITIES.index(fail_on)
        if any(SEVERITIES.index(finding.severity) >= bound for finding in result.findings):
            click.get_current_context().exit(_FINDINGS_FOUND)


@contextmanager
def progress_line() -> Iterator[Callable[[str], None]]:
    """Show what is being done on a terminal's standard error, in one line that goes when it is done."""
    if not sys.stderr.isatty():
        yield lambda _text: None
        return
    width = shutil.get_terminal_size((80, 24)).columns

    def show(text: str) -> None:
        click.echo(f"\r\033[K{text[: width - 1]}", nl=False, err=True)

    try:
        yield show
    finally:
        click.echo("\r\033[K", nl=False, err=True)


