"""Decoded requests into the store, such that one that meets a defect of ours neither holds up nor loses the others."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from tracelens.errors import StoreError
from tracelens.semconv.normalise import normalise
from tracelens.store.store import AppendResult

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pyarrow as pa

    from tracelens.store.store import Store

_log = logging.getLogger(__name__)


def store_batch(
    store: Store,
    batch: pa.RecordBatch,
    received_ns: int,
    applied_sequence: int | None,
    on_defect: Callable[[int, Exception], None],
) -> AppendResult:
    """Store a decoded batch in one transaction; in several where a request cannot be stored, which is then left out.

    Args:
        store: where it goes.
        batch: as `otlp.decode.decode_requests` returns it, a row per request.
        received_ns: when, nanoseconds since 1970.
        applied_sequence: the journal's last record in it, None when it did not come from the journal.
        on_defect: called with the row and the error for each request left out.

    Raises:
        StoreError: the store cannot be written now; nothing, or not everything, is stored. To try again is safe.
    """
    try:
        return _append(store, batch, received_ns, applied_sequence)
    except StoreError:
        raise
    except Exception:  # noqa: BLE001  (any defect of ours: the other spans are to be stored)
        _log.exception("some spans cannot be stored; looking for the request they came in")
        outcome = _store_what_can_be(store, batch, 0, received_ns, on_defect)
        return outcome + _append(store, batch.slice(0, 0), received_ns, applied_sequence)


def _append(store: Store, batch: pa.RecordBatch, received_ns: int, applied_sequence: int | None) -> AppendResult:
    try:
        return store.append([normalise(batch, store.catalogue, received_ns)], applied_sequence)
    except MemoryError as error:  # nothing is wrong with the spans: fewer of them at a time may fit
        raise StoreError("out of memory: give tracelens more, or lower store.flush_rows") from error


def _store_what_can_be(
    store: Store, batch: pa.RecordBatch, first_row: int, received_ns: int, on_defect: Callable[[int, Exception], None]
) -> AppendResult:
    """Halve the batch until the requests that cannot be stored are alone."""
    try:
        return _append(store, batch, received_ns, None)
    except StoreError:
        raise
    except Exception as error:  # noqa: BLE001  (as above; that it happened is in the log already)
        if batch.num_rows <= 1:
            on_defect(first_row, error)
            return AppendResult(0, 0)
    middle = batch.num_rows // 2
    return _store_what_can_be(store, batch.slice(0, middle), first_row, received_ns, on_defect) + _store_what_can_be(
        store, batch.slice(middle), first_row + middle, received_ns, on_defect
    )


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
