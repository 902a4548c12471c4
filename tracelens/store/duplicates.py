"""Which spans are new: an exporter that missed our answer sends a batch again, and a trace file may be replayed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from tracelens.store.database import read_sql

if TYPE_CHECKING:
    import duckdb
    from numpy.typing import NDArray

_SPREADING: Final = np.array(
    [0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x27D4EB2F165667C5], dtype=np.uint64
)
"""Odd factors, under which ids that differ in few bits come to lie far apart."""


def new_spans(
    connection: duckdb.DuckDBPyConnection, spans: pa.Table, repeated: NDArray[np.int64] | None = None
) -> NDArray[np.bool_]:
    """Return for each span whether neither the store nor an earlier position holds it.

    Args:
        connection: to the store.
        spans: with trace_id, span_id and start_ns, which together are a span's identity.
        repeated: the positions of those that an earlier position holds, where that is known.
    """
    is_new = np.ones(len(spans), dtype=bool)
    if not len(spans):
        return is_new
    ids = spans.select(["trace_id", "span_id", "start_ns"]).combine_chunks()
    is_new[_repeated(ids) if repeated is None else repeated] = False
    is_new[_stored(connection, ids)] = False
    return is_new


def _stored(connection: duckdb.DuckDBPyConnection, ids: pa.Table) -> NDArray[np.int64]:
    """Return the positions of spans that the store holds."""
    start: NDArray[np.int64] = ids.column("start_ns").to_numpy()
    connection.register("incoming_ids", ids.append_column("position", pa.array(np.arange(len(ids)))))
    try:
        found = connection.execute(
            read_sql("statements/duplicate_spans.sql"),
            {"earliest_ns": int(start.min()), "latest_ns": int(start.max())},
        ).fetchnumpy()
    finally:
        connection.unregister("incoming_ids")
    return np.asarray(found["position"], dtype=np.int64)


def _repeated(ids: pa.Table) -> NDArray[np.int64]:
    """Return the positions of spans that repeat an earlier one."""
    trace_ids = ids.column("trace_id").chunk(0).storage
    words = np.frombuffer(trace_ids.buffers()[1], dtype=np.uint64)[trace_ids.offset * 2 :][: len(trace_ids) * 2]
    start: NDArray[np.int64] = ids.column("start_ns").to_numpy()
    columns = [words[0::2], words[1::2], ids.column("span_id").to_numpy(), start.view(np.uint64)]
    keys = np.zeros(len(ids), dtype=np.uint64)
    for column, factor in zip(columns, _SPREADING, strict=True):
        keys ^= column * factor
    if len(np.unique(keys)) == len(keys):
        return np.empty(0, dtype=np.int64)
    # Equal keys need not be equal ids, so these are compared in full.
    seen = set[tuple[int, ...]]()
    repeated = list[int]()
    for position, span in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
        if span in seen:
            repeated.append(position)
        seen.add(span)
    return np.array(repeated, dtype=np.int64)
