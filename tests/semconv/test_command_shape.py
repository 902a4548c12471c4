"""Texts of caches, document stores and ORMs to shapes, and the one door for every database system."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracelens.semconv.command_shape import shape_texts

CASES = tomllib.loads((Path(__file__).parent / "cases" / "commands.toml").read_text())["case"]
SYSTEMS = ("redis", "valkey", "memcached", "mongodb", "elasticsearch", "postgresql", "mysql")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["text"][:60])
def test_case(case: dict[str, Any]) -> None:
    found = shape_texts(pa.array([case["text"]]), case.get("db_system", "redis"))
    rows = case.get("rows", 1)
    assert {
        "shape": found.shape_texts[0].as_py(),
        "hidden": found.parameter_hashes[0].as_py() is None,
        "offset": found.offset_rows[0].as_py(),
        "limit": found.limit_rows[0].as_py(),
        "rows": found.value_rows[0].as_py(),
        "truncated": found.truncated[0].as_py(),
    } == {
        "shape": case["shape"],
        "hidden": case.get("hidden", False),
        "offset": case.get("offset"),
        "limit": case.get("limit"),
        "rows": None if rows is False else rows,
        "truncated": case.get("truncated", False),
    }


def hashes(texts: list[str], db_system: str) -> list[int | None]:
    found: list[int | None] = shape_texts(pa.array(texts), db_system).parameter_hashes.to_pylist()
    return found


def test_keys_tell_calls_apart() -> None:
    found = hashes(["get cart:1", "get cart:2", "get cart:1"], "redis")
    assert found[0] == found[2] != found[1]
    assert None not in found


def test_what_differs_in_every_command_does_not_tell_calls_apart() -> None:
    find = '{{"find": "users", "filter": {{"a": {}}}, "lsid": {{"id": "{}"}}, "$clusterTime": {{"t": {}}}}}'
    found = hashes([find.format(1, "x", 7), find.format(1, "y", 8), find.format(2, "x", 7)], "mongodb")
    assert found[0] == found[1] != found[2]


def test_sql_and_orm_arguments_of_one_service_stay_in_place() -> None:
    texts = [
        "SELECT a FROM t WHERE b = 5 LIMIT 3",
        '{"entityClass":"User","options":{"where":{"id":5}}}',
        None,
        "COMMIT",
    ]
    found = shape_texts(pa.array(texts, pa.string()), "postgresql")
    assert found.shape_texts.to_pylist() == [
        "SELECT a FROM t WHERE b = ? LIMIT ?",
        "{entityClass: User, options: {where: {id: ?}}}",
        None,
        "COMMIT",
    ]
    assert found.limit_rows.to_pylist() == [3, None, None, None]
    assert found.truncated.to_pylist() == [False, False, None, False]


def test_ruby_cuts_redis_texts_at_500_characters() -> None:
    text = "GET ?\n" * 100
    assert [shape_texts(pa.array([text[:length]]), "redis").truncated[0].as_py() for length in (500, 498)] == [
        True,
        False,
    ]


@pytest.mark.parametrize("db_system", SYSTEMS)
def test_no_texts(db_system: str) -> None:
    for texts in ([], [None], [""]):
        found = shape_texts(pa.array(texts, pa.string()), db_system)
        assert found.shape_texts.to_pylist() == texts


KEY_PARTS = st.one_of(
    st.integers(0, 10**18).map(str),
    st.uuids().map(str),
    st.binary(min_size=8, max_size=32).map(bytes.hex).filter(lambda text: not text.isalpha()),
)


@settings(max_examples=50, deadline=None)
@given(st.lists(KEY_PARTS, min_size=1, max_size=10, unique=True), st.sampled_from(["GET", "get", "HGETALL", "ttl"]))
def test_numbers_and_ids_in_keys_are_parameters(parts: list[str], command: str) -> None:
    found = shape_texts(pa.array([f"{command} user:{part}:cart" for part in parts]), "redis")
    assert set(found.shape_texts.to_pylist()) == {f"{command.upper()} user:?:cart"}
    assert len(set(found.parameter_hashes.to_pylist())) == len(parts)


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()
)
DOCUMENTS = st.dictionaries(st.sampled_from(["name", "age", "userId", "a.b"]), SCALARS, max_size=4)


@settings(max_examples=80, deadline=None)
@given(DOCUMENTS, st.sampled_from([None, 2]))
def test_values_of_documents_are_parameters(document: dict[str, Any], indent: int | None) -> None:
    text = json.dumps({"find": "users", "filter": document}, indent=indent, ensure_ascii=False)
    filtered = " {" + ", ".join(f"{key}: ?" for key in document) + "}" if document else ""
    assert shape_texts(pa.array([text]), "mongodb").shape_texts.to_pylist() == [f"find users{filtered}"]


@settings(max_examples=80, deadline=None)
@given(st.lists(st.one_of(st.none(), st.text(max_size=50)), max_size=10), st.sampled_from(SYSTEMS))
def test_no_text_raises_and_null_stays_null(texts: list[str | None], db_system: str) -> None:
    found = shape_texts(pa.array(texts, pa.string()), db_system)
    for field in found.__dataclass_fields__:
        assert len(getattr(found, field)) == len(texts)
    for column in (found.shape_texts, found.truncated):
        assert [value is None for value in column.to_pylist()] == [text is None for text in texts]
