"""What follows the findings: coverage, checklist, top queries."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from tracelens.report import facts
from tracelens.report.facts import blind_spots, caveats, text_share
from tracelens.report.html.marks import bar, mark
from tracelens.report.html.markup import Content, Markup, joined, listing, prose, tag
from tracelens.report.html.query import fold, query_block
from tracelens.report.quantities import UNKNOWN, count, duration, listed, words
from tracelens.report.query_text import without_select_list

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracelens.findings import QueryStatistics, Report, ServiceCoverage

_TOP_QUERIES: Final = 100
_SERVICES: Final = 12
_STATES: Final = {"fail": "Fails", "unknown": "Unknown", "pass": "Passes"}


def section(name: str, title: str, *content: Content, note: Content = None) -> Markup:
    """Return a section with its heading, which links to it."""
    heading = tag("h2", title, tag("span", note, class_="note") if note else None, id=f"{name}-title")
    return tag("section", heading, *content, id=name, aria_labelledby=f"{name}-title")


def waived(report: Report) -> Markup | None:
    """Return the findings that somebody decided to live with, and why; None where there are none."""
    if not report.waived:
        return None
    entries = [tag("span", prose(what), ": ", prose(why)) for what, why in facts.waived(report)]
    return section("waived", "Waived", listing("ul", entries, class_="notes"))


def coverage(report: Report) -> Markup:
    """Return what each service's spans let the passes see, and what stays unseen and why."""
    services = sorted(report.coverage, key=lambda service: (-service.spans, service.service_name))
    rows = [
        tag(
            "tr",
            tag("th", tag("bdi", service.service_name), scope="row"),
            _number(count(service.spans)),
            _number(count(service.db_calls)),
            _number(_text_share(service)),
        )
        for service in services
    ]
    head = _headings(("Service", False), ("Spans", True), ("Database calls", True), ("With query text", True))
    table = tag("table", head, tag("tbody", *rows), class_="services") if rows else None
    if table is not None and len(rows) > _SERVICES:
        table = tag("div", table, class_="scroll", tabindex="0", role="region", aria_label="Services")
    notes = [joined(mark("warning", spoken=False), tag("span", prose(text))) for text in caveats(report)]
    notes += [
        joined(
            mark("warning", spoken=False),
            tag("span", tag("b", words(name)), " in ", tag("bdi", service), ": ", prose(why), _remedy(remedy)),
        )
        for name, service, why, remedy in facts.notes(report)
    ]
    blind = blind_spots(report)
    if not rows and not notes and not blind:
        notes = [joined(mark("warning", spoken=False), tag("span", "No service's spans were looked at."))]
    seen = tag("div", table, listing("ul", notes, class_="notes")) if rows or notes else None
    return section("coverage", "Coverage", tag("div", seen, _blind(blind), class_="halves"))


def _text_share(service: ServiceCoverage) -> Markup:
    share = bar(service.db_calls_with_text / service.db_calls) if service.db_calls else tag("span")
    return tag("span", share, tag("span", text_share(service)), class_="text-share")


def _remedy(text: str) -> Markup | None:
    """Return what would show it, as said beneath the reason; None where nothing would."""
    return tag("span", prose(text), class_="remedy") if text else None


def _blind(spots: Sequence[tuple[str, str, str, str]]) -> Markup:
    if not spots:
        return Markup()
    rows = [
        joined(
            mark("unknown", spoken=False),
            tag("span", _passes(passes), " in ", services, tag("span", prose(why), class_="why"), _remedy(remedy)),
        )
        for passes, services, why, remedy in spots
    ]
    return tag("div", tag("h3", "Blind spots"), listing("ul", rows, class_="notes blind"))


def _passes(names: str) -> Markup:
    return Markup(" ".join(tag("code", name) for name in names.split(", ")))


def checklist(report: Report) -> Markup:
    """Return the checklist: what fails first, then what is unknown, then what passes."""
    if not report.checklist:
        return Markup()
    groups = []
    for state, title in _STATES.items():
        entries = [
            joined(mark(state), tag("span", tag("b", words(item.item)), tag("span", prose(item.why), class_="why")))
            for item in report.checklist
            if item.state == state
        ]
        if entries:
            heading = tag("h3", title, " ", tag("span", str(len(entries)), class_="count"))
            groups.append(tag("div", heading, listing("ul", entries, class_="notes"), class_="state"))
    return section("checklist", "Checklist", tag("div", *groups, class_="states"))


def top_queries(report: Report) -> Markup:
    """Return the query shapes by their total time, as a table that can be sorted."""
    shown = report.top_queries[:_TOP_QUERIES]
    if not shown:
        return Markup()
    largest_ms = max((query.total_ms for query in shown if math.isfinite(query.total_ms)), default=0.0)
    head = _headings(
        *((title, True) for title in ("Total", "Calls", "Mean", "p95", "Max")), ("Query", False), sortable=True
    )
    body = tag("tbody", *(_query_row(query, largest_ms) for query in shown), role="rowgroup")
    left_out = len(report.top_queries) - len(shown)
    note = (
        f"the first {len(shown)} of {len(report.top_queries):,}; tracelens top shows the others" if left_out else None
    )
    return section(
        "top-queries", "Top queries by total time", tag("table", head, body, class_="queries", role="table"), note=note
    )


def _query_row(query: QueryStatistics, largest_ms: float) -> Markup:
    one_line = " ".join(query.query_shape.split())
    start = tag("code", without_select_list(one_line) or UNKNOWN)
    where = ", ".join(filter(None, (query.db_system, listed(query.endpoints, 3))))
    share = query.total_ms / largest_ms if largest_ms else 0.0
    return tag(
        "tr",
        _sortable(query.total_ms, joined(duration(query.total_ms), bar(share))),
        _sortable(query.calls, count(query.calls)),
        *(_sortable(value, duration(value)) for value in (query.mean_ms, query.p95_ms, query.max_ms)),
        tag(
            "td", fold(start, query_block(query.query_shape, "query")), tag("span", where, class_="where"), role="cell"
        ),
        role="row",
    )


def _sortable(value: float, content: Content) -> Markup:
    return tag("td", content, class_="number", role="cell", data_value=repr(value) if math.isfinite(value) else "")


def _number(content: Content) -> Markup:
    return tag("td", content, class_="number")


def _headings(*columns: tuple[str, bool], sortable: bool = False) -> Markup:
    # The roles are the elements' own: a phone lays the table out as blocks, and browsers then forget them.
    cells = [
        tag(
            "th",
            title,
            scope="col",
            role="columnheader",
            class_="number" if is_number else None,
            data_sort=sortable and is_number,
            aria_sort="descending" if sortable and title == "Total" else None,
        )
        for title, is_number in columns
    ]
    return tag("thead", tag("tr", *cells, role="row"), role="rowgroup")
