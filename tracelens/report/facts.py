"""What a finding and a report say, as labelled text, for every reporter that is read by a person."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from tracelens.report.quantities import UNKNOWN, count, counted, duration, evidence, listed, percent, window

if TYPE_CHECKING:
    from tracelens.findings import CodeLocation, Finding, Report, ServiceCoverage

SEVERITY_PLURALS: Final = {"critical": "critical", "warning": "warnings", "info": "info"}
_FEWEST_FOR_P95: Final = 20
"""Below this the 95th percentile of a list is its maximum."""


def verdict(report: Report) -> str:
    """Return the one-line answer: `2 critical, 1 warning in 1,204 requests of 3 services`."""
    scope = f"{counted(report.summary.requests, 'request')} of {counted(report.summary.services, 'service')}"
    found = [
        f"{count(report.count(severity))} {severity if report.count(severity) == 1 else plural}"
        for severity, plural in SEVERITY_PLURALS.items()
        if report.count(severity)
    ]
    return f"{', '.join(found) or 'No findings'} in {scope}"


def waived(report: Report) -> list[tuple[str, str]]:
    """Return what was waived, as (`n_plus_one · GET /orders in shop`, `reason, until 2027-01-31`), in order."""
    return [
        (
            f"{finding.pass_name} · {finding.endpoint} in {finding.service_name}",
            f"{finding.reason}, until {finding.expires}",
        )
        for finding in report.waived
    ]


def looked_at(report: Report) -> str:
    """Return what the report rests on: window, traces, spans."""
    summary = report.summary
    amounts = f"{counted(summary.traces, 'trace')} · {counted(summary.spans, 'span')}"
    if report.window_start_ns is None or report.window_end_ns is None:
        return amounts
    return f"{window(report.window_start_ns, report.window_end_ns)} · {amounts}"


def cost(finding: Finding) -> tuple[str, str]:
    """Return what the finding cost and how often it was seen, as label and text; when, where it is about no request."""
    if not finding.occurrences.requests and not finding.exemplar.trace_id:
        return ("seen", window(finding.first_seen_ns, finding.last_seen_ns))
    seen = f"{counted(finding.occurrences.requests, 'request')} ({counted(finding.occurrences.spans, 'span')})"
    avoidable_ms = finding.impact.avoidable_ms
    if avoidable_ms <= 0:
        return ("seen in", seen)
    share = finding.impact.endpoint_share
    of_endpoint = f", {percent(share)} of the endpoint's time" if share and math.isfinite(share) else ""
    return ("cost", f"{duration(avoidable_ms)} avoidable in {seen}{of_endpoint}")


def endpoint_p95(finding: Finding) -> str | None:
    """Return the endpoint's p95 now and without the finding; None where the endpoint has none."""
    now_ms, fixed_ms = finding.impact.endpoint_p95_ms, finding.impact.endpoint_p95_if_fixed_ms
    if now_ms is None or not math.isfinite(now_ms):
        return None
    if fixed_ms is None or not math.isfinite(fixed_ms):
        return duration(now_ms)
    if duration(fixed_ms) == duration(now_ms) or not 0 <= fixed_ms <= now_ms:
        return f"{duration(now_ms)}, not changed by this fix alone"
    return f"{duration(now_ms)} now → {duration(fixed_ms)} if fixed ({percent(1 - fixed_ms / now_ms)} less)"


def location(code: CodeLocation) -> str | None:
    """Return `src/orders.js:42 in listOrders`, as far as known; None where nothing is."""
    place = code.file and (code.file if code.line is None else f"{code.file}:{code.line}")
    return " in ".join(part for part in (place, code.function) if part) or None


def facts(finding: Finding, *, everything: bool = False) -> list[tuple[str, str]]:
    """Return what is known of a finding as labels and texts: its cost first, then the evidence, then where to look.

    With `everything` also what serves machines: fingerprint, offender spans, times; and lists in full.
    """
    p95 = endpoint_p95(finding)
    rows = [cost(finding)]
    if p95 is not None:
        rows.append(("endpoint p95", p95))
    rows += [
        evidence(name, value, 1_000_000) if everything else evidence(name, value)
        for name, value in finding.evidence
        if value not in {None, (), ""}
    ]
    if finding.exemplar.trace_id:
        rows.append(("trace", finding.exemplar.trace_id))
    place = finding.code and location(finding.code)
    if place:
        rows.append(("code", place))
    if everything:
        rows += [
            ("offender spans", " ".join(finding.exemplar.offender_span_ids)),
            ("seen", window(finding.first_seen_ns, finding.last_seen_ns)),
            ("fingerprint", finding.fingerprint),
        ]
    return [(label, text or UNKNOWN) for label, text in rows]


def siblings(report: Report) -> dict[int, list[int]]:
    """Return, by a finding's place in the report, the places of the others on the same endpoint of the same service."""
    places: dict[tuple[str, str], list[int]] = {}
    for place, finding in enumerate(report.findings):
        places.setdefault((finding.service_name, finding.endpoint), []).append(place)
    return {place: [other for other in group if other != place] for group in places.values() for place in group}


def blind_spots(report: Report) -> list[tuple[str, str, str, str]]:
    """Return what could not be judged as passes, services, reason and remedy; equal ones stand together.

    A service stands with a reason only for the passes that it blinds there.
    """
    by_service: dict[tuple[str, str, str], list[str]] = {}
    for service in report.coverage:
        for blind in service.blind:
            by_service.setdefault((blind.why, blind.remedy or "", service.service_name), []).append(blind.pass_name)
    spots: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for (why, remedy, service_name), passes in by_service.items():
        spots.setdefault((why, remedy, tuple(passes)), []).append(service_name)
    return [(", ".join(passes), listed(services, 3), why, remedy) for (why, remedy, passes), services in spots.items()]


def notes(report: Report) -> list[tuple[str, str, str, str]]:
    """Return what is wrong with services' data as name, service, reason and remedy; services with most spans first."""
    services = sorted(report.coverage, key=lambda service: (-service.spans, service.service_name))
    return [(note.note, service.service_name, note.why, note.remedy) for service in services for note in service.notes]


def shortfall(report: Report) -> str:
    """Return why silence is no clean bill of health, in a sentence or two; only for a report that `is_partial`."""
    blind = len({blind.pass_name for service in report.coverage for blind in service.blind})
    flawed = sum(bool(service.notes) for service in report.coverage)
    unknown = sum(item.state == "unknown" for item in report.checklist)
    reasons = [
        f"{counted(blind, 'pass', 'passes')} could not see every service" if blind else "",
        f"the data of {counted(flawed, 'service')} is thin or flawed" if flawed else "",
        f"{counted(unknown, 'checklist item')} could not be judged" if unknown else "",
    ]
    *first, last = list(filter(None, reasons)) or ["the data is thin"]
    detail = f"{', '.join(first)} and {last}" if first else last
    return f"That is not a clean bill of health: {detail}. What is missing stands below."


def text_share(service: ServiceCoverage) -> str:
    """Return how many of the service's database calls carry their query text."""
    return percent(service.db_calls_with_text / service.db_calls) if service.db_calls else UNKNOWN


def caveats(report: Report) -> list[str]:
    """Return in sentences why the findings may be fewer than the problems: thin data and silent services."""
    summary = report.summary
    sentences = []
    if report.coverage and all(is_entryless(service) for service in report.coverage):
        sentences.append(
            "No span shows a request being served or a message being consumed: "
            "what is found or not found holds for single calls, not for requests."
        )
    if not summary.requests:
        sentences.append("No request was seen: no span is an entry (SERVER, CONSUMER or a root).")
    elif summary.requests < _FEWEST_FOR_P95:
        sentences.append(
            f"Only {counted(summary.requests, 'request')} seen: rare problems have not shown yet, "
            f"and below {_FEWEST_FOR_P95} requests a p95 is just the slowest one."
        )
    textless = [service for service in report.coverage if service.db_calls_with_text < service.db_calls]
    if textless:
        shares = [
            f"{percent(1 - service.db_calls_with_text / service.db_calls)} in {service.service_name}"
            for service in textless
        ]
        sentences.append(f"Database calls without query text, which cannot be told apart: {listed(shares, 3)}.")
    silent = [service.service_name for service in report.coverage if not service.db_calls]
    if silent:
        sentences.append(
            f"No database call from {listed(silent, 3)}: either there is none, or its driver is not instrumented."
        )
    return sentences


def is_entryless(service: ServiceCoverage) -> bool:
    """Tell whether no span of a service is the entry of a request."""
    return any(note.note == "no_entry_spans" for note in service.notes)


def is_partial(report: Report) -> bool:
    """Tell whether silence may mean blindness: a blind pass, thin or flawed data, or an unknown checklist item."""
    unknown = any(item.state == "unknown" for item in report.checklist)
    lacking = any(service.blind or service.notes for service in report.coverage)
    return unknown or lacking or not report.coverage or bool(caveats(report))
