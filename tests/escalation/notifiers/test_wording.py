"""What people are told, before any channel's markup."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from told_events import OTHER_TRACE_ID, SPAN_ID, STEERING, TRACE_ID, TRACE_URL, cause, event, hostile_event

from tracelens.escalation.wording import Exemplar, Telling, exemplars_of, fitting, heading, key_of, plain, tell


def test_a_breach() -> None:
    assert tell(event(), TRACE_URL) == Telling(
        is_resolved=False,
        severity="critical",
        title="Critical: p95 over its limit, GET /orders/{id} in orders",
        message="95 % of the requests take 2.41 s or less, the objective is 2.00 s.",
        facts=(
            ("Measured", "2.41 s, limit 2.00 s"),
            ("Service", "orders"),
            ("Endpoint", "GET /orders/{id}"),
            ("Database", "db-1, CPU 93 %"),
            ("Since", "2026-03-02 09:14:00 UTC"),
        ),
        action="Investigate and add a cache",
        causes=("N+1 (62 % of the time): 1 queries run once per row", "N+1: 2 queries run once per row"),
        more_causes=0,
        exemplars=(
            Exemplar(TRACE_ID, SPAN_ID, f"https://traces.example/{TRACE_ID}?span={SPAN_ID}"),
            Exemplar(OTHER_TRACE_ID, "", f"https://traces.example/{OTHER_TRACE_ID}?span="),
        ),
    )


def test_its_end() -> None:
    assert plain(tell(event(state="resolved"))) == (
        "Resolved: p95 over its limit, GET /orders/{id} in orders\n"
        "\n"
        "Last measured  2.41 s, limit 2.00 s\n"
        "Service        orders\n"
        "Endpoint       GET /orders/{id}\n"
        "Database       db-1, CPU 93 %\n"
        "Since          2026-03-02 09:14:00 UTC\n"
        "Lasted         10 min 30 s\n"
        "\n"
        "Traces:\n"
        f"- {TRACE_ID}\n"
        f"- {OTHER_TRACE_ID}\n"
    )


@pytest.mark.parametrize(
    ("data", "title", "measured"),
    [
        (
            {"rule": "slow_query", "subject": "select ?", "value": 1.5, "threshold": 1.0, "severity": "warning"},
            "Warning: slow query, GET /orders/{id} in orders",
            "1.50 s, limit 1.00 s",
        ),
        (
            {"rule": "db_cpu", "endpoint": "", "value": 91.4, "threshold": 80.0, "unit": "%", "reason": "worse"},
            "Critical, getting worse: database CPU over its limit, orders",
            "91 %, limit 80 %",
        ),
        (
            {"rule": "finding", "value": 840.0, "threshold": 0.0, "unit": "ms", "reason": "repeat"},
            "Critical, still firing: finding, GET /orders/{id} in orders",
            "840 ms to be saved",
        ),
        ({"severity": "dire", "unit": "apples"}, "Firing: p95 over its limit, GET /orders/{id} in orders", None),
    ],
)
def test_rules_and_reasons(data: dict[str, Any], title: str, measured: str | None) -> None:
    told = tell(event(**data))
    assert told.title == title
    assert dict(told.facts)["Measured"] == (measured or "2.41 apples, limit 2 apples")


def test_only_the_first_causes_are_told() -> None:
    told = tell(event(causes=[cause(number) for number in range(1, 9)]))
    assert [line.partition(": ")[2][0] for line in told.causes] == ["1", "2", "3", "4", "5"]
    assert told.more_causes == 3
    assert "- and 3 more\n" in plain(told)


def test_events_told_together_are_counted() -> None:
    tellings = [tell(event(number=number)) for number in range(3)]
    assert heading(tellings[:1]) == "Critical: p95 over its limit, GET /orders/{id} in orders"
    assert heading(tellings[:2]) == heading(tellings[:1]) + ", and 1 more event"
    assert heading(tellings) == heading(tellings[:1]) + ", and 2 more events"


def test_an_event_of_nothing() -> None:
    assert plain(tell({})) == "Firing: event\n\n"
    assert plain(tell({"data": "x", "time": 3})) == "Firing: event\n\n"
    assert key_of({}) == ":"


def test_a_text_cannot_steer() -> None:
    told = tell(hostile_event(STEERING))
    for line in plain(told).split("\n"):
        assert line.isprintable()
    assert plain(told).count("\n") == plain(tell(hostile_event("x"))).count("\n")


def test_only_trace_ids_become_addresses() -> None:
    ids = [TRACE_ID, "../../admin", TRACE_ID.upper(), 7, None, OTHER_TRACE_ID]
    found = exemplars_of(event(exemplar_trace_ids=ids, exemplar_span_ids=["x", "", "", "", "", SPAN_ID]), TRACE_URL)
    assert [(each.trace_id, each.span_id) for each in found] == [(TRACE_ID, ""), (OTHER_TRACE_ID, SPAN_ID)]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(), each, max_size=3),
    max_leaves=8,
)
KEYS = ("rule", "state", "reason", "severity", "service_name", "endpoint", "subject", "message", "value", "threshold")
MORE = ("unit", "since", "action", "causes", "database", "exemplar_trace_ids", "exemplar_span_ids", "group")
EVENTS = st.fixed_dictionaries(
    {"data": st.fixed_dictionaries({}, optional=dict.fromkeys((*KEYS, *MORE), JSON)) | JSON},
    optional={"time": st.text(), "subject": JSON, "id": JSON, "type": st.text()},
)


@settings(deadline=None)
@given(EVENTS)
def test_any_event_is_told_in_bounded_lines(any_event: dict[str, Any]) -> None:
    told = plain(tell(any_event))
    assert all(line.isprintable() for line in told.split("\n"))
    assert len(told) < 6000


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(1, 60))
def test_as_many_as_fit(count: int, room: int) -> None:
    assert fitting(count, lambda shown: shown, lambda shown: shown <= room) == max(1, min(count, room, 20))
