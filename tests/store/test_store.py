"""What is appended is there once and whole, whatever fails in between."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from span_requests import request, span

from tracelens.errors import StoreError
from tracelens.ingest.decoding import decode_group
from tracelens.ingest.span_tables import span_tables
from tracelens.otlp.decode import decode_requests
from tracelens.otlp.requests import Request
from tracelens.otlp.signals import Signal
from tracelens.semconv import relations
from tracelens.semconv.catalogue import Catalogue
from tracelens.semconv.metric_points import EXEMPLARS_SCHEMA, POINTS_SCHEMA
from tracelens.semconv.normalise import SpanTables, normalise
from tracelens.semconv.span_columns import ROWS_SCHEMA, SPANS_SCHEMA
from tracelens.store.database import StoreLimits
from tracelens.store.store import AppendResult, Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

METRICS = {"data_points": POINTS_SCHEMA.names, "data_point_exemplars": EXEMPLARS_SCHEMA.names}
EVERYTHING = (
    *(
        "spans",
        "span_rows",
        "span_shapes",
        "span_events",
        "span_links",
        "resources",
        "scopes",
        "query_texts",
        "query_shapes",
        "metric_series",
    ),
    *METRICS,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s.duckdb"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    opened = Store(path)
    yield opened
    opened.close()


def a_span(number: int) -> Span:
    return span(
        number,
        {"db.system": "redis", "db.statement": f"GET user:{number}", "k": number},
        events=[Span.Event(name=f"event {number}"), Span.Event(name="second")],
        links=[Span.Link(trace_id=number.to_bytes(16), span_id=bytes(8))],
    )


def rows(store: Store, *spans: Span, service_name: str = "orders") -> SpanTables:
    requests = [Request(Signal.TRACES, request(*spans, service_name=service_name))] if spans else []
    tables = span_tables(store, decode_group(requests).group, received_ns=7)
    return tables[0] if tables else SpanTables(ROWS_SCHEMA.empty_table(), None, None)


def wide(*spans: Span) -> SpanTables:
    """Return the first spans of a store with every column, as readers see them."""
    return normalise(decode_requests([request(*spans)]).batch, Catalogue(), received_ns=7)


def content(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of every table, sorted."""
    with store.reader() as reader:
        return {
            name: sorted((tuple(row.values()) for row in reader.rows(f"from {name}")), key=repr) for name in EVERYTHING
        }


def names(store: Store) -> list[str]:
    with store.reader() as reader:
        return [row["name"] for row in reader.rows("select name from spans order by start_ns, name")]


def test_tables_have_the_columns_that_are_written(store: Store) -> None:
    written = {name: schema.names for name, schema in relations.SCHEMAS.items()} | {
        "spans": [*SPANS_SCHEMA.names, "span_shape_id"],
        "span_rows": ROWS_SCHEMA.names,
    }
    details = rows(store, a_span(1))
    assert details.events is not None
    assert details.links is not None
    written |= {"span_events": details.events.rows.column_names, "span_links": details.links.rows.column_names}
    written |= METRICS
    with store.reader() as reader:
        assert written == {name: reader.columns(f"from {name}", {}) for name in EVERYTHING}


def test_what_is_appended_is_read_back(store: Store) -> None:
    appended = rows(store, a_span(1), a_span(2), span(3))
    assert store.append([appended]) == AppendResult(stored=3, duplicates=0)
    with store.reader() as reader:
        stored = reader.rows("select * exclude (span_shape_id) from spans order by start_ns")
        assert stored == wide(a_span(1), a_span(2), span(3)).spans.to_pylist()
        assert appended.events is not None
        assert reader.rows("select * from span_events") == appended.events.rows.to_pylist()
        assert appended.links is not None
        assert reader.rows("select * from span_links") == appended.links.rows.to_pylist()
        texts = reader.rows(
            "select query_text from spans as s join query_texts using (query_text_id) order by s.start_ns"
        )
    assert [row["query_text"] for row in texts] == [f"GET user:{number}" for number in (1, 2)]


def test_extreme_values_are_read_back(store: Store) -> None:
    extreme = Span(
        trace_id=bytes([255] * 16),
        span_id=bytes([255] * 8),
        parent_span_id=bytes([255] * 8),
        name="\0" + "é" * 1_000_000,
        kind=255,  # type: ignore[arg-type]
        end_time_unix_nano=2**64 - 1,
        trace_state="ot=th:ffffffffffffff",
        events=[Span.Event(time_unix_nano=2**64 - 1)],
        links=[Span.Link(trace_id=bytes([255] * 16), span_id=bytes([255] * 8))],
    )
    spans = (extreme, Span(), span(1, {f"key {number}": "v\0" for number in range(10_000)}))
    assert store.append([rows(store, *spans)]) == AppendResult(stored=3, duplicates=0)
    with store.reader() as reader:
        assert reader.rows("select * exclude (span_shape_id) from spans") == wide(*spans).spans.to_pylist()


def test_appending_nothing(store: Store) -> None:
    assert store.append([]) == AppendResult(0, 0)
    assert store.append([rows(store)], applied_sequence=5) == AppendResult(0, 0)
    assert store.applied_sequence == 5


def test_spans_that_came_before_add_nothing(store: Store) -> None:
    store.append([rows(store, a_span(1), a_span(2))])
    before = content(store)
    assert store.append([rows(store, a_span(2), a_span(1))]) == AppendResult(stored=0, duplicates=2)
    assert store.append([rows(store, a_span(1)), rows(store, a_span(2))]) == AppendResult(stored=0, duplicates=2)
    assert content(store) == before


def test_new_spans_among_known_ones_are_stored_with_their_details(store: Store) -> None:
    store.append([rows(store, a_span(1), a_span(3))])
    result = store.append([rows(store, span(9), a_span(1), a_span(2)), rows(store, a_span(3), a_span(4), a_span(2))])
    assert result == AppendResult(stored=3, duplicates=3)
    assert names(store) == ["span 1", "span 2", "span 3", "span 4", "span 9"]
    with store.reader() as reader:
        events = reader.rows("select name, count(*) as n from span_events group by name order by name")
        assert [tuple(row.values()) for row in events] == [*((f"event {n}", 1) for n in range(1, 5)), ("second", 4)]
        assert reader.rows("select count(*) as n, count(distinct trace_id) as d from span_links") == [{"n": 4, "d": 4}]


def test_a_span_that_comes_twice_in_one_transaction_is_stored_once(store: Store) -> None:
    result = store.append([rows(store, a_span(1), a_span(1)), rows(store, a_span(1), a_span(2))])
    assert result == AppendResult(stored=2, duplicates=2)
    once = content(store)
    other = Store(None)
    other.append([rows(other, a_span(1), a_span(2))])
    assert content(other) == once
    other.close()


@pytest.mark.parametrize(
    "others",
    [
        [span(1, span_id=(2).to_bytes(8)), span(1, trace_id=(2).to_bytes(16)), span(1, start_time_unix_nano=1)],
        # Ids that differ in a single bit.
        [span(1, trace_id=(1 | 1 << bit).to_bytes(16)) for bit in range(1, 128)],
        [span(1, span_id=(1 | 1 << bit).to_bytes(8)) for bit in range(1, 64)],
    ],
)
def test_spans_that_differ_in_one_id_are_different(store: Store, others: list[Span]) -> None:
    assert store.append([rows(store, span(1), *others)]) == AppendResult(stored=1 + len(others), duplicates=0)
    assert store.append([rows(store, span(1), *others)]) == AppendResult(stored=0, duplicates=1 + len(others))


def test_a_store_goes_on_where_it_was_closed(path: Path) -> None:
    store = Store(path)
    store.append([rows(store, a_span(1), service_name="a")], applied_sequence=3)
    store.append([rows(store, a_span(2), service_name="b")])
    before = content(store)
    store.close()
    again = Store(path)
    assert again.applied_sequence == 3
    assert content(again) == before
    assert again.append([rows(again, a_span(1), service_name="a")]) == AppendResult(stored=0, duplicates=1)
    assert content(again) == before
    again.append([rows(again, a_span(1), a_span(3), service_name="c")], applied_sequence=4)
    after = content(again)
    assert [row[0] for row in after["resources"]] == [0, 1, 2]
    assert [row[0] for row in after["query_texts"]] == [0, 1, 2]
    assert [row[0] for row in after["query_shapes"]] == [0]
    again.close()


def test_a_known_text_that_was_forgotten_gets_an_id_of_its_own(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracelens.store.catalogue.REMEMBERED_TEXTS", 2)
    store = Store(path)
    store.append([rows(store, *(a_span(number) for number in range(5)))])
    store.close()
    again = Store(path)
    again.append([rows(again, span(9, {"db.system": "redis", "db.statement": "GET user:0"}))])
    with again.reader() as reader:
        ids = reader.rows("select query_text_id from query_texts order by query_text_id")
    assert [row["query_text_id"] for row in ids] == list(range(6))
    again.close()


FAILING = """
import resource, signal, sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from test_store import a_span, content, rows
from tracelens.errors import StoreError
from tracelens.store.store import AppendResult, Store

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

path = Path(sys.argv[1])
store = Store(path)
store.append([rows(store, *map(a_span, range(100)))], applied_sequence=1)
waiting = rows(store, *map(a_span, range(50, 200)), service_name="other")
for size in SIZES:
    limit(size)
    for _ in range(2):
        try:
            store.append([waiting], applied_sequence=2)
        except StoreError as error:
            assert str(error).startswith(f"{path}: cannot write to the store: "), error
            assert "File too large" in str(error) or "invalidated" in str(error), error
        else:
            raise AssertionError("written in spite of the limit")
    assert store.applied_sequence == 1
limit(resource.RLIM_INFINITY)
assert store.append([waiting], applied_sequence=2) == AppendResult(stored=100, duplicates=50)
assert store.append([waiting], applied_sequence=2) == AppendResult(stored=0, duplicates=150)
found = content(store)
sizes = {name: len(rows) for name, rows in found.items()}
assert list(sizes.values()) == [200, 200, 250, 400, 200, 2, 1, 200, 1, 0, 0, 0], sizes
assert len({row[0] for row in found["query_texts"]}) == 200
store.close()
again = Store(path)
assert content(again) == found
assert again.applied_sequence == 2
"""


def in_a_process(path: Path, script: str) -> None:
    folders = [str(folder) for folder in (__file__.rpartition("/")[0], __file__.rpartition("/store/")[0])]
    done = subprocess.run([sys.executable, "-c", script, path, *folders], capture_output=True, check=False)
    assert (done.returncode, done.stderr.decode()) == (0, "")


def test_a_transaction_that_failed_is_stored_by_the_next_attempt(path: Path) -> None:
    in_a_process(path, FAILING.replace("SIZES", "1, 4096, 30_000"))


CHECKPOINTING = """
import resource, signal, sys
from pathlib import Path
import duckdb
import pytest
sys.path[:0] = sys.argv[2:]
from test_store import a_span, content, rows
from tracelens.errors import StoreError
from tracelens.store.store import AppendResult, Store

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

# The store locks its configuration, so a checkpoint that comes soon is asked for on opening.
connect = duckdb.connect
duckdb.connect = lambda path, config: connect(path, config=config | {"checkpoint_threshold": "100KB"})

path = Path(sys.argv[1])
store = Store(path)
reader = store.reader()
limit(250_000)
stored = number = 0
while True:
    batch = rows(store, *map(a_span, range(number, number + 200)))
    try:
        store.append([batch], applied_sequence=number)
    except StoreError as error:
        assert "invalidated" in str(error) or "checkpoint" in str(error), error
        break
    number += 200
with pytest.raises(StoreError, match="the store failed and is opened again when the analyses that read it end$"):
    store.append([batch], applied_sequence=number)
with pytest.raises(StoreError, match="the store failed and is being opened again; try again$"):
    store.reader()
reader.close()
limit(resource.RLIM_INFINITY)
result = store.append([batch], applied_sequence=number)
assert result.stored + result.duplicates == 200, result
found = content(store)
sizes = [len(rows) for rows in found.values()]
assert sizes == [*[number + 200] * 3, 2 * number + 400, number + 200, 1, 1, number + 200, 1, 0, 0, 0], (sizes, number)
store.close()
again = Store(path)
assert content(again) == found
assert again.applied_sequence == number
"""


def test_a_checkpoint_that_failed_is_survived(path: Path) -> None:
    in_a_process(path, CHECKPOINTING)


def test_too_little_memory_is_a_failure_that_can_be_tried_again(path: Path) -> None:
    store = Store(path, StoreLimits(memory="20MB", threads=1))
    big = rows(store, *(span(number, {"k": "v" * 20_000}) for number in range(1500)))
    with pytest.raises(StoreError, match=r"cannot write to the store: .*MiB used"):
        store.append([big], applied_sequence=1)
    assert store.append([rows(store, a_span(1))], applied_sequence=2) == AppendResult(stored=1, duplicates=0)
    assert names(store) == ["span 1"]
    store.close()


def test_rows_that_do_not_fit_leave_nothing_behind(store: Store) -> None:
    good = rows(store, a_span(1))
    bad = SpanTables(good.spans.set_column(6, "weight", pa.nulls(1, pa.float32())), good.events, good.links)
    with pytest.raises(Exception, match="NOT NULL constraint failed: span_rows") as caught:
        store.append([bad], applied_sequence=1)
    assert not isinstance(caught.value, StoreError)
    assert content(store) == {name: [] for name in EVERYTHING}
    assert store.append([good], applied_sequence=1) == AppendResult(stored=1, duplicates=0)


def test_a_reader_sees_what_was_committed_when_it_asks(store: Store) -> None:
    with store.reader() as reader:
        store.append([rows(store, a_span(1))])
        reader.run_script("create temp table mine as select name from spans")
        assert reader.rows("select * from mine") == [{"name": "span 1"}]
    with store.reader() as other, pytest.raises(Exception, match="mine does not exist"):
        other.rows("select * from mine")


def test_a_small_write(store: Store) -> None:
    store.execute(
        "insert into escalation_events values ($number, 'key', 'firing', 5, '{}')",
        {"number": 1},
    )
    with store.reader() as reader:
        assert reader.rows("select event_number, time_ns from escalation_events") == [{"event_number": 1, "time_ns": 5}]


def test_a_store_in_memory_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = Store(None)
    store.append([rows(store, a_span(1))])
    store.close()
    assert list(tmp_path.iterdir()) == []
