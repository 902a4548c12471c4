"""A large store is worked through in slices: whatever their size, the report is that of the whole."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tracelens.analysis import analyse
from tracelens.model import CATALOGUE_MODEL, SHARED_MODEL, Scope, build_model, make_relations, model_parameters
from tracelens.passes.registry import load_passes
from tracelens.settings import Settings
from tracelens.sliced_model import sliced_model
from tracelens.slices import cut
from tracelens.sources.files import load_files
from tracelens.store.store import Reader, Store

if TYPE_CHECKING:
    from tracelens.findings import Report

SAMPLES = Path(__file__).resolve().parents[1] / "sample_traces"
BAD = sorted(SAMPLES.glob("*/bad.*"))
AT_ONCE = 10**9

# Where the recordings lie in time makes no difference; to shrink what takes seconds takes minutes.
few = settings(
    max_examples=2,
    deadline=None,
    phases=(Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],
)


def stored(paths: list[Path], *, at_the_same_time: bool) -> Store:
    """Return a store of recordings, moved to begin together where wanted: then their traces lie among each other."""
    store = Store(None)
    load_files(store, list(map(str, paths)), pytest.fail)
    if at_the_same_time:
        store.execute(
            "update span_rows set start_ns = start_ns % $period_ns + $from_ns",
            {"period_ns": 1_000_000_000, "from_ns": 1_800_000_000 * 10**9},
        )
    return store


@cache
def everything() -> Store:
    return stored(BAD, at_the_same_time=False)


def report(store: Store, scope: Scope, spans_at_once: int, configured: Settings | None = None) -> Report:
    with store.reader() as reader:
        return analyse(reader, configured or Settings(), scope, spans_at_once=spans_at_once)


def test_of_all_recordings() -> None:
    whole = report(everything(), Scope(from_files=True), AT_ONCE)
    assert report(everything(), Scope(from_files=True), 1_000) == whole
    assert {finding.pass_name for finding in whole.findings} > {"n_plus_one", "missing_cache", "pool_wait", "db_cpu"}


@few
@given(st.lists(st.sampled_from(BAD), min_size=1, max_size=3, unique=True), st.integers(50, 200), st.booleans())
def test_of_some_recordings(paths: list[Path], spans_at_once: int, at_the_same_time: bool) -> None:  # noqa: FBT001
    store = stored(paths, at_the_same_time=at_the_same_time)
    assert report(store, Scope(), spans_at_once) == report(store, Scope(), AT_ONCE)
    store.close()


def test_one_trace_at_a_time() -> None:
    store = stored([SAMPLES / "slow_query"], at_the_same_time=True)
    assert report(store, Scope(), 1) == report(store, Scope(), AT_ONCE)


def test_of_a_part_of_the_store() -> None:
    """The window's edges cut through traces; beyond the last span it is empty."""
    store = stored(BAD[:6], at_the_same_time=True)
    with store.reader() as reader:
        (edges,) = reader.rows("select quantile_disc(start_ns, [0.2, 0.7, 1.0]) as ns from span_rows")
    first, second, last = edges["ns"]
    for scope in (Scope(start_ns=first, end_ns=second), Scope(start_ns=last + 1)):
        assert report(store, scope, 300) == report(store, scope, AT_ONCE)


@pytest.mark.parametrize("at_the_same_time", [False, True])
def test_every_trace_is_in_one_slice(at_the_same_time: bool) -> None:  # noqa: FBT001
    store = stored(BAD[:4], at_the_same_time=at_the_same_time)
    parameters = model_parameters(Settings(), Scope())
    with store.reader() as reader:
        make_relations(reader, (*CATALOGUE_MODEL, *SHARED_MODEL), parameters)
        slices = cut(reader, parameters, 50)
        reader.run_script("create temp view stored_spans as from memory.main.spans")
        reader.run_script("create temp view stored_query_texts as from memory.main.query_texts")
        reader.run_file("slices/recurring_texts.sql")
        seen: list[tuple[object, int]] = []
        for taken in slices:
            reader.run_file("slices/slice.sql", {name: getattr(taken, name) for name in taken.__slots__})
            reader.run_file("slices/range_spans.sql" if taken.part is None else "slices/part_spans.sql")
            rows = reader.rows("select trace_id, count(*) as spans from spans group by trace_id")
            seen += [(row["trace_id"], row["spans"]) for row in rows]
            assert not reader.rows(
                "select 1 from spans where query_text_id is not null"
                " and query_text_id not in (select query_text_id from query_texts)"
            )
        whole = reader.rows("select trace_id, count(*) as spans from memory.main.span_rows group by trace_id")
    assert sorted(map(repr, seen)) == sorted(repr((row["trace_id"], row["spans"])) for row in whole)
    assert len(slices) > 3
    assert any(taken.part is not None for taken in slices) or not at_the_same_time


def test_what_is_kept_looks_as_the_whole_does() -> None:
    passes = [(entry, {}) for entry in load_passes() if entry.reach != "trace"]
    with everything().reader() as plain, everything().reader() as reader:
        build_model(plain, Settings(), Scope())
        with sliced_model(reader, model_parameters(Settings(), Scope()), passes, 1_000):
            for relation in ("calls", "requests", "connections", "shared_reads", "waits", "described_responses"):
                columns = [row["column_name"] for row in plain.rows(f"describe from {relation}")]
                assert content(reader, relation, columns) == content(plain, relation, columns)


def content(reader: Reader, relation: str, columns: list[str]) -> list[str]:
    return sorted(map(repr, reader.rows(f"select {', '.join(columns)} from {relation}")))  # noqa: S608


PASS = """
title = "Odd pass"
question = "Is there anything?"
severity = "info"
message = "{spans} spans"
why = "It is there."
needs = []
reach = "REACH"

[evidence.spans]
unit = "spans"
meaning = "how many"
"""

QUERY = """
select
  r.service_name, r.endpoint, 'spans' as subject, r.trace_id, r.request_span_id,
  [r.request_span_id] as offender_span_ids, 0.0 as avoidable_ms, 'certain' as confidence,
  case when r.endpoint = 'GET /nowhere' then cast(r.service_name as bigint) else n.spans end as spans
from requests as r
inner join (
  select e.trace_id, sum(e.routed) as routed, count(*) as spans
  from trace_evidence as e
  group by e.trace_id
) as n on r.trace_id = n.trace_id
order by r.trace_id, r.request_span_id
"""


@pytest.mark.parametrize("reach", ["trace", "window"])
@pytest.mark.parametrize("query", [QUERY, QUERY.replace("'GET /nowhere'", "r.endpoint")], ids=["works", "fails"])
def test_an_own_pass(tmp_path: Path, reach: str, query: str) -> None:
    (tmp_path / "odd_pass").mkdir()
    (tmp_path / "odd_pass" / "pass.toml").write_text(PASS.replace("REACH", reach))
    (tmp_path / "odd_pass" / "query.sql").write_text(query)
    configured = replace(Settings(), pass_folders=(tmp_path,))
    store = stored([SAMPLES / "slow_query"], at_the_same_time=False)
    whole = report(store, Scope(), AT_ONCE, configured)
    assert report(store, Scope(), 20, configured) == whole
    is_found = any(finding.pass_name == "odd_pass" for finding in whole.findings)
    has_failed = any(blind.pass_name == "odd_pass" for service in whole.coverage for blind in service.blind)
    assert (is_found, has_failed) == ((True, False) if query == QUERY else (False, True))
