"""What spans share gets one id, and its row waits until it is stored."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from span_requests import key_values

from tracelens.semconv.catalogue import REMEMBERED_TEXTS, Catalogue, text_digest
from tracelens.semconv.relations import SCHEMAS

SYSTEMS = st.sampled_from([None, "postgresql", "mysql", "redis", "mongodb", "what?"])
TEXTS = st.one_of(
    st.none(),
    st.text(max_size=20),
    st.sampled_from(
        ["SELECT 1", "SELECT 2", "GET user:1", "GET user:2", '{"find": "users"}', "select * from t limit 3"]
    ),
)


def serialised(*attributes: dict[str, Any]) -> pa.BinaryArray:
    return pa.array([Resource(attributes=key_values(entry)).SerializeToString() for entry in attributes], pa.binary())


def text_ids(catalogue: Catalogue, *calls: tuple[str | None, str | None]) -> list[int | None]:
    systems = pa.array([system for system, _ in calls], pa.string())
    ids = catalogue.query_text_ids(
        pa.array([text for _, text in calls], pa.string()), systems, pa.nulls(len(calls), pa.string())
    )
    found: list[int | None] = ids.to_pylist()
    return found


def pending(catalogue: Catalogue, relation: str, *columns: str) -> list[tuple[Any, ...]]:
    tables = catalogue.pending_tables()
    if relation not in tables:
        return []
    return [tuple(row.values()) for row in tables[relation].select(list(columns)).to_pylist()]


def test_equal_resources_share_an_id() -> None:
    catalogue = Catalogue()
    one, other = {"service.name": "a"}, {"service.name": "b", "telemetry.sdk.language": "go", "n": [1]}
    assert catalogue.resource_ids(serialised(one, other, one)).tolist() == [0, 1, 0]
    assert catalogue.resource_ids(serialised(other, {}, one)).tolist() == [1, 2, 0]
    assert pending(catalogue, "resources", "resource_id", "service_name", "sdk_language", "attributes") == [
        (0, "a", None, [{"key": "service.name", "value": "a"}]),
        (
            1,
            "b",
            "go",
            [
                {"key": "service.name", "value": "b"},
                {"key": "telemetry.sdk.language", "value": "go"},
                {"key": "n", "value": "[1]"},
            ],
        ),
        (2, "unknown_service", None, []),
    ]


def test_scopes() -> None:
    catalogue = Catalogue()
    scope = InstrumentationScope(name="pg", version="2", attributes=key_values({"k": True})).SerializeToString()
    assert catalogue.scope_ids(pa.array([b"", scope, b""], pa.binary())).tolist() == [0, 1, 0]
    assert pending(catalogue, "scopes", "scope_id", "scope_name", "scope_version", "attributes") == [
        (0, "", "", []),
        (1, "pg", "2", [{"key": "k", "value": "true"}]),
    ]


def test_repeated_keys_of_a_resource_are_all_kept() -> None:
    catalogue = Catalogue()
    body = Resource(attributes=key_values([("k", "1"), ("k", "2")])).SerializeToString()
    catalogue.resource_ids(pa.array([body], pa.binary()))
    assert pending(catalogue, "resources", "attributes") == [
        ([{"key": "k", "value": "1"}, {"key": "k", "value": "2"}],),
    ]


def test_texts_of_one_shape_share_it() -> None:
    catalogue = Catalogue()
    one, other = "SELECT a FROM t WHERE id = 1", "SELECT a FROM t WHERE id = 2"
    calls = [("postgresql", one), (None, None), ("postgresql", other), ("postgresql", one), ("mysql", one)]
    assert text_ids(catalogue, *calls[:4]) == [0, None, 1, 0]
    assert text_ids(catalogue, *calls) == [0, None, 1, 0, 2]
    texts = pending(catalogue, "query_texts", "query_text_id", "query_shape_id", "query_text")
    assert texts == [(0, 0, one), (1, 0, other), (2, 1, one)]
    shapes = pending(catalogue, "query_shapes", "query_shape_id", "db_system", "tables")
    assert shapes == [(0, "postgresql", ["t"]), (1, "mysql", ["t"])]
    hashes = pending(catalogue, "query_texts", "parameter_hash")
    assert hashes[0] != hashes[1]
    assert hashes[0] == hashes[2]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.tuples(SYSTEMS, TEXTS), max_size=6), max_size=4))
def test_ids_name_the_text_they_were_given_for(batches: list[list[tuple[str | None, str | None]]]) -> None:
    catalogue = Catalogue()
    ids = [text_ids(catalogue, *calls) for calls in batches]
    texts = dict(pending(catalogue, "query_texts", "query_text_id", "query_text"))
    shape_of = dict(pending(catalogue, "query_texts", "query_text_id", "query_shape_id"))
    systems = dict(pending(catalogue, "query_shapes", "query_shape_id", "db_system"))
    assert list(texts) == list(range(len(texts)))
    assert list(systems) == list(range(len(systems)))
    given_for: dict[int, tuple[str, str]] = {}
    for calls, found in zip(batches, ids, strict=True):
        for (system, text), id_ in zip(calls, found, strict=True):
            assert (id_ is None) == (text is None)
            if id_ is not None and text is not None:
                assert given_for.setdefault(id_, (system or "", text)) == (system or "", text)
                assert (systems[shape_of[id_]], texts[id_]) == (system or "", text)
    assert len(set(given_for.values())) == len(given_for)


def test_rows_wait_until_they_are_stored() -> None:
    catalogue = Catalogue()
    text_ids(catalogue, ("redis", "GET a"))
    first = catalogue.pending_tables()
    assert list(first) == ["query_shapes", "query_texts"]
    text_ids(catalogue, ("redis", "GET b"), ("redis", "GET a"))
    assert pending(catalogue, "query_texts", "query_text") == [("GET a",), ("GET b",)]
    catalogue.mark_stored()
    assert catalogue.pending_tables() == {}
    assert text_ids(catalogue, ("redis", "GET b"), ("redis", "GET c")) == [1, 2]
    assert pending(catalogue, "query_texts", "query_text_id", "query_text") == [(2, "GET c")]
    assert all(table.schema == SCHEMAS[name] for name, table in catalogue.pending_tables().items())


def test_ids_go_on_from_where_they_were() -> None:
    known = {text_digest("redis", "GET a"): 40}
    catalogue = Catalogue(texts=known, next_ids={"resources": 7, "scopes": 8, "query_shapes": 9, "query_texts": 50})
    assert text_ids(catalogue, ("redis", "GET a"), ("redis", "GET b")) == [40, 50]
    assert catalogue.resource_ids(serialised({})).tolist() == [7]
    assert catalogue.scope_ids(pa.array([b""], pa.binary())).tolist() == [8]
    assert pending(catalogue, "query_texts", "query_text_id", "query_shape_id") == [(50, 9)]


def test_old_texts_are_forgotten_and_get_new_ids() -> None:
    texts = {text_digest("", f"{number}"): number for number in range(REMEMBERED_TEXTS)}
    catalogue = Catalogue(texts=texts, next_ids=dict.fromkeys(SCHEMAS, 0) | {"query_texts": REMEMBERED_TEXTS})
    newest = str(REMEMBERED_TEXTS - 1)
    assert text_ids(catalogue, (None, "newer")) == [REMEMBERED_TEXTS]
    assert len(catalogue.texts) == REMEMBERED_TEXTS // 2
    assert text_ids(catalogue, (None, newest), (None, "newer"), (None, "0")) == [
        REMEMBERED_TEXTS - 1,
        REMEMBERED_TEXTS,
        REMEMBERED_TEXTS + 1,
    ]


def test_what_cannot_be_described_changes_nothing() -> None:
    catalogue = Catalogue()
    good = serialised({"service.name": "a"})
    catalogue.resource_ids(good)
    before = (catalogue.resources.copy(), dict(catalogue.next_ids), pending(catalogue, "resources", "resource_id"))
    with pytest.raises(Exception, match="Error parsing message"):
        catalogue.resource_ids(pa.array([b"\xff", Resource(attributes=key_values({"k": 1})).SerializeToString()]))
    after = (catalogue.resources.copy(), dict(catalogue.next_ids), pending(catalogue, "resources", "resource_id"))
    assert after == before
    assert catalogue.resource_ids(good).tolist() == [0]


@pytest.mark.parametrize(
    ("one", "other"), [(("ab", "c"), ("a", "bc")), (("1", "a"), ("", "1:a")), (("", ""), ("", "0:"))]
)
def test_digests_tell_system_and_text_apart(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert text_digest(*one) != text_digest(*other)
