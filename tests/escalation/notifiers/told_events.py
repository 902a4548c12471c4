"""Events as the watch makes them, and such as only an attacker would cause."""

from __future__ import annotations

from typing import Any

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
OTHER_TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN_ID = "b7ad6b7169203331"
TRACE_URL = "https://traces.example/{trace_id}?span={span_id}"

HOSTILE = (
    '</b><script>alert(1)</script> <!channel> <@U1> *b* _i_ `c` [x](http://evil) {{DATE(2020-01-01T00:00:00Z)}} "&'
)
"""Tries the markup of every channel at once."""

STEERING = "a\r\nBcc: victim@example\r\n\r\n\x1b[2J\u202egnp\u2028\x00"
"""Tries to begin another line or header, and to hide what follows."""


def cause(number: int) -> dict[str, Any]:
    return {
        "fingerprint": f"{number:016x}",
        "pass": "n_plus_one",
        "severity": "critical",
        "subject": "select * from items where order_id = ?",
        "message": f"{number} queries run once per row",
        "share": 0.62 if number == 1 else None,
        "avoidable_ms": 1500.0,
        "advice": "Load the rows with one query",
    }


def event(*, state: str = "firing", number: int = 1, **data: Any) -> dict[str, Any]:
    """Return a p95 breach; `number` tells breaches apart, `data` replaces parts of its data."""
    since, time = "2026-03-02T09:14:00.000000Z", "2026-03-02T09:15:00.000000Z"
    return {
        "specversion": "1.0",
        "id": f"00000000-0000-4000-8000-{number:011d}{1 if state == 'firing' else 2}",
        "source": "tracelens",
        "type": f"dev.tracelens.escalation.{state}",
        "time": time if state == "firing" else "2026-03-02T09:24:30.000000Z",
        "subject": f"{number:016x}",
        "datacontenttype": "application/json",
        "data": {
            "rule": "p95_breach",
            "state": state,
            "reason": "first" if state == "firing" else "resolved",
            "severity": "critical",
            "service_name": "orders",
            "endpoint": "GET /orders/{id}",
            "subject": "GET /orders/{id}",
            "message": "95 % of the requests take 2.41 s or less, the objective is 2.00 s.",
            "value": 2.41,
            "threshold": 2.0,
            "unit": "s",
            "since": since,
            "action": "Investigate and add a cache",
            "fingerprints": ["00000000000000aa"],
            "exemplar_trace_ids": [TRACE_ID, OTHER_TRACE_ID],
            "exemplar_span_ids": [SPAN_ID, ""],
            "causes": [cause(1), cause(2)],
            "database": {"host": "db-1", "cpu": 0.93, "source": "system.cpu.utilization"},
            "group": "orders GET /orders/{id}",
            "muted": None,
            **data,
        },
    }


def hostile_event(text: str = HOSTILE, *, number: int = 1, **data: Any) -> dict[str, Any]:
    """Return an event whose every text was chosen by whoever sent the spans."""
    told = dict.fromkeys(("service_name", "endpoint", "subject", "message", "action", "group"), text)
    return event(
        number=number,
        **told,
        causes=[cause(1) | {"subject": text, "message": text, "pass": text, "advice": text}],
        database={"host": text, "cpu": 0.9, "source": text},
        **data,
    )
