"""What the watch tells of: each breach once when it begins and once when it is over."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from span_requests import as_traces
from traffic import SECOND, SLOW_QUERY, START_NS, n_plus_one, query_spans, request_of, server_span, slow_request

from tracelens.analysis import fingerprint
from tracelens.escalation.delivery import Courier
from tracelens.escalation.outbox import events_after
from tracelens.escalation.watch import Watch
from tracelens.ingest import store_requests
from tracelens.settings import EscalationSettings, Settings
from tracelens.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


class Watched:
    """A store in a file, its watch, a notifier that takes everything, and what it was told."""

    name = "listener"

    def __init__(self, path: Path, settings: Settings) -> None:
        self.told: list[dict[str, Any]] = []
        self.has_told = threading.Event()
        self.store = Store(path)
        self.courier = Courier(self.store, self)
        self.watch = Watch(self.store, settings, [self.courier])

    def wants(self, _event: dict[str, Any]) -> bool:
        return True

    def deliver(self, events: Sequence[dict[str, Any]]) -> None:
        self.told += events
        self.has_told.set()

    def receive(self, body: bytes) -> None:
        assert store_requests(self.store, as_traces([body]), pytest.fail).stored > 0

    def judge(self, seconds: float = 0) -> list[tuple[str, str]]:
        """Judge some seconds from now; return state and endpoint of what was told meanwhile."""
        before = len(self.told)
        now_ns = time.time_ns() + round((seconds + 0.001) * SECOND)
        self.watch.judge(now_ns)
        self.courier.deliver_due(now_ns)
        return [(event["data"]["state"], event["data"]["endpoint"]) for event in self.told[before:]]

    def recorded(self) -> list[dict[str, Any]]:
        with self.store.reader() as reader:
            return [event for _, event in events_after(reader, 0)]


@pytest.fixture
def settings() -> Settings:
    return Settings(escalation=EscalationSettings(window_s=60, resolve_after_s=0))


@pytest.fixture
def watched(tmp_path: Path, settings: Settings) -> Iterator[Watched]:
    opened = Watched(tmp_path / "s.duckdb", settings)
    yield opened
    opened.store.close()


def test_a_breach_fires_once_and_is_resolved_once(watched: Watched) -> None:
    watched.receive(request_of(slow_request(1)))
    assert watched.judge() == [("firing", "GET /reports")]
    watched.receive(request_of(slow_request(2)))
    assert watched.judge() == []
    assert watched.judge(30) == []
    assert watched.judge(61) == [("resolved", "GET /reports")]
    assert watched.judge(62) == []
    watched.receive(request_of(slow_request(3)))
    assert watched.judge() == [("firing", "GET /reports")]
    assert watched.recorded() == watched.told


def test_an_event_is_whole(watched: Watched) -> None:
    watched.receive(request_of(slow_request(0xABC, seconds=1.25)))
    watched.judge()
    watched.judge(61)
    subject = "SELECT id, total FROM orders WHERE status = ? ORDER BY total"
    own = fingerprint("slow_query", "orders", "GET /reports", subject)
    data = {
        "rule": "slow_query",
        "state": "firing",
        "reason": "first",
        "severity": "critical",
        "service_name": "orders",
        "endpoint": "GET /reports",
        "subject": subject,
        "message": "A query took 1,250 ms; slow calls of this shape: 1 of 1",
        "value": 1.25,
        "threshold": 1.0,
        "unit": "s",
        "since": "2026-03-02T09:00:00.000000Z",
        "action": "Urgent: optimise the query or its index",
        "fingerprints": [own],
        "exemplar_trace_ids": ["00000000000000000000000000000abc"],
        "exemplar_span_ids": ["0000000000000002"],
        "causes": [],
        "database": None,
        "group": "orders GET /reports",
        "muted": None,
    }
    envelope = {"specversion": "1.0", "source": "tracelens", "subject": own, "datacontenttype": "application/json"}
    first, last = watched.told
    assert len({first.pop("id"), last.pop("id")}) == 2
    assert first.pop("time") < last.pop("time")
    assert first == envelope | {"type": "dev.tracelens.escalation.firing", "data": data}
    assert last == envelope | {
        "type": "dev.tracelens.escalation.resolved",
        "data": data | {"state": "resolved", "reason": "resolved"},
    }


def test_a_slow_endpoint_names_the_findings_that_explain_it(watched: Watched) -> None:
    for trace in range(1, 26):
        spans = n_plus_one(trace, repeats=250)
        watched.receive(request_of(spans))
    assert watched.judge() == [("firing", "GET /users/{id}/orders")]
    (breach,) = [event["data"] for event in watched.told]
    explains = fingerprint("n_plus_one", "orders", "GET /users/{id}/orders", "SELECT id FROM orders WHERE user_id = ?")
    assert (breach["value"], breach["threshold"], breach["action"]) == (2.51, 2.0, "Investigate and add a cache")
    assert (breach["rule"], breach["fingerprints"][0]) == ("p95_breach", explains)
    assert [each["pass"] for each in breach["causes"]] == ["n_plus_one", "missing_cache"]
    cause = breach["causes"][0]
    assert (cause["fingerprint"], cause["pass"], cause["severity"], cause["share"]) == (
        explains,
        "n_plus_one",
        "critical",
        0.992,
    )
    assert watched.judge(61) == [("resolved", "GET /users/{id}/orders")]


def test_nothing_fires_at_the_limit_or_below_the_severity(tmp_path: Path) -> None:
    watched = Watched(tmp_path / "quiet.duckdb", Settings(escalation=EscalationSettings(finding_severity="never")))
    watched.receive(request_of(slow_request(1, seconds=1.0)))
    for trace in range(2, 27):
        watched.receive(request_of(n_plus_one(trace, repeats=150)))
    assert watched.judge() == []
    watched.store.close()


def test_a_restart_neither_repeats_nor_forgets(watched: Watched, settings: Settings, tmp_path: Path) -> None:
    watched.receive(request_of(slow_request(1)))
    assert watched.judge() == [("firing", "GET /reports")]
    watched.store.close()
    again = Watched(tmp_path / "s.duckdb", settings)
    assert again.judge() == []
    assert again.judge(61) == [("resolved", "GET /reports")]
    assert [event["type"].rpartition(".")[2] for event in again.recorded()] == ["firing", "resolved"]
    again.store.close()
    third = Watched(tmp_path / "s.duckdb", settings)
    assert third.judge(62) == []
    third.store.close()


def test_children_wait_for_their_parent(watched: Watched) -> None:
    entry, *children = slow_request(1)
    watched.receive(request_of(children))
    assert watched.judge() == []
    watched.receive(request_of([entry]))
    assert watched.judge() == [("firing", "GET /reports")]
    assert watched.judge(20) == []


def test_a_parent_that_never_comes_is_not_waited_for_for_ever(watched: Watched) -> None:
    watched.receive(request_of(query_spans(1, [SLOW_QUERY], duration_ms=1500)))
    assert watched.judge(9) == []
    ((state, _),) = watched.judge(11)
    assert state == "firing"


def test_an_event_that_cannot_be_recorded_is_recorded_later(tmp_path: Path, settings: Settings) -> None:
    watched = Watched(tmp_path / "s.duckdb", settings)
    watched.receive(request_of(slow_request(1)))
    watched.store.execute("alter table escalation_events rename to elsewhere", {})
    with pytest.raises(Exception, match="escalation_events"):
        watched.judge()
    assert watched.told == []
    watched.store.execute("alter table elsewhere rename to escalation_events", {})
    assert watched.judge() == [("firing", "GET /reports")]
    assert watched.judge() == []
    assert watched.recorded() == watched.told
    watched.store.close()


def test_only_what_was_received_lately_counts(watched: Watched) -> None:
    old = START_NS - 30 * 24 * 3600 * SECOND
    watched.receive(request_of([server_span(1, duration_ms=1), *slow_request(2, start_ns=old)]))
    assert watched.judge() == [("firing", "GET /reports")]
    assert watched.judge(61) == [("resolved", "GET /reports")]


def test_the_thread_judges_what_was_there_before_it(watched: Watched) -> None:
    watched.receive(request_of(slow_request(1)))
    watched.courier.start()
    watched.watch.start()
    assert watched.has_told.wait(30)
    watched.watch.stop()
    watched.courier.stop()
    assert watched.watch.is_idle
    assert watched.courier.is_idle
    assert [event["data"]["state"] for event in watched.told] == ["firing"]
    assert watched.recorded() == watched.told


def test_who_was_told_of_a_breach_is_told_of_its_end(tmp_path: Path, settings: Settings) -> None:
    watched = Watched(tmp_path / "s.duckdb", settings)
    wanted = {"firing": True, "resolved": True}
    watched.wants = lambda event: wanted[event["data"]["state"]]  # type: ignore[method-assign]
    watched.receive(request_of(slow_request(1)))
    assert watched.judge() == [("firing", "GET /reports")]
    watched.store.close()
    again = Watched(tmp_path / "s.duckdb", settings)
    assert again.judge(61) == [("resolved", "GET /reports")]
    again.wants = lambda event: event["data"]["state"] == "resolved"  # type: ignore[method-assign]
    again.receive(request_of(slow_request(2)))
    assert again.judge() == []
    assert again.judge(61) == []
    assert [event["data"]["state"] for event in again.recorded()] == ["firing", "resolved"] * 2
    again.store.close()
