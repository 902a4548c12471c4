"""Decoded requests into the store, such that one that meets a defect of ours neither holds up nor loses the others."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from tracelens.errors import StoreError
from tracelens.ingest.span_tables import span_tables
from tracelens.semconv.metric_points import normalise_points
from tracelens.store.appended import AppendResult

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tracelens.ingest.decoding import DecodedGroup
    from tracelens.store.store import Store

_log = logging.getLogger(__name__)


def store_batch(
    store: Store,
    group: DecodedGroup,
    received_ns: int,
    applied_sequence: int | None,
    on_defect: Callable[[int, Exception], None],
) -> AppendResult:
    """Store decoded requests in one transaction; in several where one cannot be stored, which is then left out.

    Args:
        store: where they go.
        group: the requests.
        received_ns: when, nanoseconds since 1970.
        applied_sequence: the journal's last record among them, None when they did not come from the journal.
        on_defect: called with the position and the error for each request left out.

    Raises:
        StoreError: the store cannot be written now; nothing, or not everything, is stored. To try again is safe.
    """
    try:
        return _append(store, group, received_ns, applied_sequence)
    except StoreError:
        raise
    except Exception:  # noqa: BLE001  (any defect of ours: the other requests are to be stored)
        _log.exception("some spans or metrics cannot be stored; looking for the request they came in")
        outcome = _store_what_can_be(store, group, 0, received_ns, on_defect)
        return outcome + _append(store, group.part(0, 0), received_ns, applied_sequence)


def _append(store: Store, group: DecodedGroup, received_ns: int, applied_sequence: int | None) -> AppendResult:
    try:
        spans = span_tables(store, group, received_ns)
        points = [normalise_points(group.metrics, store.catalogue, received_ns)] if group.metrics else []
        return store.append(spans, applied_sequence, points)
    except MemoryError as error:  # nothing is wrong with the requests: fewer of them at a time may fit
        raise StoreError("out of memory: give tracelens more, or lower store.flush_rows") from error


def _store_what_can_be(
    store: Store, group: DecodedGroup, first: int, received_ns: int, on_defect: Callable[[int, Exception], None]
) -> AppendResult:
    """Halve the group until the requests that cannot be stored are alone."""
    try:
        return _append(store, group, received_ns, None)
    except StoreError:
        raise
    except Exception as error:  # noqa: BLE001  (as above; that it happened is in the log already)
        if len(group) <= 1:
            on_defect(first, error)
            return AppendResult(0, 0)
    middle = len(group) // 2
    halves = (group.part(0, middle), first), (group.part(middle, len(group)), first + middle)
    one, other = (_store_what_can_be(store, half, start, received_ns, on_defect) for half, start in halves)
    return one + other


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
