"""Which limits a report shows broken or nearly so: by the rules that ship switched on, as they are configured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from tracelens.settings import Objective
from tracelens.settings.selection import selects
from tracelens.severities import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracelens.findings import EvidenceValue, Finding, Report
    from tracelens.settings import Settings

_ACTIONS: Final = {
    "slow_query": "Urgent: optimise the query or its index",
    "p95_breach": "Investigate and add a cache",
    "db_cpu": "Scale up the database or add read replicas",
}
"""What the source document asks for when each of its limits is broken."""

_UNITS: Final = {"slow_query": "s", "p95_breach": "s", "db_cpu": "%", "finding": "ms"}

_SLOW_MS: Final = 500.0
"""From where on the pass slow_query looks at a call at all, unless configured."""

_MIN_SLOW_CALLS: Final = 3.0
"""So many slow calls make a query worth a finding, unless configured."""

_WITHIN_ITS_LIMIT: Final = "warning"
"""What the finding of a limit's own pass is while the limit is kept: the pass looked from further down."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as it is for one service and endpoint; see `settings.escalation.RuleOverride`."""

    name: str
    limit: float
    unit: str
    severity: str
    min_samples: int
    hold_s: float
    resolve_after_s: float
    action: str
    enabled: bool


@dataclass(frozen=True, slots=True)
class Observation:
    """What one judgement saw of one rule and one finding.

    Attributes:
        rule: with the limit that holds here.
        finding: what was measured.
        severity: of the event that would tell of it.
        value: in the rule's unit.
        is_over: whether the limit is broken.
        is_kept: whether it is kept with the margin that ends a breach; near the limit neither holds.
    """

    rule: Rule
    finding: Finding
    severity: str
    value: float
    is_over: bool
    is_kept: bool

    @property
    def key(self) -> str:
        """The breach's identity: it fires once under it."""
        return f"{self.rule.name}:{self.finding.fingerprint}"


class Rules:
    """The rules of a configuration.

    Args:
        settings: its limits, overrides and latency objectives.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._escalation = settings.escalation

    def observations(self, report: Report) -> list[Observation]:
        """Return what a report says of every rule, in the report's order; at most one a finding."""
        return [seen for finding in report.findings if (seen := self._observation(finding))]

    def judging(self) -> Settings:
        """Return the settings with which to analyse: the passes' bounds lie where the rules begin to look.

        That is below the limits, by the margin that ends a breach; what a pass finds there is judged here.
        """
        escalation = self._escalation
        thresholds = {name: dict(values) for name, values in self._settings.thresholds.items()}
        slow_ms = self._lowest("slow_query", escalation.slow_query_s) * 1000
        slow_query = thresholds.setdefault("slow_query", {})
        slow_query["critical_ms"] = slow_ms
        slow_query["slow_ms"] = min(slow_ms, slow_query.get("slow_ms", _SLOW_MS))
        # A host is saturated by every sample of a stretch of time, so here the pass has to know the limit itself.
        db_cpu = thresholds.setdefault("db_cpu", {})
        db_cpu["limit_percent"] = min([escalation.db_cpu_percent, *self._limits("db_cpu")])
        p95 = thresholds.setdefault("p95_breach", {})
        p95["objective_ms"], p95["near_ratio"] = escalation.p95_s * 1000, escalation.recover_ratio
        own = tuple(
            Objective(service=entry.service or ".*", endpoint=entry.endpoint or ".*", p95_ms=entry.limit * 1000)
            for entry in escalation.rules
            if entry.rule == "p95_breach" and entry.limit is not None
        )
        return replace(self._settings, thresholds=thresholds, objectives=(*self._settings.objectives, *own))

    def resolve_after_s(self, event: dict[str, Any]) -> float:
        """Return how long the limit that an event told of must be kept before its breach is over."""
        data = event["data"]
        return self._rule(data["rule"], data["service_name"], data["endpoint"]).resolve_after_s

    def _lowest(self, rule: str, general: float) -> float:
        return min([general, *self._limits(rule)]) * self._escalation.recover_ratio

    def _limits(self, rule: str) -> list[float]:
        return [entry.limit for entry in self._escalation.rules if entry.rule == rule and entry.limit is not None]

    def _observation(self, finding: Finding) -> Observation | None:
        severity = finding.severity
        if finding.pass_name in _MEASURES:
            rule = self._rule(finding.pass_name, finding.service_name, finding.endpoint)
            if not rule.enabled:
                return None
            seen = self._measured(rule, finding)
            if seen and not seen.is_kept:
                return seen
            if finding.pass_name != "slow_query" or not self._is_slow_within_its_limit(finding):
                return None
            severity = _WITHIN_ITS_LIMIT
        rule = self._rule("finding", finding.service_name, finding.endpoint, finding.advice.summary)
        return self._severe(rule, finding, severity) if rule.enabled else None

    def _is_slow_within_its_limit(self, finding: Finding) -> bool:
        """Whether the pass tells of the query for the number of its slow calls, and not for how far we let it look."""
        least = self._settings.thresholds.get("slow_query", {}).get("min_slow_calls", _MIN_SLOW_CALLS)
        return _number(dict(finding.evidence)["slow_calls"]) >= least

    def _measured(self, rule: Rule, finding: Finding) -> Observation | None:
        """Return how a quantity stands to its limit."""
        value, samples = _MEASURES[rule.name](finding, dict(finding.evidence))
        if samples < rule.min_samples:
            return None
        return Observation(
            rule=rule,
            finding=finding,
            severity="critical",
            value=round(value, 3),
            is_over=value > rule.limit,
            is_kept=value <= rule.limit * self._escalation.recover_ratio,
        )

    def _severe(self, rule: Rule, finding: Finding, severity: str) -> Observation | None:
        """Return how a finding's severity stands to the mildest that fires; a breach ends two steps below it."""
        if rule.severity not in SEVERITIES or max(1, finding.occurrences.requests) < rule.min_samples:
            return None
        distance = SEVERITIES.index(severity) - SEVERITIES.index(rule.severity)
        return Observation(
            rule=rule,
            finding=finding,
            severity=severity,
            value=round(finding.impact.avoidable_ms, 3),
            is_over=distance >= 0,
            is_kept=distance < -1,
        )

    def _rule(self, name: str, service_name: str, endpoint: str, action: str = "") -> Rule:
        """Return a rule as it is for an endpoint; `action` is for the rules that have none of their own."""
        escalation = self._escalation
        values: dict[str, object] = {
            "limit": self._limit(name, service_name, endpoint),
            "severity": escalation.finding_severity,
            "min_samples": 1,
            "hold_s": escalation.hold_s,
            "resolve_after_s": escalation.resolve_after_s,
            "action": _ACTIONS.get(name, action),
            "enabled": True,
        }
        for entry in escalation.rules:
            if entry.rule == name and selects(entry, service_name, endpoint):
                values |= {key: value for key in values if (value := getattr(entry, key)) is not None}
        return Rule(name=name, unit=_UNITS[name], **values)  # type: ignore[arg-type]  # the fields' own types

    def _limit(self, name: str, service_name: str, endpoint: str) -> float:
        if name == "p95_breach":
            own = [entry.p95_ms / 1000 for entry in self._settings.objectives if selects(entry, service_name, endpoint)]
            return min(own, default=self._escalation.p95_s)
        limits = {"slow_query": self._escalation.slow_query_s, "db_cpu": self._escalation.db_cpu_percent}
        return limits.get(name, 0.0)


def _slow_query(finding: Finding, evidence: dict[str, EvidenceValue]) -> tuple[float, int]:
    return _number(evidence["slowest_ms"]) / 1000, finding.occurrences.spans


def _p95(_finding: Finding, evidence: dict[str, EvidenceValue]) -> tuple[float, int]:
    return _number(evidence["p95_ms"]) / 1000, int(_number(evidence["recorded_requests"]))


def _db_cpu(_finding: Finding, evidence: dict[str, EvidenceValue]) -> tuple[float, int]:
    # Both now and on average: one sample beyond a limit that somebody raised is no saturation.
    lasting = min(_number(evidence["cpu_percent"]), _number(evidence["mean_percent"]))
    return lasting, int(_number(evidence["samples"]))


def _number(value: EvidenceValue) -> float:
    return value if isinstance(value, (int, float)) else 0.0


_MEASURES: Final[dict[str, Callable[[Finding, dict[str, EvidenceValue]], tuple[float, int]]]] = {
    "slow_query": _slow_query,
    "p95_breach": _p95,
    "db_cpu": _db_cpu,
}
"""What each rule measures in its pass's finding, in its own unit, and how many samples that rests on."""
