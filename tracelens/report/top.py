"""Query statistics on their own, as `pg_stat_statements` shows them: for a terminal, as Markdown, as JSON."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from tracelens.report.json import dump, number, query_to_dict
from tracelens.report.json_reader import TOP_SCHEMA
from tracelens.report.layout import Canvas
from tracelens.report.markdown_text import code, prose, table
from tracelens.report.quantities import count, counted, duration, listed, percent
from tracelens.report.terminal_queries import query_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracelens.findings import QueryStatistics

TopFormat: TypeAlias = Literal["terminal", "markdown", "json"]
TopSort: TypeAlias = Literal["mean", "total", "calls", "p95"]

TOP_SORTS: Final[dict[TopSort, Callable[[QueryStatistics], float]]] = {
    "mean": lambda query: query.mean_ms,
    "total": lambda query: query.total_ms,
    "calls": lambda query: query.calls,
    "p95": lambda query: query.p95_ms,
}
_NOTHING: Final = "No database call with its query text was seen, so there are no query shapes to show."


def render_top(
    queries: Sequence[QueryStatistics],
    *,
    output_format: TopFormat = "terminal",
    sort: TopSort = "total",
    limit: int | None = 20,
    width: int = 80,
    colour: bool = False,
    unicode: bool = True,
) -> str:
    """Return query statistics as text that ends in a newline.

    Args:
        queries: all query shapes of the window, in any order: each share is taken of their total.
        output_format: `width`, `colour` and `unicode` are for `terminal` alone.
        sort: largest first by this column; equals by query shape.
        limit: how many are shown; None for all.
        width: of the terminal, in cells.
        colour: whether ANSI colours may be used.
        unicode: whether the terminal shows more than ASCII.
    """
    total_ms = sum(query.total_ms for query in queries if math.isfinite(query.total_ms))
    shown = _largest_first(queries, TOP_SORTS[sort])[:limit]
    if output_format == "json":
        return _json(shown, total_ms)
    amounts = f"{counted(len(queries), 'query shape')}, {duration(total_ms)} in the database"
    if len(shown) < len(queries):
        amounts += f"; the first {len(shown):,} by {sort} shown"
    if output_format == "markdown":
        return _markdown(shown, total_ms, amounts)
    canvas = Canvas.of(width, colour=colour, unicode=unicode)
    if not queries:
        return "\n".join(canvas.flow((_NOTHING, ""))) + "\n"
    lines = canvas.flow((amounts, "bold"))
    if shown:
        lines += ["", *query_lines(canvas, shown, share_of_ms=total_ms)]
    return "\n".join(lines) + "\n"


def _largest_first(
    queries: Sequence[QueryStatistics], key: Callable[[QueryStatistics], float]
) -> list[QueryStatistics]:
    def order(query: QueryStatistics) -> tuple[float, str, str]:
        value = key(query)
        return (-value if math.isfinite(value) else math.inf, query.query_shape, query.db_system)

    return sorted(queries, key=order)


def _json(queries: Sequence[QueryStatistics], total_ms: float) -> str:
    rows = [
        {**query_to_dict(query), "share_percent": number(100 * query.total_ms / total_ms) if total_ms else None}
        for query in queries
    ]
    return dump({"schema": TOP_SCHEMA, "total_ms": number(total_ms), "top_queries": rows})


def _markdown(queries: Sequence[QueryStatistics], total_ms: float, amounts: str) -> str:
    if not queries:
        return f"{prose(amounts if total_ms else _NOTHING)}\n"
    return f"{prose(amounts)}\n\n{query_table(queries, share_of_ms=total_ms)}\n"


def query_table(queries: Sequence[QueryStatistics], *, share_of_ms: float | None) -> str:
    """Return query statistics as a Markdown table; without `share_of_ms` it has no column of shares."""
    headings = ["Total", "Calls", "Mean", "p95", "Max", "Query", "Database", "Endpoints"]
    rows = [
        [
            duration(query.total_ms),
            count(query.calls),
            duration(query.mean_ms),
            duration(query.p95_ms),
            duration(query.max_ms),
            code(query.query_shape),
            prose(query.db_system),
            prose(listed(query.endpoints, 3)),
        ]
        for query in queries
    ]
    if share_of_ms is not None:
        headings = ["Share", *headings]
        rows = [
            [percent(query.total_ms / share_of_ms) if share_of_ms else "", *row]
            for query, row in zip(queries, rows, strict=True)
        ]
    return table(headings, rows, right=range(len(headings) - 3))
