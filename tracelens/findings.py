"""What an analysis says: findings and the report that holds them.

Frozen values that need nothing else from tracelens, so that every reporter and notifier can be a
pure function of them. Ids are lower-case hex, times nanoseconds since 1970 UTC, durations `_ms` floats.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

Scalar: TypeAlias = str | int | float | bool | None
EvidenceValue: TypeAlias = Scalar | tuple[Scalar, ...]

CONFIDENCES: Final = ("certain", "likely")

_ONE_PERCENT: Final = 0.01


def whole_percent(share: float) -> str:
    """Return a finite share of 1 in whole percent, rounded down; `<1 %` is not nothing, and `>99 %` is not all."""
    if 0 < share < _ONE_PERCENT:
        return "<1 %"
    if 1 - _ONE_PERCENT < share < 1:
        return ">99 %"
    return f"{math.floor(round(share * 100, 6)):,} %"  # 0.29 * 100 is a little less than 29


@dataclass(frozen=True, slots=True)
class Occurrences:
    """How often a finding was seen: affected requests, and offender spans in them (sampling weight applied)."""

    requests: int
    spans: int


@dataclass(frozen=True, slots=True)
class Impact:
    """What a finding costs.

    Attributes:
        avoidable_ms: covered time over all occurrences that the fix removes.
        endpoint_p95_ms: the endpoint's 95th percentile in the window, None where it has no requests.
        endpoint_p95_if_fixed_ms: the same after each request lost its avoidable time; an estimate.
        endpoint_share: that time as a share of the endpoint's whole, 0 to 1; None where it has no requests.
    """

    avoidable_ms: float
    endpoint_p95_ms: float | None
    endpoint_p95_if_fixed_ms: float | None
    endpoint_share: float | None = None


@dataclass(frozen=True, slots=True)
class Exemplar:
    """The worst occurrence: its trace and the offender spans in it, in time order."""

    trace_id: str
    offender_span_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CodeLocation:
    """Where in the application the offender spans were made, as far as `code.*` attributes or a stack trace tell."""

    function: str | None
    file: str | None
    line: int | None


@dataclass(frozen=True, slots=True)
class Snippet:
    """Code to write instead, for the framework that emitted the spans."""

    framework: str
    language: str
    code: str


@dataclass(frozen=True, slots=True)
class Advice:
    """How to fix a finding."""

    summary: str
    steps: tuple[str, ...]
    snippet: Snippet | None


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of a pass.

    `fingerprint` is 16 hex digits of pass, service, endpoint and subject: never of counts or times.
    `evidence` holds the pass's own named facts in the order in which its pass.toml lists them.
    """

    fingerprint: str
    pass_name: str
    severity: str
    confidence: str
    service_name: str
    endpoint: str
    subject: str
    message: str
    occurrences: Occurrences
    impact: Impact
    exemplar: Exemplar
    evidence: tuple[tuple[str, EvidenceValue], ...]
    code: CodeLocation | None
    advice: Advice
    first_seen_ns: int
    last_seen_ns: int


@dataclass(frozen=True, slots=True)
class BlindPass:
    """A pass that cannot see a service, what it lacks, and which attribute or setting would show it, if any."""

    pass_name: str
    why: str
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class CoverageNote:
    """What is wrong with a service's spans or missing from them, whatever the pass, and what would mend it.

    Attributes:
        note: its name: sampled, clock_skew, no_route, …
        why: in numbers, and what cannot be known for it.
        remedy: which attribute or setting mends it.
    """

    note: str
    why: str
    remedy: str


@dataclass(frozen=True, slots=True)
class ServiceCoverage:
    """What a service's spans let the passes see."""

    service_name: str
    spans: int
    db_calls: int
    db_calls_with_text: int
    blind: tuple[BlindPass, ...]
    notes: tuple[CoverageNote, ...] = ()


@dataclass(frozen=True, slots=True)
class ChecklistItem:
    """One line of the backend checklist: `state` is pass, fail or unknown."""

    item: str
    state: str
    why: str


@dataclass(frozen=True, slots=True)
class QueryStatistics:
    """One query shape's statistics over the window, as `pg_stat_statements` shows them."""

    query_shape: str
    db_system: str
    calls: int
    mean_ms: float
    p95_ms: float
    max_ms: float
    total_ms: float
    endpoints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WaivedFinding:
    """A finding that somebody decided to live with: named with the reason, and kept out of everything else.

    Attributes:
        expires: the last day of the waiver, as YYYY-MM-DD.
    """

    fingerprint: str
    pass_name: str
    severity: str
    service_name: str
    endpoint: str
    subject: str
    reason: str
    expires: str


@dataclass(frozen=True, slots=True)
class Summary:
    """What was analysed."""

    spans: int
    traces: int
    requests: int
    services: int


@dataclass(frozen=True, slots=True)
class Report:
    """Everything one analysis has to say.

    Findings are ordered by severity (worst first), then avoidable time, then fingerprint.
    `window_start_ns` and `window_end_ns` are None when there are no spans.
    """

    window_start_ns: int | None
    window_end_ns: int | None
    summary: Summary
    findings: tuple[Finding, ...]
    coverage: tuple[ServiceCoverage, ...]
    checklist: tuple[ChecklistItem, ...]
    top_queries: tuple[QueryStatistics, ...]
    waived: tuple[WaivedFinding, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return exactly what `tracelens report --format json` prints, as plain values."""
        from tracelens.report.json import report_to_dict  # noqa: PLC0415  (a convenience for users: it points upwards)

        return report_to_dict(self)

    def count(self, severity: str) -> int:
        """Return how many findings have this severity."""
        return sum(finding.severity == severity for finding in self.findings)
