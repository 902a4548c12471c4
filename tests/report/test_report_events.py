from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_strategies import ANY_TEXT

from tracelens.report.events import render_event_line

FIRING: dict[str, Any] = {
    "specversion": "1.0",
    "id": "1",
    "source": "tracelens",
    "type": "dev.tracelens.escalation.firing",
    "time": "2026-03-02T09:15:00Z",
    "subject": "77aa88bb99cc00dd",
    "datacontenttype": "application/json",
    "data": {
        "rule": "p95_breach",
        "state": "firing",
        "severity": "critical",
        "service_name": "reports",
        "endpoint": "GET /reports/revenue",
        "subject": "GET /reports/revenue",
        "value": 2.41,
        "threshold": 2.0,
        "unit": "s",
        "since": "2026-03-02T09:10:00Z",
        "action": "Investigate and add a cache",
        "fingerprints": ["0c11d2e3f4a5b697"],
        "exemplar_trace_ids": ["9d3c1f0a2b4e5d6c7f8091a2b3c4d5e6"],
    },
}
ANSI = re.compile("\x1b\\[[0-9;]*m")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda each: st.lists(each, max_size=3) | st.dictionaries(ANY_TEXT, each, max_size=3),
    max_leaves=5,
)


def _data(**changes: Any) -> dict[str, Any]:
    return {**FIRING, "data": {**FIRING["data"], **changes}}


@pytest.mark.parametrize(
    ("event", "start", "end"),
    [
        (
            FIRING,
            "2026-03-02T09:15:00Z  firing    critical  p95_breach  GET /reports/revenue in reports: ",
            "2.41 s (threshold 2.00 s). Investigate and add a cache\n",
        ),
        (
            _data(state="resolved", severity="warning", value=1.2),
            "2026-03-02T09:15:00Z  resolved  warning   p95_breach  GET /reports/revenue in reports: ",
            "1.20 s (threshold 2.00 s). Investigate and add a cache\n",
        ),
        (
            _data(rule="db_cpu", endpoint="", service_name="", subject="db-1", value=91.4, threshold=80, unit="%"),
            "2026-03-02T09:15:00Z  firing    critical  db_cpu      db-1: ",
            "91 % (threshold 80 %). Investigate and add a cache\n",
        ),
        (
            _data(rule="finding", subject="select 1\n\x1b[2J", value=None, threshold=None, unit=None),
            "2026-03-02T09:15:00Z  firing    critical  finding     GET /reports/revenue in reports, ",
            "select 1 \\x1b[2J. Investigate and add a cache\n",
        ),
        ({"time": "2026-03-02T09:15:00Z"}, "2026-03-02T09:15:00Z", "\n"),
    ],
)
def test_event_is_one_line(event: dict[str, Any], start: str, end: str) -> None:
    assert render_event_line(event) == start + end


def test_colour_changes_nothing_else() -> None:
    coloured = render_event_line(FIRING, colour=True)
    assert "\x1b[1;31mfiring\x1b[0m" in coloured
    assert ANSI.sub("", coloured) == render_event_line(FIRING)


@given(
    event=st.fixed_dictionaries({}, optional=dict.fromkeys(("time", "data"), JSON)),
    data=st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            (
                "rule",
                "state",
                "severity",
                "service_name",
                "endpoint",
                "subject",
                "value",
                "threshold",
                "unit",
                "action",
            ),
            JSON,
        ),
    ),
)
def test_any_event_gives_one_printable_line(event: dict[str, Any], data: dict[str, Any]) -> None:
    for each in (event, {**event, "data": data}):
        line = render_event_line(each)
        assert line.endswith("\n")
        assert line[:-1].isprintable()
        assert line.encode()
