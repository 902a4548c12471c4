"""How far the queue is settled, in a file beside it.

The file is one line that is overwritten in place: a checksum, a tab, and a JSON object. It is not synchronised. A
process that is killed loses nothing of it; a machine that loses power may find an older line, or none, and what was
settled since is then sent once more.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import orjson
import xxhash

from tracelens.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Position:
    """Which records are settled: all below `next`, except those in `open`.

    Attributes:
        next: sequence number of the first record that nobody has taken.
        open: sequence numbers of those that are taken and not settled, ascending.
    """

    next: int = 1
    open: tuple[int, ...] = ()

    @property
    def settled_through(self) -> int:
        """The sequence number up to which all is settled."""
        return min((self.next, *self.open)) - 1


class PositionFile:
    """Keeps a position.

    Raises:
        StoreError: the file cannot be opened or written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: int | None = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._failure(error) from error

    def read(self) -> Position:
        """Return the position; the very first one where the file holds none."""
        if self._file is None:
            return Position()
        line = os.pread(self._file, os.fstat(self._file).st_size, 0).partition(b"\n")[0]
        digest, _, document = line.partition(b"\t")
        if digest != _digest(document):
            return Position()
        found = orjson.loads(document)
        return Position(found["next"], tuple(found["open"]))

    def write(self, next_sequence: int, open_sequences: Iterable[int]) -> Position:
        """Record a position and return it."""
        position = Position(next_sequence, tuple(sorted(open_sequences)))
        document = orjson.dumps(asdict(position))
        try:
            if self._file is not None:
                os.pwrite(self._file, b"%s\t%s\n" % (_digest(document), document), 0)
        except OSError as error:
            raise self._failure(error) from error
        return position

    def close(self) -> None:
        """Let go of the file; it is not written any more."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _failure(self, error: OSError) -> StoreError:
        return StoreError(f"{self._path}: cannot be written: {error.strerror}; make room or repair that disk")


def _digest(document: bytes) -> bytes:
    return xxhash.xxh3_64_hexdigest(document).encode()
