"""Events that try a notifier out: marked as such, about nothing that exists."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from tracelens.escalation.events import EVENT_TYPE, resolved_event
from tracelens.report.json import timestamp

if TYPE_CHECKING:
    from tracelens.escalation.wording import Event

_SUBJECT = "tracelens-notify-test"


def trial_events(now_ns: int) -> tuple[Event, Event]:
    """Return an event that fires and the one that resolves it, both with `test` in their data."""
    firing: Event = {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": "tracelens",
        "type": f"{EVENT_TYPE}firing",
        "time": timestamp(now_ns),
        "subject": f"{_SUBJECT}-{uuid.uuid4().hex[:8]}",
        "datacontenttype": "application/json",
        "data": {
            "test": True,
            "rule": "finding",
            "state": "firing",
            "reason": "first",
            "severity": "info",
            "service_name": _SUBJECT,
            "endpoint": "",
            "subject": "a test of this notifier",
            "message": "This is a test of a tracelens notifier: nothing is wrong, and it is resolved at once.",
            "value": 0.0,
            "threshold": 0.0,
            "unit": "ms",
            "since": timestamp(now_ns),
            "action": "Nothing: this is a test",
            "fingerprints": [],
            "exemplar_trace_ids": [],
            "exemplar_span_ids": [],
            "causes": [],
            "database": None,
            "group": _SUBJECT,
            "muted": None,
        },
    }
    return firing, resolved_event(firing, now_ns)
