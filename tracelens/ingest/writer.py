"""Acknowledged requests into the store, on a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from itertools import accumulate, islice, pairwise
from typing import TYPE_CHECKING, Final

from tracelens.errors import StoreError
from tracelens.ingest.decoding import DecodedGroup
from tracelens.ingest.storing import set_aside, store_batch
from tracelens.otlp.requests import request_of_record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tracelens.ingest.statistics import IngestStatistics
    from tracelens.journal import Journal
    from tracelens.settings import StoreSettings
    from tracelens.store.store import Store

_log = logging.getLogger(__name__)

_RETRY_S: Final = 2.0

_TRANSACTION_BYTES: Final = 64 * 1024 * 1024
"""Some 150,000 spans as decoded: more than a row group."""

_ROW_GROUP: Final = 122_880
"""Rows that DuckDB writes to their place at once. What a transaction has beyond them, or a smaller one as a whole, is
written twice, to the write-ahead log first: of 140,000 rows each costs a third more time and half as many bytes again.
"""


@dataclass(frozen=True, slots=True)
class AcknowledgedBatch:
    """Requests that the journal holds and the store does not.

    Attributes:
        group: their decoded form.
        rows: how many spans and data points they hold.
        size_bytes: what they are counted with while they wait.
        last_sequence: of the last one's record in the journal; the others' come directly before it.
        acknowledged_at: when that was, on the monotonic clock in seconds.
    """

    group: DecodedGroup
    rows: int
    size_bytes: int
    last_sequence: int
    acknowledged_at: float = field(default_factory=time.monotonic)

    def sequences(self) -> list[range]:
        """Return the sequence numbers of the requests of each kind, as `DecodedGroup.sizes` counts them."""
        ends = list(accumulate(self.group.sizes, initial=self.last_sequence - len(self.group) + 1))
        return [range(first, end) for first, end in pairwise(ends)]


def sequences_of(batches: Sequence[AcknowledgedBatch]) -> list[int]:
    """Return the sequence number of each request of the batches' groups, in the order of the groups joined."""
    by_kind = zip(*(batch.sequences() for batch in batches), strict=True)
    return [sequence for ranges in by_kind for numbers in ranges for sequence in numbers]


class Writer:
    """Stores acknowledged batches in order, in large transactions, however long the store takes to let it.

    Args:
        store: this is its only writer of spans.
        journal: lets go of what is stored.
        aside: folder for requests that meet a defect.
        settings: when rows are written.
        statistics: where it counts.
        on_stored: called after each commit with when those spans were received, nanoseconds since 1970.

    Attributes:
        failure: why the store cannot be written, None while it can.
    """

    def __init__(
        self,
        store: Store,
        journal: Journal,
        aside: Path,
        *,
        settings: StoreSettings,
        statistics: IngestStatistics,
        on_stored: Callable[[int], None] | None,
    ) -> None:
        self.failure: str | None = None
        self._store = store
        self._journal = journal
        self._aside = aside
        self._settings = settings
        self._most_rows = max(settings.flush_rows, _ROW_GROUP)
        self._statistics = statistics
        self._on_stored = on_stored
        self._changed = threading.Condition()
        self._waiting: deque[AcknowledgedBatch] = deque()
        self._waiting_rows = 0
        self._waiting_since = 0.0
        self._held_bytes = 0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="write", daemon=True)

    @property
    def held_bytes(self) -> int:
        """What waits, and what is being stored."""
        return self._held_bytes

    @property
    def waiting_spans(self) -> int:
        """Spans and data points that are not stored yet."""
        return self._waiting_rows

    @property
    def lag_s(self) -> float:
        """How long the oldest of them has been waiting."""
        with self._changed:
            return time.monotonic() - self._waiting[0].acknowledged_at if self._waiting else 0.0

    def start(self) -> None:
        """Begin to store."""
        self._thread.start()

    def add(self, batch: AcknowledgedBatch) -> None:
        """Take a batch that the journal holds."""
        with self._changed:
            is_first = not self._waiting
            if is_first:
                self._waiting_since = time.monotonic()
            self._waiting.append(batch)
            self._waiting_rows += batch.rows
            self._held_bytes += batch.size_bytes
            if is_first or self._is_due():  # else the thread sleeps on until it is time
                self._changed.notify_all()

    def stop(self) -> None:
        """Store what waits, and return. What cannot be stored is left to the journal and the next start."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        most = _TRANSACTION_BYTES
        while taken := self._next(most):
            try:
                self._write(taken)
            except Exception as error:  # noqa: BLE001  (the thread must live on: what it holds is acknowledged)
                self._fail(error)
                most = sum(batch.size_bytes for batch in taken) // 2  # where memory is short, less may fit
                with self._changed:
                    if self._stopping:
                        return
                    self._changed.wait_for(lambda: self._stopping, timeout=_RETRY_S)
            else:
                self._recover()
                most = _TRANSACTION_BYTES

    def _next(self, most_bytes: int) -> list[AcknowledgedBatch]:
        """Wait until there is something to write, and return a transaction's worth of it, which stays in the queue.

        Returns an empty list when everything is stored and no more will come.
        """
        with self._changed:
            while not self._is_due():
                self._changed.wait(self._wait_s())
            taken: list[AcknowledgedBatch] = []
            size = rows = 0
            for batch in self._waiting:
                if taken and (size + batch.size_bytes > most_bytes or rows >= self._most_rows):
                    break
                taken.append(batch)
                size += batch.size_bytes
                rows += batch.rows
            return taken

    def _is_due(self) -> bool:
        if not self._waiting:
            return self._stopping
        return self._stopping or self._waiting_rows >= self._settings.flush_rows or self._wait_s() == 0

    def _wait_s(self) -> float | None:
        """Return how long what waits may still wait for more: longer where that soon makes a row group."""
        if not self._waiting:
            return None
        interval_s = self._settings.flush_interval_s * (2 if self._waiting_rows >= _ROW_GROUP // 2 else 1)
        return max(0.0, self._waiting_since + interval_s - time.monotonic())

    def _write(self, taken: list[AcknowledgedBatch]) -> None:
        received_ns = time.time_ns()
        sequences = sequences_of(taken)

        def leave_out(number: int, _error: Exception) -> None:
            sequence = sequences[number]
            for _, payload in islice(self._journal.replay(sequence - 1), 1):
                path = set_aside(self._aside, sequence, request_of_record(payload).body)
                _log.error("a request cannot be stored and was set aside in %s: please report this", path)
                self._statistics.set_aside_requests += 1

        # One batch, because each costs some milliseconds whatever its size: senders may wait for every answer.
        whole = DecodedGroup.joined([batch.group for batch in taken])
        outcome = store_batch(self._store, whole, received_ns, taken[-1].last_sequence, leave_out)
        self._statistics.duplicate_spans += outcome.duplicates
        self._statistics.duplicate_points += outcome.duplicate_points
        with self._changed:
            for batch in taken:
                self._waiting.popleft()
                self._waiting_rows -= batch.rows
                self._held_bytes -= batch.size_bytes
            self._waiting_since = time.monotonic()
        if self._on_stored:
            self._on_stored(received_ns)
        try:
            self._journal.release(taken[-1].last_sequence)
        except StoreError as error:  # the next release deletes these segments too
            _log.warning("%s", error)

    def _fail(self, error: Exception) -> None:
        if self.failure is None:
            expected = isinstance(error, StoreError)
            _log.error("%s; trying again every %g s", error, _RETRY_S, exc_info=None if expected else error)
        self.failure = str(error)

    def _recover(self) -> None:
        if self.failure is not None:
            _log.warning("the store can be written again")
        self.failure = None
