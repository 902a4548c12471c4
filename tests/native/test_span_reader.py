"""The compiled core reads what Python reads, and reads it the same."""

from __future__ import annotations

import gc
import gzip
import io
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.message import DecodeError
from google.protobuf.proto import parse_length_prefixed
from hypothesis import example, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from recorded_traces import SAMPLES
from span_requests import as_traces, request, span

from tracelens.ingest import store_requests
from tracelens.native.library import span_counts
from tracelens.native.roles import roles
from tracelens.native.span_reader import SpanReader
from tracelens.semconv.catalogue import Catalogue
from tracelens.store.store import Store

from .request_strategies import BODIES, INTEGERS, NUMBERS
from .told_rows import RECEIVED_NS, BothReaders, core, differences, told

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

COLUMN_OF_ITS_OWN = 3
"""The class of such a name among the roles that the core is told."""

RECORDINGS = (
    "n_plus_one/bad",
    "missing_cache/bad",
    "excessive_fanout/bad",
    "n_plus_one_messaging/bad",
    "uncompressed_response/bad",
    "demo/shop-1",
)


def recorded(name: str) -> list[bytes]:
    """Return the requests of a recording, as its sender's encoder wrote them."""
    content = io.BytesIO(gzip.decompress((SAMPLES / f"{name}.otlp.pb.gz").read_bytes()))
    found = []
    while (message := parse_length_prefixed(ExportTraceServiceRequest, content)) is not None:
        found.append(bytes(message.SerializeToString()))
    return found


def usual(number: int, **attributes: Any) -> Span:
    """Return a span that has something of everything."""
    return span(
        number,
        {"db.system": "pg", "db.statement": f"select {number}", "http.target": f"/a?{number}", "own": number}
        | {"db.query.parameter.0": str(number), "db.response.returned_rows": number, "nested": [number, 0.5]}
        | attributes,
        trace_state="ot=th:8",
        status=Status(code=Status.STATUS_CODE_ERROR, message="broken"),
        events=[Span.Event(name=f"event {number}", attributes=span(0, {"k": 0.5}).attributes)],
        links=[Span.Link(trace_id=number.to_bytes(16), span_id=number.to_bytes(8), trace_state="a=b")],
    )


ODD = request(usual(1), usual(2, **{"http.response.body.size": 0.5, "url.full": 7}), usual(3))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(BODIES, min_size=1, max_size=3), min_size=1, max_size=2))
def test_the_core_reads_as_python_does(batches: Sequence[Sequence[bytes]]) -> None:
    both = BothReaders()
    for bodies in (*batches, *reversed(batches)):  # the second time every signature is known
        both.compare(bodies)


@pytest.mark.parametrize("name", RECORDINGS)
def test_the_core_reads_every_request_of_an_exporter(name: str) -> None:
    bodies = recorded(name)
    both = BothReaders()
    assert both.compare(bodies) == ()
    assert both.compare(bodies) == ()
    assert both.read_plain == 2 * len(bodies) > 0


def test_requests_that_the_core_leaves_to_python_leave_nothing_behind() -> None:
    both = BothReaders()
    assert both.compare([request(usual(4)), ODD, request(usual(3), usual(5))]) == (ODD,)
    assert both.compare([ODD]) == (ODD,)
    assert both.compare([request(usual(1), usual(4))]) == ()


@pytest.mark.parametrize(
    "name", sorted(name for name, (class_, _, _) in roles().items() if class_ == COLUMN_OF_ITS_OWN)
)
def test_every_number_in_every_column_of_its_own(name: str) -> None:
    both = BothReaders()
    left = both.compare(
        [request(span(1, [(name, value), ("k", 1)])) for value in (*NUMBERS, *INTEGERS, 0.5, True, None)]
    )
    assert len(left) < len(NUMBERS)


def test_nothing_to_read() -> None:
    both = BothReaders()
    assert both.compare([b"", request(), b""]) == ()
    assert both.read_plain == 3
    assert SpanReader(core(), Catalogue()).read([], RECEIVED_NS).tables.spans.num_rows == 0


def test_more_names_than_are_remembered() -> None:
    both = BothReaders()
    several = [request(usual(1), usual(2)), request(usual(3, other=1))]
    assert both.compare([request(span(5, {"first": 1, "second": 2})), *several]) == ()
    assert both.compare([request(span(4, {f"name {number}": number for number in range(50_001)}))]) == ()
    # Forgotten now, and met again in another order.
    assert both.compare([request(span(5, {"third": 1, "fourth": 2}), span(6, {"db.query.parameter.0": 3}))]) == ()
    assert both.compare([*several, request(usual(6))]) == ()


def test_query_texts_that_were_forgotten_get_new_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracelens.native.span_reader.REMEMBERED_TEXTS", 4)
    monkeypatch.setattr("tracelens.semconv.catalogue.REMEMBERED_TEXTS", 4)
    both = BothReaders()
    for first in (0, 3, 6, 0, 3):
        assert both.compare([request(*(usual(number) for number in range(first, first + 5)))]) == ()
    assert both.catalogue.next_ids["query_texts"] > len({f"select {number}" for number in range(11)})


def test_query_parameters_by_the_ten_thousand() -> None:
    names = [f"db.query.parameter.{number:06}" for number in range(20_000, 0, -1)]
    both = BothReaders()
    assert both.compare([request(span(1, [(name, name[-2:]) for name in (*names, *names[:10])]))]) == ()


@pytest.mark.parametrize("size", [0, 1, 3, 4, 8, 9, 16, 17, 128, 129, 240, 241, 1024, 1025, 5000])
def test_hashes_of_parameters_of_every_length(size: int) -> None:
    both = BothReaders()
    assert both.compare([request(span(1, {"db.query.parameter.0": "ab" * (size // 2) + "c" * (size % 2)}))]) == ()


def test_a_long_resource_is_not_repeated_for_each_shape() -> None:
    size = 2 << 20
    body = request(*(span(number, name=f"name {number}") for number in range(200)), service_name="a" * size)
    reader = SpanReader(core(), Catalogue())
    tracemalloc.start()
    try:
        assert len(reader.read([body], RECEIVED_NS).tables.spans) == 200
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20 * size


def test_rows_outlive_their_reader_and_its_requests() -> None:
    def read(numbers: range) -> tuple[Any, Any]:
        catalogue = Catalogue()
        reader = SpanReader(core(), catalogue)
        tables = reader.read([bytes(bytearray(request(*map(usual, numbers))))], RECEIVED_NS).tables
        return tables, catalogue

    first, catalogue = read(range(100))
    before = told(first, catalogue, sort_traces=False)
    for _ in range(3):
        gc.collect()
        read(range(100, 300))  # in the memory that the reader before gave back
    assert differences(told(first, catalogue, sort_traces=False), before) == []
    column = first.spans.column("span_values")
    del first
    gc.collect()
    read(range(100, 300))
    assert column.to_pylist() == [row["span_values"] for row in before["spans"]]


def test_requests_are_judged_while_others_are_read() -> None:
    bodies = [request(*map(usual, range(first, first + 20))) for first in range(0, 400, 20)]
    counts = [*[20] * 20, -1]

    def judge(_: int) -> list[int]:
        found: list[int] = span_counts(core(), [*bodies, b"\xff"]).tolist()
        return found

    def read(_: int) -> Any:
        catalogue = Catalogue()
        reader = SpanReader(core(), catalogue)
        tables = [reader.read(bodies[place : place + 5], RECEIVED_NS).tables for place in range(0, 20, 5)]
        return [told(table, catalogue, sort_traces=False) for table in tables]

    expected = read(0)
    with ThreadPoolExecutor(4) as pool:
        judged = pool.map(judge, range(100))
        rows = list(pool.map(read, range(8)))
        assert list(judged) == [counts] * 100
    assert [differences(found, expected) for found in rows] == [[]] * 8


SPANS = """
select s.* exclude (resource_id, scope_id, query_text_id, span_shape_id, received_ns), r.attributes as resource,
  p.scope_name, p.scope_version, p.attributes as scope,
  t.query_text, t.parameter_hash as text_hash, h.* exclude (query_shape_id)
from spans as s
join resources as r using (resource_id) join scopes as p using (scope_id)
left join query_texts as t using (query_text_id) left join query_shapes as h using (query_shape_id)
order by s.trace_id, s.span_id, s.start_ns
"""


@pytest.fixture(scope="module")
def stores() -> Iterator[tuple[Store, Store]]:
    """Return a store with the core, and one without."""
    core()
    with pytest.MonkeyPatch.context() as patch:
        with_core = Store(None)
        patch.setattr("tracelens.store.catalogue.library", lambda: None)
        without = Store(None)
    assert with_core.span_reader is not None
    assert without.span_reader is None
    yield with_core, without
    for store in (with_core, without):
        store.close()


@settings(max_examples=15, deadline=None)
@example(bodies=[request(usual(4)), ODD, request(usual(3), usual(5)), b"\x0a\x80"])
@given(bodies=st.lists(BODIES, min_size=1, max_size=4))
def test_what_is_stored_is_the_same_with_and_without_the_core(
    stores: tuple[Store, Store], bodies: Sequence[bytes]
) -> None:
    requests = as_traces(_with_ids_of_their_own(bodies))
    found: list[dict[str, Any]] = []
    for store in stores:
        refused: list[str] = []
        outcome = store_requests(store, requests, refused.append)
        with store.reader() as reader:
            content = {"spans": reader.rows(SPANS)}
            for name in ("span_events", "span_links"):
                content[name] = sorted(reader.rows(f"from {name}"), key=repr)
        found.append({"outcome": outcome, "refused": refused, **content})
        for name in ("span_rows", "span_events", "span_links"):
            store.execute(f"delete from {name}", {})  # noqa: S608  (our own names)
    assert differences(*found) == []


def _with_ids_of_their_own(bodies: Sequence[bytes]) -> list[bytes]:
    """Return the requests, no two of their spans the same: which of two such counts is nobody's promise."""
    number, found = 0, []
    for body in bodies:
        try:
            message = ExportTraceServiceRequest.FromString(body)
        except DecodeError:
            found.append(body)
            continue
        for resource in message.resource_spans:
            for scope in resource.scope_spans:
                for each in scope.spans:
                    number += 1
                    each.span_id = number.to_bytes(8)
        found.append(bytes(message.SerializeToString()))
    return found
