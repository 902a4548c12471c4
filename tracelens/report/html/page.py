"""The page as a whole: head, headline, filter, findings by severity, and what follows them.

The policy in its head lets the browser run the one script and apply the one style sheet that stand in it, known by
their hashes, and load nothing: a page from a CI artifact cannot call out, whatever a span's name holds.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from tracelens.findings import SEVERITIES
from tracelens.report.facts import is_partial, looked_at, siblings, verdict
from tracelens.report.html.finding import finding_entry
from tracelens.report.html.markup import Markup, joined, listing, prose, tag
from tracelens.report.html.marks import mark, sprite
from tracelens.report.html.sections import checklist, coverage, section, top_queries
from tracelens.report.quantities import counted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracelens.findings import Finding, Report

_SEVERITY_HEADINGS: Final = {"critical": "Critical", "warning": "Warnings", "info": "Info"}
_ICON: Final = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16' fill='none' stroke='%23c2410c' "
    "stroke-width='2' stroke-linecap='round'%3E%3Cpath d='M1 3h9M4 8h8M9 13h6'/%3E%3C/svg%3E"
)
_HOW_FIXED_IS_ESTIMATED: Final = (
    "p95 if fixed is an estimate: each request of the endpoint without its own avoidable time, and p95 taken again. "
    "Savings of findings that share requests do not add up."
)


def render_html(report: Report) -> str:
    """Return the report as one HTML document that ends in a newline; equal reports give equal bytes.

    It loads nothing and keeps nothing, works from a file, and without scripts but for filters, sorting and copying.
    All that came in with spans is shown as text: see `markup`.
    """
    if report.summary.spans or report.findings:
        sections = [_findings(report), coverage(report), checklist(report), top_queries(report)]
    else:
        sections = [_no_spans()]
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
        tag("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name_="color-scheme", content="light dark"),
        tag("meta", name_="referrer", content="no-referrer"),
        tag("title", f"{verdict(report)} · tracelens"),
        tag("link", rel="icon", href=_ICON),
        tag("style", style),
        tag("script", script),
    )


def _header(report: Report) -> Markup:
    if report.findings:
        state = report.findings[0].severity
    else:
        state = "unknown" if is_partial(report) else "pass"
    links = [("findings", "Findings"), ("coverage", "Coverage")]
    links += [("checklist", "Checklist")] if report.checklist else []
    links += [("top-queries", "Top queries")] if report.top_queries else []
    shown = bool(report.summary.spans or report.findings)
    entries = [tag("a", title, href=f"#{name}") for name, title in links]
    return tag(
        "header",
        tag("p", "tracelens", class_="brand"),
        listing("ul", entries, class_="sections") and tag("nav", listing("ul", entries), aria_label="Sections")
        if shown
        else None,
        tag("h1", mark(state, spoken=False), tag("span", verdict(report))),
        tag("p", looked_at(report), class_="window"),
    )
