"""Requests that do not come over the network: of trace files, and of the journal that a process left behind."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from tracelens.grouping import gathered
from tracelens.ingest.decoding import decode_group
from tracelens.ingest.storing import set_aside, store_batch
from tracelens.journal import Journal
from tracelens.otlp.requests import Request, request_of_record
from tracelens.store.appended import AppendResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from tracelens.store.store import Store

_log = logging.getLogger(__name__)

_TRANSACTION_BYTES: Final = 32 * 1024 * 1024
"""Some 80,000 spans."""


def store_requests(store: Store, requests: Iterable[Request], on_refused: Callable[[str], None]) -> AppendResult:
    """Store requests in transactions of bounded size.

    Args:
        store: where they go.
        requests: as `otlp.files.read_requests` yields them.
        on_refused: called with the reason for each request that cannot be kept.

    Returns:
        How many spans and data points were new.

    Raises:
        StoreError: the store cannot be written.
    """
    outcome = AppendResult(0, 0)
    for group in _groups((0, request) for request in requests):
        outcome += _store_group(store, group, None, lambda _, __, reason: on_refused(reason))
    return outcome


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

    def put_aside(sequence: int, request: Request, reason: str) -> None:
        _log.error("a request was set aside in %s: %s", set_aside(aside, sequence, request.body), reason)

    stored = 0
    records = journal.replay(store.applied_sequence)
    for group in _groups((sequence, request_of_record(payload)) for sequence, payload in records):
        stored += _store_group(store, group, group[-1][0], put_aside).stored
    journal.release(store.applied_sequence)
    return stored


def _groups(records: Iterable[tuple[int, Request]]) -> Iterator[list[tuple[int, Request]]]:
    """Gather records, of sequence number and request, to groups worth a transaction."""
    return gathered(records, lambda record: len(record[1].body), _TRANSACTION_BYTES)


def _store_group(
    store: Store,
    group: list[tuple[int, Request]],
    applied_sequence: int | None,
    on_left_out: Callable[[int, Request, str], None],
) -> AppendResult:
    decoding = decode_group([request for _, request in group])
    for position, reason in decoding.refused.items():
        on_left_out(*group[position], reason)

    def leave_out(number: int, error: Exception) -> None:
        reason = f"a defect of tracelens, please report it: {type(error).__name__}: {error}"
        on_left_out(*group[decoding.kept[number]], reason)

    return store_batch(store, decoding.group, time.time_ns(), applied_sequence, leave_out)
