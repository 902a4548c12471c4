"""From raw requests to stored spans.

Two threads. The first takes every request that waits, decodes the group, appends it to the journal with one sync, and
answers the senders: while it works the next group gathers, so groups grow with the load. The second turns what is
acknowledged into rows and stores them in large transactions; the journal lets go of them only after the commit.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import xxhash

from tracelens.errors import InvalidRequestError, OverloadedError, StoreError
from tracelens.otlp.decode import decode_requests, span_count
from tracelens.semconv.normalise import normalise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from tracelens.journal import Journal
    from tracelens.semconv.normalise import SpanTables
    from tracelens.settings import ReceiverSettings, StoreSettings
    from tracelens.store.store import Store

_log = logging.getLogger(__name__)

# Decoding holds the interpreter lock, so a group is bounded: at two microseconds a span this is some 20 ms.
_GROUP_BYTES: Final = 4 * 1024 * 1024
_GROUP_REQUESTS: Final = 256

# Read from a journal or from files: some 80,000 spans a transaction.
_TRANSACTION_BYTES: Final = 32 * 1024 * 1024

# An exporter sends a batch again within its time-out, ten seconds by default, and gives up after about a minute.
_REMEMBERED_REQUESTS: Final = 100_000

_RETRY_STORE_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class _Request:
    body: bytes
    digest: bytes
    future: Future[None]


@dataclass(slots=True)
class _Acknowledged:
    """What the journal holds and the store does not."""

    batches: list[pa.RecordBatch] = field(default_factory=list)
    spans: int = 0
    size_bytes: int = 0
    last_sequence: int = 0
    since: float = 0.0


@dataclass(slots=True)
class IngestStatistics:
    """Counters since the start; only ever increased.

    Attributes:
        requests: acknowledged requests.
        spans: acknowledged spans.
        repeated_requests: requests that were acknowledged before, byte for byte.
        duplicate_spans: spans that the store already held.
        refused_requests: requests that can never succeed.
        set_aside_spans: acknowledged spans that met a defect and were written to a file beside the journal.
    """

    requests: int = 0
    spans: int = 0
    repeated_requests: int = 0
    duplicate_spans: int = 0
    refused_requests: int = 0
    set_aside_spans: int = 0


class Ingest:
    """Takes requests, answers when they are durable, and fills the store.

    Args:
        store: this is its only writer.
        journal: where acknowledged requests wait.
        set_aside: folder for batches that meet a defect.
        settings: when rows are written.
        limits: how much may wait.
        on_stored: called by the writer's thread after each commit, with when those spans were received.
    """

    def __init__(
        self,
        store: Store,
        journal: Journal,
        set_aside: Path,
        settings: StoreSettings,
        limits: ReceiverSettings,
        on_stored: Callable[[int], None] | None = None,
    ) -> None:
        self.statistics = IngestStatistics()
        self.failure: str | None = None
        self._store = store
        self._journal = journal
        self._set_aside = set_aside
        self._settings = settings
        self._limits = limits
        self._on_stored = on_stored
        self._changed = threading.Condition()
        self._waiting: list[_Request] = []
        self._acknowledged = _Acknowledged()
        self._held_bytes = 0
        self._stopping = False
        self._acknowledger_done = False
        self._recent: OrderedDict[bytes, None] = OrderedDict()
        self._threads = [
            threading.Thread(target=self._acknowledge_forever, name="acknowledge", daemon=True),
            threading.Thread(target=self._write_forever, name="write", daemon=True),
        ]

    def submit(self, body: bytes) -> Future[None]:
        """Take one serialised ExportTraceServiceRequest; the future is done when it is durable.

        Raises:
            OverloadedError: too much waits for the store, or the process is stopping.
        """
        future: Future[None] = Future()
        with self._changed:
            if self._stopping:
                raise OverloadedError("tracelens is stopping: send the request again")
            if self._held_bytes + len(body) > self._limits.max_pending_bytes:
                raise OverloadedError(self.failure or "more data is waiting for the store than is allowed")
            self._held_bytes += len(body)
            self._waiting.append(_Request(body, xxhash.xxh3_128_digest(body), future))
            self._changed.notify_all()
        return future

    def recover(self) -> int:
        """Store what the journal holds and the store does not; return how many spans that were."""
        records = self._journal.replay(self._store.applied_sequence)
        recovered = _store_records(self._store, records, _log.error, from_journal=True)
        self._journal.release(self._store.applied_sequence)
        return recovered

    def start(self) -> None:
        """Start taking requests; what a previous process left in the journal is recovered before."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Answer what waits, store what is acknowledged, and return."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def _acknowledge_forever(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._stopping)
                if not self._waiting:
                    self._acknowledger_done = True
                    self._changed.notify_all()
                    return
                group = self._take_group()
            try:
                self._acknowledge(group)
            except Exception as error:  # the thread must live on: every sender gets an answer and sends again
                _log.exception("a group of requests failed")
                self._answer(group, OverloadedError(f"the request could not be kept: {error}"))

    def _take_group(self) -> list[_Request]:
        group: list[_Request] = []
        size = 0
        for request in self._waiting[:_GROUP_REQUESTS]:
            if group and size + len(request.body) > _GROUP_BYTES:
                break
            group.append(request)
            size += len(request.body)
        del self._waiting[: len(group)]
        return group

    def _acknowledge(self, group: list[_Request]) -> None:
        fresh = {request.digest: request for request in group if request.digest not in self._recent}
        repeated = [request for request in group if fresh.get(request.digest) is not request]
        requests = list(fresh.values())
        decoded = decode_requests([request.body for request in requests])
        kept = [request for position, request in enumerate(requests) if position not in decoded.refused]
        for position, reason in decoded.refused.items():
            self._answer([requests[position]], InvalidRequestError(reason))
        spans = span_count(decoded.batch)
        if spans:
            try:
                last_sequence = self._journal.append([request.body for request in kept])
            except StoreError as error:
                _log.error("%s", error)  # noqa: TRY400  (one line for an operator; the cause is in it)
                self._answer(kept + repeated, error)
                return
        with self._changed:
            if spans:
                waiting = self._acknowledged
                waiting.since = waiting.since or time.monotonic()
                waiting.batches.append(decoded.batch)
                waiting.spans += spans
                waiting.size_bytes += sum(len(request.body) for request in kept)
                waiting.last_sequence = last_sequence
            else:
                self._held_bytes -= sum(len(request.body) for request in kept)
            self._held_bytes -= sum(len(request.body) for request in repeated)
            self.statistics.requests += len(kept) + len(repeated)
            self.statistics.spans += spans
            self.statistics.repeated_requests += len(repeated)
            self._changed.notify_all()
        for request in kept:
            self._recent[request.digest] = None
        while len(self._recent) > _REMEMBERED_REQUESTS:
            self._recent.popitem(last=False)
        # A repeat of a refused request is refused with it: only what is known to be kept is acknowledged.
        known = {request.digest for request in kept}
        for request in repeated:
            if request.digest in known or request.digest in self._recent:
                request.future.set_result(None)
            else:
                request.future.set_exception(InvalidRequestError("not an ExportTraceServiceRequest"))
        for request in kept:
            request.future.set_result(None)

    def _answer(self, requests: Iterable[_Request], error: Exception) -> None:
        """Fail requests that are not answered yet, and stop counting their bytes."""
        unanswered = [request for request in requests if not request.future.done()]
        with self._changed:
            self._held_bytes -= sum(len(request.body) for request in unanswered)
            if isinstance(error, InvalidRequestError):
                self.statistics.refused_requests += len(unanswered)
        for request in unanswered:
            request.future.set_exception(error)

    def _write_forever(self) -> None:
        while True:
            with self._changed:
                while not self._is_writable():
                    self._changed.wait(self._wait_s())
                if not self._acknowledged.batches:
                    return
                taken, self._acknowledged = self._acknowledged, _Acknowledged()
            received_ns = time.time_ns()
            rows = [row for batch in taken.batches if (row := self._normalise(batch, received_ns)) is not None]
            self._store_until_done(rows, taken.last_sequence)
            with self._changed:
                self._held_bytes -= taken.size_bytes
            if self._on_stored:
                self._on_stored(received_ns)

    def _normalise(self, batch: pa.RecordBatch, received_ns: int) -> SpanTables | None:
        """Return the rows of a batch; set it aside where that fails, so that it neither is lost nor blocks the others."""
        try:
            return normalise(batch, self._store.catalogue, received_ns)
        except Exception:  # a defect of ours, met by data: everything else must go on
            path = self._set_aside / f"{received_ns}.arrow"
            self._set_aside.mkdir(parents=True, exist_ok=True)
            with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
                writer.write(batch)
            _log.exception("spans could not be read and were set aside in %s: please report this", path)
            self.statistics.set_aside_spans += span_count(batch)
            return None

    def _is_writable(self) -> bool:
        """Return whether there is something to write now, or nothing will come any more."""
        waiting = self._acknowledged
        if not waiting.batches:
            return self._acknowledger_done
        return (
            self._stopping
            or waiting.spans >= self._settings.flush_rows
            or time.monotonic() - waiting.since >= self._settings.flush_interval_s
        )

    def _wait_s(self) -> float | None:
        if not self._acknowledged.batches:
            return None
        return max(0.0, self._acknowledged.since + self._settings.flush_interval_s - time.monotonic())

    def _store_until_done(self, rows: Sequence[SpanTables], last_sequence: int) -> None:
        """Store rows, however long it takes: they are acknowledged. Meanwhile the limits hold senders back."""
        while True:
            try:
                result = self._store.append(rows, last_sequence)
            except StoreError as error:
                if self.failure is None:
                    _log.error("%s; trying again every %g s", error, _RETRY_STORE_S)  # noqa: TRY400
                self.failure = str(error)
                with self._changed:
                    # The journal still holds the rows: a process that must stop leaves them to the next start.
                    if self._stopping:
                        return
                    self._changed.wait_for(lambda: self._stopping, timeout=_RETRY_STORE_S)
                continue
            if self.failure is not None:
                _log.warning("the store can be written again")
                self.failure = None
            self.statistics.duplicate_spans += result.duplicates
            self._journal.release(last_sequence)
            return


def _groups(records: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, list[bytes]]]:
    """Gather records to groups worth a transaction, each with its last sequence number."""
    group: list[bytes] = []
    size = last_sequence = 0
    for last_sequence, body in records:
        group.append(body)
        size += len(body)
        if size >= _TRANSACTION_BYTES:
            yield last_sequence, group
            group, size = [], 0
    if group:
        yield last_sequence, group


def store_requests(store: Store, requests: Iterable[bytes], on_refused: Callable[[str], None]) -> int:
    """Store requests that do not come over the network, in transactions of bounded size.

    Args:
        store: where they go.
        requests: serialised requests, as `otlp.files.read_requests` yields them.
        on_refused: called with the reason for each request that cannot be kept.

    Returns:
        How many spans were new.
    """
    return _store_records(store, ((0, request) for request in requests), on_refused, from_journal=False)


def _store_records(
    store: Store, records: Iterable[tuple[int, bytes]], on_refused: Callable[[str], None], *, from_journal: bool
) -> int:
    stored = 0
    for last_sequence, group in _groups(records):
        decoded = decode_requests(group)
        for reason in decoded.refused.values():
            on_refused(reason)
        rows = normalise(decoded.batch, store.catalogue, time.time_ns())
        stored += store.append([rows], last_sequence if from_journal else None).stored
    return stored
