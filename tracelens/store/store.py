"""The store: one DuckDB file, one writer, any number of readers in the same process."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow as pa

from tracelens.errors import StoreError
from tracelens.semconv.catalogue import REMEMBERED_TEXTS, Catalogue
from tracelens.store.database import StoreLimits, connect, read_sql, run_script

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

    from tracelens.semconv.normalise import SpanTables


@dataclass(frozen=True, slots=True)
class AppendResult:
    """How many spans one append stored, and how many it already had."""

    stored: int
    duplicates: int


class Reader:
    """A connection of its own to read with: its temporary tables are seen by nobody else."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def run_script(self, script: str, parameters: Mapping[str, object] | None = None) -> None:
        """Run every statement of a script; each is given those of the parameters that it names."""
        run_script(self._connection, script, dict(parameters or {}))

    def run_file(self, name: str, parameters: Mapping[str, object] | None = None) -> None:
        """Run a SQL file of the store, by its path below `store/`."""
        self.run_script(read_sql(name), parameters)

    def rows(self, statement: str, parameters: Mapping[str, object] | None = None) -> list[dict[str, Any]]:
        """Return the rows of one statement, as mappings from column to value."""
        cursor = self._connection.execute(statement, dict(parameters) if parameters else None)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def columns(self, statement: str, parameters: Mapping[str, object]) -> list[str]:
        """Return the columns that a statement would give, without running it."""
        described = self._connection.execute(f"describe {statement}", dict(parameters) or None)
        return [row[0] for row in described.fetchall()]

    def statements(self, script: str) -> list[tuple[str, frozenset[str]]]:
        """Return the kind of each statement of a script, and the parameters it names."""
        return [
            (statement.type.name, frozenset(statement.named_parameters))
            for statement in self._connection.extract_statements(script)
        ]

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Store:
    """Owner of the DuckDB file.

    `append` is for one thread, the writer's; `reader` may be called from any.

    Args:
        path: the store's file; None keeps the store in memory.
        limits: what DuckDB may use.
    """

    def __init__(self, path: Path | None, limits: StoreLimits | None = None) -> None:
        self.path = path
        self._connection = connect(path, limits or StoreLimits())
        self._writer = self._connection.cursor()
        self._write_lock = threading.Lock()
        self.catalogue = _load_catalogue(self._writer)
        rows = self._writer.execute("select applied_sequence from journal_position").fetchall()
        self.applied_sequence: int = rows[0][0]

    def append(self, batches: Sequence[SpanTables], applied_sequence: int | None = None) -> AppendResult:
        """Store spans, and what the catalogue learned from them, in one transaction.

        Args:
            batches: rows as `semconv.normalise` makes them, in order of arrival.
            applied_sequence: the journal's last record among them, None when they did not come from the journal.

        Raises:
            StoreError: the transaction could not be written; nothing of it is stored, and it can be tried again.
        """
        spans = pa.concat_tables([batch.spans for batch in batches])
        with self._write_lock:
            duplicates = self._duplicates(spans)
            if len(duplicates):
                kept = np.ones(len(spans), dtype=bool)
                kept[duplicates] = False
                spans = spans.filter(pa.array(kept))
            relations = self.catalogue.pending_tables() | {"spans": spans}
            for name, tables in (("span_events", [b.events for b in batches]), ("span_links", [b.links for b in batches])):
                present = [table for table in tables if table is not None]
                if present:
                    details = pa.concat_tables(present)
                    relations[name] = self._of_spans(details, spans) if len(duplicates) else details
            self._commit(relations, applied_sequence)
        return AppendResult(stored=len(spans), duplicates=len(duplicates))

    def _commit(self, relations: Mapping[str, pa.Table], applied_sequence: int | None) -> None:
        try:
            self._writer.begin()
            for name, table in relations.items():
                self._writer.register("incoming", table)
                self._writer.execute(f'insert into "{name}" select * from incoming')  # noqa: S608  (our own names)
                self._writer.unregister("incoming")
            if applied_sequence is not None:
                self._writer.execute("update journal_position set applied_sequence = $1", [applied_sequence])
            self._writer.commit()
        except duckdb.Error as error:
            self._roll_back()
            first_line = str(error).strip().split("\n", 1)[0]
            raise StoreError(f"{self.path}: cannot write to the store: {first_line}") from error
        self.catalogue.mark_stored()
        if applied_sequence is not None:
            self.applied_sequence = applied_sequence

    def _roll_back(self) -> None:
        try:
            self._writer.rollback()
        except duckdb.Error:  # the failure ended the transaction already
            pass

    def _duplicates(self, spans: pa.Table) -> NDArray[np.int64]:
        """Return the positions of spans that came before, in the store or in the batch itself."""
        ids = spans.select(["trace_id", "span_id", "start_ns"]).combine_chunks()
        start = ids.column("start_ns").to_numpy()
        if not len(start):
            return np.empty(0, dtype=np.int64)
        self._writer.register("incoming_ids", ids.append_column("position", pa.array(np.arange(len(ids)))))
        found = self._writer.execute(
            read_sql("statements/duplicate_spans.sql"),
            {"earliest_ns": int(start.min()), "latest_ns": int(start.max())},
        ).fetchnumpy()["position"]
        self._writer.unregister("incoming_ids")
        return np.union1d(np.asarray(found, dtype=np.int64), _repeated(ids))

    def _of_spans(self, details: pa.Table, spans: pa.Table) -> pa.Table:
        """Return the events or links that belong to these spans: those of a duplicate are stored already."""
        self._writer.register("details", details)
        self._writer.register("kept_spans", spans.select(["trace_id", "span_id"]))
        kept = self._writer.execute("select d.* from details as d semi join kept_spans using (trace_id, span_id)")
        table = kept.to_arrow_table()
        self._writer.unregister("details")
        self._writer.unregister("kept_spans")
        return table

    def execute(self, statement: str, parameters: Mapping[str, object]) -> None:
        """Run one small write, such as recording an event, in its own transaction.

        Raises:
            StoreError: it could not be written.
        """
        with self._write_lock:
            try:
                self._writer.execute(statement, dict(parameters))
            except duckdb.Error as error:
                first_line = str(error).strip().split("\n", 1)[0]
                raise StoreError(f"{self.path}: cannot write to the store: {first_line}") from error

    def reader(self) -> Reader:
        """Return a new reader; close it after use."""
        return Reader(self._connection.cursor())

    def close(self) -> None:
        """Write what is open to the file and let it go."""
        with self._write_lock:
            self._writer.close()
            self._connection.close()


def _repeated(ids: pa.Table) -> NDArray[np.int64]:
    """Return the positions of spans that repeat an earlier one of the same batch."""
    trace = _trace_words(ids)
    # Multiplying by odd constants spreads ids that differ in few bits; equal keys are compared in full below.
    keys = trace[0] * np.uint64(0x9E3779B97F4A7C15) ^ trace[1] * np.uint64(0xC2B2AE3D27D4EB4F)
    keys = keys ^ ids.column("span_id").to_numpy() * np.uint64(0x165667B19E3779F9)
    keys = keys ^ ids.column("start_ns").to_numpy().view(np.uint64) * np.uint64(0x27D4EB2F165667C5)
    if len(np.unique(keys)) == len(keys):
        return np.empty(0, dtype=np.int64)
    seen = set[tuple[int, int, int, int]]()
    repeated = list[int]()
    words = [trace[0], trace[1], ids.column("span_id").to_numpy(), ids.column("start_ns").to_numpy()]
    for position, key in enumerate(zip(*(word.tolist() for word in words), strict=True)):
        if key in seen:
            repeated.append(position)
        seen.add(key)
    return np.array(repeated, dtype=np.int64)


def _trace_words(ids: pa.Table) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    storage = ids.column("trace_id").chunk(0).storage
    words = np.frombuffer(storage.buffers()[1], dtype=np.uint64)[storage.offset * 2 : (storage.offset + len(storage)) * 2]
    return words[0::2], words[1::2]


def _load_catalogue(connection: duckdb.DuckDBPyConnection) -> Catalogue:
    def pairs(statement: str) -> dict[Any, int]:
        return {tuple(key) if len(key) > 1 else key[0]: id_ for *key, id_ in connection.execute(statement).fetchall()}

    # Always fetched whole: a connection with an unread result refuses other work.
    next_text_id: int = connection.execute("select coalesce(max(query_text_id) + 1, 0) from query_texts").fetchall()[0][0]
    oldest_text = max(0, next_text_id - REMEMBERED_TEXTS // 2)
    return Catalogue(
        resources=pairs("select digest, resource_id from resources order by resource_id"),
        scopes=pairs("select digest, scope_id from scopes order by scope_id"),
        shapes=pairs("select db_system, query_shape, query_shape_id from query_shapes order by query_shape_id"),
        texts=pairs(
            "select s.db_system, t.query_text, t.query_text_id from query_texts as t "
            f"join query_shapes as s using (query_shape_id) where t.query_text_id >= {oldest_text} order by t.query_text_id"  # noqa: S608
        ),
        next_text_id=next_text_id,
    )
