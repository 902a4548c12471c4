"""A store that an earlier version has written is opened, says what it said, and goes on."""

from __future__ import annotations

import random
import uuid
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import duckdb
import pyarrow as pa
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from span_requests import as_traces, request, span

from tracelens.ingest import store_requests
from tracelens.semconv.span_columns import SPANS_SCHEMA
from tracelens.store.appended import AppendResult
from tracelens.store.database import StoreLimits, connect
from tracelens.store.retention import expire
from tracelens.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

BEFORE_SHAPES: Final = 4
"""The last schema in which `spans` was a table."""

RECEIVED_NS: Final = 1_760_000_000_000_000_000
NOT_NULL: Final = (
    *("trace_id", "span_id", "start_ns", "duration_ns", "name", "kind", "status_code", "resource_id", "scope_id"),
    *("weight", "received_ns"),
)
VALUES: Final[dict[str, tuple[Any, ...]]] = {
    "string": ("", "a", "b", "é\0 'quoted' [x, y]", "NULL", "12"),
    "uint8": (0, 1, 255),
    "int16": (0, -(2**15), 200),
    "int32": (0, 1, -1, 2**31 - 1, -(2**31)),
    "int64": (0, 1, -1, 2**63 - 1, -(2**63)),
    "uint64": (0, 2**64 - 1),
    "float": (1.0, 2.0, 1e9),
}
ATTRIBUTES: Final[tuple[Any, ...]] = (
    None,
    [],
    [{"key": "k", "value": "v"}],
    [{"key": "k", "value": "w"}],
    [{"key": "k", "value": None}],
    [{"key": "", "value": ""}, {"key": "k", "value": "é"}, {"key": "k", "value": "twice"}],
    # Kept in the shape by this version.
    [{"key": "http.flavor", "value": "1.1"}, {"key": "own", "value": "[1,2]"}, {"key": "http.scheme", "value": "http"}],
)


def old_spans() -> list[dict[str, Any]]:
    """Return spans that fill every column, none that may be empty, and any of them; some are of one shape."""
    chance = random.Random(5)  # noqa: S311  (not a secret)

    def span_of(number: int, share: float) -> dict[str, Any]:
        row: dict[str, Any] = {}
        for field in SPANS_SCHEMA:
            is_filled = field.name in NOT_NULL or chance.random() < share
            row[field.name] = chance.choice(VALUES.get(str(field.type), (None,))) if is_filled else None
        return row | {
            "trace_id": uuid.UUID(int=number // 4),
            "span_id": number,
            "start_ns": RECEIVED_NS + number,
            "received_ns": RECEIVED_NS + number,
            "attributes": chance.choice(ATTRIBUTES),
            "resource_id": number % 2,
            "scope_id": 0,
            "query_text_id": number % 3 or None,
        }

    spans = [span_of(number, share) for number, share in enumerate((0.0, 1.0, *[0.1, 0.5, 0.9] * 20))]
    alike = [spans[1] | {"span_id": 1000 + number, "start_ns": number, "received_ns": number} for number in range(50)]
    return spans + alike


def write_old_store(path: Path, spans: list[dict[str, Any]]) -> None:
    """Write a store as the version with schema 4 did."""
    folder = files("tracelens.store").joinpath("schema")
    scripts = sorted((entry.name, entry.read_text(encoding="utf-8")) for entry in folder.iterdir())
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table schema_versions (version integer not null, applied_at timestamptz not null)")
        for version, (name, script) in enumerate(scripts[:BEFORE_SHAPES], start=1):
            assert name.startswith(f"{version:04}_")
            connection.execute(script)
            connection.execute("insert into schema_versions values ($1, now())", [version])
        rows = [row | {"trace_id": row["trace_id"].bytes} for row in spans]
        connection.register("rows", pa.Table.from_pylist(rows, SPANS_SCHEMA))
        connection.execute("insert into spans by name select * from rows")
        connection.execute(
            "insert into span_events select trace_id, span_id, 7, 'event', [{'key': 'k', 'value': 'v'}] from spans"
        )
        connection.execute("insert into span_links select trace_id, span_id, trace_id, 9, null, null from spans")
        for number in range(2):
            connection.execute("insert into resources values ($1, $2, 'old', null, [])", [number, bytes([number])])
        connection.execute("insert into scopes values (0, 'a', 'scope', '', [])")
        connection.execute("update journal_position set applied_sequence = 12")


def content(store: Store, relation: str = "(select * exclude (span_shape_id) from spans)") -> list[dict[str, Any]]:
    with store.reader() as reader:
        return sorted(reader.rows(f"from {relation}"), key=repr)


def expected(spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows as they are read back: no attributes are an empty list."""
    rows = [{name: row[name] for name in SPANS_SCHEMA.names} | {"attributes": row["attributes"] or []} for row in spans]
    return sorted(rows, key=repr)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s.duckdb"


def test_spans_of_an_earlier_schema_say_what_they_said(path: Path) -> None:
    spans = old_spans()
    write_old_store(path, spans)
    for _ in range(2):
        store = Store(path)
        assert store.applied_sequence == 12
        assert content(store) == expected(spans)
        for name in ("span_events", "span_links"):
            assert len(content(store, name)) == len(spans)
        with store.reader() as reader:
            (counted,) = reader.rows("select count(*) as shapes, count(distinct digest) as digests from span_shapes")
            assert counted["shapes"] == counted["digests"] < len(spans) - 49
            tables = [row["table_name"] for row in reader.rows("select table_name from duckdb_tables()")]
            assert "wide_spans" not in tables
            versions = reader.rows("select version from schema_versions order by version")
            assert [row["version"] for row in versions] == list(range(1, len(versions) + 1))
            assert len(versions) > BEFORE_SHAPES
        store.close()


def test_an_empty_store_of_an_earlier_schema(path: Path) -> None:
    write_old_store(path, [])
    store = Store(path)
    assert content(store) == []
    assert store_requests(store, as_traces([request(span(1))]), pytest.fail) == AppendResult(1, 0)
    store.close()


def test_a_migration_that_fails_leaves_the_store_as_it_was(path: Path) -> None:
    spans = old_spans()
    write_old_store(path, spans)
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table span_shapes (in_the_way integer)")
    with pytest.raises(Exception, match="span_shapes"):
        Store(path)
    with duckdb.connect(str(path)) as connection:
        connection.execute("drop table span_shapes")
    with connect(path, StoreLimits()) as connection:
        assert connection.execute("select count(*) from spans").fetchall() == [(len(spans),)]


def test_new_spans_come_beside_the_old_ones(path: Path) -> None:
    old = [
        old_spans()[1]
        | {"trace_id": uuid.UUID(int=number), "span_id": number, "start_ns": number, "received_ns": number}
        for number in range(1, 4)
    ]
    write_old_store(path, old)
    store = Store(path)
    again = span(2, start_time_unix_nano=2)
    new = [
        span(number, {"http.flavor": "1.1", "own": number}, trace_state="a=b", events=[Span.Event(name="new")])
        for number in range(10, 13)
    ]
    requests = as_traces([request(again, *new)])
    assert store_requests(store, requests, pytest.fail) == AppendResult(stored=3, duplicates=1)
    assert store_requests(store, requests, pytest.fail) == AppendResult(stored=0, duplicates=4)
    found = content(store)
    assert [row for row in found if row["span_id"] < 10] == expected(old)
    own = [
        (row["span_id"], row["name"], row["trace_state"], row["attributes"]) for row in found if row["span_id"] >= 10
    ]
    assert sorted(own) == [
        (
            number,
            f"span {number}",
            "a=b",
            [{"key": "http.flavor", "value": "1.1"}, {"key": "own", "value": str(number)}],
        )
        for number in range(10, 13)
    ]
    assert expire(store, before_ns=3, max_bytes=0) == 2
    assert sorted(row["span_id"] for row in content(store)) == [3, 10, 11, 12]
    for name in ("span_events", "span_links"):
        assert {row["span_id"] for row in content(store, name)} == {"span_events": {3, 10, 11, 12}, "span_links": {3}}[
            name
        ]
    with store.reader() as reader:
        ids = reader.rows("select span_shape_id from span_shapes order by span_shape_id")
        assert len({row["span_shape_id"] for row in ids}) == len(ids)
    store.close()
    reopened = Store(path)
    assert sorted(row["span_id"] for row in content(reopened)) == [3, 10, 11, 12]
    reopened.close()
