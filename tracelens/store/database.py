"""Opening DuckDB: limits, the file's lock, schema versions. With `store.py`, the only module that imports duckdb."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

import duckdb

from tracelens.errors import StoreBusyError, StoreError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

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
        # An in-memory store spills too: beside the working directory's temporary folder, never silently nowhere.
        "temp_directory": f"{path}.tmp" if path else str(_spill_folder()),
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    if limits.threads is not None:
        config["threads"] = limits.threads
    try:
        connection = duckdb.connect(":memory:" if path is None else str(path), config=config)
    except duckdb.IOException as error:
        text = str(error)
        if "lock" in text:
            raise StoreBusyError(f"{path}: another process holds this store; stop it or choose another with --db") from error
        raise StoreError(f"{path}: cannot open the store: {_first_line(text)}") from error
    except duckdb.Error as error:
        raise StoreError(f"{path}: cannot open the store: {_first_line(str(error))}") from error
    try:
        _migrate(connection, path)
        run_script(connection, read_sql("macros.sql"))
    except BaseException:
        connection.close()
        raise
    return connection


def read_sql(name: str) -> str:
    """Return a SQL file of this package, by its path below `store/`."""
    return _sql_folder().joinpath(name).read_text(encoding="utf-8")


def run_script(connection: duckdb.DuckDBPyConnection, script: str, parameters: dict[str, object] | None = None) -> None:
    """Run every statement of a script, each with those of the parameters that it names."""
    for statement in connection.extract_statements(script):
        wanted = {name: (parameters or {})[name] for name in statement.named_parameters}
        connection.execute(statement, wanted or None)


def _first_line(text: str) -> str:
    return text.strip().split("\n", 1)[0]


def _sql_folder() -> Traversable:
    return files("tracelens.store")


def _spill_folder() -> Path:
    import tempfile  # noqa: PLC0415  (only an in-memory store needs it)

    return Path(tempfile.gettempdir()) / "tracelens-spill"


def _migrate(connection: duckdb.DuckDBPyConnection, path: Path | None) -> None:
    """Apply the schema files that the store has not seen, each in its own transaction."""
    tables = {row[0] for row in connection.execute("select table_name from information_schema.tables").fetchall()}
    if tables and "schema_versions" not in tables:
        raise StoreError(f"{path}: a DuckDB file, but not a tracelens store; choose another with --db")
    connection.execute("create table if not exists schema_versions (version integer not null, applied_at timestamptz not null)")
    current: int = connection.execute("select coalesce(max(version), 0) from schema_versions").fetchall()[0][0]
    available = {
        int(match[1]): entry
        for entry in _sql_folder().joinpath("schema").iterdir()
        if (match := _MIGRATION.fullmatch(entry.name))
    }
    if current > max(available):
        raise StoreError(
            f"{path}: written by a newer tracelens (schema {current}, this one knows {max(available)}); upgrade tracelens"
        )
    for version in sorted(available):
        if version > current:
            connection.begin()
            run_script(connection, available[version].read_text(encoding="utf-8"))
            connection.execute("insert into schema_versions values ($1, now())", [version])
            connection.commit()
