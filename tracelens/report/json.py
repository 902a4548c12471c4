"""The report as JSON: the schema `tracelens.report/1`, written.

Everything that could differ between two runs of the same analysis is settled here: durations and
evidence are rounded to three digits, there is no `-0.0`, and times have one form,
`2026-03-02T09:00:00.000000Z` (UTC, always six digits, cut off below a microsecond).
A number that is not finite has no JSON form and says nothing, so it becomes null.
"""

from __future__ import annotations

import json
import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from tracelens.report.json_reader import REPORT_SCHEMA, report_from_dict
from tracelens.report.quantities import EPOCH
from tracelens.severities import SEVERITIES

if TYPE_CHECKING:
    from tracelens.findings import (
        ChecklistItem,
        EvidenceValue,
        Finding,
        QueryStatistics,
        Report,
        Scalar,
        ServiceCoverage,
        WaivedFinding,
    )

__all__ = ["render_json", "report_from_dict", "report_to_dict"]

_DIGITS: Final = 3


def render_json(report: Report) -> str:
    """Return the report as indented JSON text that ends in a newline; the same report gives the same bytes."""
    return dump(report_to_dict(report))


def dump(document: dict[str, Any]) -> str:
    """Return a document of plain values as tracelens prints JSON: two spaces, UTF-8 unescaped, keys as given."""
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def report_to_dict(report: Report) -> dict[str, Any]:
    """Return the report as plain values of the schema `tracelens.report/1`; `window` is null without spans."""
    start_ns, end_ns = report.window_start_ns, report.window_end_ns
    return {
        "schema": REPORT_SCHEMA,
        "window": None
        if start_ns is None or end_ns is None
        else {"start": timestamp(start_ns), "end": timestamp(end_ns)},
        "summary": {
            "spans": report.summary.spans,
            "traces": report.summary.traces,
            "requests": report.summary.requests,
            "services": report.summary.services,
            "findings": {severity: report.count(severity) for severity in reversed(SEVERITIES)},
        },
        "findings": [finding_to_dict(finding) for finding in report.findings],
        "waived": [_waived(finding) for finding in report.waived],
        "coverage": [_coverage(service) for service in report.coverage],
        "checklist": [_checklist_item(item) for item in report.checklist],
        "top_queries": [query_to_dict(query) for query in report.top_queries],
    }


def finding_to_dict(finding: Finding) -> dict[str, Any]:
    """Return one finding as plain values, as it stands in the report's `findings`."""
    code, snippet = finding.code, finding.advice.snippet
    return {
        "fingerprint": text(finding.fingerprint),
        "pass": text(finding.pass_name),
        "severity": text(finding.severity),
        "confidence": text(finding.confidence),
        "service_name": text(finding.service_name),
        "endpoint": text(finding.endpoint),
        "subject": text(finding.subject),
        "message": text(finding.message),
        "occurrences": {"requests": finding.occurrences.requests, "spans": finding.occurrences.spans},
        "impact": {
            "avoidable_ms": number(finding.impact.avoidable_ms),
            "endpoint_p95_ms": number(finding.impact.endpoint_p95_ms),
            "endpoint_p95_if_fixed_ms": number(finding.impact.endpoint_p95_if_fixed_ms),
            "endpoint_share": number(finding.impact.endpoint_share),
        },
        "exemplar": {
            "trace_id": text(finding.exemplar.trace_id),
            "offender_span_ids": [text(span_id) for span_id in finding.exemplar.offender_span_ids],
        },
        "evidence": {text(name): _evidence(value) for name, value in finding.evidence},
        "code": code and {"function": _optional(code.function), "file": _optional(code.file), "line": code.line},
        "advice": {
            "summary": text(finding.advice.summary),
            "steps": [text(step) for step in finding.advice.steps],
            "snippet": snippet
            and {
                "framework": text(snippet.framework),
                "language": text(snippet.language),
                "code": text(snippet.code),
            },
        },
        "first_seen": timestamp(finding.first_seen_ns),
        "last_seen": timestamp(finding.last_seen_ns),
    }


def _waived(finding: WaivedFinding) -> dict[str, Any]:
    return {
        "fingerprint": text(finding.fingerprint),
        "pass": text(finding.pass_name),
        "severity": text(finding.severity),
        "service_name": text(finding.service_name),
        "endpoint": text(finding.endpoint),
        "subject": text(finding.subject),
        "reason": text(finding.reason),
        "expires": text(finding.expires),
    }


def query_to_dict(query: QueryStatistics) -> dict[str, Any]:
    """Return one query shape's statistics as plain values, as they stand in `top_queries`."""
    return {
        "query_shape": text(query.query_shape),
        "db_system": text(query.db_system),
        "calls": query.calls,
        "mean_ms": number(query.mean_ms),
        "p95_ms": number(query.p95_ms),
        "max_ms": number(query.max_ms),
        "total_ms": number(query.total_ms),
        "endpoints": [text(endpoint) for endpoint in query.endpoints],
    }


def timestamp(time_ns: int) -> str:
    """Return nanoseconds since 1970 as RFC 3339 in UTC with six digits, `2026-03-02T09:00:00.000000Z`."""
    return (EPOCH + timedelta(microseconds=time_ns // 1000)).isoformat(timespec="microseconds")[:26] + "Z"


def number(value: float | None) -> float | None:
    """Return the value rounded to three digits, never `-0.0`, and None for what is not finite."""
    if value is None or not math.isfinite(value):
        return None
    return round(float(value), _DIGITS) + 0.0  # adding zero turns -0.0 into 0.0


def text(value: str) -> str:
    """Return the text with what UTF-8 cannot carry (a lone surrogate) replaced by a question mark."""
    return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")


def _optional(value: str | None) -> str | None:
    return None if value is None else text(value)


def _scalar(value: Scalar) -> Scalar:
    if isinstance(value, float):
        return number(value)
    return text(value) if isinstance(value, str) else value


def _evidence(value: EvidenceValue) -> Scalar | list[Scalar]:
    return [_scalar(each) for each in value] if isinstance(value, tuple) else _scalar(value)


def _coverage(service: ServiceCoverage) -> dict[str, Any]:
    return {
        "service_name": text(service.service_name),
        "spans": service.spans,
        "db_calls": service.db_calls,
        "db_calls_with_text": service.db_calls_with_text,
        "blind": [
            {"pass": text(blind.pass_name), "why": text(blind.why), "remedy": _optional(blind.remedy)}
            for blind in service.blind
        ],
        "notes": [
            {"note": text(note.note), "why": text(note.why), "remedy": text(note.remedy)} for note in service.notes
        ],
    }


def _checklist_item(item: ChecklistItem) -> dict[str, Any]:
    return {"item": text(item.item), "state": text(item.state), "why": text(item.why)}
