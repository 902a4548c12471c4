"""Opening a store: what it may be, what it may not, and the one line that says so."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import duckdb
import pytest

from tracelens.errors import StoreBusyError, StoreError
from tracelens.store.database import StoreLimits, connect
from tracelens.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

HOLD = """
import sys
from pathlib import Path
from tracelens.store.store import Store
store = Store(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def refusal(path: Path) -> str:
    with pytest.raises(StoreError) as caught:
        Store(path)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_the_schema_is_applied_once(tmp_path: Path) -> None:
    path = tmp_path / "s.duckdb"
    for _ in range(2):
        with connect(path, StoreLimits()) as connection:
            versions = connection.execute("select version from schema_versions order by version").fetchall()
            assert versions == [(number,) for number in range(1, len(versions) + 1)]
            assert connection.execute("select applied_sequence from journal_position").fetchall() == [(0,)]


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.duckdb"
    Store(path).close()
    with duckdb.connect(str(path)) as connection:
        known = connection.execute("select max(version) from schema_versions").fetchall()[0][0]
        connection.execute("insert into schema_versions values (9999, now())")
    assert refusal(path) == (
        f"{path}: written by a newer tracelens (schema 9999, this one knows {known}); "
        "upgrade tracelens, or choose another with --db"
    )


def test_another_programs_database_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "other.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table mine as select 1 as a")
    assert refusal(path) == f"{path}: a DuckDB file, but not a tracelens store; choose another with --db"
    with duckdb.connect(str(path)) as connection:
        assert connection.execute("show tables").fetchall() == [("mine",)]


def test_another_programs_schema_versions_are_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "other.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table schema_versions as select 'a' as name")
    assert refusal(path).startswith(f"{path}: cannot open the store: Binder Error: ")


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are my notes\n" * 1000)
    before = path.read_bytes()
    assert refusal(path).startswith(f"{path}: cannot open the store: IO Error: ")
    assert path.read_bytes() == before


def test_a_damaged_store(tmp_path: Path) -> None:
    path = tmp_path / "s.duckdb"
    Store(path).close()
    content = bytearray(path.read_bytes())
    content[4096:] = bytes(len(content) - 4096)
    path.write_bytes(content)
    assert refusal(path).startswith(f"{path}: cannot open the store: ")


def test_a_directory(tmp_path: Path) -> None:
    assert refusal(tmp_path).startswith(f"{tmp_path}: cannot open the store: IO Error: ")


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    path = tmp_path / "none" / "s.duckdb"
    assert refusal(path).startswith(f"{path}: cannot open the store: IO Error: ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    path = tmp_path / "s.duckdb"
    assert refusal(path).startswith(f"{path}: cannot open the store: IO Error: ")
    assert "ermission denied" in refusal(path)


def test_a_memory_limit_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "s.duckdb"
    with pytest.raises(StoreError, match=r"cannot open the store: .*Memory must have a number"):
        Store(path, StoreLimits(memory="lots"))


@pytest.mark.parametrize("folder", ["store", "lock"])
def test_a_store_that_another_process_holds(tmp_path: Path, folder: str) -> None:
    path = tmp_path / folder / "s.duckdb"
    path.parent.mkdir()
    with subprocess.Popen([sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StoreBusyError) as caught:
            Store(path)
        assert str(caught.value) == f"{path}: another process holds this store; stop it or choose another with --db"
        holder.communicate()
    Store(path).close()


def test_a_folder_named_lock_is_not_a_held_store(tmp_path: Path) -> None:
    path = tmp_path / "lock" / "s.duckdb"
    with pytest.raises(StoreError) as caught:
        Store(path)
    assert not isinstance(caught.value, StoreBusyError)
