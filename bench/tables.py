"""Markdown tables, on the screen and between their markers in bench/README.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

README: Final = Path(__file__).with_name("README.md")


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; numbers, and what says that there is none, are aligned to the right."""
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(heads)
    is_number = [all(re.fullmatch(r"[0-9.,-]*", text) for text in column) for column in columns]
    rule = ["--:" if right else ":--" for right in is_number]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (heads, rule, *rows))


def number(value: float | None, digits: int = 0) -> str:
    """Return a number as a cell."""
    return "-" if value is None else f"{value:,.{digits}f}"


def write_section(name: str, text: str, readme: Path = README) -> None:
    """Replace what stands between the markers of a section.

    Raises:
        ValueError: the file has no such section.
    """
    whole = readme.read_text(encoding="utf-8")
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
    if begin not in whole or end not in whole:
        raise ValueError(f"{readme} has no section {name}")
    before, rest = whole.split(begin, 1)
    _, after = rest.split(end, 1)
    readme.write_text(f"{before}{begin}\n{text.strip()}\n\n{end}{after}", encoding="utf-8")
