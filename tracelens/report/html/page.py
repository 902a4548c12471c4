"""The page as a whole: head, headline, filter, findings by severity, and what follows them.

The policy in its head lets the browser run the one script and apply the one style sheet that stand in it, known by
their hashes, and load nothing: a page from a CI artifact cannot call out, whatever a span's name holds.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from tracelens.report.facts import is_partial, looked_at, shortfall, siblings, verdict
from tracelens.report.html.finding import finding_entry
from tracelens.report.html.marks import mark, sprite
from tracelens.report.html.markup import Markup, lines, listing, tag
from tracelens.report.html.query import code_block
from tracelens.report.html.sections import checklist, coverage, section, top_queries, waived
from tracelens.report.quantities import counted
from tracelens.severities import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracelens.findings import Report

_SEVERITY_HEADINGS: Final = {"critical": "Critical", "warning": "Warnings", "info": "Info"}
_ICON: Final = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16' fill='none' stroke='%23c2410c' "
    "stroke-width='2' stroke-linecap='round'%3E%3Cpath d='M1 3h9M4 8h8M9 13h6'/%3E%3C/svg%3E"
)
_LOGO: Final = '<svg viewBox="0 0 16 16" aria-hidden="true"><path d="M1 3h9M4 8h8M9 13h6"/></svg>'
_FEWEST_TO_CHOOSE_FROM: Final = 2
_HOW_FIXED_IS_ESTIMATED: Final = (
    "p95 if fixed is an estimate: each request of the endpoint without what the fix wins on its critical path, "
    "and p95 taken again. Gains of findings on one endpoint do not simply add up."
)


def render_html(report: Report) -> str:
    """Return the report as one HTML document that ends in a newline; equal reports give equal bytes.

    It loads nothing and keeps nothing, works from a file, and without scripts but for filters, sorting and copying.
    All that came in with spans is shown as text: see `markup`.
    """
    if _has_data(report):
        sections = [_findings(report), waived(report), coverage(report), checklist(report), top_queries(report)]
    else:
        sections = [_start_here()]
    body = tag(
        "body",
        sprite(),
        tag("a", "Skip to the report", href="#report", class_="skip"),
        _header(report),
        tag("main", *sections, id="report", tabindex="-1"),
        _footer(report),
    )
    return f"<!doctype html>\n{tag('html', _head(report), body, lang='en')}\n"


@cache
def _part(name: str) -> tuple[Markup, str]:
    """Return a file that stands in the page as it is, and the source expression by which the policy knows it."""
    text = files("tracelens.report.html").joinpath(name).read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Markup(text), f"'sha256-{digest}'"


def _head(report: Report) -> Markup:
    style, style_source = _part("page.css")
    script, script_source = _part("page.js")
    policy = (
        f"default-src 'none'; style-src {style_source}; script-src {script_source}; img-src data:; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
    )
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", f"{_headline(report)} · tracelens"),
        tag("link", rel="icon", href=_ICON),
        tag("style", style),
        tag("script", script),
    )


def _header(report: Report) -> Markup:
    without = "unknown" if is_partial(report) else "pass"
    state = report.findings[0].severity if report.findings else without
    return tag(
        "header",
        tag("p", Markup(_LOGO), "tracelens", class_="brand"),
        _sections(report),
        tag("h1", mark(state, spoken=False), tag("span", _headline(report))),
        tag("p", looked_at(report), class_="window"),
    )


def _headline(report: Report) -> str:
    return verdict(report) if _has_data(report) else "No spans to analyse, so nothing can be said about anything."


def _sections(report: Report) -> Markup:
    if not _has_data(report):
        return Markup()
    links = {
        "findings": "Findings",
        "coverage": "Coverage",
        "checklist": "Checklist" if report.checklist else "",
        "top-queries": "Top queries" if report.top_queries else "",
    }
    entries = [tag("a", title, href=f"#{name}") for name, title in links.items() if title]
    return tag("nav", listing("ul", entries), aria_label="Sections")


def _findings(report: Report) -> Markup:
    if not report.findings:
        return section("findings", "Findings", tag("p", _why_none(report)))
    others = siblings(report)
    groups = []
    for severity in reversed(SEVERITIES):
        places = [place for place, finding in enumerate(report.findings) if finding.severity == severity]
        if places:
            amount = tag("span", f"{len(places):,}", class_="count")
            entries = [finding_entry(report, place, others[place], is_open=place == 0) for place in places]
            heading = tag("h3", _SEVERITY_HEADINGS[severity], " ", amount)
            groups.append(tag("div", heading, *entries, class_="severity"))
    none_left = tag("p", "No finding passes the filter.", class_="none-left", hidden=True)
    return section("findings", "Findings", _filter(report), *groups, none_left)


def _why_none(report: Report) -> str:
    if is_partial(report):
        return shortfall(report)
    return "Every pass could see every service, and none of them found anything."


def _filter(report: Report) -> Markup:
    """Return the filter, which the script shows: without it nothing could be filtered."""
    severities = [
        tag(
            "label",
            tag("input", type="checkbox", name="severity", value=severity),
            mark(severity, spoken=False),
            f"{_SEVERITY_HEADINGS[severity]} {report.count(severity):,}",
            class_="choice",
        )
        for severity in reversed(SEVERITIES)
        if report.count(severity)
    ]
    return tag(
        "form",
        tag("fieldset", tag("legend", "Severity", class_="spoken"), *severities) if len(severities) > 1 else None,
        _choice("service", "All services", (finding.service_name for finding in report.findings)),
        _choice("pass", "All passes", (finding.pass_name for finding in report.findings)),
        tag("input", type="search", name="text", placeholder="Filter by text", aria_label="Filter by text"),
        tag("output", counted(len(report.findings), "finding")),
        tag("button", "Open all", type="button", class_="open-all"),
        class_="filter",
        role="search",
        aria_label="Filter the findings",
        hidden=True,
    )


def _choice(name: str, everything: str, values: Iterable[str]) -> Markup:
    amounts = Counter(values)
    if len(amounts) < _FEWEST_TO_CHOOSE_FROM:
        return Markup()
    options = [tag("option", f"{value} ({amounts[value]:,})", value=value) for value in sorted(amounts)]
    return tag("select", tag("option", everything, value=""), *options, name=name, aria_label=name.capitalize())


def _start_here() -> Markup:
    """Return what to do where nothing was received, in the terminal report's words."""
    return tag(
        "section",
        tag(
            "p",
            "Point an OTLP exporter at port 4317 (gRPC) or 4318 (HTTP) while ",
            tag("code", "tracelens serve"),
            " runs:",
        ),
        code_block(
            lines(
                "export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318\n"
                "export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"
            ),
            "settings",
        ),
        tag("p", "or run a program with its exporter pointed here:"),
        code_block(lines("tracelens run -- COMMAND"), "command that runs a program"),
        tag("p", "or pass trace files (OTLP, Jaeger, Zipkin; also .gz and .zst):"),
        code_block(lines("tracelens report traces.jsonl"), "command that reads files"),
        tag(
            "p",
            "If spans did arrive, the window or a filter left them all out: "
            "see --since, --until, --service, --endpoint.",
            class_="why",
        ),
        aria_label="How to send spans",
        class_="start-here",
    )


def _footer(report: Report) -> Markup:
    if not report.findings:
        return Markup()
    has_estimate = any(finding.impact.endpoint_p95_if_fixed_ms is not None for finding in report.findings)
    command = tag("code", f"tracelens explain {report.findings[0].pass_name}")
    return tag(
        "footer",
        tag("p", _HOW_FIXED_IS_ESTIMATED) if has_estimate else None,
        tag("p", command, ": how it is found, and with which thresholds."),
    )


def _has_data(report: Report) -> bool:
    return bool(report.summary.spans or report.findings)
