"""What explains a breach: the findings on the same endpoint, and the database host that it waits for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tracelens.findings import Finding, Report

_MAX_EXEMPLARS: Final = 5


@dataclass(frozen=True, slots=True)
class Explanation:
    """What an event says beside its own measurement.

    Attributes:
        causes: findings that cost the endpoint time, the largest share first; empty where the breach is its own cause.
        database: the saturated database host that the endpoint's service waits for, if one is.
        exemplars: trace id and first offender span id, the breach's own first.
    """

    causes: tuple[Finding, ...]
    database: dict[str, Any] | None
    exemplars: tuple[tuple[str, str], ...]


def explain(finding: Finding, report: Report) -> Explanation:
    """Return what a report knows of the reasons for one of its findings."""
    causes = _causes(finding, report)
    exemplars: dict[str, str] = {}
    for each in (finding, *causes):
        trace_id, span_ids = each.exemplar.trace_id, each.exemplar.offender_span_ids
        if trace_id and len(exemplars) < _MAX_EXEMPLARS:
            exemplars.setdefault(trace_id, span_ids[0] if span_ids else "")
    return Explanation(causes=causes, database=_database(finding, report), exemplars=tuple(exemplars.items()))


def cause_facts(finding: Finding) -> dict[str, Any]:
    """Return what an event says of a finding that explains it."""
    return {
        "fingerprint": finding.fingerprint,
        "pass": finding.pass_name,
        "severity": finding.severity,
        "subject": finding.subject,
        "message": finding.message,
        "share": finding.impact.endpoint_share,
        "avoidable_ms": finding.impact.avoidable_ms,
        "advice": finding.advice.summary,
    }


def _causes(breach: Finding, report: Report) -> tuple[Finding, ...]:
    if breach.pass_name == "slow_query":
        return tuple(each for each in report.findings if _is_index_of(each, breach))
    if breach.pass_name != "p95_breach":
        return ()
    causes = [
        finding
        for finding in report.findings
        if (finding.service_name, finding.endpoint) == (breach.service_name, breach.endpoint)
        and finding.pass_name != breach.pass_name
        and finding.impact.avoidable_ms > 0
    ]
    causes.sort(key=lambda each: (-(each.impact.endpoint_share or 0.0), -each.impact.avoidable_ms, each.fingerprint))
    return tuple(causes)


def _is_index_of(finding: Finding, slow: Finding) -> bool:
    """Whether a finding says which index a slow query lacks."""
    return (finding.pass_name, finding.service_name, finding.subject) == (
        "missing_index",
        slow.service_name,
        slow.subject,
    )


def _database(breach: Finding, report: Report) -> dict[str, Any] | None:
    """Return the busiest saturated database host among those that the breach's service loads."""
    if breach.pass_name == "db_cpu":
        return _database_facts(breach)
    hosts = [finding for finding in report.findings if finding.pass_name == "db_cpu"]
    loaded = [host for host in hosts if breach.service_name in _services(host)]
    return max(map(_database_facts, loaded), key=lambda facts: facts["cpu"], default=None)


def _services(host: Finding) -> tuple[object, ...]:
    services = dict(host.evidence).get("services")
    return services if isinstance(services, tuple) else (host.service_name,)


def _database_facts(host: Finding) -> dict[str, Any]:
    evidence = dict(host.evidence)
    percent = evidence.get("cpu_percent")
    return {
        "host": evidence.get("host", host.subject),
        "cpu": round(percent / 100, 3) if isinstance(percent, (int, float)) else 0.0,
        "source": evidence.get("source"),
    }
