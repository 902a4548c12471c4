"""What the live analysis does as time passes: spans that come late, traces that grow, failures, its pace."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from live_stores import WINDOW_S, LiveStore
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from span_requests import key_values, request
from traffic import MS, SLOW_QUERY, n_plus_one, query_spans, request_of, slow_request

from tracelens.live import LiveAnalysis

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def live() -> Iterator[LiveStore]:
    """Return one that, whatever the test does, says in the end what a whole analysis says."""
    opened = LiveStore()
    yield opened
    assert opened.report() == opened.analysed()
    opened.close()


def found(live: LiveStore) -> list[tuple[str, int]]:
    """Return the pass of each finding and in how many requests it was seen."""
    return [(finding.pass_name, finding.occurrences.requests) for finding in live.report().findings]


def test_an_empty_store(live: LiveStore) -> None:
    assert found(live) == []
    live.wait(WINDOW_S)
    assert found(live) == []


def test_late_spans_change_what_was_said(live: LiveStore) -> None:
    entry, *queries = n_plus_one(1, repeats=8)
    live.receive(request_of([entry, *queries[:4]]))
    assert found(live) == []
    live.receive(request_of(queries[4:]))
    assert found(live) == [("n_plus_one", 1)]
    live.wait(30)
    live.receive(request_of(n_plus_one(2, repeats=8)))
    assert found(live) == [("n_plus_one", 2)]


def test_a_trace_leaves_as_a_whole_when_its_last_span_does(live: LiveStore) -> None:
    entry, *queries = n_plus_one(1, repeats=8)
    live.receive(request_of(queries))
    live.wait(40)
    live.receive(request_of([entry]))
    assert found(live) == [("n_plus_one", 1)]
    live.wait(50)
    assert found(live) == [("n_plus_one", 1)]
    live.wait(11)
    assert found(live) == []
    assert live.report().summary.spans == 0


def test_a_trace_that_never_ends_loses_its_oldest_spans(live: LiveStore) -> None:
    live.receive(request_of(slow_request(1)))
    seen = [found(live)]
    for number in range(3, 7):
        live.wait(40)
        live.receive(request_of(query_spans(1, ["SELECT 1"] * number, duration_ms=1)[-1:]))
        seen.append(found(live))
    assert seen == [[("slow_query", 1)]] * 3 + [[]] * 2


def test_a_parent_that_never_comes_is_waited_for(live: LiveStore) -> None:
    live.receive(request_of(query_spans(1, [SLOW_QUERY], duration_ms=1500)))
    live.wait(9)
    assert found(live) == []
    live.wait(2)
    assert found(live) == [("slow_query", 1)]


def test_a_new_analysis_of_the_same_store_says_the_same(live: LiveStore) -> None:
    for trace in range(1, 4):
        live.receive(request_of(n_plus_one(trace, repeats=8)[: trace * 4]))
        live.wait(25)
    live.receive(request_of(n_plus_one(2, repeats=8)[8:]))
    before = live.report()
    live.live.close()
    live.live = LiveAnalysis(live.store, live.settings, share=None)
    assert live.report() == before


def test_nothing_new_changes_nothing(live: LiveStore) -> None:
    live.receive(request_of(slow_request(1)))
    report = live.report()
    live.wait(30)
    assert live.report() is report
    assert live.live.wait_s(live.now_ns) is None


def test_a_failure_is_survived(live: LiveStore) -> None:
    live.receive(request_of(slow_request(1)))
    assert found(live) == [("slow_query", 1)]
    live.receive(request_of(slow_request(2)))
    live.store.execute("alter table query_texts rename to elsewhere", {})
    with pytest.raises(Exception, match="query_texts"):
        live.report()
    live.store.execute("alter table elsewhere rename to query_texts", {})
    assert found(live) == [("slow_query", 2)]


def test_it_begins_anew_when_the_store_had_to_be_opened_again(live: LiveStore) -> None:
    live.receive(request_of(slow_request(1)))
    assert found(live) == [("slow_query", 1)]
    with live.store.reader() as reader:
        reader.run_script("detach database _live")
    live.receive(request_of(slow_request(2)))
    assert found(live) == [("slow_query", 2)]


def test_a_store_with_an_odd_name(tmp_path: Path) -> None:
    live = LiveStore(tmp_path / 'a store\'s "odd" name.v2.duckdb')
    live.receive(request_of(slow_request(1)))
    assert found(live) == [("slow_query", 1)]
    live.close()


def test_what_costs_the_whole_window_keeps_to_its_share() -> None:
    live = LiveStore(share=1e-9)
    live.receive(request_of(slow_request(1)))
    assert live.report().summary.requests == 1
    live.receive(request_of(slow_request(2)))
    before = live.report()
    assert [finding.occurrences.requests for finding in before.findings] == [1]
    waits_s = live.live.wait_s(live.now_ns)
    assert waits_s is not None
    assert waits_s > 1000
    live.close()


def test_who_waits_for_a_pass_hears_of_it_at_once() -> None:
    live = LiveStore(share=1e-9, urgent=["slow_query"])
    live.report()
    live.receive(request_of(slow_request(1)), request_of(n_plus_one(2, repeats=8)))
    assert [finding.pass_name for finding in live.report().findings] == ["slow_query"]
    live.close()


def test_a_large_trace_rests_between_two_looks_at_it() -> None:
    live = LiveStore(share=1e6)
    spans = query_spans(1, ["SELECT 1"] * 30_000, duration_ms=0.1)
    live.receive(request_of(slow_request(1)[:1] + spans[1:]))
    live.report()
    live.receive(request_of(spans[:1]))
    live.receive(request_of(slow_request(2)))
    live.wait(1)
    assert live.report().summary.spans == 30_002
    assert live.live.wait_s(live.now_ns) is not None
    live.wait(6)
    assert live.report().summary.spans == 30_003
    live.close()


def pdo_span(trace: int, number: int, name: str, text: str | None = None, linked_to: int | None = None) -> Span:
    """Return a span of a driver that splits queries; one that executes links to the one that prepared."""
    attributes = {"db.system.name": "mysql"} | ({} if text is None else {"db.query.text": text})
    links = [] if linked_to is None else [Span.Link(trace_id=linked_to.to_bytes(16), span_id=(2).to_bytes(8))]
    return Span(
        trace_id=trace.to_bytes(16),
        span_id=number.to_bytes(8),
        parent_span_id=(1).to_bytes(8),
        name=name,
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=1_760_000_000_000_000_000 + number * 2000 * MS,
        end_time_unix_nano=1_760_000_000_000_000_000 + number * 2000 * MS + 1500 * MS,
        attributes=key_values(attributes),
        links=links,
    )


def test_a_statement_that_another_trace_prepared(live: LiveStore) -> None:
    """It is known by its text while the trace that prepared it is there, whichever came first."""
    scope = "io.opentelemetry.contrib.php.pdo"
    live.receive(request(pdo_span(2, 3, "PDOStatement::execute", linked_to=1), scope=scope))
    live.wait(20)
    assert [finding.subject for finding in live.report().findings] == ["PDOStatement::execute"]
    live.receive(request(pdo_span(1, 2, "PDO::prepare", text="SELECT a FROM t WHERE b = ?"), scope=scope))
    live.wait(11)
    assert [finding.subject for finding in live.report().findings] == ["SELECT a FROM t WHERE b = ?"]
    live.receive(request(pdo_span(2, 4, "PDOStatement::execute", linked_to=1), scope=scope))
    assert live.report() == live.analysed()
    live.wait(WINDOW_S - 5)
    assert [finding.subject for finding in live.report().findings] == ["PDOStatement::execute"]
