"""The journal: raw OTLP requests on disk, so that a receiver may answer before the store has them.

A journal is a folder of segments named `<first sequence number, 20 digits>.segment`, in the format that
`otlp.framing.journal_frames` reads: a segment is itself a trace file. Each record holds one serialised
ExportTraceServiceRequest; sequence numbers count records from 1 and are never given out twice. A record counts once
`append` has returned: then it survives a crash of the process and of the machine. What a crash leaves half written is
the unacknowledged end of one segment, and reading stops there.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import xxhash

from tracelens.errors import StoreBusyError, StoreError
from tracelens.otlp import framing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

DEFAULT_SEGMENT_BYTES: Final = 64 << 20

_BUFFERS_PER_WRITE: Final = os.sysconf("SC_IOV_MAX")
_NAME_PATTERN: Final = "[0-9]" * 20
_READ_BUFFER_BYTES: Final = 1 << 20
_synchronise = os.fdatasync if sys.platform == "linux" else os.fsync

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Segment:
    """One file. `last` is the sequence number of its last readable record, `first - 1` where it has none."""

    path: Path
    first: int
    last: int


class Journal:
    """Appends requests to a folder of segments and reads them back. One process owns the folder at a time.

    Args:
        folder: created where it does not exist.
        segment_bytes: a segment that has reached this size is followed by a new one.
        after: sequence numbers start above this. Give what the store has committed, so that the numbers of a journal
            folder that somebody removed are not given out again.

    Attributes:
        torn_bytes: what a crash left of an unacknowledged append at the end of the newest segment, found on opening.

    Raises:
        StoreBusyError: another process has the journal open.
        StoreError: the folder cannot be created, read or written.
    """

    def __init__(self, folder: Path, *, segment_bytes: int = DEFAULT_SEGMENT_BYTES, after: int = 0) -> None:
        self.torn_bytes = 0
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._guard = threading.Lock()
        self._file: int | None = None
        self._lock: int | None = None
        self._size = 0
        with self._explained():
            folder.mkdir(parents=True, exist_ok=True)
            _synchronise_folder(folder.parent)
            self._lock = _lock(folder)
        try:
            with self._explained():
                self._segments = _segments(folder)
                self._last, self._next = self._resume(after)
                self._file = self._roll()
        except BaseException:
            self.close()
            raise

    @property
    def last_sequence(self) -> int:
        """The sequence number of the newest record, 0 where there never was one."""
        return self._last

    def append(self, payloads: Sequence[bytes]) -> int:
        """Write these payloads as one group and wait for the disk. None may exceed `framing.MAX_MESSAGE_BYTES`.

        Returns:
            The sequence number of the last of them.

        Raises:
            StoreError: the disk is full or failing. None of the payloads counts, and the next append may succeed.
        """
        if not payloads:
            return self._last
        buffers: list[bytes] = []
        for payload in payloads:
            buffers.append(framing.JOURNAL_RECORD.pack(len(payload), xxhash.xxh3_128_digest(payload)))
            buffers.append(payload)
        with self._guard, self._explained():
            if self._lock is None:
                raise StoreError(f"the journal {self._folder} is closed: open it again before appending to it")
            if self._file is None or self._size >= self._segment_bytes:
                self._file = self._roll()
            self._write(self._file, buffers, len(payloads))
            self._next += len(payloads)
            self._last = self._segments[-1].last = self._next - 1
            return self._last

    def replay(self, after: int) -> Iterator[tuple[int, bytes]]:
        """Read every record whose sequence number is above `after`, in order, as (sequence number, payload).

        An incomplete record ends its segment, as a crash leaves it. So does a damaged one, with a warning in the log.

        Raises:
            StoreError: a segment cannot be read.
        """
        with self._guard:
            segments = [(segment.path, segment.first) for segment in self._segments if segment.last > after]
            written = self._segments[-1].path
            size = self._size
        for path, first in segments:
            with self._explained():
                reader = _SegmentReader(path, first, size if path == written else path.stat().st_size)
                for sequence, payload in enumerate(reader.payloads(), start=first):
                    if sequence > after:
                        yield sequence, payload

    def release(self, through: int) -> None:
        """Delete the segments whose records all have sequence numbers up to `through`; the one being written stays.

        Raises:
            StoreError: a segment cannot be deleted.
        """
        with self._guard, self._explained():
            while len(self._segments) > 1 and self._segments[0].last <= through:
                self._segments[0].path.unlink(missing_ok=True)
                del self._segments[0]

    def close(self) -> None:
        """Let go of the folder. Everything appended is on disk already."""
        with self._guard:
            for descriptor in (self._file, self._lock):
                if descriptor is not None:
                    os.close(descriptor)
            self._file = self._lock = None

    def _resume(self, after: int) -> tuple[int, int]:
        """Return the last sequence number in the folder, and the next one that was certainly never given out."""
        if not self._segments:
            return after, after + 1
        newest = self._segments[-1]
        reader = _SegmentReader(newest.path, newest.first, newest.path.stat().st_size)
        newest.last = newest.first - 1 + sum(1 for _ in reader.payloads())
        self.torn_bytes = reader.torn_bytes
        # What cannot be read may hold records that the store has: skip as many numbers as fit into it.
        unreadable = reader.unreadable_bytes // framing.JOURNAL_RECORD.size
        return max(newest.last, after), max(newest.last + unreadable, after) + 1

    def _roll(self) -> int:
        """Leave the segment being written, open the next one and return its file descriptor.

        Its name and header are on disk before its first record can be.
        """
        if self._file is not None:
            os.close(self._file)
            self._file = None
        path = self._folder / f"{self._next:020}.segment"
        draft = path.with_suffix(".draft")
        file = os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            size = _write_all(file, [_header(self._next)])
            _synchronise(file)
            draft.rename(path)
            _synchronise_folder(self._folder)
        except OSError:
            os.close(file)
            draft.unlink(missing_ok=True)
            raise
        if self._segments and self._segments[-1].path == path:
            del self._segments[-1]  # it held no record
        self._segments.append(_Segment(path, self._next, self._next - 1))
        self._size = size
        return file

    def _write(self, file: int, buffers: list[bytes], records: int) -> None:
        """Add the buffers to the segment and wait for the disk; on failure leave the segment as it was."""
        try:
            written = _write_all(file, buffers)
            _synchronise(file)
        except OSError:
            try:
                os.ftruncate(file, self._size)
                os.lseek(file, self._size, os.SEEK_SET)
                _synchronise(file)
            except OSError:
                # What the segment now ends with is unknown: leave it, and never reuse the numbers that may be there.
                self._next += records
                self._file = None
                os.close(file)
            raise
        self._size += written

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(
                f"the journal {self._folder} failed: {error.strerror or error}: make room or repair that disk, "
                "or choose another store with --db"
            ) from error


class _SegmentReader:
    """Reads the first `size_bytes` of a segment. `unreadable_bytes` and `torn_bytes` tell afterwards what was left."""

    def __init__(self, path: Path, first: int, size_bytes: int) -> None:
        self.unreadable_bytes = 0
        self.torn_bytes = 0
        self._path = path
        self._first = first
        self._size_bytes = size_bytes

    def payloads(self) -> Iterator[bytes]:
        with self._path.open("rb", buffering=_READ_BUFFER_BYTES) as file:
            if file.read(framing.JOURNAL_HEADER.size) != _header(self._first):
                self.unreadable_bytes = self._size_bytes
                logger.warning("%s is not a journal segment, or its header is damaged: it is left out", self._path)
                return
            file.seek(0)
            try:
                for frame in framing.journal_frames(file):
                    if frame.offset >= self._size_bytes:
                        return
                    yield frame.payload
            except framing.FramingError as error:
                self.unreadable_bytes = max(0, self._size_bytes - error.offset)
                if isinstance(error, framing.CutOffError):
                    self.torn_bytes = self.unreadable_bytes
                elif self.unreadable_bytes:
                    place = f"{self._path} is damaged at byte {error.offset}, {error.reason}"
                    logger.warning("%s: the rest of it is left out", place)


def _lock(folder: Path) -> int:
    """Return the descriptor that holds the folder's lock; the kernel drops the lock when the process ends."""
    lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise StoreBusyError(
            f"the journal {folder} is open in another process: stop that one, or choose another store with --db"
        ) from error
    return lock


def _segments(folder: Path) -> list[_Segment]:
    """List the segments in order. How far each one reaches is taken from the name of the next; the newest is open."""
    for draft in folder.glob(_NAME_PATTERN + ".draft"):
        draft.unlink()
    paths = sorted(folder.glob(_NAME_PATTERN + ".segment"))
    firsts = [int(path.stem) for path in paths]
    lasts = [first - 1 for first in firsts[1:] + firsts[-1:]]
    return [_Segment(path, first, last) for path, first, last in zip(paths, firsts, lasts, strict=True)]


def _header(first: int) -> bytes:
    return framing.JOURNAL_HEADER.pack(framing.JOURNAL_MAGIC, first)


def _write_all(file: int, buffers: list[bytes]) -> int:
    """Write the buffers at the file's position and return their size in bytes."""
    size = 0
    for start in range(0, len(buffers), _BUFFERS_PER_WRITE):
        group = buffers[start : start + _BUFFERS_PER_WRITE]
        expected = sum(map(len, group))
        written = os.writev(file, group)
        if written < expected:  # the disk is nearly full, or the group is larger than one system call writes
            rest = memoryview(b"".join(group))
            while written < expected:
                written += os.write(file, rest[written:])
        size += expected
    return size


def _synchronise_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
