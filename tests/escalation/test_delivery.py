"""The outbox: what is recorded is delivered, whatever fails or dies on the way, and not again once that is noted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from breaches import SECOND, START_NS, Judge, p95, slow_query

from tracelens.errors import DeliveryError, StoreError
from tracelens.escalation.delivery import Courier
from tracelens.escalation.lifecycle import Change
from tracelens.escalation.outbox import events_after, open_events, pending, record
from tracelens.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path


class Listener:
    """Takes events, unless a failure is planned for the attempt."""

    def __init__(self, name: str = "listener", *failures: Exception | None) -> None:
        self.name = name
        self.attempts: list[list[str]] = []
        self.taken: list[str] = []
        self._failures = list(failures)

    def wants(self, _event: dict[str, Any]) -> bool:
        return True

    def deliver(self, events: Sequence[dict[str, Any]]) -> None:
        ids = [event["id"] for event in events]
        self.attempts.append(ids)
        if failure := self._failures.pop(0) if self._failures else None:
            raise failure
        self.taken += ids


def changes(folder: Path, *endpoints: str) -> list[Change]:
    """Return a firing event for each endpoint."""
    judge = Judge(folder)
    judge.at(0, *(slow_query(2, endpoint=endpoint) for endpoint in endpoints))
    return [Change(f"slow_query:{event['subject']}", event) for event in judge.events]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "s.duckdb")
    yield opened
    opened.close()


def deliveries(store: Store) -> list[tuple[int, str, str, int, str | None]]:
    with store.reader() as reader:
        rows = reader.rows("select * from escalation_deliveries order by event_number, notifier")
    return [(row["event_number"], row["notifier"], row["state"], row["attempts"], row["failure"]) for row in rows]


def test_each_notifier_gets_what_is_for_it_once(store: Store, tmp_path: Path) -> None:
    first, second = changes(tmp_path, "GET /a", "GET /b")
    record(store, [(first, ["x", "y"]), (second, ["y"])], START_NS)
    x, y = Listener("x"), Listener("y")
    for listener in (x, y):
        courier = Courier(store, listener)
        assert courier.deliver_due(START_NS) is None
        assert courier.deliver_due(START_NS) is None
        assert (courier.statistics.delivered, courier.statistics.failed) == (len(listener.taken), 0)
    assert x.taken == [first.event["id"]]
    assert y.taken == [first.event["id"], second.event["id"]]
    assert deliveries(store) == [
        (1, "x", "delivered", 0, None),
        (1, "y", "delivered", 0, None),
        (2, "y", "delivered", 0, None),
    ]
    with store.reader() as reader:
        assert events_after(reader, 0) == [(1, first.event), (2, second.event)]
        assert open_events(reader) == {first.key: first.event, second.key: second.event}


def test_events_of_one_group_go_together_in_their_order(store: Store, tmp_path: Path) -> None:
    judge = Judge(tmp_path, resolve_after_s=0)
    judge.at(0, p95(3), slow_query(2, endpoint="GET /b"), slow_query(2))
    judge.at(1, p95(3))
    recorded = [Change(f"{event['data']['rule']}:{event['subject']}", event) for event in judge.events]
    record(store, [(change, ["listener"]) for change in recorded], START_NS)
    listener = Listener()
    Courier(store, listener).deliver_due(START_NS)
    told = {event["id"]: (event["data"]["endpoint"], event["data"]["state"]) for event in judge.events}
    assert [[told[each] for each in attempt] for attempt in listener.attempts] == [
        [("GET /b", "firing"), ("GET /b", "resolved")],
        [("GET /orders", "firing"), ("GET /orders", "firing"), ("GET /orders", "resolved")],
    ]


def test_a_dead_endpoint_is_tried_with_longer_and_longer_pauses(store: Store, tmp_path: Path) -> None:
    (change,) = changes(tmp_path, "GET /a")
    record(store, [(change, ["listener"])], START_NS)
    listener = Listener("listener", *[DeliveryError("nobody is there")] * 12)
    courier = Courier(store, listener)
    now_ns, pauses = START_NS, []
    while (next_ns := courier.deliver_due(now_ns)) is not None:
        assert courier.deliver_due(next_ns - 1) == next_ns, "not before its time"
        pauses.append((next_ns - now_ns) / SECOND)
        now_ns = next_ns
    assert len(listener.attempts) == 13
    assert all(0.5 * min(300, 2**number) <= pause <= min(300, 2**number) for number, pause in enumerate(pauses))
    assert set(listener.attempts[0]) == {change.event["id"]}
    assert len({tuple(attempt) for attempt in listener.attempts}) == 1
    assert listener.taken == [change.event["id"]]
    assert (courier.statistics.delivered, courier.statistics.failed) == (1, 12)


def test_what_a_receiver_asks_for_is_waited(store: Store, tmp_path: Path) -> None:
    (change,) = changes(tmp_path, "GET /a")
    record(store, [(change, ["listener"])], START_NS)
    courier = Courier(store, Listener("listener", DeliveryError("too many", retry_after_s=90)))
    assert courier.deliver_due(START_NS) == START_NS + 90 * SECOND
    assert deliveries(store) == [(1, "listener", "pending", 1, "too many")]


def test_one_refused_event_does_not_take_its_group_with_it(store: Store, tmp_path: Path) -> None:
    pair = [*changes(tmp_path, "GET /a"), *changes(tmp_path, "GET /a")]
    record(store, [(change, ["listener"]) for change in pair], START_NS)
    refusal = DeliveryError("too large", is_final=True)
    listener = Listener("listener", refusal, refusal, None)
    courier = Courier(store, listener)
    assert courier.deliver_due(START_NS) is None
    assert listener.taken == [pair[1].event["id"]]
    assert deliveries(store) == [
        (1, "listener", "refused", 0, "too large"),
        (2, "listener", "delivered", 0, None),
    ]
    assert (courier.statistics.delivered, courier.statistics.refused) == (1, 1)


def test_a_defect_of_a_notifier_loses_nothing(store: Store, tmp_path: Path) -> None:
    (change,) = changes(tmp_path, "GET /a")
    record(store, [(change, ["listener"])], START_NS)
    listener = Listener("listener", ZeroDivisionError("oops"))
    courier = Courier(store, listener)
    next_ns = courier.deliver_due(START_NS)
    assert next_ns is not None
    assert deliveries(store) == [(1, "listener", "pending", 1, "notifier listener: ZeroDivisionError: oops")]
    assert courier.deliver_due(next_ns) is None
    assert listener.taken == [change.event["id"]]


def test_one_dead_endpoint_holds_up_no_other_group(store: Store, tmp_path: Path) -> None:
    first, second = changes(tmp_path, "GET /a", "GET /b")
    record(store, [(first, ["listener"]), (second, ["listener"])], START_NS)
    listener = Listener("listener", DeliveryError("busy"))
    Courier(store, listener).deliver_due(START_NS)
    assert listener.taken == [second.event["id"]]


def test_while_the_outbox_cannot_be_written_nothing_is_sent_twice(store: Store, tmp_path: Path) -> None:
    (change,) = changes(tmp_path, "GET /a")
    record(store, [(change, ["listener"])], START_NS)
    listener = Listener()
    courier = Courier(_Failing(store, at=1, failure=StoreError("the disk is full")), listener)
    with pytest.raises(StoreError):
        courier.deliver_due(START_NS)
    assert deliveries(store) == [(1, "listener", "pending", 0, None)]
    assert courier.deliver_due(START_NS) is None
    assert (listener.taken, deliveries(store)) == (
        [change.event["id"]],
        [(1, "listener", "delivered", 0, None)],
    )


class _Failing:
    """A store whose n-th small write fails."""

    def __init__(self, store: Store, at: int, failure: BaseException) -> None:
        self.reader: Callable[[], Any] = store.reader
        self._store = store
        self._left = at
        self._failure = failure

    def execute(self, statement: str, parameters: dict[str, object]) -> None:
        self._left -= 1
        if self._left == 0:
            raise self._failure
        self._store.execute(statement, parameters)


@pytest.mark.parametrize("dies_at", [1, 2, 3, 4])
def test_a_death_at_any_write_loses_nothing(store: Store, tmp_path: Path, dies_at: int) -> None:
    planned = changes(tmp_path, "GET /a", "GET /b", "GET /c")
    record(store, [(change, ["listener"]) for change in planned], START_NS)
    ids = [change.event["id"] for change in planned]
    listener = Listener("listener", None, DeliveryError("once"))
    dying = Courier(_Failing(store, dies_at, KeyboardInterrupt()), listener)  # type: ignore[arg-type]
    try:
        next_ns = dying.deliver_due(START_NS)
    except KeyboardInterrupt:
        next_ns = START_NS
    assert next_ns is not None
    # Another process takes over the store.
    after = Courier(store, listener)
    while next_ns is not None:
        next_ns = after.deliver_due(next_ns)
    assert set(listener.taken) == set(ids)
    # At most the one delivery that could not be noted was made twice.
    assert len(listener.taken) <= len(ids) + 1
    with store.reader() as reader:
        assert pending(reader, "listener") == []
    sent = len(listener.attempts)
    assert Courier(store, listener).deliver_due(START_NS + 1_000_000 * SECOND) is None
    assert len(listener.attempts) == sent
