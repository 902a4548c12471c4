"""A breach begins, gets worse, lasts and ends: what is told of it and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from breaches import START_NS, Judge, db_cpu, finding, n_plus_one, p95, slow_query
from hypothesis import given
from hypothesis import strategies as st

from tracelens.escalation.lifecycle import Lifecycle
from tracelens.findings import Report, Summary

if TYPE_CHECKING:
    from pathlib import Path

NOTHING: list[tuple[str, str]] = []


def test_a_limit_crossed_and_kept_is_told_twice(tmp_path: Path) -> None:
    judge = Judge(tmp_path)
    assert judge.at(0, slow_query(1.0)) == NOTHING
    assert judge.at(2, slow_query(1.01)) == [("slow_query", "first")]
    assert judge.at(4, slow_query(1.01)) == NOTHING
    assert judge.at(6) == NOTHING
    assert judge.at(65) == NOTHING
    assert judge.at(66) == [("slow_query", "resolved")]
    assert judge.at(200) == NOTHING
    assert judge.at(202, slow_query(1.01)) == [("slow_query", "first")]


def test_a_value_beside_its_limit_does_not_flap(tmp_path: Path) -> None:
    judge = Judge(tmp_path, resolve_after_s=10)
    assert judge.at(0, p95(1.95)) == NOTHING
    assert judge.at(1, p95(2.05)) == [("p95_breach", "first")]
    for second in range(2, 200):
        assert judge.at(second, p95(1.85 if second % 2 else 2.05)) == NOTHING
    assert judge.at(200, p95(1.85)) == NOTHING
    assert judge.at(250, p95(1.85)) == NOTHING, "near the limit is neither broken nor kept"
    assert judge.at(251, p95(1.80)) == NOTHING
    assert judge.at(261, p95(1.80)) == [("p95_breach", "resolved")]


def test_a_short_pause_does_not_end_a_breach(tmp_path: Path) -> None:
    judge = Judge(tmp_path, resolve_after_s=10)
    assert judge.at(0, p95(3)) == [("p95_breach", "first")]
    for second in range(5, 100, 5):
        assert judge.at(second, *[p95(3)] * (second % 10 == 0)) == NOTHING


def test_a_breach_is_held_before_it_is_told(tmp_path: Path) -> None:
    judge = Judge(tmp_path, hold_s=30)
    assert judge.at(0, p95(3)) == NOTHING
    assert judge.lifecycle.deadline_ns(START_NS) == START_NS + 30_000_000_000
    assert judge.at(29, p95(3)) == NOTHING
    assert judge.at(30, p95(1.9)) == NOTHING, "below its limit it begins anew"
    assert judge.at(31, p95(3)) == NOTHING
    assert judge.at(60, p95(3)) == NOTHING
    assert judge.at(61, p95(3)) == [("p95_breach", "first")]
    assert judge.lifecycle.deadline_ns(START_NS) is None


def test_worse_and_lasting_breaches_are_told_again(tmp_path: Path) -> None:
    judge = Judge(tmp_path, repeat_s="1h")
    assert judge.at(0, slow_query(2)) == [("slow_query", "first")]
    assert judge.at(2, slow_query(2.9)) == NOTHING
    assert judge.at(4, slow_query(3)) == [("slow_query", "worse")]
    assert judge.at(6, slow_query(4.4)) == NOTHING
    assert judge.at(3603, slow_query(2)) == NOTHING
    assert judge.at(3604, slow_query(2)) == [("slow_query", "repeat")]
    assert judge.at(7203, slow_query(2)) == NOTHING
    assert judge.at(7204, slow_query(2)) == [("slow_query", "repeat")]
    assert [event["data"]["value"] for event in judge.events] == [2, 3, 2, 2]


def test_repeating_can_be_switched_off(tmp_path: Path) -> None:
    judge = Judge(tmp_path, repeat_s=0)
    assert judge.at(0, slow_query(2)) == [("slow_query", "first")]
    assert judge.at(1_000_000, slow_query(2)) == NOTHING


def test_a_finding_fires_by_its_severity_and_is_worse_by_it(tmp_path: Path) -> None:
    judge = Judge(tmp_path, finding_severity="warning", resolve_after_s=0)
    assert judge.at(0, n_plus_one("info")) == NOTHING
    assert judge.at(1, n_plus_one("warning")) == [("finding", "first")]
    assert judge.at(2, n_plus_one("info")) == NOTHING, "one step below is near, as a value beside its limit is"
    assert judge.at(3, n_plus_one("critical")) == [("finding", "worse")]
    assert judge.at(4) == [("finding", "resolved")]
    never = Judge(tmp_path, finding_severity="never")
    assert never.at(0, n_plus_one("critical")) == NOTHING


def test_an_endpoints_event_tells_of_its_causes_and_they_are_not_told_again(tmp_path: Path) -> None:
    judge = Judge(tmp_path, resolve_after_s=0)
    small = n_plus_one(fingerprint="small", share=0.2)
    large = finding("serial_calls", severity="warning", fingerprint="large", avoidable_ms=50, share=0.7)
    elsewhere = n_plus_one(fingerprint="elsewhere", endpoint="GET /users")
    assert judge.at(0, p95(3), small, large, elsewhere) == [("p95_breach", "first"), ("finding", "first")]
    told, other = [event["data"] for event in judge.events]
    assert told["fingerprints"] == ["large", "small"]
    assert [(cause["fingerprint"], cause["share"]) for cause in told["causes"]] == [("large", 0.7), ("small", 0.2)]
    assert (other["fingerprints"], other["causes"], other["endpoint"]) == (["elsewhere"], [], "GET /users")
    later = n_plus_one(fingerprint="later", share=0.9)
    assert judge.at(1, p95(3), small, large, elsewhere, later) == [("finding", "first")]
    assert judge.at(2, small, elsewhere, later) == [("p95_breach", "resolved")]
    assert judge.at(3, elsewhere) == [("finding", "resolved")], "what was told with another ends with no event"


def test_a_slow_query_keeps_an_event_of_its_own_beside_its_endpoints(tmp_path: Path) -> None:
    judge = Judge(tmp_path)
    assert judge.at(0, p95(3), slow_query(2.5, avoidable_ms=60, share=0.8)) == [
        ("p95_breach", "first"),
        ("slow_query", "first"),
    ]
    assert judge.events[0]["data"]["fingerprints"] == [judge.events[1]["subject"]]
    assert len({event["data"]["group"] for event in judge.events}) == 1


def test_a_slow_query_is_told_with_the_index_that_it_lacks(tmp_path: Path) -> None:
    judge = Judge(tmp_path)
    index = finding("missing_index", fingerprint="index", avoidable_ms=900)
    other = finding("missing_index", fingerprint="other", avoidable_ms=900, endpoint="GET /users")
    assert judge.at(0, slow_query(2), index, other) == [("slow_query", "first"), ("finding", "first")]
    told = judge.events[0]
    assert told["data"]["fingerprints"] == [told["subject"], "index"]
    assert [cause["pass"] for cause in told["data"]["causes"]] == ["missing_index"]
    assert judge.events[1]["data"]["fingerprints"] == ["other"]


def test_overrides_are_for_those_they_name(tmp_path: Path) -> None:
    judge = Judge(
        tmp_path,
        slow_query_s=1,
        rules=[
            {"rule": "slow_query", "service": "reports", "limit": 10, "action": "Ask the analysts"},
            {"rule": "slow_query", "service": "reports", "endpoint": "GET /export/.*", "enabled": False},
            {"rule": "slow_query", "endpoint": "GET /export/.*", "min_samples": 1},
            {"rule": "p95_breach", "endpoint": "GET /health", "limit": 0.1, "min_samples": 50},
            {"rule": "finding", "service": "legacy", "severity": "never"},
        ],
    )
    assert judge.at(0, slow_query(9, service="reports")) == NOTHING
    assert judge.at(1, slow_query(11, service="reports")) == [("slow_query", "first")]
    assert (judge.events[0]["data"]["action"], judge.events[0]["data"]["threshold"]) == ("Ask the analysts", 10)
    assert judge.at(2, slow_query(11, service="reports", endpoint="GET /export/all")) == NOTHING
    assert judge.at(3, p95(0.2, endpoint="GET /health", requests=49)) == NOTHING
    assert judge.at(4, p95(0.2, endpoint="GET /health", requests=50)) == [("p95_breach", "first")]
    assert judge.at(5, n_plus_one(service="legacy")) == NOTHING
    # The passes have to look as far down as the lowest limit, less the margin that ends a breach.
    judging = judge.rules.judging()
    assert judging.thresholds["slow_query"]["critical_ms"] == 900
    assert judging.thresholds["slow_query"]["slow_ms"] == 500
    assert judging.thresholds["p95_breach"] == {"objective_ms": 2000, "near_ratio": 0.9}
    assert [(entry.service, entry.endpoint, entry.p95_ms) for entry in judging.objectives] == [
        (".*", "GET /health", 100)
    ]


def test_a_slow_query_within_its_limit_is_a_finding_like_others(tmp_path: Path) -> None:
    judge = Judge(tmp_path, finding_severity="warning", resolve_after_s=0)
    assert judge.at(0, slow_query(0.7, slow_calls=3)) == [("finding", "first")]
    assert judge.at(1, slow_query(0.95)) == [("finding", "resolved")], "the pass looks so far down for us only"
    assert judge.at(2, p95(1.95)) == NOTHING
    strict = Judge(tmp_path)
    assert strict.at(0, slow_query(0.7, slow_calls=3)) == NOTHING
    off = Judge(tmp_path, finding_severity="info", rules=[{"rule": "slow_query", "enabled": False}])
    assert off.at(0, slow_query(5, slow_calls=9)) == NOTHING


def test_a_database_host_is_judged_by_what_lasts_and_joins_the_events_of_its_services(tmp_path: Path) -> None:
    judge = Judge(tmp_path, resolve_after_s=0, rules=[{"rule": "db_cpu", "endpoint": "spare", "limit": 95}])
    assert judge.at(0, db_cpu(79, mean=85)) == NOTHING
    assert judge.at(1, db_cpu(91, mean=85), p95(3)) == [("db_cpu", "first"), ("p95_breach", "first")]
    host, endpoint = [event["data"] for event in judge.events]
    assert (host["value"], host["threshold"], host["unit"]) == (85, 80, "%")
    assert host["action"] == "Scale up the database or add read replicas"
    known = {"host": "pg-1", "cpu": 0.91, "source": "system.cpu.time"}
    assert (host["database"], endpoint["database"]) == (known, known)
    assert judge.at(2, db_cpu(75, mean=85), p95(3)) == NOTHING, "near its limit"
    assert judge.at(3, db_cpu(70, mean=85), p95(3)) == [("db_cpu", "resolved")]
    assert judge.at(4, p95(3, service="users"), db_cpu(91, mean=85))[0] == ("p95_breach", "first")
    (users,) = [event["data"] for event in judge.events if event["data"]["service_name"] == "users"]
    assert users["database"] is None, "another service's host"
    assert judge.at(5, db_cpu(96, mean=94, endpoint="spare")) != [("db_cpu", "first")]


def test_quiet_hours_put_off_and_hide_nothing(tmp_path: Path) -> None:
    quiet = [
        {"reason": "night", "start": "23:00", "end": "10:30", "timezone": "Europe/Paris", "days": ["sun"]},
        {"reason": "rebuild", "service": "search", "max_severity": "warning"},
    ]
    judge = Judge(tmp_path, quiet=quiet, resolve_after_s=0, finding_severity="warning", repeat_s=60)
    # 09:00 UTC on Monday is 10:00 in Paris, in the night that began on Sunday.
    assert judge.at(0, slow_query(2)) == [("slow_query", "muted first")]
    assert judge.events[0]["data"]["muted"] == "night"
    assert judge.at(50, slow_query(2)) == NOTHING
    assert judge.at(55, slow_query(3)) == [("slow_query", "muted worse")]
    assert judge.at(115, slow_query(2)) == [("slow_query", "muted repeat")]
    assert judge.at(174, slow_query(2)) == NOTHING
    assert judge.at(1800, slow_query(2)) == [("slow_query", "first")]
    assert judge.at(1900) == [("slow_query", "resolved")]
    assert judge.at(2000, n_plus_one("warning", service="search")) == [("finding", "muted first")]
    assert judge.at(2001) == [("finding", "muted resolved")]
    assert judge.at(2002, n_plus_one("critical", service="search")) == [("finding", "first")]


def test_a_restart_goes_on_where_it_was(tmp_path: Path) -> None:
    judge = Judge(tmp_path, resolve_after_s=0)
    judge.at(0, p95(3), n_plus_one(share=0.5))
    (told,) = judge.events
    again = Judge(tmp_path, resolve_after_s=0)
    open_events = {"p95_breach:" + told["subject"]: told}
    again.lifecycle = Lifecycle(again.settings.escalation, open_events, START_NS, again.rules.resolve_after_s)
    assert again.at(1, p95(3), n_plus_one(share=0.5)) == NOTHING
    assert again.at(2) == [("p95_breach", "resolved")]
    assert again.events[0]["data"] == told["data"] | {"state": "resolved", "reason": "resolved"}


@given(
    st.lists(st.tuples(st.floats(0.1, 30), st.none() | st.floats(0.5, 8)), max_size=60),
    st.floats(0, 20),
    st.floats(0, 20),
)
def test_whatever_happens_each_breach_begins_once_and_ends_once(
    steps: list[tuple[float, float | None]], hold_s: float, resolve_after_s: float
) -> None:
    judge = Judge(None, hold_s=hold_s, resolve_after_s=resolve_after_s)  # type: ignore[arg-type]
    now, told = 0.0, []
    for pause, value in steps:
        now += pause
        told += [reason for _, reason in judge.at(now, *([] if value is None else [p95(value)]))]
    told += [reason for _, reason in judge.at(now + resolve_after_s + 1)]
    told += [reason for _, reason in judge.at(now + 2 * resolve_after_s + 2)]
    is_firing = False
    for reason in told:
        assert (reason == "first") == (not is_firing)
        is_firing = reason != "resolved"
    assert not is_firing
    assert judge.lifecycle.is_quiet
    assert all(event["data"]["value"] >= event["data"]["threshold"] for event in judge.events)


def test_no_findings_no_events(tmp_path: Path) -> None:
    judge = Judge(tmp_path)
    assert judge.at(0) == NOTHING
    empty = Report(None, None, Summary(0, 0, 0, 0), (), (), (), ())
    assert judge.lifecycle.step([], empty, START_NS) == []
