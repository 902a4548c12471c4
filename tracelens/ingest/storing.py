"""Decoded requests into the store, such that one that meets a defect of ours neither blocks nor loses the others."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracelens.errors import StoreError
from tracelens.semconv.normalise import normalise

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import pyarrow as pa

    from tracelens.store.store import Store

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StoreOutcome:
    """How many spans were stored, and how many the store already had."""

    stored: int = 0
    duplicates: int = 0

    def __add__(self, other: StoreOutcome) -> StoreOutcome:
        return StoreOutcome(self.stored + other.stored, self.duplicates + other.duplicates)


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some rows of a decoded batch, which is the given one of several; each row is a request."""

    number: int
    first_row: int
    batch: pa.RecordBatch


def store_batches(
    store: Store,
    batches: Sequence[pa.RecordBatch],
    received_ns: int,
    applied_sequence: int | None,
    on_defect: Callable[[int, int, Exception], None],
) -> StoreOutcome:
    """Store decoded batches in one transaction; in several where a request cannot be stored, which is then left out.

    Args:
        store: where they go.
        batches: as `otlp.decode.decode_requests` returns them, in order of arrival.
        received_ns: when, nanoseconds since 1970.
        applied_sequence: the journal's last record among them, None when they did not come from the journal.
        on_defect: called with the batch's position, the row in it, and the error, for each request left out.

    Raises:
        StoreError: the store cannot be written now; nothing, or not everything, is stored. To try again is safe.
    """
    pieces = [_Piece(number, 0, batch) for number, batch in enumerate(batches)]
    try:
        return _append(store, pieces, received_ns, applied_sequence)
    except StoreError:
        raise
    except Exception:  # noqa: BLE001  (any defect of ours: the other spans are to be stored)
        _log.exception("some spans cannot be stored; looking for the request they came in")
        outcome = _store_what_can_be(store, pieces, received_ns, on_defect)
        return outcome + _append(store, [], received_ns, applied_sequence)


def _append(store: Store, pieces: Sequence[_Piece], received_ns: int, applied_sequence: int | None) -> StoreOutcome:
    try:
        rows = [normalise(piece.batch, store.catalogue, received_ns) for piece in pieces]
        appended = store.append(rows, applied_sequence)
    except MemoryError as error:  # nothing is wrong with the spans: fewer of them at a time may fit
        raise StoreError("out of memory: give tracelens more, or lower store.flush_rows") from error
    return StoreOutcome(appended.stored, appended.duplicates)


def _store_what_can_be(
    store: Store, pieces: Sequence[_Piece], received_ns: int, on_defect: Callable[[int, int, Exception], None]
) -> StoreOutcome:
    """Halve the pieces until the requests that cannot be stored are alone."""
    outcome = StoreOutcome()
    for half in _halves(pieces):
        try:
            outcome += _append(store, half, received_ns, None)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001  (any defect of ours; `store_batches` has logged it)
            if len(half) == 1 and half[0].batch.num_rows == 1:
                on_defect(half[0].number, half[0].first_row, error)
            else:
                outcome += _store_what_can_be(store, half, received_ns, on_defect)
    return outcome


def _halves(pieces: Sequence[_Piece]) -> list[Sequence[_Piece]]:
    """Cut pieces in two: the list, else the rows of its only one; one row stays as it is."""
    if len(pieces) == 1:
        piece = pieces[0]
        middle = piece.batch.num_rows // 2
        pieces = [
            _Piece(piece.number, piece.first_row, piece.batch.slice(0, middle)),
            _Piece(piece.number, piece.first_row + middle, piece.batch.slice(middle)),
        ]
    middle = len(pieces) // 2
    halves = ([piece for piece in half if piece.batch.num_rows] for half in (pieces[:middle], pieces[middle:]))
    return [half for half in halves if half]


def set_aside(folder: Path, sequence: int, body: bytes) -> Path:
    """Write a request that cannot be stored to a trace file of its own, which a later version may replay.

    Raises:
        StoreError: it cannot be written.
    """
    path = folder / f"{sequence:020}.otlp.pb"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StoreError(f"{path}: spans cannot be set aside there: {error.strerror}; make room") from error
    return path
