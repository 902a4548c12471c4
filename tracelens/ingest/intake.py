"""Takes requests, and answers when they are durable."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

import xxhash

from tracelens.errors import InvalidRequestError, OverloadedError, StoreError
from tracelens.ingest.loading import replay_journal
from tracelens.ingest.statistics import IngestStatistics
from tracelens.ingest.writer import AcknowledgedBatch, Writer
from tracelens.otlp.decode import decode_requests, span_count
from tracelens.otlp.framing import MAX_MESSAGE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tracelens.journal import Journal
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
class _Request:
    body: bytes
    digest: bytes
    future: Future[None]


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
        self._waiting: list[_Request] = []
        self._unanswered_bytes = 0
        self._stopping = False
        self._journal_failure: str | None = None
        self._journal_failed_at = 0.0
        self._recent: dict[bytes, None] = {}
        self._thread = threading.Thread(target=self._run, name="acknowledge", daemon=True)

    @property
    def failure(self) -> str | None:
        """Why the journal or the store cannot be written, None while both can as far as is known."""
        # Where nothing arrives nobody tries the journal again, and a probe that keeps senders away must not last.
        if self._journal_failure and time.monotonic() - self._journal_failed_at < _JOURNAL_FAILURE_S:
            return self._journal_failure
        return self._writer.failure

    def submit(self, body: bytes) -> Future[None]:
        """Take one serialised ExportTraceServiceRequest; the future is done when it is durable.

        The future raises InvalidRequestError where the request can never succeed, StoreError or OverloadedError where
        it is to be sent again.

        Raises:
            OverloadedError: too much waits for the store, or the process is stopping.
            InvalidRequestError: it is too long for the journal.
        """
        if len(body) > MAX_MESSAGE_BYTES:
            raise InvalidRequestError(f"the request is longer than {MAX_MESSAGE_BYTES} bytes: send smaller batches")
        request = _Request(body, xxhash.xxh3_128_digest(body), Future())
        request.future.set_running_or_notify_cancel()  # a sender that goes away must not cancel what others wait for
        with self._changed:
            if self._stopping:
                raise OverloadedError("tracelens is stopping: send the request again")
            held = self._unanswered_bytes + self._writer.held_bytes
            if held and held + len(body) > self._limits.max_pending_bytes:
                raise OverloadedError(self.failure or "more data is waiting for the store than is allowed")
            self._unanswered_bytes += len(body)
            self._waiting.append(request)
            self._changed.notify_all()
        return request.future

    def recover(self) -> int:
        """Store what the journal holds and the store does not, before the start; return how many spans were new.

        Raises:
            StoreError: the journal cannot be read, or the store cannot be written.
        """
        return replay_journal(self._store, self._journal, self._set_aside)

    def start(self) -> None:
        """Start taking requests; what a previous process left in the journal is recovered before."""
        self._thread.start()
        self._writer.start()

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
                self._unanswered_bytes -= sum(len(request.body) for request in group)

    def _next_group(self) -> Sequence[_Request]:
        """Wait for requests and return some; none when no more will come."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopping)
            count = size = 0
            for request in self._waiting[:_GROUP_REQUESTS]:
                size += len(request.body)
                if count and size > _GROUP_BYTES:
                    break
                count += 1
            group = self._waiting[:count]
            del self._waiting[:count]
            return group

    def _acknowledge(self, group: Sequence[_Request]) -> None:
        """Make a group durable and answer it. Equal requests are kept once and answered alike."""
        fresh = {request.digest: request.body for request in group if request.digest not in self._recent}
        decoded = decode_requests(list(fresh.values()))
        refused = {digest: decoded.refused.get(position) for position, digest in enumerate(fresh)}
        kept = [digest for digest, reason in refused.items() if reason is None]
        spans = span_count(decoded.batch)
        if spans:
            last_sequence = self._journal.append([fresh[digest] for digest in kept])
            size = max(decoded.batch.nbytes, sum(len(fresh[digest]) for digest in kept))
            self._writer.add(AcknowledgedBatch(decoded.batch, spans, size, last_sequence))
            self._journal_failure = None
        self._remember(kept)
        reasons = [refused.get(request.digest) for request in group]
        acknowledged = reasons.count(None)
        self.statistics.requests += acknowledged
        self.statistics.spans += spans
        self.statistics.repeated_requests += acknowledged - len(kept)
        self.statistics.refused_requests += len(group) - acknowledged
        for request, reason in zip(group, reasons, strict=True):
            if reason is None:
                request.future.set_result(None)
            else:
                request.future.set_exception(InvalidRequestError(reason))

    def _remember(self, digests: Sequence[bytes]) -> None:
        self._recent.update(dict.fromkeys(digests))
        for digest in list(islice(self._recent, max(0, len(self._recent) - _REMEMBERED_REQUESTS))):
            del self._recent[digest]


def _fail(group: Sequence[_Request], error: Exception) -> None:
    """Answer requests that are not answered yet."""
    for request in group:
        if not request.future.done():
            request.future.set_exception(error)
