"""Whatever conventions a span follows, its row says the same; and no attribute is lost."""

from __future__ import annotations

import math
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from span_requests import START_NS, request, span

from tracelens.otlp.decode import decode_requests
from tracelens.semconv.attribute_table import attribute_table
from tracelens.semconv.catalogue import Catalogue
from tracelens.semconv.normalise import SpanTables, normalise, sampling_weight
from tracelens.semconv.span_columns import SPANS_SCHEMA

if TYPE_CHECKING:
    import random

    from tracelens.semconv.attribute_table import AttributeColumn

TABLE = attribute_table()
COLUMNS = {column.column: column for column in TABLE.columns}
RENAMED = [(column, old, new) for column in TABLE.columns for old, new in column.renamed_values.items()]
OLD_NAMES = [(column, name) for column in TABLE.columns for name in column.names[1:]]


def tables(*bodies: bytes, catalogue: Catalogue | None = None) -> SpanTables:
    decoded = decode_requests(bodies)
    assert decoded.refused == {}
    return normalise(decoded.batch, catalogue or Catalogue(), received_ns=7)


def rows(*spans: Span) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tables(request(*spans)).spans.to_pylist()
    return found


def row(attributes: Any, **fields: Any) -> dict[str, Any]:
    return rows(span(1, attributes, **fields))[0]


def kind_for(column: AttributeColumn, name: str) -> int:
    return Span.SPAN_KIND_SERVER if column.sides.get(name) == "server" else Span.SPAN_KIND_CLIENT


def a_value(column: AttributeColumn) -> str | int:
    return 42 if column.is_integer else "a/b.c"


def test_a_span_without_attributes() -> None:
    assert row({}) == dict.fromkeys(SPANS_SCHEMA.names) | {
        "trace_id": uuid.UUID(int=1),
        "span_id": 1,
        "start_ns": START_NS + 1000,
        "duration_ns": 500,
        "name": "span 1",
        "kind": 0,
        "status_code": 0,
        "resource_id": 0,
        "scope_id": 0,
        "weight": 1.0,
        "attributes": [],
        "received_ns": 7,
    }


def test_every_field_of_a_span() -> None:
    found = row(
        {"other": "x"},
        trace_id=bytes(range(16)),
        span_id=bytes(range(8)),
        parent_span_id=bytes([255] * 8),
        kind=Span.SPAN_KIND_CONSUMER,
        status=Status(code=Status.STATUS_CODE_ERROR, message="broken"),
        trace_state="vendor=1,ot=th:8",
    )
    assert found == row({}) | {
        "trace_id": uuid.UUID(bytes=bytes(range(16))),
        "span_id": 0x0001020304050607,
        "parent_span_id": 2**64 - 1,
        "kind": 5,
        "status_code": 2,
        "status_message": "broken",
        "trace_state": "vendor=1,ot=th:8",
        "weight": 2.0,
        "attributes": [{"key": "other", "value": "x"}],
    }


@pytest.mark.parametrize(("column", "name"), OLD_NAMES)
def test_each_old_name_alone_gives_the_row_of_the_new_one(column: AttributeColumn, name: str) -> None:
    value, kind = a_value(column), kind_for(column, name)
    assert row({name: value}, kind=kind) == row({column.names[0]: value}, kind=kind)


@pytest.mark.parametrize(("column", "name"), OLD_NAMES)
def test_old_and_new_name_together_give_the_row_of_the_new_one(column: AttributeColumn, name: str) -> None:
    value, kind = a_value(column), kind_for(column, name)
    expected = row({column.names[0]: value}, kind=kind)
    assert row({column.names[0]: value, name: value}, kind=kind) == expected
    assert row({name: value, column.names[0]: value}, kind=kind) == expected


@pytest.mark.parametrize(("column", "old", "new"), RENAMED)
def test_each_old_value_gives_the_row_of_the_new_one(column: AttributeColumn, old: str, new: str) -> None:
    expected = row({column.names[0]: new})
    assert expected[column.column] == new
    assert row({column.names[0]: old}) == expected
    assert row({column.names[1]: old, column.names[0]: new}) == expected if len(column.names) > 1 else True


def test_what_another_name_says_besides_is_kept() -> None:
    found = row({"server.address": "db", "net.peer.ip": "10.0.0.1", "net.peer.name": "db"})
    assert (found["server_address"], found["attributes"]) == ("db", [{"key": "net.peer.ip", "value": "10.0.0.1"}])


def test_the_peer_of_a_server_is_not_the_server() -> None:
    old = {"net.host.name": "shop", "net.host.port": 80, "net.peer.ip": "10.0.0.9", "net.peer.port": 50_000}
    found = row(old, kind=Span.SPAN_KIND_SERVER)
    assert (found["server_address"], found["server_port"]) == ("shop", 80)
    found = row(old, kind=Span.SPAN_KIND_CLIENT)
    assert (found["server_address"], found["server_port"]) == ("10.0.0.9", 50_000)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"rpc.method": "Get", "rpc.service": "shop.Orders"}, ("shop.Orders/Get", [])),
        ({"rpc.method": "shop.Orders/Get", "rpc.service": "shop.Orders"}, ("shop.Orders/Get", [])),
        ({"rpc.method": "shop.Orders/Get"}, ("shop.Orders/Get", [])),
        ({"rpc.method": "Get"}, ("Get", [])),
        ({"rpc.service": "shop.Orders"}, ("shop.Orders", [])),
        ({"rpc.method": "a/b", "rpc.service": "other"}, ("a/b", [{"key": "rpc.service", "value": "other"}])),
    ],
)
def test_a_prefix_is_joined_once(attributes: dict[str, str], expected: tuple[str, list[Any]]) -> None:
    found = row(attributes)
    assert (found["rpc_method"], found["attributes"]) == expected


def test_old_new_and_both_names_of_a_function_give_equal_rows() -> None:
    new = {"code.function.name": "shop.Orders.get", "code.file.path": "o.py", "code.line.number": 3}
    old = {"code.namespace": "shop.Orders", "code.function": "get", "code.filepath": "o.py", "code.lineno": 3}
    assert rows(span(1, new), span(1, old), span(1, new | old)) == [row(new)] * 3


@pytest.mark.parametrize(
    ("attributes", "path", "query"),
    [
        ({"http.target": "/a/b?x=1&y=?"}, "/a/b", "x=1&y=?"),
        ({"url.path": "/a/b?x=1"}, "/a/b", "x=1"),
        ({"url.path": "/a/b", "url.query": "x=1"}, "/a/b", "x=1"),
        ({"url.path": "/a?y=2", "url.query": "x=1"}, "/a", "x=1"),
        ({"url.path": "/a?"}, "/a", None),
        ({"url.path": "/a\n?b\nc"}, "/a\n", "b\nc"),
        ({"url.path": "/a"}, "/a", None),
        ({"url.query": "x=1"}, None, "x=1"),
    ],
)
def test_path_and_query_come_apart(attributes: dict[str, str], path: str | None, query: str | None) -> None:
    for others in ([], [span(2, {"url.path": "/other?q"})]):
        found = rows(span(1, attributes), *others)[0]
        assert (found["url_path"], found["url_query"]) == (path, query)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (200, 200),
        ("200", 200),
        (200.0, 200),
        ("200.00", 200),
        ("-1", -1),
        (2**15 - 1, 2**15 - 1),
        (2**15, None),
        (-(2**15) - 1, None),
        ("9" * 40, None),
        ("ok", None),
        ("2OO", None),
        (200.5, None),
        (math.inf, None),
        (True, None),
        (b"200", None),
        ([200], None),
        (None, None),
        ("", None),
    ],
)
def test_a_value_that_does_not_fit_stays_an_attribute(value: Any, number: int | None) -> None:
    found = row({"http.response.status_code": value})
    assert found["http_status_code"] == number
    assert [entry["key"] for entry in found["attributes"]] == ([] if number else ["http.response.status_code"])


def test_an_older_name_fills_in_for_a_value_that_is_empty_or_does_not_fit() -> None:
    found = row({"http.response.status_code": "?", "http.status_code": 404, "url.full": "", "http.url": "http://x"})
    assert (found["http_status_code"], found["url_full"]) == (404, "http://x")
    assert found["attributes"] == [
        {"key": "http.response.status_code", "value": "?"},
        {"key": "url.full", "value": ""},
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("", ""),
        ("a\0b", "a\0b"),
        (True, "true"),
        (-(2**63), "-9223372036854775808"),
        (1.5, "1.5"),
        (2.0, "2.0"),
        (1e300, "1e+300"),
        (math.nan, "NaN"),
        (-math.inf, "-Infinity"),
        (b"\xff\x00", "/wA="),
        (["é", 1, None, math.inf, b"x", {"k": [True]}], '["é",1,null,"Infinity","eA==",{"k":[true]}]'),
        ({}, "{}"),
        ([], "[]"),
        (None, None),
    ],
)
def test_values_of_every_type_become_text(value: Any, text: str | None) -> None:
    assert row({"k": value})["attributes"] == [{"key": "k", "value": text}]
    assert row([("k", value), ("other", "x"), ("n", 1), ("d", 0.5)])["attributes"][0] == {"key": "k", "value": text}


def test_deep_nesting_is_cut() -> None:
    value = AnyValue(string_value="deep")
    for _ in range(40):
        nested = AnyValue()
        nested.array_value.values.append(value)
        value = nested
    assert row({"k": value})["attributes"] == [{"key": "k", "value": "[" * 33 + "null" + "]" * 33}]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0, 0, (0, 0)),
        (10, 4, (10, -6)),
        (2**64 - 1, 2**64 - 1, (2**63 - 1, 0)),
        (2**64 - 1, 0, (2**63 - 1, -(2**63) + 1)),
        (5, 2**63, (5, 2**63 - 6)),
    ],
)
def test_times_of_the_whole_range(start: int, end: int, expected: tuple[int, int]) -> None:
    found = row({}, start_time_unix_nano=start, end_time_unix_nano=end)
    assert (found["start_ns"], found["duration_ns"]) == expected


def test_enum_values_of_later_versions_are_kept_where_they_fit() -> None:
    late: Any = 255
    found = rows(span(1, kind=99), span(2, kind=-1), span(3, kind=256, status=Status(code=late)))
    assert [(entry["kind"], entry["status_code"]) for entry in found] == [(99, 0), (0, 0), (0, 255)]


def test_ids_that_are_absent_or_zero() -> None:
    found = rows(Span(), span(2, parent_span_id=bytes(8)), span(3, parent_span_id=(9).to_bytes(8)))
    assert [(entry["trace_id"].int, entry["span_id"], entry["parent_span_id"]) for entry in found] == [
        (0, 0, None),
        (2, 2, None),
        (3, 3, 9),
    ]


@pytest.mark.parametrize(
    ("trace_state", "weight"),
    [
        ("", 1.0),
        ("ot=th:0", 1.0),
        ("ot=th:8", 2.0),
        ("ot=th:c", 4.0),
        ("ot=th:fd70a3d70a3d71", 100.0),
        ("ot=rv:abcdefabcdefab;th:c", 4.0),
        ("vendor=x , ot=th:c;rv:1 , other=y", 4.0),
        ("ot=p:3", 8.0),
        ("ot=p:3;r:10", 8.0),
        ("ot=p:63", 1.0),
        ("ot=xth:c", 1.0),
        ("other=th:c", 1.0),
        ("ot=th:xyz", 1.0),
        ("ot=th:" + "f" * 15, 1.0),
        ("not=th:c", 1.0),
    ],
)
def test_sampling_weights(trace_state: str, weight: float) -> None:
    assert sampling_weight(trace_state) == pytest.approx(weight)
    assert row({}, trace_state=trace_state)["weight"] == pytest.approx(weight)


def test_events_and_links_belong_to_their_spans() -> None:
    event = Span.Event(time_unix_nano=2**64 - 1, name="e", attributes=span(0, {"k": 1}).attributes)
    link = Span.Link(trace_id=bytes([1] * 16), span_id=bytes([2] * 8), trace_state="a=b")
    found = tables(request(span(1), span(2, events=[event, event]), span(3, links=[link], events=[Span.Event()])))
    assert found.events is not None
    assert found.events.owners.tolist() == [1, 1, 2]
    whole = {"time_ns": 2**63 - 1, "name": "e", "attributes": [{"key": "k", "value": "1"}]}
    assert found.events.rows.to_pylist() == [
        {"trace_id": uuid.UUID(int=2), "span_id": 2} | whole,
        {"trace_id": uuid.UUID(int=2), "span_id": 2} | whole,
        {"trace_id": uuid.UUID(int=3), "span_id": 3, "time_ns": 0, "name": "", "attributes": []},
    ]
    assert found.links is not None
    assert found.links.owners.tolist() == [2]
    assert found.links.rows.to_pylist() == [
        {
            "trace_id": uuid.UUID(int=3),
            "span_id": 3,
            "linked_trace_id": uuid.UUID(bytes=bytes([1] * 16)),
            "linked_span_id": 0x0202020202020202,
            "trace_state": "a=b",
            "attributes": [],
        }
    ]
    assert (tables(request(span(1))).events, tables(request(span(1))).links) == (None, None)


def parameter_hash(attributes: Any) -> int | None:
    found: int | None = row(attributes)["parameter_hash"]
    return found


def test_parameters_are_hashed_and_kept() -> None:
    found = row({"db.query.parameter.0": "7", "other": "x"})
    assert found["parameter_hash"] is not None
    assert {entry["key"] for entry in found["attributes"]} == {"db.query.parameter.0", "other"}
    assert parameter_hash({"other": "x"}) is None


@pytest.mark.parametrize("name", [prefix + "0" for prefix in TABLE.parameter_prefixes] + sorted(TABLE.parameter_names))
def test_every_kind_of_parameter_tells_calls_apart(name: str) -> None:
    assert len({parameter_hash({name: value}) for value in ("1", "2", "", None, ["1", "2"])}) == 5


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"0": "a"}, {"0": "b"}),
        ({"0": "a"}, {"1": "a"}),
        ({"0": "a", "1": "b"}, {"0": "b", "1": "a"}),
        ({"0": "a\0", "1": "b"}, {"0": "a", "1": "\0b"}),
        ({"0": "a\0db.query.parameter.1\0b"}, {"0": "a", "1": "b"}),
        ({"0": None}, {"0": "None"}),
        ({"0": None}, {"0": ""}),
        ({"0": "a"}, {"0": "a", "1": ""}),
        ({"0": "1:a"}, {"0": "a"}),
    ],
)
def test_different_parameters_hash_differently(one: dict[str, Any], other: dict[str, Any]) -> None:
    hashes = [
        parameter_hash({f"db.query.parameter.{key}": value for key, value in parameters.items()})
        for parameters in (one, other)
    ]
    assert hashes[0] != hashes[1]


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text(max_size=3), st.text(max_size=3), min_size=1, max_size=5), st.randoms())
def test_the_order_of_parameters_does_not_matter(parameters: dict[str, str], order: random.Random) -> None:
    pairs = [(f"db.query.parameter.{key}", value) for key, value in parameters.items()]
    shuffled = pairs.copy()
    order.shuffle(shuffled)
    assert parameter_hash(pairs) == parameter_hash(shuffled)


ANY_NAME = st.sampled_from([name for column in TABLE.columns for name in column.names]) | st.text(max_size=4)
ANY_VALUE = st.none() | st.text(max_size=4) | st.integers(-5, 70_000) | st.booleans() | st.lists(st.text(max_size=2))
ANY_ATTRIBUTES = st.lists(st.tuples(ANY_NAME, ANY_VALUE), max_size=8)


@settings(max_examples=50, deadline=None)
@given(st.lists(ANY_ATTRIBUTES, min_size=1, max_size=6))
def test_a_row_depends_on_its_span_alone(spans: list[list[tuple[str, Any]]]) -> None:
    together = rows(*[span(number, attributes) for number, attributes in enumerate(spans)])
    alone = [rows(span(number, attributes))[0] for number, attributes in enumerate(spans)]
    for found in (*together, *alone):
        found["query_text_id"] = found["query_text_id"] is not None  # numbered in the order of their coming
    assert together == alone


@settings(max_examples=80, deadline=None)
@given(ANY_ATTRIBUTES)
def test_no_value_is_lost(attributes: list[tuple[str, Any]]) -> None:
    whole = row([(f"unknown {number}", value) for number, (_, value) in enumerate(attributes)])
    texts = [entry["value"] for entry in whole["attributes"]]
    catalogue = Catalogue()
    found = tables(request(span(1, attributes)), catalogue=catalogue)
    normalised = found.spans.to_pylist()[0]
    left = [(entry["key"], entry["value"]) for entry in normalised["attributes"]]
    shown = {str(value) for name, value in normalised.items() if name in COLUMNS and value is not None}
    stored_texts = [entry for table in catalogue.pending["query_texts"] for entry in table["query_text"].to_pylist()]
    for (name, _), text in zip(attributes, texts, strict=True):
        renamed = {column.renamed_values.get(text or "", text) for column in TABLE.columns}
        path = (text or "").partition("?")[0]
        assert (name, text) in left or renamed & shown or path in shown or text in stored_texts


def test_one_span_with_very_many_attributes() -> None:
    attributes = {f"key {number}": "v" for number in range(70_000)} | {"db.system": "pg", "http.method": "GET"}
    found = row(attributes)
    assert (found["db_system"], found["http_method"], len(found["attributes"])) == ("postgresql", "GET", 70_000)


def test_very_many_names_in_one_batch() -> None:
    spans = [
        span(number, {f"{number} {key}": key for key in range(700)} | {"db.system": "redis"}) for number in range(100)
    ]
    found = rows(*spans)
    assert [entry["db_system"] for entry in found] == ["redis"] * 100
    assert [len(entry["attributes"]) for entry in found] == [700] * 100


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 4), max_size=20))
def test_the_spans_of_a_trace_are_together(traces: list[int]) -> None:
    arrived = list(enumerate(traces, start=1))
    spans = [
        span(
            number,
            {"db.system": f"system {number}", "own": number},
            trace_id=trace.to_bytes(16),
            events=[Span.Event(name=f"event {number}")],
            links=[Span.Link(span_id=number.to_bytes(8))],
        )
        for number, trace in arrived
    ]
    found = tables(request(*spans))
    together = [pair for trace in dict.fromkeys(traces) for pair in arrived if pair[1] == trace]
    columns = ("span_id", "trace_id", "db_system", "attributes")
    assert [tuple(row[name] for name in columns) for row in found.spans.to_pylist()] == [
        (number, uuid.UUID(int=trace), f"system {number}", [{"key": "own", "value": str(number)}])
        for number, trace in together
    ]
    for details, name in ((found.events, "name"), (found.links, "linked_span_id")):
        if details is None:
            assert not traces
            continue
        assert [(row["span_id"], row["trace_id"].int, row[name]) for row in details.rows.to_pylist()] == [
            (number, trace, f"event {number}" if name == "name" else number) for number, trace in arrived
        ]
        assert [together[owner] for owner in details.owners] == arrived


def test_a_slice_of_a_batch_gives_the_rows_of_its_requests() -> None:
    event = Span.Event(name="e")
    bodies = [
        request(span(1, {"db.system": "pg"}), span(2), service_name="a"),
        b"",
        request(span(3, {"db.statement": "select 1"}, events=[event]), service_name="b"),
        request(span(4, {"k": [1]}, links=[Span.Link(span_id=bytes(8))])),
    ]
    batch = decode_requests(bodies).batch
    for start in range(len(bodies)):
        for length in range(len(bodies) - start + 1):
            sliced = normalise(batch.slice(start, length), Catalogue(), received_ns=7)
            whole = tables(*bodies[start : start + length])
            assert sliced.spans.equals(whole.spans)
            for name in ("events", "links"):
                one, other = getattr(sliced, name), getattr(whole, name)
                assert (one is None) == (other is None)
                assert one is None or (one.rows.equals(other.rows) and (one.owners == other.owners).all())
