"""Escalation events: CloudEvents 1.0 in JSON."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any, Final

from tracelens.escalation.causes import cause_facts
from tracelens.report.json import timestamp

if TYPE_CHECKING:
    from tracelens.escalation.causes import Explanation
    from tracelens.escalation.rules import Observation

EVENT_TYPE: Final = "dev.tracelens.escalation."


def firing_event(
    seen: Observation, explanation: Explanation, *, reason: str, since_ns: int, now_ns: int, muted: str | None = None
) -> dict[str, Any]:
    """Return the event that a limit is broken.

    Args:
        seen: the breach.
        explanation: of its finding.
        reason: why it is told now: first, worse or repeat.
        since_ns: when it began.
        now_ns: the event's time.
        muted: why nobody is told of it, None where somebody is.
    """
    finding, rule = seen.finding, seen.rule
    fingerprints = [cause.fingerprint for cause in explanation.causes]
    if rule.name != "p95_breach" or not fingerprints:
        fingerprints.insert(0, finding.fingerprint)  # what is measured is what is to be mended
    return _event(
        finding.fingerprint,
        now_ns,
        {
            "rule": rule.name,
            "state": "firing",
            "reason": reason,
            "severity": seen.severity,
            "service_name": finding.service_name,
            "endpoint": finding.endpoint,
            "subject": finding.subject,
            "message": finding.message,
            "value": seen.value,
            "threshold": rule.limit,
            "unit": rule.unit,
            "since": timestamp(since_ns),
            "action": rule.action,
            "fingerprints": fingerprints,
            "exemplar_trace_ids": [trace_id for trace_id, _ in explanation.exemplars],
            "exemplar_span_ids": [span_id for _, span_id in explanation.exemplars],
            "causes": [cause_facts(cause) for cause in explanation.causes],
            "database": explanation.database,
            "group": f"{finding.service_name} {finding.endpoint}".strip(),
            "muted": muted,
        },
    )


def resolved_event(firing: dict[str, Any], now_ns: int) -> dict[str, Any]:
    """Return the event that a breach is over, from the last event that told of it."""
    return _event(firing["subject"], now_ns, firing["data"] | {"state": "resolved", "reason": "resolved"})


def _event(subject: str, now_ns: int, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": "tracelens",
        "type": EVENT_TYPE + data["state"],
        "time": timestamp(now_ns),
        "subject": subject,
        "datacontenttype": "application/json",
        "data": data,
    }


def event_line(event: dict[str, Any]) -> str:
    """Return an event as one line of JSON, without its end."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"))
