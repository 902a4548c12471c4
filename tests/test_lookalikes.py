"""The twelve things a detector must not mistake, on recorded spans; `lookalikes.py` makes the situations.

 1. Double instrumentation: here as recorded, SQLAlchemy beside psycopg, Prisma, Hibernate over JDBC, Knex over mysql2;
    every other pair (Sequelize, TypeORM, Laravel and PDO, Doctrine, EF Core, GORM, otelpgx, ActiveRecord, Mongoose) as
    instrumentations send it in `test_doubled_instrumentation.py`.
 2. Spans that are not queries: "connections opened in between", "first request of a process", "transaction".
 3. Masked parameters: "masked literals", "repeated, masked literals", and no span in two findings of this kind.
 4. Time: "clock of milliseconds", the other host's clock ahead and behind; ticks of caches in `test_call_patterns.py`.
 5. Count alone is not harm: severities below; "answered from memory".
 6. Batches: "insertmanyvalues", "executemany", both pipelines; a batch of one span a query in
    `test_doubled_instrumentation.py`.
 7. What was put right stays silent: "data loader"; loops over pages, long polling, retries, health checks, workers and
    imports are the hard controls of `test_stacks.py`, and of `test_call_patterns.py` where nobody recorded them.
 8. Truncated text: "repeated, truncated".
 9. Service boundaries: "another service", in two languages.
10. Background work: "worker", "worker behind a link", "mail by a worker"; background tasks of an ASGI server in
    `test_call_patterns.py`.
11. Sampling: `test_sampling.py`.
12. Folded spans: every situation that says so.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import pytest
from lookalikes import situations, together
from recorded_traces import attribute

if TYPE_CHECKING:
    from tracelens.findings import Finding, Report

Told = tuple[str, str, str, int]

N1: Final = "n_plus_one"
HTTP: Final = "n_plus_one_http"

# What there is to know of each: how many spans are real database calls, and what is told of them: pass, confidence,
# severity and how often the call repeats in the worst request.
EXPECTED: Final[dict[str, tuple[int, list[Told]]]] = {
    "SQLAlchemy beside psycopg": (44, [(N1, "likely", "info", 10)]),
    "SQLAlchemy beside psycopg, three": (16, []),
    "Prisma's spans around each query": (44, [(N1, "likely", "info", 10)]),
    "Hibernate over JDBC": (130, [(N1, "likely", "critical", 40)]),
    "Knex over mysql2": (153, [(N1, "likely", "warning", 50)]),
    "connections opened in between": (93, [(N1, "likely", "warning", 30)]),
    "first request of a process": (3, []),
    "transaction": (30, []),
    "literals": (63, [(N1, "certain", "info", 20)]),
    "masked literals": (63, [(N1, "likely", "info", 20)]),
    "repeated, literals": (40, [("repeated_query", "certain", "info", 9)]),
    "repeated, masked literals": (40, [(N1, "likely", "info", 9)]),
    "clock of milliseconds": (63, [(N1, "certain", "info", 20)]),
    "answered from memory": (3, []),
    "insertmanyvalues": (6, []),
    "executemany": (2, []),
    "pipeline, a span a command": (0, []),
    "pipeline, one span": (0, []),
    "data loader": (3, []),
    "repeated, truncated": (40, [(N1, "likely", "info", 9)]),
    "another service": (60, [(HTTP, "certain", "warning", 20)]),
    "another service, Node": (60, [(HTTP, "certain", "warning", 20)]),
    "another service, its clock ahead": (60, [(HTTP, "certain", "warning", 20)]),
    "another service, its clock behind": (60, [(HTTP, "certain", "warning", 20)]),
    "another service, folded": (3, [(HTTP, "certain", "warning", 20)]),
    "worker": (62, [(N1, "likely", "warning", 30)]),
    "worker behind a link": (62, [(N1, "likely", "warning", 30)]),
    "mail by a worker": (4, []),
    "resolvers": (78, [(N1, "certain", "warning", 25)]),
    "interleaved": (123, [(N1, "likely", "info", 20), (N1, "likely", "info", 20)]),
    "nested": (124, [(N1, "certain", "warning", 31), (N1, "certain", "info", 10)]),
    "nested, folded": (13, [(N1, "likely", "critical", 40)]),
    "folded by name": (6, [(N1, "likely", "warning", 50)]),
    "folded by an agent": (6, [(N1, "likely", "warning", 50)]),
    "folded but for an outlier": (18, [(N1, "likely", "warning", 30)]),
    "folded, SQLAlchemy beside psycopg": (8, [(N1, "likely", "info", 10)]),
    "folded writes": (2, [("single_row_writes", "likely", "warning", 60)]),
    "folded calls": (3, [(HTTP, "likely", "critical", 15)]),
    "folded resolvers": (8, [(N1, "likely", "info", 10)]),
    "folded long poll": (0, []),
    "folded pages": (3, []),
    "folded retries": (0, []),
    "folded pipeline": (0, []),
    "folded waiting": (6, []),
}


@cache
def report() -> Report:
    return together(situations()).report()


def findings(situation: str) -> list[Finding]:
    return [found for found in report().findings if found.service_name.partition("/")[0] == situation]


def facts(found: Finding) -> dict[str, Any]:
    return dict(found.evidence)


def test_every_situation_is_judged() -> None:
    assert list(EXPECTED) == list(situations())


@pytest.mark.parametrize("situation", EXPECTED)
def test_calls_and_findings_are_what_the_code_did(situation: str) -> None:
    calls = sum(entry.db_calls for entry in report().coverage if entry.service_name.partition("/")[0] == situation)
    told = [
        (found.pass_name, found.confidence, found.severity, facts(found).get("repeats", facts(found).get("writes")))
        for found in findings(situation)
    ]
    assert (calls, told) == EXPECTED[situation]


def test_no_span_is_told_of_twice() -> None:
    """One query is an N+1 or a repeat, one call an N+1 or one made again: never both."""
    spans = Counter(
        (found.service_name, span_id) for found in report().findings for span_id in found.exemplar.offender_span_ids
    )
    assert [span for span, times in spans.items() if times > 1] == []


def test_the_innermost_loop_comes_first_and_names_the_query_it_walks() -> None:
    """Users, the orders of each, the items of each order: two findings, and each source is the loop around it."""
    inner, outer = findings("nested")
    assert ('FROM "items"' in inner.subject, 'FROM "orders"' in outer.subject) == (True, True)
    assert facts(inner)["source_shape"] == outer.subject
    assert 'FROM "users"' in str(facts(outer)["source_shape"])


def test_what_one_loop_does_is_no_source_of_what_else_it_does() -> None:
    sources = {str(facts(found)["source_shape"]) for found in findings("interleaved")}
    assert len(sources) == 1
    assert sources.isdisjoint(found.subject for found in findings("interleaved"))


def test_a_worker_is_told_of_by_its_own_name() -> None:
    """Whether it shares the trace of what started it or links to it, and however long it outlives the answer."""
    for situation in ("worker", "worker behind a link"):
        assert [(found.service_name.rpartition("/")[2], found.endpoint) for found in findings(situation)] == [
            ("shop-fastapi-worker", "run/report_lazy")
        ]


def test_another_services_queries_are_its_own() -> None:
    for situation in ("another service", "another service, folded"):
        assert [found.service_name.rpartition("/")[2] for found in findings(situation)] == ["shop-fastapi"]


def test_a_summary_counts_and_costs_what_it_stands_for() -> None:
    """Statistics of 150 queries, of which three summaries are left, against those of all of them."""
    recordings = situations()
    whole, folded = (recordings[name].report() for name in ("Knex over mysql2", "folded by name"))
    for query, summary in zip(whole.top_queries, folded.top_queries, strict=True):
        assert (summary.query_shape, summary.calls, summary.max_ms) == (query.query_shape, query.calls, query.max_ms)
        assert summary.total_ms == pytest.approx(query.total_ms, rel=0.001)
        assert summary.mean_ms == pytest.approx(query.mean_ms, abs=0.001)
    (told,), (told_whole,) = folded.findings, whole.findings
    assert told.occurrences.requests == told_whole.occurrences.requests
    # Where a summary's queries overlapped is not known: at most the sum of their durations was waited for.
    assert told_whole.impact.avoidable_ms <= told.impact.avoidable_ms <= told_whole.impact.avoidable_ms * 1.5


def test_situations_that_say_so_are_folded() -> None:
    names = ("aggregation.span_count", "span.composite.count")
    for name, recording in situations().items():
        is_folded = any(attribute(span, *names) for span in recording.spans())
        assert is_folded == ("folded" in name), name
