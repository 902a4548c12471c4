"""What a server's metrics are read from, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from tracelens.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from tracelens.escalation.statistics import DeliveryStatistics, WatchStatistics
    from tracelens.forwarding import Forwarder, ForwardStatistics
    from tracelens.ingest import Ingest
    from tracelens.ingest.housekeeping import Housekeeper
    from tracelens.journal import Journal
    from tracelens.receiver.statistics import AnswerTimes, ReceiverStatistics
    from tracelens.store.store import Store


@dataclass(frozen=True, slots=True)
class Observed:
    """The parts of a server that are asked when somebody reads the page. `forwarder` is None where nothing is."""

    db: Path
    store: Store
    journal: Journal
    journal_folder: Path
    receiver: ReceiverStatistics
    ingest: Ingest
    housekeeper: Housekeeper
    watch: WatchStatistics
    couriers: Mapping[str, DeliveryStatistics]
    forwarder: Forwarder | None


Value: TypeAlias = "float | AnswerTimes"
Samples: TypeAlias = "Iterable[tuple[tuple[str, ...], Value]]"
"""Label values, and the value under them."""


class Read(Protocol):
    """Returns a metric's values now."""

    def __call__(self, observed: Observed, /) -> Samples:
        """Ask the parts of the server."""
        ...


def one(read: Callable[[Observed], float]) -> Read:
    """Read one value without labels."""
    return lambda observed: [((), read(observed))]


def requests(observed: Observed) -> Samples:
    """Count requests by kind."""
    for kind, totals in observed.receiver.totals().items():
        yield (kind.transport, kind.signal, kind.outcome), totals.requests


def request_bytes(observed: Observed) -> Samples:
    """Sum up their bytes by kind."""
    for kind, totals in observed.receiver.totals().items():
        yield (kind.transport, kind.signal, kind.outcome), totals.size_bytes


def answer_times(observed: Observed) -> Samples:
    """Return answer times by transport."""
    return (((transport,), times) for transport, times in observed.receiver.answer_times().items())


def segments(observed: Observed) -> list[int]:
    """Return the size of each of the journal's segments; one that is deleted meanwhile counts no more."""
    sizes = []
    for path in observed.journal_folder.glob("*.segment"):
        try:
            sizes.append(path.stat().st_size)
        except FileNotFoundError:
            continue
    return sizes


def store_bytes(observed: Observed) -> float:
    """Return the size of the store's file and its write-ahead log."""
    write_ahead_log = observed.db.with_name(observed.db.name + ".wal")
    try:
        return observed.db.stat().st_size + (write_ahead_log.stat().st_size if write_ahead_log.exists() else 0)
    except FileNotFoundError:
        return 0


def store_spans(observed: Observed) -> Samples:
    """Return the estimate of the spans in the store, nothing where it cannot be asked."""
    try:
        with observed.store.reader() as reader:
            rows = reader.rows("select estimated_size from duckdb_tables() where table_name = 'span_rows'")
    except StoreError:  # the other figures tell more about a store that fails than no page would
        return []
    return [((), row["estimated_size"]) for row in rows]


def deliveries(observed: Observed) -> Samples:
    """Count deliveries by notifier and outcome."""
    for notifier, statistics in observed.couriers.items():
        yield (notifier, "delivered"), statistics.delivered
        yield (notifier, "failed"), statistics.failed
        yield (notifier, "refused"), statistics.refused


def forwarder(read: Callable[[Forwarder], float]) -> Read:
    """Read one value of the forwarder, nothing where there is none."""
    return lambda observed: [((), read(observed.forwarder))] if observed.forwarder else []


def forwarded(read: Callable[[ForwardStatistics], Mapping[str, int]]) -> Read:
    """Read a count by signal, nothing where nothing is forwarded."""

    def samples(observed: Observed) -> Samples:
        if observed.forwarder:
            for signal, count in dict(read(observed.forwarder.statistics)).items():
                yield (signal,), count

    return samples


def dropped(observed: Observed) -> Samples:
    """Count requests that were not passed on, by signal and reason."""
    if observed.forwarder:
        yield from dict(observed.forwarder.statistics.dropped).items()
        yield ("unknown", "damaged"), observed.forwarder.lost_requests
