"""Opening DuckDB: limits, the file's lock, schema versions. The modules of this folder alone import duckdb."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Final

import duckdb

from tracelens.errors import StoreBusyError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable

_HELD_BY_ANOTHER: Final = "Could not set lock"

VALUE_ERRORS: Final = (duckdb.DataError, duckdb.IntegrityError, duckdb.NotSupportedError, duckdb.InvalidInputException)
"""DuckDB's errors that blame the values, where the statement is known to be right."""

STATEMENT_ERRORS: Final = (*VALUE_ERRORS, duckdb.ProgrammingError)
"""DuckDB's errors that blame the statement or what is bound to it."""

_KEPT_SCRIPTS: Final = 500

_parsed: dict[str, list[duckdb.Statement]] = {}

_MIGRATION: Final = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")


@dataclass(frozen=True, slots=True)
class StoreLimits:
    """What DuckDB may use.

    Attributes:
        memory: as DuckDB writes sizes, such as "2GiB".
        threads: worker threads; None leaves it to DuckDB (one per core).
    """

    memory: str = "2GiB"
    threads: int | None = None


def connect(path: Path | None, limits: StoreLimits) -> duckdb.DuckDBPyConnection:
    """Open the store's file, or a store in memory, and bring its schema up to date.

    Raises:
        StoreBusyError: another process holds the file.
        StoreError: the file is no store, is newer than this version, or cannot be opened.
    """
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": limits.memory,
        # A store in memory spills too. DuckDB makes the folder when it is needed and removes it on closing.
        "temp_directory": f"{path}.tmp" if path else str(Path(gettempdir()) / f"tracelens-{os.getpid()}.tmp"),
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        # 2.0.0 sometimes ends a large join with "dict-surviving cache: global dictionary column changed identity",
        # which invalidates the whole database; the stack ends in the operator that this turns off, at no cost measured.
        "enable_caching_operators": False,
        # What is committed in less than a row group waits in the write-ahead log, and each checkpoint writes the last
        # row group whole. At 10,000 spans/s DuckDB's 16 MiB make that thrice, and the file half as large again. A log
        # of this size is read back in a second or two after a crash.
        "checkpoint_threshold": "128MiB",
        # To fill a row group of which some rows lack, a checkpoint writes its neighbours again: three at most, not all.
        "max_vacuum_tasks": 1,
        # Memory given back after each large statement is asked for again by the next, page by page: an analysis of ten
        # million spans took a sixth longer, with the same peak.
        "allocator_flush_threshold": limits.memory,
        "allocator_bulk_deallocation_flush_threshold": limits.memory,
    }
    if limits.threads is not None:
        config["threads"] = limits.threads
    try:
        connection = duckdb.connect(":memory:" if path is None else str(path), config=config)
    except duckdb.Error as error:
        if _HELD_BY_ANOTHER in str(error):
            raise StoreBusyError(
                f"{path}: another process holds this store; stop it or choose another with --db"
            ) from error
        raise StoreError(_failure(path, "open", error)) from error
    try:
        with explained(path, "open"):
            _migrate(connection, path)
            run_script(connection, read_sql("macros.sql"))
            run_script(connection, read_sql("call_names.sql"))
            # Passes are SQL, and some are not ours: none reads a file or opens a connection, and none can undo this.
            connection.execute("set enable_external_access = false")
            connection.execute("set lock_configuration = true")
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def explained(path: Path | None, doing: str, passed_on: tuple[type[duckdb.Error], ...] = ()) -> Iterator[None]:
    """Turn DuckDB's errors within the block into StoreError, except those passed on."""
    try:
        yield
    except passed_on:
        raise
    except duckdb.Error as error:
        raise StoreError(_failure(path, doing, error)) from error


@cache
def read_sql(name: str) -> str:
    """Return a SQL file of this package, by its path below `store/`."""
    return _sql_folder().joinpath(name).read_text(encoding="utf-8")


def run_script(connection: duckdb.DuckDBPyConnection, script: str, parameters: dict[str, object] | None = None) -> None:
    """Run every statement of a script, each with those of the parameters that it names."""
    for statement in parsed(connection, script):
        wanted = {name: (parameters or {})[name] for name in statement.named_parameters}
        connection.execute(statement, wanted or None)


def parsed(connection: duckdb.DuckDBPyConnection, script: str) -> list[duckdb.Statement]:
    """Return the statements of a script. They are kept: to parse one takes longer than to run it over a few rows."""
    statements = _parsed.get(script)
    if statements is None:
        if len(_parsed) >= _KEPT_SCRIPTS:
            _parsed.clear()
        statements = _parsed[script] = connection.extract_statements(script)
    return statements


def _failure(path: Path | None, doing: str, error: duckdb.Error) -> str:
    first_line = str(error).strip().split("\n", 1)[0]
    return f"{path or 'the store in memory'}: cannot {doing} the store: {first_line}"


def _sql_folder() -> Traversable:
    return files("tracelens.store")


def _migrate(connection: duckdb.DuckDBPyConnection, path: Path | None) -> None:
    """Apply the schema files that the store has not seen, each in its own transaction."""
    current = _schema_version(connection, path)
    available = {
        int(match[1]): entry
        for entry in _sql_folder().joinpath("schema").iterdir()
        if (match := _MIGRATION.fullmatch(entry.name))
    }
    if current > max(available):
        raise StoreError(
            f"{path}: written by a newer tracelens (schema {current}, this one knows {max(available)}); "
            "upgrade tracelens, or choose another with --db"
        )
    for version in sorted(available):
        if version > current:
            connection.begin()
            run_script(connection, available[version].read_text(encoding="utf-8"))
            connection.execute("insert into schema_versions values ($1, now())", [version])
            connection.commit()


def _schema_version(connection: duckdb.DuckDBPyConnection, path: Path | None) -> int:
    """Return the newest schema file that the store has seen, 0 where it is new."""
    # To ask a new store in memory for its tables takes longer than to make them.
    tables = connection.execute("select table_name from information_schema.tables").fetchall() if path else []
    if ("schema_versions",) in tables:
        version: int = connection.execute("select coalesce(max(version), 0) from schema_versions").fetchall()[0][0]
        return version
    if tables:
        raise StoreError(f"{path}: a DuckDB file, but not a tracelens store; choose another with --db")
    connection.execute("create table schema_versions (version integer not null, applied_at timestamptz not null)")
    return 0
