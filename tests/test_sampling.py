"""A sample is told as what it stands for: the same numbers as if every request that it stands for had been recorded."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from recorded_traces import Recording, trace_state

from tracelens.semconv.normalise import sampling_weight
from tracelens.store.store import Store

if TYPE_CHECKING:
    from tracelens.findings import Finding, QueryStatistics
    from tracelens.store.store import Reader

# What a sample cannot tell: how many requests were recorded, and that nothing was written in those that were not.
UNKNOWABLE = {"recorded_requests"}

values = st.floats(min_value=0, max_value=1e7).map(lambda x: round(x, 3))
samples = st.lists(st.tuples(values, st.integers(min_value=1, max_value=9)), min_size=1, max_size=40)


@cache
def recording(name: str) -> Recording:
    return Recording.of(name)


@cache
def reader(*, weights_differ: bool) -> Reader:
    opened = Store(None).reader()
    opened.run_script("set variable weights_differ = $differ", {"differ": weights_differ})
    return opened


@cache
def reader_without_weights() -> Reader:
    opened = Store(None).reader()
    opened.run_script("set variable weights_differ = true")
    opened.run_file("weights/equal.sql")
    return opened


def quantiles(
    sample: list[tuple[float, float]], *, weights_differ: bool = True, asked: Reader | None = None
) -> dict[str, Any]:
    statement = """
      select
        weighted_q(v.x, v.weight, 0.5) as median, weighted_q(v.x, v.weight, 0.95) as p95, q(v.x, 0.5) as plain_median
      from (select unnest($xs::double[]) as x, unnest($weights::double[]) as weight) as v
    """
    parameters = {"xs": [x for x, _ in sample], "weights": [weight for _, weight in sample]}
    return (asked or reader(weights_differ=weights_differ)).rows(statement, parameters)[0]


def told(finding: Finding) -> tuple[Any, ...]:
    """What a finding says, without what names one trace of several alike."""
    facts = tuple((name, value) for name, value in finding.evidence if name not in UNKNOWABLE)
    return (finding.pass_name, finding.endpoint, finding.subject, finding.severity, finding.message, facts)


def costs(finding: Finding) -> list[float]:
    impact, occurrences = finding.impact, finding.occurrences
    share = impact.endpoint_share or 0
    p95_ms = (impact.endpoint_p95_ms or 0, impact.endpoint_p95_if_fixed_ms or 0)
    return [occurrences.requests, occurrences.spans, impact.avoidable_ms, *p95_ms, share]


def statistics(query: QueryStatistics) -> tuple[Any, ...]:
    return (replace(query, mean_ms=0, total_ms=0), pytest.approx(query.mean_ms, abs=0.002), round(query.total_ms, 1))


@settings(deadline=None, max_examples=60)
@given(samples)
def test_a_weighted_quantile_is_that_of_the_values_repeated(sample: list[tuple[float, int]]) -> None:
    repeated = [(x, 1) for x, weight in sample for _ in range(weight)]
    weighted, plain = quantiles([*sample]), quantiles([*repeated], weights_differ=False)
    assert (weighted["median"], weighted["p95"]) == (plain["median"], plain["p95"])
    assert plain["median"] == plain["plain_median"]


@settings(deadline=None, max_examples=20)
@given(st.lists(values, max_size=40), st.integers(min_value=1, max_value=1000))
def test_equal_weights_change_no_quantile(xs: list[float], weight: int) -> None:
    weighted = quantiles([(x, weight) for x in xs])
    assert weighted == quantiles([(x, 1) for x in xs], weights_differ=False)


@settings(deadline=None, max_examples=20)
@given(samples)
def test_the_macro_for_equal_weights_is_found_first_and_looks_at_none(sample: list[tuple[float, int]]) -> None:
    unweighted = quantiles([(x, 1) for x, _ in sample], weights_differ=False)
    assert quantiles([*sample], asked=reader_without_weights()) == unweighted


def test_where_weights_differ_again_they_count_again() -> None:
    sample = [(1.0, 1.0), (2.0, 3.0)]
    with Store(None).reader() as opened:
        opened.run_script("set variable weights_differ = true")
        opened.run_file("weights/equal.sql")
        opened.run_file("weights/different.sql")
        assert quantiles(sample, asked=opened)["median"] == 2.0


def test_quantiles_of_many_values_are_within_half_a_percent() -> None:
    sample = [(float(number), 1.0 + number % 3) for number in range(1, 30_001)]
    assert quantiles(sample)["p95"] == pytest.approx(28_500, rel=0.005)


def test_values_that_are_missing_weigh_nothing() -> None:
    statement = "select weighted_q(v.x, v.w, 0.5) as m from (values (1, 1), (2, 3), (null::int, 9)) as v (x, w)"
    assert reader(weights_differ=True).rows(statement) == [{"m": 2.0}]


@pytest.mark.parametrize("weight", [1, 2, 3, 7, 10, 100, 1000])
def test_trace_state_of_a_weight(weight: int) -> None:
    assert sampling_weight(trace_state(weight)) == pytest.approx(weight)


@pytest.mark.parametrize("state", ["ot=th:ffffffffffffff", "ot=p:62"])
def test_no_trace_stands_for_more_than_a_billion(state: str) -> None:
    assert sampling_weight(state) == 1e9


@example(weights=[2, 1, 5, 3])
@settings(deadline=None, max_examples=2, derandomize=True)
@given(weights=st.lists(st.integers(min_value=1, max_value=4), min_size=4, max_size=4))
def test_a_sample_reads_as_all_that_it_stands_for(weights: list[int]) -> None:
    """Traces kept with different probabilities, against the same traces as often as each stands for."""
    whole = recording("n_plus_one/bad") + recording("p95_breach/bad")
    traces = sorted({span.trace_id for span in whole.spans()})
    weight_of = {trace: weights[number % len(weights)] for number, trace in enumerate(traces)}
    sampled = whole.changed(lambda span: setattr(span, "trace_state", trace_state(weight_of[span.trace_id]))).report()
    kept = Recording(type(whole.message)())
    for weight in set(weights):
        chosen = {trace for trace in traces if weight_of[trace] == weight}
        kept += whole.only(lambda span, chosen=chosen: span.trace_id in chosen).times(weight)  # type: ignore[misc]
    complete = kept.report()
    assert [told(found) for found in sampled.findings] == [told(found) for found in complete.findings]
    assert [costs(found) for found in sampled.findings] == [
        pytest.approx(costs(found), rel=1e-3) for found in complete.findings
    ]
    assert [statistics(query) for query in sampled.top_queries] == [statistics(query) for query in complete.top_queries]
    # The summary counts what was recorded, as spans and traces are.
    assert sampled.summary.requests == whole.report().summary.requests


def test_a_minimum_of_requests_is_one_of_recorded_requests() -> None:
    """A percentile of four requests is a guess, whatever they stand for."""
    whole = recording("p95_breach/bad")
    breaches = [found for found in whole.sampled(50).findings() if found.pass_name == "p95_breach"]
    assert [(dict(found.evidence)["requests"], dict(found.evidence)["recorded_requests"]) for found in breaches] == [
        (1200, 24)
    ]
    few = set(sorted({span.trace_id for span in whole.spans()})[:4])
    four = whole.only(lambda span: span.trace_id in few).sampled(50)
    assert [found for found in four.findings() if found.pass_name == "p95_breach"] == []


def test_a_minimum_of_slow_calls_is_one_of_recorded_calls() -> None:
    whole = recording("stacks/express-knex-mysql2/slow_query_warning__bad")
    slow = [found for found in whole.sampled(10).findings() if found.pass_name == "slow_query"]
    assert [(dict(found.evidence)["slow_calls"], found.occurrences.requests) for found in slow] == [(40, 40)]
    one = min(span.trace_id for span in whole.spans())
    assert whole.only(lambda span: span.trace_id == one).sampled(10).findings() == ()


def test_what_recurs_across_requests_is_likely_at_most() -> None:
    """Writes in requests that were not kept are not seen, so the same answer may not have been right for all."""
    whole, sampled = (
        [found for found in kept.findings() if found.pass_name == "missing_cache"]
        for kept in (recording("missing_cache/bad"), recording("missing_cache/bad").sampled(10))
    )
    assert {found.confidence for found in whole} == {"certain"}
    assert [(found.subject, found.confidence) for found in sampled] == [(found.subject, "likely") for found in whole]
    for name in ("reads", "requests"):
        counted = [dict(found.evidence)[name] for found in whole]
        assert [dict(found.evidence)[name] for found in sampled] == [10 * int(str(count)) for count in counted]


def test_a_trace_state_that_makes_no_sense_costs_no_report() -> None:
    """The rarest sample that can be written down: one trace in 2^56."""
    hostile = recording("n_plus_one/bad").changed(lambda span: setattr(span, "trace_state", "ot=th:ffffffffffffff"))
    report = hostile.report()
    assert [found.pass_name for found in report.findings] == ["n_plus_one"]
    assert report.findings[0].occurrences.requests == 3_000_000_000
