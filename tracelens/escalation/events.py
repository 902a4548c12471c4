"""Escalation events: CloudEvents 1.0 in JSON, and their record in the store."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tracelens.report.json import timestamp

if TYPE_CHECKING:
    from tracelens.store.store import Reader, Store

EVENT_TYPE: Final = "dev.tracelens.escalation."


@dataclass(frozen=True, slots=True)
class Breach:
    """A limit that is broken now.

    Attributes:
        rule: slow_query, p95_breach, db_cpu or finding.
        fingerprint: of the finding that broke it; with the rule, the breach's identity.
        value, threshold, unit: what was measured and what is allowed, in the same unit.
        since_ns: when it was first seen.
        action: what to do.
        fingerprints: findings that explain it, largest avoidable time first.
    """

    rule: str
    fingerprint: str
    severity: str
    service_name: str
    endpoint: str
    subject: str
    value: float
    threshold: float
    unit: str
    since_ns: int
    action: str
    fingerprints: tuple[str, ...]
    exemplar_trace_ids: tuple[str, ...]

    @property
    def key(self) -> str:
        """The breach's identity: it fires once under it."""
        return f"{self.rule}:{self.fingerprint}"


def firing_event(breach: Breach, now_ns: int) -> dict[str, Any]:
    """Return the event that a breach has begun."""
    return _event(
        breach.fingerprint,
        now_ns,
        {
            "rule": breach.rule,
            "state": "firing",
            "severity": breach.severity,
            "service_name": breach.service_name,
            "endpoint": breach.endpoint,
            "subject": breach.subject,
            "value": breach.value,
            "threshold": breach.threshold,
            "unit": breach.unit,
            "since": timestamp(breach.since_ns),
            "action": breach.action,
            "fingerprints": list(breach.fingerprints),
            "exemplar_trace_ids": list(breach.exemplar_trace_ids),
        },
    )


def resolved_event(firing: dict[str, Any], now_ns: int) -> dict[str, Any]:
    """Return the event that a breach is over, from the event with which it fired."""
    return _event(firing["subject"], now_ns, firing["data"] | {"state": "resolved"})


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


def record_event(store: Store, key: str, event: dict[str, Any], now_ns: int) -> None:
    """Add an event to the store's record.

    Raises:
        StoreError: it could not be written.
    """
    store.execute(
        "insert into escalation_events "
        "select coalesce(max(event_number), 0) + 1, $key, $state, $now_ns, $event from escalation_events",
        {"key": key, "state": event["data"]["state"], "now_ns": now_ns, "event": event_line(event)},
    )


def events_after(reader: Reader, after: int) -> list[tuple[int, dict[str, Any]]]:
    """Return the recorded events numbered above `after`, in order, with their numbers."""
    rows = reader.rows(
        "select event_number, event from escalation_events where event_number > $after order by event_number",
        {"after": after},
    )
    return [(row["event_number"], json.loads(row["event"])) for row in rows]


def open_events(reader: Reader) -> dict[str, dict[str, Any]]:
    """Return the firing event of every breach that has not been resolved, by the breach's key."""
    rows = reader.rows(
        "select event_key, state, event from escalation_events as e where event_number = "
        "(select max(l.event_number) from escalation_events as l where l.event_key = e.event_key)"
    )
    return {row["event_key"]: json.loads(row["event"]) for row in rows if row["state"] == "firing"}
