"""Requests that do not come over the network: of trace files, and of the journal that a process left behind."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from tracelens.ingest.storing import set_aside, store_batch
from tracelens.journal import Journal
from tracelens.otlp.decode import decode_requests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from tracelens.store.store import Store

_log = logging.getLogger(__name__)

_TRANSACTION_BYTES: Final = 32 * 1024 * 1024
"""Some 80,000 spans."""


def store_requests(store: Store, requests: Iterable[bytes], on_refused: Callable[[str], None]) -> int:
    """Store requests in transactions of bounded size.

    Args:
        store: where they go.
        requests: serialised requests, as `otlp.files.read_requests` yields them.
        on_refused: called with the reason for each request that cannot be kept.

    Returns:
        How many spans were new.

    Raises:
        StoreError: the store cannot be written.
    """
    records = ((0, request) for request in requests)
    return sum(_store_group(store, group, None, lambda _, __, reason: on_refused(reason)) for group in _groups(records))


def recover_journal(store: Store, db: Path) -> int:
    """Store what the journal of a process that ended holds and the store does not; return how many spans were new.

    Args:
        store: the open store.
        db: its file; where no journal lies beside it there is nothing to do.

    Raises:
        StoreBusyError: another process has the journal open.
        StoreError: the journal cannot be read, or the store cannot be written.
    """
    folder = journal_folder(db)
    if not folder.is_dir():
        return 0
    journal = Journal(folder, after=store.applied_sequence)
    try:
        return replay_journal(store, journal, set_aside_folder(db))
    finally:
        journal.close()


def journal_folder(db: Path) -> Path:
    """Return where the journal of a store's file is, links followed."""
    db = db.resolve()
    return db.with_name(db.name + ".journal")


def set_aside_folder(db: Path) -> Path:
    """Return where requests go that cannot be stored in this file, links followed."""
    db = db.resolve()
    return db.with_name(db.name + ".set-aside")


def replay_journal(store: Store, journal: Journal, aside: Path) -> int:
    """Store what an open journal holds and the store does not; return how many spans were new.

    Requests that cannot be stored are set aside in the folder `aside`.

    Raises:
        StoreError: the journal cannot be read, or the store or a request set aside cannot be written.
    """

    def put_aside(sequence: int, body: bytes, reason: str) -> None:
        _log.error("spans were set aside in %s: %s", set_aside(aside, sequence, body), reason)

    stored = 0
    for group in _groups(journal.replay(store.applied_sequence)):
        stored += _store_group(store, group, group[-1][0], put_aside)
    journal.release(store.applied_sequence)
    return stored


def _groups(records: Iterable[tuple[int, bytes]]) -> Iterator[list[tuple[int, bytes]]]:
    """Gather records, of sequence number and request, to groups worth a transaction."""
    group: list[tuple[int, bytes]] = []
    size = 0
    for record in records:
        group.append(record)
        size += len(record[1])
        if size >= _TRANSACTION_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _store_group(
    store: Store,
    group: list[tuple[int, bytes]],
    applied_sequence: int | None,
    on_left_out: Callable[[int, bytes, str], None],
) -> int:
    decoded = decode_requests([body for _, body in group])
    for position, reason in decoded.refused.items():
        on_left_out(*group[position], reason)
    kept = [record for position, record in enumerate(group) if position not in decoded.refused]

    def leave_out(row: int, error: Exception) -> None:
        on_left_out(*kept[row], f"a defect of tracelens, please report it: {type(error).__name__}: {error}")

    return store_batch(store, decoded.batch, time.time_ns(), applied_sequence, leave_out).stored
