"""Lets go of the oldest spans, by age and by the size of the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracelens.store.database import read_sql

if TYPE_CHECKING:
    from tracelens.store.store import Store

_SLICE_SPANS: Final = 500_000
"""Spans that one transaction lets go of: it holds up the writer for about a second."""

_ROOM: Final = 0.9
"""What is left of the size limit when it was passed: so that it is not passed again at once."""


def expire(store: Store, *, before_ns: int | None, max_bytes: int) -> int:
    """Let go of what is not to be kept; return how many spans that were.

    The file does not get smaller: the room is used again.

    Args:
        store: may be appended to meanwhile.
        before_ns: spans received earlier go; None where none goes for its age.
        max_bytes: the oldest go when the store holds more; 0 for no limit.

    Raises:
        StoreError: the store cannot be read or written; what was done of it holds.
    """
    removed = 0 if before_ns is None else _expire_before(store, before_ns)
    if removed:
        store.checkpoint()
    while max_bytes and (share := _share_over(store, max_bytes)):
        statement = "select approx_quantile(received_ns, $share::float) as cut_ns from span_rows"
        with store.reader() as reader:
            cut_ns = reader.rows(statement, {"share": share})[0]["cut_ns"]
        expired = 0 if cut_ns is None else _expire_before(store, cut_ns + 1)
        if not expired:
            break  # what is left is not of spans
        removed += expired
        store.checkpoint()
    return removed


def used_bytes(store: Store) -> int:
    """Return how much of the store's file is in use."""
    with store.reader() as reader:
        (row,) = reader.rows(
            "select used_blocks * block_size as used from pragma_database_size() "
            "where database_name = current_database()"
        )
    return int(row["used"])


def _share_over(store: Store, max_bytes: int) -> float:
    """Return which share of the spans has to go for the size; 0 where none has."""
    used = used_bytes(store)
    return 0.0 if used <= max_bytes else 1 - _ROOM * max_bytes / used


def _expire_before(store: Store, before_ns: int) -> int:
    removed = 0
    statements = [part.strip() for part in read_sql("statements/expire_spans.sql").split(";") if part.strip()]
    while True:
        with store.reader() as reader:
            parameters = {"before_ns": before_ns, "slice_spans": _SLICE_SPANS}
            until_ns = reader.rows(read_sql("statements/retention_slice.sql"), parameters)[0]["until_ns"]
            if until_ns is None:
                return removed
            counted = reader.rows("select count(*) as spans from span_rows where received_ns <= $n", {"n": until_ns})
        store.execute_together([(statement, {"until_ns": until_ns}) for statement in statements])
        removed += counted[0]["spans"]
