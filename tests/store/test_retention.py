"""What is let go of is gone whole, and nothing else goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from span_requests import request, span

from tracelens.ingest.housekeeping import Housekeeper
from tracelens.otlp.decode import decode_requests
from tracelens.semconv.normalise import normalise
from tracelens.semconv.span_shapes import shaped
from tracelens.settings import StoreSettings
from tracelens.store import retention
from tracelens.store.retention import expire, used_bytes
from tracelens.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

SECOND = 1_000_000_000
DAY = 86_400 * SECOND


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "s.duckdb")
    yield opened
    opened.close()


def receive(store: Store, numbers: Iterable[int], received_ns: int, attributes: int = 1) -> None:
    spans = [
        span(
            number,
            {f"key {place}": f"{number} {place}" for place in range(attributes)},
            events=[Span.Event(name=f"event {number}", time_unix_nano=1)],
            links=[Span.Link(trace_id=number.to_bytes(16), span_id=number.to_bytes(8))],
        )
        for number in numbers
    ]
    batch = decode_requests([request(*spans)]).batch
    store.append([shaped(normalise(batch, store.catalogue, received_ns=received_ns), store.catalogue)])


def copy(store: Store, offset: int, received_ns: int) -> None:
    """Receive the newest block again, as other spans."""
    newest = "(select max(received_ns) from spans)"
    ids = {"offset": offset, "received_ns": received_ns}
    with store.reader() as reader:
        ids["base"] = reader.rows(f"select min(span_id) as base from spans where received_ns = {newest}")[0]["base"]  # noqa: S608
    for name in ("span_events", "span_links"):
        wanted = {key: ids[key] for key in ("offset", "base")}
        store.execute(
            f"insert into {name} select * replace (span_id - $base + $offset as span_id) from {name} "  # noqa: S608
            "where span_id >= $base",
            wanted,
        )
    store.execute(
        "insert into span_rows select * replace (span_id - $base + $offset as span_id, $received_ns as received_ns) "  # noqa: S608
        f"from span_rows where received_ns = {newest}",
        ids,
    )


def kept(store: Store) -> dict[str, list[int]]:
    """Return the numbers of the spans that every table still tells of."""
    with store.reader() as reader:
        return {
            name: [row["span_id"] for row in reader.rows(f"select span_id from {name} order by span_id")]  # noqa: S608
            for name in ("spans", "span_events", "span_links")
        }


def everywhere(numbers: Iterable[int]) -> dict[str, list[int]]:
    return {name: sorted(numbers) for name in ("spans", "span_events", "span_links")}


def test_age_counts_from_the_arrival(store: Store) -> None:
    receive(store, range(1, 11), 10 * DAY)
    receive(store, range(11, 21), 11 * DAY)
    assert expire(store, before_ns=10 * DAY, max_bytes=0) == 0
    assert expire(store, before_ns=None, max_bytes=0) == 0
    assert kept(store) == everywhere(range(1, 21))
    assert expire(store, before_ns=10 * DAY + 1, max_bytes=0) == 10
    assert kept(store) == everywhere(range(11, 21))
    assert expire(store, before_ns=12 * DAY, max_bytes=0) == 10
    assert kept(store) == everywhere([])
    receive(store, [1], 13 * DAY)
    assert kept(store) == everywhere([1])


def test_it_goes_in_slices(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "_SLICE_SPANS", 3)
    for number in range(1, 21):
        receive(store, [number], number)
    assert expire(store, before_ns=18, max_bytes=0) == 17
    assert kept(store) == everywhere([18, 19, 20])


def test_the_oldest_go_for_the_size_and_their_room_is_used_again(store: Store) -> None:
    rows = 30_000
    receive(store, range(rows), 1, attributes=2)
    for block in range(1, 7):
        copy(store, block * rows, block + 1)
        store.checkpoint()  # a row group for each: room is given back by whole row groups
    full = used_bytes(store)
    assert expire(store, before_ns=None, max_bytes=full) == 0
    limit = full // 2
    expired = expire(store, before_ns=None, max_bytes=limit)
    left = kept(store)
    assert left == everywhere(range(expired, 7 * rows)), "the oldest went, whole"
    assert used_bytes(store) <= limit
    assert expired < 6 * rows, "not much more than had to"
    assert store.path is not None
    size = store.path.stat().st_size
    copy(store, 7 * rows, 8)
    store.checkpoint()
    assert store.path.stat().st_size == size


def test_the_housekeeper_keeps_to_the_settings(store: Store) -> None:
    receive(store, [1], 1 * DAY)
    receive(store, [2], 5 * DAY)
    Housekeeper(store, StoreSettings(keep_s=0)).clean(100 * DAY)
    assert kept(store) == everywhere([1, 2])
    keeper = Housekeeper(store, StoreSettings(keep_s=3 * 86_400))
    keeper.clean(5 * DAY)
    assert (keeper.expired_spans, kept(store)) == (1, everywhere([2]))
    keeper.start()  # the clock of this machine is decades further on
    keeper.stop()
    assert (keeper.is_idle, keeper.expired_spans, kept(store)) == (True, 2, everywhere([]))
