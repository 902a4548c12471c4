"""One finding on the page: a line to scan, which opens to its query, facts and fix."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from tracelens.report.facts import facts
from tracelens.report.html.marks import bar, mark
from tracelens.report.html.markup import Markup, identifier, joined, lines, listing, prose, tag
from tracelens.report.html.query import code_block, copied_inline, fold, query_block
from tracelens.report.quantities import duration, listed
from tracelens.report.query_text import is_query

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracelens.findings import Advice, Finding, Impact, Report

_LONG_TEXT: Final = 160
_SHOWN_SIBLINGS: Final = 5
_SHOWN_SPANS: Final = 2


def anchor(finding: Finding) -> str:
    """Return the id that a link to the finding names: `f-` and its fingerprint."""
    return identifier("f-", finding.fingerprint)


def finding_entry(report: Report, place: int, others: Sequence[int], *, is_open: bool) -> Markup:
    """Return the finding at a place in the report.

    Args:
        report: whose finding it is.
        place: from 0; shown from 1.
        others: places of the other findings on the same endpoint.
        is_open: whether it is unfolded at first.
    """
    finding = report.findings[place]
    # The id stands inside the fold: browsers open a fold, without any script, when what a link names is in it.
    body = tag("div", _what(finding, report, others), _fix(finding.advice), class_="body", id=anchor(finding))
    return tag(
        "details",
        tag("summary", _scan_line(place + 1, finding)),
        body,
        class_=f"finding {finding.severity}",
        data_severity=finding.severity,
        data_service=finding.service_name,
        data_pass=finding.pass_name,
        open=is_open,
    )


def _scan_line(number: int, finding: Finding) -> Markup:
    likely = tag("span", "likely", class_="likely") if finding.confidence == "likely" else None
    return joined(
        mark(finding.severity),
        tag(
            "span",
            tag(
                "h4",
                tag("span", str(number), class_="number"),
                tag("code", finding.pass_name, class_="pass-name"),
                tag("span", finding.endpoint, class_="endpoint"),
                tag("span", "in ", tag("bdi", finding.service_name), class_="service"),
                likely,
            ),
            tag("span", prose(finding.message), class_="message"),
            class_="headline",
        ),
        tag("span", _avoidable(finding.impact), _p95(finding.impact), class_="cost"),
    )


def _avoidable(impact: Impact) -> Markup:
    if not impact.avoidable_ms > 0:
        return Markup()
    return tag("span", tag("b", duration(impact.avoidable_ms)), " avoidable", class_="avoidable")


def _p95(impact: Impact) -> Markup:
    """Return the endpoint's p95, as words and as a bar: what stays if this is fixed, of what it is now."""
    now_ms, fixed_ms = impact.endpoint_p95_ms, impact.endpoint_p95_if_fixed_ms
    if now_ms is None or not math.isfinite(now_ms):
        return Markup()
    now = duration(now_ms)
    if fixed_ms is None or not 0 <= fixed_ms <= now_ms or duration(fixed_ms) == now:
        return tag("span", bar(1), tag("span", "p95 ", now), class_="p95")
    change = tag("span", "p95 ", now, " → ", tag("b", duration(fixed_ms)), tag("span", " if fixed", class_="spoken"))
    return tag("span", bar(fixed_ms / now_ms, gain=True), change, class_="p95")


def _what(finding: Finding, report: Report, others: Sequence[int]) -> Markup:
    subject = None
    if finding.subject not in {finding.endpoint, finding.service_name, ""}:
        subject = query_block(finding.subject, "query" if is_query(finding.subject) else "subject")
    rows = [(label, _value(finding, label, text)) for label, text in facts(finding, everything=True)]
    if others:
        rows.append(("same endpoint", _links(report, others)))
    return tag("div", subject, _definitions(rows), class_="what")


def _definitions(rows: Sequence[tuple[str, str]]) -> Markup:
    """Return labels and values as a table of two columns."""
    return tag("dl", *(tag("div", tag("dt", label), tag("dd", value)) for label, value in rows), class_="facts")


def _value(finding: Finding, label: str, text: str) -> Markup:
    if label == "fingerprint":
        return tag("a", tag("code", text), href=f"#{anchor(finding)}", title="Link to this finding")
    if label in {"trace", "code"}:
        return copied_inline(text, "trace id" if label == "trace" else "code location")
    if is_query(text):
        return query_block(text, label)
    if label == "offender spans":
        span_ids = finding.exemplar.offender_span_ids
        some = tag("code", listed(span_ids, _SHOWN_SPANS))
        return some if len(span_ids) <= _SHOWN_SPANS else fold(some, tag("code", text))
    if len(text) <= _LONG_TEXT:
        return prose(text)
    return fold(prose(f"{text[:_LONG_TEXT].rsplit(' ', 1)[0]} …"), prose(text))


def _links(report: Report, places: Sequence[int]) -> Markup:
    links = [
        tag("a", f"{place + 1} {report.findings[place].pass_name}", href=f"#{anchor(report.findings[place])}")
        for place in places[:_SHOWN_SIBLINGS]
    ]
    more = f" +{len(places) - _SHOWN_SIBLINGS:,} more" if len(places) > _SHOWN_SIBLINGS else None
    return joined(Markup(", ".join(links)), more)


def _fix(advice: Advice) -> Markup:
    snippet = None
    if advice.snippet is not None:
        snippet = code_block(lines(advice.snippet.code), "snippet", advice.snippet.framework)
    return tag(
        "div",
        tag("p", tag("strong", "Fix", class_="good"), " ", prose(advice.summary), class_="fix"),
        listing("ol", map(prose, advice.steps), class_="steps"),
        snippet,
        class_="how",
    )
