"""The report for a terminal: what to fix first, at the width and in the colours that the caller knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracelens.report.facts import (
    blind_spots,
    caveats,
    is_partial,
    looked_at,
    notes,
    shortfall,
    siblings,
    text_share,
    verdict,
    waived,
)
from tracelens.report.layout import Canvas
from tracelens.report.quantities import count, words
from tracelens.report.terminal_finding import MARKS, FindingBlocks
from tracelens.report.terminal_queries import query_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracelens.findings import ChecklistItem, Report
    from tracelens.report.layout import Line

_IN_FULL: Final = 10
_TOP_QUERIES: Final = 5
_SERVICES: Final = 12
_NOTES: Final = 8
_CHECK_MARKS: Final = {"fail": ("✘", "red"), "pass": ("✔", "green"), "unknown": ("?", "yellow")}
_SEVERITY_HEADINGS: Final = {"critical": "Critical", "warning": "Warnings", "info": "Info"}


def render_terminal(
    report: Report,
    *,
    width: int = 80,
    colour: bool = False,
    unicode: bool = True,
    limit: int | None = None,
    verbose: bool = False,
) -> str:
    """Return the report as text for a terminal, worst finding first, ending in a newline.

    No line is wider than `width` cells (40 at least) but the lines of a code snippet, which stay whole to be copied.
    All that came in with spans is neutralised: see `layout`.

    Args:
        report: what to show.
        width: of the terminal, in cells.
        colour: whether ANSI colours may be used.
        unicode: whether the terminal shows more than ASCII; without it the text is ASCII only.
        limit: how many findings are shown in full, the rest in a line each. Default: the first 10 that are
            not `info`.
        verbose: all findings, lists, blind spots and checklist reasons in full.
    """
    canvas = Canvas.of(width, colour=colour, unicode=unicode)
    if not report.summary.spans and not report.findings:
        sections = [_no_spans(canvas)]
    else:
        sections = [
            _headline(canvas, report),
            *_findings(canvas, report, _shown_in_full(report, limit, verbose=verbose), verbose=verbose),
            _waived(canvas, report),
            _coverage(canvas, report, verbose=verbose),
            _checklist(canvas, report, verbose=verbose),
            _top_queries(canvas, report),
            _closing(canvas, report),
        ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def _shown_in_full(report: Report, limit: int | None, *, verbose: bool) -> int:
    if limit is not None:
        return max(0, limit)
    if verbose:
        return len(report.findings)
    return min(_IN_FULL, sum(finding.severity != "info" for finding in report.findings))


def _headline(canvas: Canvas, report: Report) -> list[str]:
    if report.findings:
        mark, style = MARKS[report.findings[0].severity]
    elif is_partial(report):
        mark, style = "?", "yellow"
    else:
        mark, style = "✔", "green"
    lines = canvas.flow((verdict(report), "bold"), lead=[(f"{mark} ", style)])
    lines += canvas.flow((looked_at(report), "dim"), lead=[("  ", "")])
    if not report.findings and is_partial(report):
        lines += ["", *canvas.flow((shortfall(report), ""), lead=[("  ", "")])]
    return lines


def _findings(canvas: Canvas, report: Report, in_full: int, *, verbose: bool) -> Iterator[list[str]]:
    blocks = FindingBlocks(canvas, report, siblings(report), everything=verbose)
    severity = ""
    for place, finding in enumerate(report.findings[:in_full]):
        if finding.severity != severity:
            severity = finding.severity
            amount = sum(each.severity == severity for each in report.findings)
            yield [canvas.heading(f"{_SEVERITY_HEADINGS[severity]} ({amount})")]
        yield blocks.block(place)
    folded = range(in_full, len(report.findings))
    if folded:
        title = "More findings" if in_full else "Findings"
        hint = f"-v shows {'it' if len(folded) == 1 else 'all of them'} in full."
        lines = [*blocks.rows(folded), *canvas.flow((hint, "dim"), lead=[("  ", "")])]
        yield [canvas.heading(f"{title} ({len(folded)})"), *lines]


def _waived(canvas: Canvas, report: Report) -> list[str]:
    if not report.waived:
        return []
    lines = [canvas.heading(f"Waived ({len(report.waived):,})")]
    for what, why in waived(report):
        lines += canvas.flow((what, ""), (why, "dim"), lead=[("  ", "")])
    return lines


def _coverage(canvas: Canvas, report: Report, *, verbose: bool) -> list[str]:
    services = sorted(report.coverage, key=lambda service: (-service.spans, service.service_name))
    shown = services if verbose else services[:_SERVICES]
    rows: list[Line] = [[("service", "dim"), ("spans", "dim"), ("db calls", "dim"), ("with query text", "dim")]]
    rows += [
        [
            (service.service_name, ""),
            (count(service.spans), ""),
            (count(service.db_calls), ""),
            (text_share(service), "yellow" if service.db_calls_with_text < service.db_calls else ""),
        ]
        for service in shown
    ]
    lines = [canvas.heading("Coverage"), *(canvas.columns(rows, right={1, 2, 3}, indent=2) if shown else [])]
    if len(shown) < len(services):
        lines += canvas.flow(
            (f"+{len(services) - len(shown):,} more services; -v lists them.", "dim"), lead=[("  ", "")]
        )
    remarks = _remarks(canvas, report, verbose=verbose)
    return [*lines, *([""] if shown and remarks else []), *remarks]


def _remarks(canvas: Canvas, report: Report, *, verbose: bool) -> list[str]:
    """Return what could not be seen, and what would show it: the less was found, the more that matters."""
    lines = [line for text in caveats(report) for line in canvas.flow((text, ""), lead=[("  ! ", "yellow")])]
    flaws = notes(report)
    shown = flaws if verbose else flaws[:_NOTES]
    spots = [((words(name), f"in {service}: {why}"), remedy, "!") for name, service, why, remedy in shown]
    spots += [((passes, f"blind in {names}: {why}"), remedy, "?") for passes, names, why, remedy in blind_spots(report)]
    with_remedies = verbose or not report.findings
    for (title, text), remedy, mark in spots:
        lines += canvas.flow((title, "bold"), (text, ""), lead=[(f"  {mark} ", "yellow")])
        if with_remedies and remedy:
            lines += canvas.flow((remedy, "cyan"), lead=[("    → ", "dim")])
    if len(shown) < len(flaws):
        lines += canvas.flow((f"+{len(flaws) - len(shown):,} more notes; -v lists them.", "dim"), lead=[("  ", "")])
    if spots and not with_remedies:
        lines += canvas.flow(("-v says what would show it.", "dim"), lead=[("  ", "")])
    if not report.coverage and not lines:
        return canvas.flow(("No service's spans were looked at.", ""), lead=[("  ! ", "yellow")])
    return lines


def _checklist(canvas: Canvas, report: Report, *, verbose: bool) -> list[str]:
    if not report.checklist:
        return []
    lines = [canvas.heading("Checklist")]
    for state, (mark, style) in _CHECK_MARKS.items():
        items = [item for item in report.checklist if item.state == state]
        if state == "fail" or verbose:
            lines += _reasons(canvas, items, mark, style)
        elif items:
            names = ", ".join(words(item.item) for item in items)
            lines += canvas.flow((names, ""), lead=[(f"  {mark} ", style)])
    if not verbose and any(item.state == "unknown" for item in report.checklist):
        lines += canvas.flow(("? is unknown; -v says what would show it.", "dim"), lead=[("  ", "")])
    return lines


def _reasons(canvas: Canvas, items: list[ChecklistItem], mark: str, style: str) -> list[str]:
    return [
        line
        for item in items
        for line in canvas.flow((f"{words(item.item)}:", "bold"), (item.why, ""), lead=[(f"  {mark} ", style)])
    ]


def _top_queries(canvas: Canvas, report: Report) -> list[str]:
    if not report.top_queries:
        return []
    lines = query_lines(canvas, report.top_queries[:_TOP_QUERIES], share_of_ms=None)
    return [canvas.heading("Top queries by total time"), *lines]


def _closing(canvas: Canvas, report: Report) -> list[str]:
    if not report.findings:
        return []
    text = f"tracelens explain {report.findings[0].pass_name}: how it is found, and with which thresholds."
    return canvas.flow((text, "dim"))


def _no_spans(canvas: Canvas) -> list[str]:
    lines = canvas.flow(
        ("No spans to analyse, so nothing can be said about anything.", "bold"), lead=[("? ", "yellow")]
    )
    for advice, *commands in (
        (
            "Point an OTLP exporter at port 4317 (gRPC) or 4318 (HTTP) while tracelens serve runs:",
            "export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318",
            "export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
        ),
        ("or run a program with its exporter pointed here:", "tracelens run -- COMMAND"),
        ("or pass trace files (OTLP, Jaeger, Zipkin; also .gz and .zst):", "tracelens report traces.jsonl"),
    ):
        lines += ["", *canvas.flow((advice, ""), lead=[("  ", "")])]
        for command in commands:
            lines += canvas.flow((command, "cyan"), lead=[("      ", "")])
    note = "If spans did arrive, the window or a filter left them all out: see --since, --until, --service, --endpoint."
    return [*lines, "", *canvas.flow((note, "dim"), lead=[("  ", "")])]
