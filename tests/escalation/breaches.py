"""Reports with given findings, and the events that one judgement after the other makes of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tracelens.escalation.lifecycle import Lifecycle
from tracelens.escalation.rules import Rules
from tracelens.findings import Advice, Exemplar, Finding, Impact, Occurrences, Report, Summary
from tracelens.settings import Settings, parse_settings

if TYPE_CHECKING:
    from pathlib import Path

SECOND = 1_000_000_000
START_NS = 1_772_442_000 * SECOND  # 2026-03-02T09:00:00Z, a Monday


def finding(
    pass_name: str,
    *,
    severity: str = "critical",
    service: str = "orders",
    endpoint: str = "GET /orders",
    fingerprint: str = "",
    avoidable_ms: float = 0.0,
    share: float | None = None,
    requests: int = 25,
    **evidence: Any,
) -> Finding:
    return Finding(
        fingerprint=fingerprint or f"{pass_name} {service} {endpoint}",
        pass_name=pass_name,
        severity=severity,
        confidence="certain",
        service_name=service,
        endpoint=endpoint,
        subject=endpoint,
        message="it is so",
        occurrences=Occurrences(requests=requests, spans=requests),
        impact=Impact(avoidable_ms, None, None, share),
        exemplar=Exemplar(trace_id="ab" * 16, offender_span_ids=("cd" * 8,)),
        evidence=tuple(evidence.items()),
        code=None,
        advice=Advice(summary="mend it", steps=(), snippet=None),
        first_seen_ns=START_NS,
        last_seen_ns=START_NS,
    )


def slow_query(seconds: float, **other: Any) -> Finding:
    return finding("slow_query", **{"slowest_ms": seconds * 1000, "slow_calls": 1} | other)


def p95(seconds: float, *, requests: int = 25, **other: Any) -> Finding:
    measured = (("p95_ms", seconds * 1000), ("recorded_requests", requests))
    return replace(finding("p95_breach", **other), evidence=measured)


def db_cpu(percent: float, *, mean: float, endpoint: str = "pg-1", **other: Any) -> Finding:
    measured = {"host": endpoint, "cpu_percent": percent, "mean_percent": mean, "samples": 5}
    known = {"source": "system.cpu.time", "services": ("orders",)}
    return finding("db_cpu", service="postgres", endpoint=endpoint, **measured, **known, **other)


def n_plus_one(severity: str = "critical", **other: Any) -> Finding:
    return finding("n_plus_one", severity=severity, avoidable_ms=100.0, **other)


class Judge:
    """Judges reports of given findings under a configuration, as the watch does."""

    def __init__(self, folder: Path, **escalation: Any) -> None:
        self.settings: Settings = parse_settings({"escalation": escalation}, source="test", folder=folder)
        self.rules = Rules(self.settings)
        self.lifecycle = Lifecycle(self.settings.escalation, {}, START_NS)
        self.events: list[dict[str, Any]] = []

    def at(self, seconds: float, *findings: Finding) -> list[tuple[str, str]]:
        """Judge; return rule and reason of each event, with `muted` before those that nobody is told."""
        report = Report(
            window_start_ns=None,
            window_end_ns=None,
            summary=Summary(0, 0, 0, 0),
            findings=findings,
            coverage=(),
            checklist=(),
            top_queries=(),
        )
        changes = self.lifecycle.step(self.rules.observations(report), report, START_NS + round(seconds * SECOND))
        self.events += [change.event for change in changes]
        return [
            (change.event["data"]["rule"], "muted " * change.is_muted + change.event["data"]["reason"])
            for change in changes
        ]
