"""Which findings break a limit: the rules that ship switched on, each with the action of the source document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracelens.escalation.events import Breach
from tracelens.findings import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracelens.findings import EvidenceValue, Finding, Report
    from tracelens.settings import EscalationSettings

_SLOW_QUERY_ACTION: Final = "Urgent: optimise the query or its index"
_P95_ACTION: Final = "Investigate and add a cache"


def breaches(report: Report, settings: EscalationSettings) -> list[Breach]:
    """Return the limits that a report shows broken, in the report's order; one a finding."""
    return [breach for finding in report.findings if (breach := _breach(finding, report.findings, settings))]


def _breach(finding: Finding, findings: Sequence[Finding], settings: EscalationSettings) -> Breach | None:
    evidence = dict(finding.evidence)
    match finding.pass_name:
        case "slow_query" if (seconds := _seconds(evidence.get("slowest_ms"))) > settings.slow_query_s:
            return _of(finding, "slow_query", _Excess(seconds, settings.slow_query_s, "s"), _SLOW_QUERY_ACTION)
        case "p95_breach":
            threshold = _seconds(evidence.get("objective_ms")) or settings.p95_s
            if (seconds := _seconds(evidence.get("p95_ms"))) > threshold:
                causes = _causes(finding, findings)
                return _of(finding, "p95_breach", _Excess(seconds, threshold, "s"), _P95_ACTION, causes)
    if _is_at_least(finding.severity, settings.finding_severity):
        return _of(finding, "finding", _Excess(finding.impact.avoidable_ms, 0.0, "ms"), finding.advice.summary)
    return None


def _is_at_least(severity: str, bound: str) -> bool:
    return bound in SEVERITIES and SEVERITIES.index(severity) >= SEVERITIES.index(bound)


def _causes(breach: Finding, findings: Sequence[Finding]) -> tuple[str, ...]:
    """Return the findings on the same endpoint that cost time, largest first."""
    causes = [
        finding
        for finding in findings
        if finding.service_name == breach.service_name
        and finding.endpoint == breach.endpoint
        and finding.pass_name != breach.pass_name
        and finding.impact.avoidable_ms > 0
    ]
    causes.sort(key=lambda finding: (-finding.impact.avoidable_ms, finding.fingerprint))
    return tuple(finding.fingerprint for finding in causes)


@dataclass(frozen=True, slots=True)
class _Excess:
    """What was measured and what is allowed, in the same unit."""

    value: float
    threshold: float
    unit: str


def _of(finding: Finding, rule: str, excess: _Excess, action: str, causes: tuple[str, ...] = ()) -> Breach:
    return Breach(
        rule=rule,
        fingerprint=finding.fingerprint,
        severity=finding.severity if rule == "finding" else "critical",
        service_name=finding.service_name,
        endpoint=finding.endpoint,
        subject=finding.subject,
        value=round(excess.value, 3),
        threshold=excess.threshold,
        unit=excess.unit,
        since_ns=finding.first_seen_ns,
        action=action,
        fingerprints=causes or (finding.fingerprint,),
        exemplar_trace_ids=(finding.exemplar.trace_id,),
    )


def _seconds(milliseconds: EvidenceValue) -> float:
    return milliseconds / 1000 if isinstance(milliseconds, (int, float)) else 0.0
