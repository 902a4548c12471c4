"""A pass that says it looks at single traces finds in them, alone or together, the same rows."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from live_stores import picked, recorded

from tracelens.model import SHARED_MODEL, TRACE_MODEL, Scope, build_model, made_by
from tracelens.pass_rows import find_rows, thresholds_of
from tracelens.passes.registry import Pass, load_passes
from tracelens.relations import kept_relations
from tracelens.settings import Settings
from tracelens.store.store import Reader, Store

SAMPLES = Path(__file__).resolve().parents[2] / "sample_traces"
BAD = sorted(SAMPLES.glob("*/bad.otlp.pb.gz"))
PASSES = load_passes()
ALONE = [entry for entry in PASSES if entry.reach == "trace"]
RELATIONS = [name for script in (*SHARED_MODEL, *TRACE_MODEL) for name in made_by(script)]


@cache
def models() -> tuple[Reader, Reader, Reader]:
    """The model of all bad recordings, and those of their traces with an even and with an odd id.

    All three stores know the same catalogue, so equal things have equal ids.
    """
    readers = []
    for keeps in ((0, 1), (0,), (1,)):
        store = Store(None)
        for table in recorded(store, BAD):
            trace_ids = [
                UUID(bytes=bytes(value.as_buffer())).int for value in table.spans["trace_id"].combine_chunks().storage
            ]
            store.append([picked(table, [row for row, trace_id in enumerate(trace_ids) if trace_id % 2 in keeps])])
        reader = store.reader()
        build_model(reader, Settings(), Scope())
        readers.append(reader)
    everything, even, odd = readers
    return everything, even, odd


def rows_of(reader: Reader, relation: str) -> list[tuple[Any, ...]]:
    """Return the rows of a relation, in an order of their own; sums of fractions depend on the order of adding."""
    rows = reader.rows(f"from {relation}")
    return sorted((tuple((name, rounded(value)) for name, value in row.items()) for row in rows), key=repr)


def rounded(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value


@pytest.mark.parametrize("entry", ALONE, ids=lambda entry: entry.name)
def test_a_pass_that_looks_at_single_traces(entry: Pass) -> None:
    thresholds = thresholds_of(entry, Settings(), Scope())
    found = [rows_of(reader, "pass_rows") if find_rows(reader, entry, thresholds) else [] for reader in models()]
    everything, even, odd = found
    assert everything == sorted(even + odd, key=repr)


@pytest.mark.parametrize("relation", RELATIONS)
def test_a_relation_of_single_traces(relation: str) -> None:
    everything, even, odd = (rows_of(reader, relation) for reader in models())
    if not any(name == "trace_id" for name, _ in (everything or [()])[0]):
        assert {*everything} == {*even, *odd}  # about names of spans, not about traces
        return
    assert everything == sorted(even + odd, key=repr)


def test_every_relation_that_is_kept_is_about_traces() -> None:
    kept = kept_relations(entry.query for entry in PASSES if entry.reach != "trace")
    assert {"calls", "requests", "described_responses"} < set(kept)
    for relation in kept:
        assert "trace_id" in models()[0].columns(f"from {relation}", {})


def test_something_is_found_by_each_of_them() -> None:
    reader = models()[0]
    silent = [entry.name for entry in ALONE if not find_rows(reader, entry, thresholds_of(entry, Settings(), Scope()))]
    assert silent == []
