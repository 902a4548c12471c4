"""Takes requests, puts them on disk, and sends them on."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Final, NamedTuple

from tracelens.errors import InvalidRequestError, OverloadedError, StoreError
from tracelens.forwarding.backoff import Backoff
from tracelens.forwarding.outcome import Delivered, Refused, TryAgain, TurnedAway
from tracelens.forwarding.queue import DiskQueue
from tracelens.forwarding.record import from_record, to_record
from tracelens.forwarding.statistics import ForwardStatistics
from tracelens.forwarding.unserved import Unserved
from tracelens.grouping import first_group
from tracelens.otlp.framing import MAX_MESSAGE_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tracelens.forwarding.outcome import Outcome, Sender
    from tracelens.forwarding.queue import Entry
    from tracelens.receiver.forwarding import RawRequest
    from tracelens.settings.forwarding import ForwardSettings

_log = logging.getLogger(__name__)

_GROUP_BYTES: Final = 8 << 20
_GROUP_REQUESTS: Final = 256
_DISK_RETRY_S: Final = 2.0
_JOIN_S: Final = 1.0


def forward_folder(db: Path) -> Path:
    """Return where the queue of requests to pass on is, beside a store's file, links followed."""
    db = db.resolve()
    return db.with_name(db.name + ".forward")


class _Waiting(NamedTuple):
    """A record that is not on disk yet."""

    record: bytes
    future: Future[None]


class Forwarder:
    """Passes requests on to the next hop that the settings name.

    Args:
        settings: of `[forward]`.
        senders: one for each request that may be under way; closed in the end.
        folder: of the queue.

    Attributes:
        statistics: what it counted.
        failing: why the next hop takes nothing now, None while it does.

    Raises:
        StoreError: the queue cannot be opened.
    """

    def __init__(self, settings: ForwardSettings, senders: Sequence[Sender], folder: Path) -> None:
        self.statistics = ForwardStatistics()
        self.failing: str | None = None
        self._settings = settings
        self._senders = senders
        self._queue = DiskQueue(folder)
        self._changed = threading.Condition()
        self._unwritten: list[_Waiting] = []
        self._unwritten_bytes = 0
        self._is_closing = False
        self._is_dropping = False
        self._stopping = threading.Event()
        self._logged: set[tuple[str, str]] = set()
        self._told: set[str] = set()
        self._unserved = Unserved()
        self._writer = threading.Thread(target=self._write, name="forward queue", daemon=True)
        self._threads = [
            threading.Thread(target=self._send_all, args=(sender,), name="forward", daemon=True)
            for sender in self._senders
        ]

    @property
    def pass_headers(self) -> tuple[str, ...]:
        """Names of the headers that go on with the request that brought them."""
        return self._settings.pass_headers

    @property
    def queued_requests(self) -> int:
        """Requests that are not settled."""
        return self._queue.requests + len(self._unwritten)

    @property
    def queued_bytes(self) -> int:
        """Their size."""
        return self._queue.size_bytes + self._unwritten_bytes

    @property
    def lost_requests(self) -> int:
        """Requests that the disk damaged while they waited."""
        return self._queue.lost

    def submit(self, request: RawRequest) -> Future[None]:
        """Take one request, without blocking; see `receiver.forwarding.Forwarding`."""
        record = to_record(request)
        if len(record) > MAX_MESSAGE_BYTES:
            raise InvalidRequestError(f"the request is longer than {MAX_MESSAGE_BYTES} bytes: send smaller batches")
        future: Future[None] = Future()
        future.set_running_or_notify_cancel()  # a sender that goes away must not cancel what is being written
        with self._changed:
            if self._is_closing:
                raise OverloadedError("tracelens is stopping: send the request again")
            if not self._has_room(len(record)):
                self._turn_away(request.signal.name)
                future.set_result(None)
                return future
            self._is_dropping = False
            self._unwritten.append(_Waiting(record, future))
            self._unwritten_bytes += len(record)
            self._changed.notify_all()
        return future

    def start(self) -> None:
        """Begin to send, with what a previous process left."""
        for thread in (self._writer, *self._threads):
            thread.start()

    def stop(self, grace_s: float) -> None:
        """Take no more, put on disk what was taken, send what can be sent in this time, and let go of everything."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        if self._writer.ident is not None:
            self._writer.join()
            if self.failing is None:
                self._queue.wait_empty(grace_s)
        self._stopping.set()
        self._queue.stop()
        end = time.monotonic() + _JOIN_S
        for thread, sender in zip(self._threads, self._senders, strict=True):
            if thread.ident is not None:
                thread.join(max(0.0, end - time.monotonic()))
            if not thread.is_alive():
                sender.close()
        self._queue.close()

    def _has_room(self, size_bytes: int) -> bool:
        """Say whether one more record fits; into an empty queue any does."""
        requests = self.queued_requests
        return not requests or (
            requests < self._settings.max_queue_requests
            and self.queued_bytes + size_bytes <= self._settings.max_queue_bytes
        )

    def _turn_away(self, signal: str) -> None:
        """Refuse or drop a request that does not fit.

        Raises:
            OverloadedError: it is to be sent again.
        """
        if self._settings.when_full == "refuse":
            because = f", since that failed: {self.failing}" if self.failing else ""
            raise OverloadedError(f"too many requests wait to be passed on to {self._settings.url}{because}")
        self.statistics.count_dropped(signal, "queue_full")
        if not self._is_dropping:
            self._is_dropping = True
            _log.warning("too many requests wait for %s: further ones are not passed on", self._settings.url)

    def _write(self) -> None:
        """Put requests on disk, all that wait with one synchronisation, and answer them."""
        while group := self._next_group():
            try:
                self._queue.append([waiting.record for waiting in group])
            except StoreError as error:
                _log.error("%s", error)
                for waiting in group:
                    waiting.future.set_exception(error)
            else:
                for waiting in group:
                    waiting.future.set_result(None)
            with self._changed:
                self._unwritten_bytes -= sum(len(waiting.record) for waiting in group)

    def _next_group(self) -> Sequence[_Waiting]:
        """Wait for requests and return some; none when no more will come."""
        with self._changed:
            self._changed.wait_for(lambda: self._unwritten or self._is_closing)
            group = first_group(
                self._unwritten,
                lambda waiting: len(waiting.record),
                most_items=_GROUP_REQUESTS,
                most_size=_GROUP_BYTES,
            )
            del self._unwritten[: len(group)]
            return group

    def _send_all(self, sender: Sender) -> None:
        while not self._stopping.is_set():
            try:
                entry = self._queue.take()
            except StoreError as error:
                _log.error("%s", error)
                self._stopping.wait(_DISK_RETRY_S)
                continue
            if entry is None:
                return
            if self._deliver(entry, sender):
                self._queue.settle(entry.sequence)

    def _deliver(self, entry: Entry, sender: Sender) -> bool:
        """Send a request until it is settled; say whether it is, since stopping leaves it for the next process."""
        try:
            request = from_record(entry.payload)
        except ValueError:
            _log.exception("a record of the forward queue cannot be read")
            self.statistics.count_dropped("unknown", "defect")
            return True
        signal = request.signal.name
        backoff = Backoff(self._settings)
        while True:
            match self._attempt(request, sender):
                case Delivered() as delivered:
                    self._delivered(request, delivered)
                    return True
                case Refused() as refused:
                    self._recover()
                    self.statistics.count_refused(signal)
                    self._log_once(signal, refused.kind, "refuses %s for good: %s %s", refused.kind, refused.reason)
                    return True
                case (TryAgain() | TurnedAway()) as failure:
                    self.statistics.count_failed(signal)
                    self._fail(failure)
                    pause_s = backoff.next_pause_s(failure.retry_after_s)
            if pause_s is None:
                self.statistics.count_dropped(signal, "expired")
                self._log_once(signal, "expired", "took no %s for so long that some were dropped: %s", failure.reason)
                return True
            if self._stopping.wait(pause_s):
                return False

    def _attempt(self, request: RawRequest, sender: Sender) -> Outcome:
        try:
            outcome = sender.send(request)
            return self._unserved.judge(outcome, request, sender) if isinstance(outcome, TurnedAway) else outcome
        except MemoryError:
            return TryAgain("out of memory")
        except Exception as error:  # noqa: BLE001  (a defect of ours: the thread must live on, and others be sent)
            _log.exception("a request could not be passed on")
            return Refused("defect", f"{type(error).__name__}: {error}")

    def _delivered(self, request: RawRequest, delivered: Delivered) -> None:
        signal = request.signal.name
        self._unserved.taken(request.signal)
        self.statistics.count_sent(signal, len(request.body), delivered.rejected)
        self._recover()
        if delivered.rejected or delivered.message:
            kind = "rejected" if delivered.rejected else "warning"
            self._log_once(signal, kind, "answers %s with a partial success: %s", delivered.message)

    def _recover(self) -> None:
        if self.failing is not None:
            self.failing = None
            self._told.clear()
            _log.warning("%s answers again", self._settings.url)

    def _fail(self, failure: TryAgain | TurnedAway) -> None:
        """Note why nothing is taken, and tell each kind of reason once until something is."""
        kind, reason, advice = "", failure.reason, ""
        if isinstance(failure, TurnedAway):
            kind, reason = failure.kind, f"{failure.kind} {failure.reason}"
            advice = "; correct its address or [forward.headers], or what it allows"
        if kind not in self._told:
            self._told.add(kind)
            _log.warning("%s takes nothing now and is tried again: %s%s", self._settings.url, reason, advice)
        self.failing = reason

    def _log_once(self, signal: str, kind: str, text: str, *values: str) -> None:
        if (signal, kind) not in self._logged:
            self._logged.add((signal, kind))
            _log.warning("%s " + text, self._settings.url, signal, *values)
