"""Live analysis sees metrics: alone, beside spans, and no longer than the window lasts."""

from __future__ import annotations

import pytest
from live_stores import WINDOW_S, LiveStore
from metric_requests import at, gauge, metrics_of
from span_requests import request, span

from tracelens.otlp.metrics import decode_metrics
from tracelens.semconv.metric_points import normalise_points

BUSY = metrics_of(
    gauge("system.cpu.utilization", [(30 * number, 0.95, {}) for number in range(5)]), resource={"host.name": "n1"}
)
NAMED = metrics_of(
    gauge("system.cpu.utilization", [(30 * number, 0.95, {}) for number in range(5)]), resource={"host.name": "pg-1"}
)


def receive_metrics(live: LiveStore, body: bytes) -> None:
    points = normalise_points([decode_metrics(body)], live.store.catalogue, live.now_ns)
    live.store.append([], points=[points])
    live.live.notice(live.now_ns)


def one_request() -> bytes:
    call = span(
        2,
        {"db.system.name": "postgresql", "db.query.text": "SELECT 1 FROM orders", "server.address": "n1"},
        kind=3,
        trace_id=(1).to_bytes(16),
        parent_span_id=(1).to_bytes(8),
        start_time_unix_nano=at(60),
        end_time_unix_nano=at(60.2),
    )
    return request(span(1, kind=2, start_time_unix_nano=at(60), end_time_unix_nano=at(60.2)), call)


@pytest.mark.parametrize("metrics_come_first", [True, False])
def test_metrics_and_spans_in_any_order(metrics_come_first: bool) -> None:  # noqa: FBT001  (a parameter of the test)
    live = LiveStore()
    steps = [lambda: receive_metrics(live, BUSY), lambda: live.receive(one_request())]
    for step in steps if metrics_come_first else reversed(steps):
        step()
        live.report()
        live.wait(1)
    live.wait(15)  # until the trace has settled
    report = live.report()
    assert report == live.analysed()
    (finding,) = [finding for finding in report.findings if finding.pass_name == "db_cpu"]
    assert dict(finding.evidence)["identified_by"] == "the server.address of database calls: n1"
    assert finding.exemplar.trace_id == (1).to_bytes(16).hex()
    live.close()


def test_a_host_without_any_trace() -> None:
    live = LiveStore()
    assert live.report().findings == ()
    receive_metrics(live, NAMED)
    report = live.report()
    assert [(finding.pass_name, finding.subject, finding.exemplar.trace_id) for finding in report.findings] == [
        ("db_cpu", "pg-1", "")
    ]
    live.wait(WINDOW_S + 1)
    live.live.notice(live.now_ns)
    assert live.report().findings == ()
    live.close()
