"""The store: one DuckDB file, one writer, any number of readers in the same process."""

from __future__ import annotations

import contextlib
import threading
import weakref
from typing import TYPE_CHECKING, Any, Final, Self

import duckdb
import numpy as np
import pyarrow as pa

from tracelens.errors import StoreError
from tracelens.semconv.relations import SCHEMAS
from tracelens.semconv.span_columns import ROWS_SCHEMA
from tracelens.store.appended import AppendResult
from tracelens.store.catalogue import load_catalogue
from tracelens.store.data_points import new_points
from tracelens.store.database import (
    STATEMENT_ERRORS,
    VALUE_ERRORS,
    StoreLimits,
    connect,
    explained,
    parsed,
    read_sql,
    run_script,
)
from tracelens.store.duplicates import new_spans

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

    from tracelens.semconv.metric_points import PointTables
    from tracelens.semconv.normalise import SpanDetails, SpanTables

# After these DuckDB answers nothing more until the file is opened again: a full disk met by a checkpoint, for one.
_FATAL: Final = (duckdb.FatalException, duckdb.InternalException)


class Reader:
    """A connection of its own to read with: its temporary tables are seen by nobody else.

    Every method raises StoreError where the store cannot be read, and DuckDB's own errors for wrong statements.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path | None) -> None:
        self.is_open = True
        self._connection = connection
        self._path = path

    def run_script(self, script: str, parameters: Mapping[str, object] | None = None) -> None:
        """Run every statement of a script; each is given those of the parameters that it names."""
        with explained(self._path, "read", STATEMENT_ERRORS):
            run_script(self._connection, script, dict(parameters or {}))

    def run_file(self, name: str, parameters: Mapping[str, object] | None = None) -> None:
        """Run a SQL file of the store, by its path below `store/`."""
        self.run_script(read_sql(name), parameters)

    def rows(self, statement: str, parameters: Mapping[str, object] | None = None) -> list[dict[str, Any]]:
        """Return the rows of one statement, as mappings from column to value."""
        with explained(self._path, "read", STATEMENT_ERRORS):
            (only,) = parsed(self._connection, statement)
            cursor = self._connection.execute(only, dict(parameters) if parameters else None)
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def columns(self, statement: str, parameters: Mapping[str, object]) -> list[str]:
        """Return the columns that a statement would give, without running it."""
        with explained(self._path, "read", STATEMENT_ERRORS):
            described = self._connection.execute(f"describe {statement}", dict(parameters) or None)
            return [row[0] for row in described.fetchall()]

    def statements(self, script: str) -> list[tuple[str, frozenset[str]]]:
        """Return the kind of each statement of a script, and the parameters it names."""
        return [
            (statement.type.name, frozenset(statement.named_parameters))
            for statement in self._connection.extract_statements(script)
        ]

    def beside(self) -> Reader:
        """Return another reader of the same store, for another thread; close it before this one."""
        return Reader(self._connection.cursor(), self._path)

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()
        self.is_open = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Store:
    """Owner of the DuckDB file.

    `append` is for one thread at a time; `reader` and `execute` may be called from any.

    Args:
        path: the store's file; None keeps the store in memory.
        limits: what DuckDB may use.

    Attributes:
        catalogue: for the thread that appends.
        span_reader: reads requests with the compiled core, for the same thread; None where the core is not there.
        applied_sequence: the journal's last record that is stored.

    Raises:
        StoreError: as `database.connect`.
    """

    def __init__(self, path: Path | None, limits: StoreLimits | None = None) -> None:
        self.path = path
        self._limits = limits or StoreLimits()
        self._connection = connect(path, self._limits)
        self._writer = self._connection.cursor()
        self._write_lock = threading.Lock()
        self._readers: weakref.WeakSet[Reader] = weakref.WeakSet()
        self._readers_lock = threading.Lock()
        self._is_invalidated = False
        self._is_uncertain = False
        try:
            with explained(path, "open"):
                self.catalogue, self.span_reader = load_catalogue(self._writer)
                rows = self._writer.execute("select applied_sequence from journal_position").fetchall()
        except BaseException:
            self.close()
            raise
        self.applied_sequence: int = rows[0][0]

    def append(
        self,
        batches: Sequence[SpanTables],
        applied_sequence: int | None = None,
        points: Sequence[PointTables] = (),
    ) -> AppendResult:
        """Store spans and data points, and what the catalogue learned from them, in one transaction.

        Args:
            batches: rows as `semconv.span_shapes` makes them, in order of arrival.
            points: rows as `semconv.metric_points` makes them, in order of arrival.
            applied_sequence: the journal's last record among them, None when they did not come from the journal.

        Raises:
            StoreError: the transaction could not be written; nothing of it is stored, and it can be tried again.
            duckdb.Error: something in the rows does not fit the store; nothing is stored, trying again is in vain.
        """
        spans = pa.concat_tables([batch.spans for batch in batches]) if batches else ROWS_SCHEMA.empty_table()
        with self._writing():
            is_new = new_spans(self._writer, spans, batches[0].repeated if len(batches) == 1 else None)
            stored = int(np.count_nonzero(is_new))
            relations = self.catalogue.pending_tables()
            if self._is_uncertain:
                relations = {name: self._unstored(name, table) for name, table in relations.items()}
            relations["span_rows"] = spans if stored == len(spans) else spans.filter(pa.array(is_new))
            relations["span_events"] = _details_of([(batch.spans, batch.events) for batch in batches], is_new)
            relations["span_links"] = _details_of([(batch.spans, batch.links) for batch in batches], is_new)
            point_relations, stored_points, duplicate_points = new_points(self._writer, points)
            relations |= point_relations
            written = {name: table for name, table in relations.items() if table is not None and len(table)}
            self._is_uncertain = True
            with self._registered(written), self._transaction():
                for name in written:
                    self._writer.execute(f"insert into {name} select * from incoming_{name}")  # noqa: S608  (our own names)
                if applied_sequence is not None:
                    self._writer.execute("update journal_position set applied_sequence = $1", [applied_sequence])
            self._is_uncertain = False
            self.catalogue.mark_stored()
            if applied_sequence is not None:
                self.applied_sequence = applied_sequence
        return AppendResult(stored, len(spans) - stored, stored_points, duplicate_points)

    def execute(self, statement: str, parameters: Mapping[str, object]) -> None:
        """Run one small write, such as recording an event, in its own transaction.

        Raises:
            StoreError: it could not be written.
        """
        self.execute_together([(statement, parameters)])

    def execute_together(self, statements: Sequence[tuple[str, Mapping[str, object]]]) -> None:
        """Run a few small writes, all of them or none.

        Raises:
            StoreError: they could not be written.
        """
        with self._writing(), self._transaction():
            for statement, parameters in statements:
                self._writer.execute(statement, dict(parameters))

    def checkpoint(self) -> None:
        """Give the room of what was deleted back to the file, if nobody is in the way.

        Raises:
            StoreError: it could not be written.
        """
        with self._writing(), contextlib.suppress(duckdb.TransactionException):
            self._writer.execute("checkpoint")

    def reader(self) -> Reader:
        """Return a new reader; close it after use.

        Raises:
            StoreError: the store failed and is about to be opened again.
        """
        with self._readers_lock:
            if self._is_invalidated:
                raise StoreError(f"{self.path}: the store failed and is being opened again; try again")
            reader = Reader(self._connection.cursor(), self.path)
            self._readers.add(reader)
        return reader

    def close(self) -> None:
        """Write what is open to the file and let it go."""
        with self._write_lock:
            self._writer.close()
            self._connection.close()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Hold the writer, working again after a fatal failure, and turn DuckDB's failures into StoreError."""
        with self._write_lock, explained(self.path, "write to", VALUE_ERRORS):
            if self._is_invalidated:
                self._open_again()
            try:
                yield
            except _FATAL:
                with self._readers_lock:
                    self._is_invalidated = True
                raise

    def _open_again(self) -> None:
        """Replace the connection, once no reader holds the old one: two would share the file and lose its lock."""
        if self.path is None:
            raise StoreError("the store in memory failed for good: start again with a higher store.memory_limit")
        with self._readers_lock:
            if any(reader.is_open for reader in self._readers):
                raise StoreError(
                    f"{self.path}: the store failed and is opened again when the analyses that read it end"
                )
            self._writer.close()
            self._connection.close()
            self._connection = connect(self.path, self._limits)
            self._writer = self._connection.cursor()
            self._is_invalidated = False

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._writer.begin()
        try:
            yield
            self._writer.commit()
        except BaseException:
            with contextlib.suppress(duckdb.Error):  # the failure may have ended the transaction already
                self._writer.rollback()
            raise

    @contextlib.contextmanager
    def _registered(self, relations: Mapping[str, pa.Table]) -> Iterator[None]:
        """Let statements read Arrow tables as `incoming_<name>`."""
        for name, table in relations.items():
            self._writer.register(f"incoming_{name}", table)
        try:
            yield
        finally:
            with contextlib.suppress(duckdb.Error):  # it would hide what happened before
                for name in relations:
                    self._writer.unregister(f"incoming_{name}")

    def _unstored(self, name: str, pending: pa.Table) -> pa.Table:
        """Return the catalogue's rows that are not stored: a commit that failed may yet have been written."""
        id_column = SCHEMAS[name].names[0]
        statement = f"select coalesce(max({id_column}) + 1, 0) from {name}"  # noqa: S608  (our own names)
        next_id: int = self._writer.execute(statement).fetchall()[0][0]
        return pending.slice(max(0, next_id - int(pending.column(0)[0].as_py())))


def _details_of(batches: Sequence[tuple[pa.Table, SpanDetails | None]], is_new: NDArray[np.bool_]) -> pa.Table | None:
    """Return the events or links of the new spans, None where there are none: a duplicate's are stored already."""
    rows: list[pa.Table] = []
    first = 0
    for spans, details in batches:
        if details is not None:
            is_kept = is_new[details.owners + first]
            rows.append(details.rows if is_kept.all() else details.rows.filter(pa.array(is_kept)))
        first += len(spans)
    return pa.concat_tables(rows) if rows else None
