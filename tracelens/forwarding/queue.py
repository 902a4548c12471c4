"""A queue on disk: a journal, how far it is settled, and its newest records in memory so that they need not be read."""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from tracelens.errors import StoreError
from tracelens.forwarding.position import PositionFile
from tracelens.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_log = logging.getLogger(__name__)

_SEGMENT_BYTES: Final = 16 << 20
"""Smaller than the store's journal's: what is settled leaves the disk by segments."""

DEFAULT_MEMORY_BYTES: Final = 32 << 20


class Entry(NamedTuple):
    """A record taken from the queue: settle it by its sequence number."""

    sequence: int
    payload: bytes


class DiskQueue:
    """First in, first out; what is taken and not settled is there again after a restart.

    One thread appends, any may take and settle.

    Args:
        folder: of the journal; created where it does not exist.
        memory_bytes: how much of what waits is held in memory as well.
        segment_bytes: size of the files, by which settled records leave the disk.

    Attributes:
        lost: records that waited and could not be read again, because the disk damaged them.

    Raises:
        StoreBusyError: another process has the folder open.
        StoreError: the folder cannot be created, read or written.
    """

    def __init__(
        self, folder: Path, *, memory_bytes: int = DEFAULT_MEMORY_BYTES, segment_bytes: int = _SEGMENT_BYTES
    ) -> None:
        self.lost = 0
        self._memory_bytes = memory_bytes
        self._changed = threading.Condition()
        self._stopping = False
        self._is_closed = False
        self._file = PositionFile(folder / "position")
        try:
            self._found = self._file.read()
            self._journal = Journal(folder, segment_bytes=segment_bytes, after=self._found.next - 1)
        except BaseException:
            self._file.close()
            raise
        try:
            self._last = self._journal.last_sequence
            self._taken = min(self._found.next - 1, self._last)
            self._unsettled = set(self._found.open)  # taken by the last process, and not by this one
            self._open: dict[int, int] = {}
            sizes = [len(entry.payload) for entry in self._entries_on_disk(self._last)]
        except BaseException:
            self.close()
            raise
        self._waiting = len(sizes)
        self._waiting_bytes = sum(sizes)
        self._buffer: deque[Entry] = deque()
        self._buffer_bytes = 0
        self._is_behind = bool(sizes)  # records wait on disk that are not in the buffer
        self._reading: Iterator[Entry] | None = None
        self._reading_through = 0

    @property
    def requests(self) -> int:
        """Records that are not settled."""
        with self._changed:
            return self._waiting + len(self._open)

    @property
    def size_bytes(self) -> int:
        """The bytes of the records that are not settled."""
        with self._changed:
            return self._waiting_bytes + sum(self._open.values())

    def append(self, payloads: Sequence[bytes]) -> None:
        """Put records at the end and wait for the disk.

        Raises:
            StoreError: the disk is full or failing; none of them counts.
        """
        last = self._journal.append(payloads)
        with self._changed:
            for sequence, payload in enumerate(payloads, start=last - len(payloads) + 1):
                self._waiting += 1
                self._waiting_bytes += len(payload)
                if self._is_behind or self._buffer_bytes + len(payload) > self._memory_bytes:
                    self._is_behind = True
                else:
                    self._buffer.append(Entry(sequence, payload))
                    self._buffer_bytes += len(payload)
            self._last = last
            self._changed.notify_all()

    def take(self) -> Entry | None:
        """Wait for the oldest record that nobody has taken, and return it; None once the queue is stopped.

        Raises:
            StoreError: it cannot be read; to try again is safe.
        """
        with self._changed:
            while not self._stopping:
                entry = self._next()
                if entry is not None:
                    self._taken = max(self._taken, entry.sequence)
                    self._unsettled.discard(entry.sequence)
                    self._open[entry.sequence] = len(entry.payload)
                    self._waiting -= 1
                    self._waiting_bytes -= len(entry.payload)
                    return entry
                self._changed.wait()
            return None

    def settle(self, sequence: int) -> None:
        """Let go of a record that was taken."""
        with self._changed:
            del self._open[sequence]
            if self._is_closed:
                return
            if not self.requests:
                self._changed.notify_all()
            try:
                position = self._file.write(self._taken + 1, {*self._open, *self._unsettled})
                self._journal.release(position.settled_through)
            except StoreError as error:  # it is repeated with the next record
                _log.warning("%s", error)

    def wait_empty(self, timeout_s: float) -> None:
        """Return when everything is settled, after the time-out in any case."""
        with self._changed:
            self._changed.wait_for(lambda: not self.requests or self._stopping, timeout_s)

    def stop(self) -> None:
        """Give out no more."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def close(self) -> None:
        """Let go of the folder. What is settled from now on is not remembered."""
        with self._changed:
            self._is_closed = True
        self._journal.close()
        self._file.close()

    def _next(self) -> Entry | None:
        """Return the next record from disk or memory; None where there is none. The caller holds the lock.

        The records follow one another: what is being read from disk, the buffer, what was appended since that was full.
        """
        while True:
            if self._reading is not None:
                try:
                    entry = next(self._reading, None)
                except StoreError:
                    self._reading = self._entries_on_disk(self._reading_through)
                    raise
                if entry is not None:
                    return entry
                self._reading = None
            if self._buffer:
                entry = self._buffer.popleft()
                self._buffer_bytes -= len(entry.payload)
                return entry
            if not self._is_behind:
                self._forget_lost()
                return None
            self._is_behind = False  # what is appended from here on goes to the buffer
            self._reading_through = self._last
            self._reading = self._entries_on_disk(self._reading_through)

    def _entries_on_disk(self, last: int) -> Iterator[Entry]:
        """Read what is neither taken nor settled, up to this record."""
        taken, unsettled = self._taken, frozenset(self._unsettled)
        for sequence, payload in self._journal.replay(min((taken + 1, *unsettled)) - 1):
            if sequence > last:
                return
            if sequence > taken or sequence in unsettled:
                yield Entry(sequence, payload)

    def _forget_lost(self) -> None:
        """Correct what damaged records leave in the counts, once every other record has been taken."""
        self.lost += self._waiting
        self._waiting = self._waiting_bytes = 0
        self._unsettled.clear()
        self._taken = self._last
