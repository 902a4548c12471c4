"""docs/collector/before.yaml and after.yaml: tracelens between SDKs and backend, passing everything on."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest
from collectors import DEMO
from processes import command
from telemetry import (
    eventually,
    ids_of,
    ids_received,
    ids_stored,
    points_stored,
    recorded,
    send,
    send_logs,
    send_measurements,
    spans_taken,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from collectors import Collector
    from processes import ServerProcess


@pytest.mark.parametrize("transport", ["grpc", "http"])
def test_behind_a_collector_everything_arrives_through_an_outage(
    start: Callable[..., Collector], backend: Collector, start_server: Callable[..., ServerProcess], transport: str
) -> None:
    onwards = ("--forward", f"grpc://{backend.grpc}" if transport == "grpc" else backend.http)
    server = start_server(*onwards)
    collector = start("before", TRACELENS_HTTP=server.http)
    spans = recorded(traces=20)
    send(collector, spans[:50])
    send_measurements(collector, 20)
    send_logs(collector, 20)
    eventually(lambda: len(backend.received("logs")) == 20 and len(backend.received("traces")) == 50)
    server.end(signal.SIGKILL)
    send(collector, spans[50:])
    collector.wait_for("Exporting failed. Will retry")
    server = start_server(*onwards, "--http", server.http.removeprefix("http://"))
    eventually(lambda: len(backend.received("traces")) == 100)
    collector.stop()
    server.end()
    backend.stop()
    assert ids_stored(server.db) == ids_of(spans)
    assert ids_received(backend.received("traces")) == ids_of(spans)
    assert points_stored(server.db) == sorted((f"orders.{number}", number) for number in range(20))
    assert sorted(metric["name"] for metric in backend.received("metrics")) == sorted(f"orders.{n}" for n in range(20))


def test_before_a_collector_that_samples_tracelens_has_seen_everything(
    start: Callable[..., Collector], backend: Collector, start_server: Callable[..., ServerProcess]
) -> None:
    hops = {"BACKEND_GRPC": backend.grpc, "SAMPLING_WAIT": "1s"}
    collector = start("after", **hops)
    server = start_server("--forward", f"grpc://{collector.grpc}")
    collector.stop()
    failed = recorded(traces=5, failed=True)
    good = recorded(traces=40)
    send(server, [*failed, *good])
    collector = start("after", OTLP_GRPC=collector.grpc, **hops)
    eventually(lambda: len(backend.received("traces")) >= len(failed))
    server.end()
    collector.stop()
    backend.stop()
    assert ids_stored(server.db) == ids_of([*failed, *good])
    received = ids_received(backend.received("traces"))
    traces = {trace_id for trace_id, _ in received}
    assert {trace_id for trace_id, _ in ids_of(failed)} <= traces
    assert received == [ids for ids in ids_of([*failed, *good]) if ids[0] in traces]
    assert len(received) < len(failed) + len(good)


def test_the_demo_reads_the_same_through_a_collector(
    start: Callable[..., Collector], start_server: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    def report_of(db: Path) -> Any:
        return command("report", "--db", db, "--format", "json").json()

    files = sorted(DEMO.glob("*.otlp.pb.gz"))
    assert command("replay", "--db", tmp_path / "direct.duckdb", *files).code == 0
    direct = report_of(tmp_path / "direct.duckdb")
    server = start_server()
    collector = start("before", TRACELENS_HTTP=server.http)
    assert command("replay", "--to", collector.http, *files).code == 0
    eventually(lambda: spans_taken(server) == direct["summary"]["spans"])
    assert report_of(server.db) == direct
