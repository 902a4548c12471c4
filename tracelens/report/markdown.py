"""The report as Markdown, for a pull-request comment or a CI summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracelens.report.facts import (
    blind_spots,
    caveats,
    cost,
    facts,
    is_partial,
    looked_at,
    notes,
    shortfall,
    text_share,
    verdict,
    waived,
)
from tracelens.report.markdown_text import clip, code, details, fence, html, prose, table
from tracelens.report.quantities import count, words
from tracelens.report.query_text import clauses, is_query
from tracelens.report.top import query_table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracelens.findings import ChecklistItem, Finding, Report

_MARKS: Final = {"critical": "🔴", "warning": "🟠", "info": "🔵"}
_CHECK_MARKS: Final = {"pass": "[x]", "fail": "[ ] ❌", "unknown": "[ ] ❔"}
_TOP_QUERIES: Final = 5
_WAIVED: Final = 20
_LONGEST_NAME: Final = 120
_LONGEST_MESSAGE: Final = 600
_LONGEST_SUBJECT: Final = 4_000


def render_markdown(report: Report, *, max_characters: int = 60_000) -> str:
    """Return the report as GitHub-flavoured Markdown that ends in a newline.

    A table of the findings, each of them folded beneath it, then coverage, checklist and top queries. Text from
    spans cannot break out of its place: see `markdown_text`.

    Args:
        report: what to show.
        max_characters: findings and lists are cut, and the cut is told, before the text grows past this. The
            default fits a GitHub comment (65,536).
    """
    third = max_characters // 3
    head = [f"### {_mark(report)} {prose(verdict(report))}", prose(looked_at(report))]
    if not report.summary.spans and not report.findings:
        head.append(
            "No spans to analyse: point an OTLP exporter at `tracelens serve` (port 4317 gRPC, 4318 HTTP), "
            "or pass trace files to `tracelens report`."
        )
        return "\n\n".join(head) + "\n"
    if not report.findings and is_partial(report):
        head.append(f"**{prose(shortfall(report))}**")
    overview = _overview(report, third)
    rest = [
        *_waived(report),
        *_coverage(report, third // 3),
        *_checklist(report, third // 3),
        *_top_queries(report, third // 3),
    ]
    room = max_characters - sum(len(block) + 2 for block in (*head, *overview, *rest)) - _LONGEST_NAME
    return "\n\n".join([*head, *overview, *_details(report, room), *rest]) + "\n"


def _mark(report: Report) -> str:
    if report.findings:
        return _MARKS[report.findings[0].severity]
    return "❔" if is_partial(report) or not report.summary.spans else "✅"


def _overview(report: Report, room: int) -> list[str]:
    if not report.findings:
        return []
    rows = [
        [
            str(number),
            f"{_MARKS[finding.severity]} {finding.severity}",
            f"{code(clip(finding.endpoint, _LONGEST_NAME))} in {prose(clip(finding.service_name, _LONGEST_NAME))}",
            f"{code(finding.pass_name)} {prose(clip(finding.message, _LONGEST_MESSAGE))}",
            prose(cost(finding)[1]),
        ]
        for number, finding in enumerate(report.findings, start=1)
    ]
    shown = _fitting(rows, room)
    blocks = [table(["", "Severity", "Endpoint", "Finding", "Cost"], shown, right={0})]
    return blocks if len(shown) == len(rows) else [*blocks, _omitted(len(rows) - len(shown), "findings")]


def _details(report: Report, room: int) -> list[str]:
    blocks = [_finding(number, finding) for number, finding in enumerate(report.findings, start=1)]
    shown = [block for (block,) in _fitting([[block] for block in blocks], room)]
    return shown if len(shown) == len(blocks) else [*shown, _omitted(len(blocks) - len(shown), "findings in full")]


def _finding(number: int, finding: Finding) -> str:
    advice = finding.advice
    summary = (
        f"{number}. {_MARKS[finding.severity]} <b><code>{html(finding.pass_name)}</code></b> "
        f"<code>{html(clip(finding.endpoint, _LONGEST_NAME))}</code>"
    )
    likely = " *(likely)*" if finding.confidence == "likely" else ""
    blocks = [prose(finding.message) + likely]
    if finding.subject not in {finding.endpoint, finding.service_name, ""}:
        subject = clip(finding.subject, _LONGEST_SUBJECT)
        blocks.append(fence("\n".join(clauses(subject)), "sql") if is_query(subject) else fence(subject))
    rows = [[prose(label), _value(label, text)] for label, text in facts(finding)]
    blocks += [table(["Evidence", ""], rows), f"**Fix.** {prose(advice.summary)}"]
    if advice.steps:
        blocks.append("\n".join(f"{place}. {prose(step)}".rstrip() for place, step in enumerate(advice.steps, start=1)))
    if advice.snippet is not None:
        blocks += [prose(f"{advice.snippet.framework}:"), fence(advice.snippet.code, advice.snippet.language)]
    return details(summary, blocks)


def _value(label: str, text: str) -> str:
    return code(text) if label in {"trace", "code"} or is_query(text) else prose(clip(text, _LONGEST_MESSAGE))


def _waived(report: Report) -> list[str]:
    if not report.waived:
        return []
    rows = [f"- {prose(clip(f'{what}: {why}', _LONGEST_MESSAGE))}" for what, why in waived(report)[:_WAIVED]]
    return [f"#### Waived ({len(report.waived):,})", "\n".join(rows)]


def _coverage(report: Report, room: int) -> list[str]:
    services = [
        [prose(service.service_name), count(service.spans), count(service.db_calls), text_share(service)]
        for service in report.coverage
    ]
    shown = _fitting(services, room)
    blocks = ["#### Coverage"]
    if shown:
        blocks.append(table(["Service", "Spans", "Database calls", "With query text"], shown, right={1, 2, 3}))
    if len(shown) < len(services):
        blocks.append(_omitted(len(services) - len(shown), "services"))
    remarks = [f"- ⚠️ {prose(text)}" for text in caveats(report)]
    remarks += [
        f"- ⚠️ {prose(words(name))} in {prose(service)}: {_mended(why, remedy)}"
        for name, service, why, remedy in notes(report)
    ]
    remarks += [
        f"- ❔ {prose(passes)}: blind in {prose(names)}: {_mended(why, remedy)}"
        for passes, names, why, remedy in blind_spots(report)
    ]
    if remarks:
        blocks.append(_list(remarks, room, "blind spots"))
    elif not services:
        blocks.append("No service's spans were looked at.")
    return blocks


def _mended(why: str, remedy: str) -> str:
    reason = prose(clip(why, _LONGEST_MESSAGE))
    return f"{reason}. *Remedy:* {prose(clip(remedy, _LONGEST_MESSAGE))}" if remedy else reason


def _checklist(report: Report, room: int) -> list[str]:
    if not report.checklist:
        return []
    return ["#### Checklist", _list([_task(item) for item in report.checklist], room, "checklist items")]


def _task(item: ChecklistItem) -> str:
    return f"- {_CHECK_MARKS[item.state]} {prose(words(item.item))}: {prose(clip(item.why, _LONGEST_MESSAGE))}"


def _top_queries(report: Report, room: int) -> list[str]:
    queries = report.top_queries[:_TOP_QUERIES]
    while queries and len(query_table(queries, share_of_ms=None)) > room:
        queries = queries[:-1]
    return ["#### Top queries by total time", query_table(queries, share_of_ms=None)] if queries else []


def _list(lines: list[str], room: int, what: str) -> str:
    shown = [line for (line,) in _fitting([[line] for line in lines], room)]
    return "\n".join(shown if len(shown) == len(lines) else [*shown, f"- {_omitted(len(lines) - len(shown), what)}"])


def _fitting(rows: Iterable[list[str]], room: int) -> list[list[str]]:
    """Return the first rows that fit into so many characters, separators counted."""
    shown = []
    for row in rows:
        room -= sum(len(cell) + 3 for cell in row) + 3
        if room < 0:
            break
        shown.append(row)
    return shown


def _omitted(amount: int, what: str) -> str:
    return f"*{amount:,} more {what} left out for length; `tracelens report -v` shows them.*"
