"""A command's result: in which format, where to, with which exit code."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import click

from tracelens.cli.process import is_verbose, say
from tracelens.errors import UsageError
from tracelens.severities import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tracelens.findings import Report

_FINDINGS_FOUND: Final = 1
_DAMAGED: Final = 3


@dataclass(frozen=True, slots=True)
class Screen:
    """What the place of the output can show: cells in a line, ANSI colours, more than ASCII."""

    width: int
    colour: bool
    unicode: bool

    @classmethod
    def of(cls, output: Path | None) -> Screen:
        """Return what a file, or standard output for None, can show."""
        if output is not None or sys.stdout is None:
            return cls(width=80, colour=False, unicode=True)
        terminal = sys.stdout.isatty()
        return cls(
            width=min(shutil.get_terminal_size((80, 24)).columns, 120) if terminal else 80,
            colour=terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb",
            unicode=(sys.stdout.encoding or "ascii").lower().replace("-", "").startswith("utf"),
        )


def rendered(report: Report, output_format: str, output: Path | None, limit: int | None = None) -> str:
    """Return a report as the text of one of the formats."""
    if output_format == "json":
        from tracelens.report.json import render_json  # noqa: PLC0415  (each format loads only what it needs)

        return render_json(report)
    if output_format == "markdown":
        from tracelens.report.markdown import render_markdown  # noqa: PLC0415

        return render_markdown(report)
    if output_format == "html":
        from tracelens.report.html import render_html  # noqa: PLC0415

        return render_html(report)
    from tracelens.report.terminal import render_terminal  # noqa: PLC0415

    screen = Screen.of(output)
    return render_terminal(
        report, limit=limit, verbose=is_verbose(), width=screen.width, colour=screen.colour, unicode=screen.unicode
    )


def write(text: str, output: Path | None, output_format: str = "terminal") -> None:
    """Write a result whole, to a file or to standard output.

    For a terminal it is in the terminal's encoding; all other formats are UTF-8 wherever they go.

    Raises:
        UsageError: it cannot be written there.
    """
    if output is None:
        put(text, "utf-8" if output_format != "terminal" else None)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{output}: cannot be written: {error.strerror}; choose another with --output") from error


def put(text: str, encoding: str | None = None) -> bool:
    """Write to standard output at once, and return whether anybody reads it: `tracelens report | head` is no error.

    Args:
        text: with its line ends.
        encoding: None for the terminal's own; what it cannot express becomes a question mark.

    Raises:
        UsageError: it cannot be written, as on a full disk.
    """
    if sys.stdout is None:
        return False
    data = text.encode(encoding or sys.stdout.encoding or "ascii", "replace")
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except OSError as error:
        _discard_output()
        if error.errno == errno.EPIPE:
            return False
        raise UsageError(f"standard output cannot be written: {error.strerror}; choose a file with --output") from error
    return True


def _discard_output() -> None:
    """Send the rest of standard output nowhere, or the interpreter would fail on it once more when it ends."""
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, sys.stdout.fileno())
    os.close(sink)


def finish(report: Report | None = None, fail_on: str = "never", damages: Sequence[str] = ()) -> None:
    """End the process with the contract's exit code; damage outweighs findings."""
    for damage in damages:
        say(f"tracelens: {damage}")
    if damages:
        click.get_current_context().exit(_DAMAGED)
    if report is not None and fail_on != "never":
        bound = SEVERITIES.index(fail_on)
        if any(SEVERITIES.index(finding.severity) >= bound for finding in report.findings):
            click.get_current_context().exit(_FINDINGS_FOUND)
