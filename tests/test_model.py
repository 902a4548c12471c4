"""What the model passes over because it can have no rows has none, and looks as if it had been worked out."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tracelens.analysis import thresholds_of
from tracelens.model import MODEL, ROWS_FROM, Scope, build_model, made_by, model_parameters, model_statements
from tracelens.passes.registry import load_passes
from tracelens.relations import tables_of
from tracelens.settings import DatabaseSettings, Settings
from tracelens.sources import load_files
from tracelens.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracelens.passes.registry import Pass
    from tracelens.store.store import Reader

SAMPLES = Path(__file__).resolve().parents[1] / "sample_traces"
PASSES = [entry for entry in load_passes() if entry.rows_from]
RELATIONS = [relation for script in MODEL for relation in made_by(script)]
SETTINGS = Settings(databases=DatabaseSettings(hosts=("db.*",)))
PARAMETERS = model_parameters(SETTINGS, Scope())
# What no recording of these shows; other tests make spans that do.
UNSEEN = {"prepared_spans", "prepared_texts", "counted_rows", "answers", "passed_on", "writing_transactions", "pools"}


def stored(*folders: str) -> Store:
    """Return a store of recordings."""
    store = Store(None)
    if folders:
        load_files(store, [SAMPLES / folder for folder in folders], pytest.fail)
    return store


def whole_model(store: Store) -> Reader:
    """Return a reader for whom each script of the model ran as it stands."""
    reader = store.reader()
    for script in MODEL:
        reader.run_file(f"model/{script}.sql", PARAMETERS)
    return reader


@cache
def everything() -> Reader:
    return whole_model(stored("demo", *(entry.name for entry in load_passes())))


@pytest.fixture
def without(request: pytest.FixtureRequest) -> Iterator[Reader]:
    """Everything, but for the rows of some relations."""
    reader, relations = everything(), [table for relation in request.param for table in tables_of(relation)]
    for relation in relations:
        reader.run_script(f"create or replace temp table kept_{relation} as from {relation}")
        reader.run_script(f"create or replace temp table {relation} as from {relation} limit 0")
    yield reader
    for relation in relations:
        reader.run_script(f"create or replace temp table {relation} as from kept_{relation}")


def rows_in(reader: Reader, relation: str) -> int:
    return int(reader.rows(f"select count(*) as rows from {relation}")[0]["rows"])  # noqa: S608


def content(reader: Reader, relation: str) -> tuple[list[tuple[Any, ...]], list[str]]:
    described = [tuple(row.values())[:2] for row in reader.rows(f"describe from temp.{relation}")]
    return described, sorted(map(repr, reader.rows(f"from {relation}")))


@pytest.mark.parametrize(
    ("without", "relation"), [(sources, name) for name, sources in ROWS_FROM.items()], indirect=["without"]
)
def test_a_relation_without_its_sources_has_no_rows(without: Reader, relation: str) -> None:
    (statement,) = (text for script in MODEL for name, text in model_statements(script) if name == relation)
    is_seen = rows_in(without, relation) > 0
    without.run_script(statement.replace(f"temp table {relation} as", "temp table tried as", 1), PARAMETERS)
    assert is_seen == (relation not in UNSEEN)
    assert rows_in(without, "tried") == 0


@pytest.mark.parametrize(
    ("without", "entry"),
    [pytest.param(entry.rows_from, entry, id=entry.name) for entry in PASSES],
    indirect=["without"],
)
def test_a_pass_without_its_relations_has_no_rows(without: Reader, entry: Pass) -> None:
    thresholds = thresholds_of(entry, SETTINGS, Scope(from_files=True))
    assert without.rows(entry.query.strip().rstrip(";"), thresholds) == []


@pytest.mark.parametrize("folders", [(), ("slow_query",), ("n_plus_one_http",), ("db_cpu",), ("pool_wait",)], ids=str)
def test_what_is_passed_over_looks_as_if_it_had_been_made(folders: tuple[str, ...]) -> None:
    store = stored(*folders)
    plain, quick = whole_model(store), store.reader()
    build_model(quick, SETTINGS, Scope())
    assert {name: content(quick, name) for name in RELATIONS} == {name: content(plain, name) for name in RELATIONS}
