"""Takes requests, and answers when they are durable."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import xxhash

from tracelens.errors import InvalidRequestError, OverloadedError, StoreError
from tracelens.grouping import first_group
from tracelens.ingest.decoding import decode_group
from tracelens.ingest.loading import replay_journal
from tracelens.ingest.statistics import IngestStatistics
from tracelens.ingest.writer import AcknowledgedBatch, Writer
from tracelens.otlp.framing import MAX_MESSAGE_BYTES
from tracelens.otlp.requests import Request
from tracelens.otlp.signals import Signal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from tracelens.journal import Journal
    from tracelens.otlp.metrics import RefusedPoints
    from tracelens.settings import ReceiverSettings, StoreSettings
    from tracelens.store.store import Store

_log = logging.getLogger(__name__)

# Decoding holds the interpreter lock, so a group is bounded: at two microseconds a span this is some 20 ms.
_GROUP_BYTES: Final = 4 * 1024 * 1024
_GROUP_REQUESTS: Final = 256

# An exporter sends a batch again within its time-out, ten seconds by default, and gives up after about a minute.
_REMEMBERED_REQUESTS: Final = 100_000

_JOURNAL_FAILURE_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class _Submitted:
    """A request that waits for its answer; its record is what the journal holds of it."""

    request: Request
    record: bytes
    digest: bytes
    future: Future[RefusedPoints | None]


class Ingest:
    """Takes requests, answers when they are durable, and fills the store.

    Args:
        store: this is its only writer of spans.
        journal: where acknowledged requests wait.
        set_aside: folder for requests that meet a defect.
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
        *,
        on_stored: Callable[[int], None] | None = None,
    ) -> None:
        self.statistics = IngestStatistics()
        self._store = store
        self._journal = journal
        self._set_aside = set_aside
        self._limits = limits
        self._writer = Writer(
            store, journal, set_aside, settings=settings, statistics=self.statistics, on_stored=on_stored
        )
        self._changed = threading.Condition()
        self._waiting: list[_Submitted] = []
        self._unanswered_bytes = 0
        self._stopping = False
        self._journal_failure: str | None = None
        self._journal_failed_at = 0.0
        self._recent: dict[bytes, RefusedPoints | None] = {}
        self._forgetting = False
        self._thread = threading.Thread(target=self._run, name="acknowledge", daemon=True)

    @property
    def failure(self) -> str | None:
        """Why the journal or the store cannot be written, None while both can as far as is known."""
        # Where nothing arrives nobody tries the journal again, and a probe that keeps senders away must not last.
        if self._journal_failure and time.monotonic() - self._journal_failed_at < _JOURNAL_FAILURE_S:
            return self._journal_failure
        return self._writer.failure

    @property
    def pending_bytes(self) -> int:
        """Bytes that wait for the journal or the store, at most `max_pending_bytes` of the limits."""
        return self._unanswered_bytes + self._writer.held_bytes

    @property
    def waiting_spans(self) -> int:
        """Acknowledged spans that the store does not have yet."""
        return self._writer.waiting_spans

    @property
    def lag_s(self) -> float:
        """How long the oldest of them has been waiting."""
        return self._writer.lag_s

    def submit(self, body: bytes) -> Future[RefusedPoints | None]:
        """Take one serialised ExportTraceServiceRequest; the future is done when it is durable.

        It then holds None, or which data points of the request are not kept, since they mean nothing.
        The future raises InvalidRequestError where the request can never succeed, StoreError or OverloadedError where
        it is to be sent again.

        Raises:
            OverloadedError: too much waits for the store, or the process is stopping.
            InvalidRequestError: it is too long for the journal.
        """
        return self._submit(Request(Signal.TRACES, body))

    def submit_metrics(self, body: bytes) -> Future[RefusedPoints | None]:
        """Take one serialised ExportMetricsServiceRequest, as `submit` does."""
        return self._submit(Request(Signal.METRICS, body))

    def _submit(self, request: Request) -> Future[RefusedPoints | None]:
        record = request.record()
        if len(record) > MAX_MESSAGE_BYTES:
            raise InvalidRequestError(f"the request is longer than {MAX_MESSAGE_BYTES} bytes: send smaller batches")
        submitted = _Submitted(request, record, xxhash.xxh3_128_digest(record), Future())
        submitted.future.set_running_or_notify_cancel()  # a sender that goes away must not cancel what others wait for
        with self._changed:
            if self._stopping:
                raise OverloadedError("tracelens is stopping: send the request again")
            held = self._unanswered_bytes + self._writer.held_bytes
            if held and held + len(record) > self._limits.max_pending_bytes:
                raise OverloadedError(self.failure or "more data is waiting for the store than is allowed")
            self._unanswered_bytes += len(record)
            self._waiting.append(submitted)
            self._changed.notify_all()
        return submitted.future

    def recover(self) -> int:
        """Store what the journal holds and the store does not, before the start; return how many spans were new.

        Raises:
            StoreError: the journal cannot be read, or the store cannot be written.
        """
        return replay_journal(self._store, self._journal, self._set_aside)

    def start(self) -> None:
        """Start taking requests; what a previous process left in the journal is recovered before."""
        # Arrow's default, mimalloc, gives memory back and takes it again: 1 µs a span, and 90 MiB more at the peak.
        pa.set_memory_pool(pa.system_memory_pool())
        self._thread.start()
        self._writer.start()

    def forget_requests(self) -> None:
        """Take a request that comes again for a new one from now on: what an earlier one brought may have expired."""
        self._forgetting = True

    def stop(self) -> None:
        """Answer what waits, store what is acknowledged, and return."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join()
        self._writer.stop()

    def _run(self) -> None:
        while group := self._next_group():
            try:
                self._acknowledge(group)
            except StoreError as error:
                if self._journal_failure is None:
                    _log.error("%s", error)
                self._journal_failure, self._journal_failed_at = str(error), time.monotonic()
                _fail(group, error)
            except BaseException as error:  # noqa: BLE001  (panics of native code too: the senders are to send again)
                _log.exception("a group of requests failed")
                _fail(group, OverloadedError(f"the request could not be kept: {error}"))
            with self._changed:
                self._unanswered_bytes -= sum(len(submitted.record) for submitted in group)

    def _next_group(self) -> Sequence[_Submitted]:
        """Wait for requests and return some; none when no more will come."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopping)
            group = first_group(
                self._waiting,
                lambda submitted: len(submitted.record),
                most_items=_GROUP_REQUESTS,
                most_size=_GROUP_BYTES,
            )
            del self._waiting[: len(group)]
            return group

    def _acknowledge(self, group: Sequence[_Submitted]) -> None:
        """Make a group durable and answer it. Equal requests are kept once and answered alike."""
        if self._forgetting:  # here, since no other thread touches what is remembered
            self._forgetting = False
            self._recent.clear()
        fresh = list({entry.digest: entry for entry in group if entry.digest not in self._recent}.values())
        decoding = decode_group([entry.request for entry in fresh])
        kept = [fresh[position] for position in decoding.kept]
        spans, points = decoding.group.spans, decoding.group.points
        if spans or points:
            last_sequence = self._journal.append([entry.record for entry in kept])
            size = decoding.group.decoded_bytes + sum(len(entry.record) for entry in kept)
            self._writer.add(AcknowledgedBatch(decoding.group, spans + points, size, last_sequence))
            self._journal_failure = None
        refused_points = [request.refused or None for request in decoding.group.metrics]
        without = [None] * (len(kept) - len(refused_points))
        self._remember(dict(zip([entry.digest for entry in kept], without + refused_points, strict=True)))
        reasons = {fresh[position].digest: reason for position, reason in decoding.refused.items()}
        repeated = self._answer(group, reasons) - len(kept)
        self.statistics.spans += spans
        self.statistics.points += points
        self.statistics.refused_points += sum(refused.count for refused in refused_points if refused)
        self.statistics.repeated_requests += repeated

    def _answer(self, group: Sequence[_Submitted], reasons: Mapping[bytes, str]) -> int:
        """Answer a group that is durable, of which some are refused; return how many were acknowledged."""
        refusals = [(entry, reasons.get(entry.digest)) for entry in group]
        acknowledged = sum(reason is None for _, reason in refusals)
        self.statistics.requests += acknowledged
        self.statistics.refused_requests += len(group) - acknowledged
        for entry, reason in refusals:
            if reason is None:
                entry.future.set_result(self._recent.get(entry.digest))
            else:
                entry.future.set_exception(InvalidRequestError(reason))
        return acknowledged

    def _remember(self, kept: Mapping[bytes, RefusedPoints | None]) -> None:
        self._recent.update(kept)
        for digest in list(islice(self._recent, max(0, len(self._recent) - _REMEMBERED_REQUESTS))):
            del self._recent[digest]


def _fail(group: Sequence[_Submitted], error: Exception) -> None:
    """Answer requests that are not answered yet."""
    for submitted in group:
        if not submitted.future.done():
            submitted.future.set_exception(error)
