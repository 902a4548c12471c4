"""Query statistics for a terminal: a line of numbers and the query under it, for each query shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracelens.report.quantities import UNKNOWN, count, duration, percent
from tracelens.report.query_text import without_select_list

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracelens.findings import QueryStatistics
    from tracelens.report.layout import Canvas, Line


def query_lines(canvas: Canvas, queries: Sequence[QueryStatistics], *, share_of_ms: float | None) -> list[str]:
    """Return two lines for each query: its numbers with database and endpoints, then the query itself.

    The query stands on one line; a select list that is too long for it is left out, then the end is.

    Args:
        canvas: where the lines will stand.
        queries: in the order in which to show them.
        share_of_ms: the total that each share is taken of; without it no share is shown.
    """
    headings = ["total", "calls", "mean", "p95", "max", "on"]
    rows: list[Line] = [[(heading, "dim") for heading in headings], *map(_numbers, queries)]
    if share_of_ms is not None:
        shares = ["share", *(percent(query.total_ms / share_of_ms) if share_of_ms else "" for query in queries)]
        rows = [[(share, row[0][1]), *row] for share, row in zip(shares, rows, strict=True)]
    last = len(rows[0]) - 1
    numbers = canvas.columns(rows, right=range(last), indent=2, flex=last)
    lines = [numbers[0]]
    for line, query in zip(numbers[1:], queries, strict=True):
        lines += [line, "    " + canvas.paint(_one_line(canvas, query.query_shape), "cyan")]
    return lines


def _numbers(query: QueryStatistics) -> Line:
    return [
        (duration(query.total_ms), "bold"),
        (count(query.calls), ""),
        (duration(query.mean_ms), ""),
        (duration(query.p95_ms), ""),
        (duration(query.max_ms), ""),
        (", ".join(filter(None, (query.db_system, *query.endpoints[:1]))), "dim"),
    ]


def _one_line(canvas: Canvas, query_shape: str) -> str:
    room = canvas.width - 4
    text = " ".join(query_shape.split())
    return canvas.clip((text if len(text) <= room else without_select_list(text)) or UNKNOWN, room)
