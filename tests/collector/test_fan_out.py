"""docs/collector/fan-out.yaml: the backend and tracelens each get everything, and neither waits for the other."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
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
def test_both_get_everything(
    start: Callable[..., Collector], backend: Collector, start_server: Callable[..., ServerProcess], transport: str
) -> None:
    server = start_server()
    collector = start("fan-out", TRACELENS_GRPC=server.grpc, BACKEND_GRPC=backend.grpc)
    spans = recorded(traces=50)
    for first in range(0, len(spans), 50):
        send(collector, spans[first : first + 50], transport)
    send_measurements(collector, 20)
    send_logs(collector, 20)
    eventually(lambda: spans_taken(server) == len(spans))
    collector.stop()
    backend.stop()
    server.end()
    assert ids_stored(server.db) == ids_of(spans)
    assert ids_received(backend.received("traces")) == ids_of(spans)
    assert points_stored(server.db) == sorted((f"orders.{number}", number) for number in range(20))
    assert sorted(metric["name"] for metric in backend.received("metrics")) == sorted(f"orders.{n}" for n in range(20))
    assert len(backend.received("logs")) == 20


def test_an_outage_of_tracelens_and_a_restart_of_the_collector_lose_and_double_nothing(
    start: Callable[..., Collector], backend: Collector, start_server: Callable[..., ServerProcess]
) -> None:
    server = start_server()
    hops = {"TRACELENS_GRPC": server.grpc, "BACKEND_GRPC": backend.grpc}
    collector = start("fan-out", **hops)
    spans = recorded(traces=30)
    send(collector, spans[:50])
    eventually(lambda: spans_taken(server) == 50)
    server.end(signal.SIGKILL)
    send(collector, spans[50:100])
    collector.wait_for("Exporting failed. Will retry")
    collector.stop()
    collector = start("fan-out", **hops)
    send(collector, spans[100:])
    server = start_server("--grpc", server.grpc)
    eventually(lambda: spans_taken(server) == 100)
    collector.stop()
    backend.stop()
    server.end()
    assert ids_stored(server.db) == ids_of(spans)
    assert ids_received(backend.received("traces")) == ids_of(spans)


def test_a_full_queue_of_tracelens_is_no_matter_to_the_sender_and_the_backend(
    start: Callable[..., Collector], backend: Collector, start_server: Callable[..., ServerProcess]
) -> None:
    server = start_server()
    server.end()
    collector = start("fan-out", TRACELENS_GRPC=server.grpc, BACKEND_GRPC=backend.grpc, TRACELENS_QUEUE_BYTES="1")
    spans = recorded(traces=10)
    send(collector, spans)
    collector.wait_for("sending queue is full")
    collector.stop()
    backend.stop()
    assert ids_received(backend.received("traces")) == ids_of(spans)


def test_the_collector_sends_again_what_tracelens_has_no_room_for(
    start: Callable[..., Collector], backend: Collector, start_server: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    config = tmp_path / "tracelens.toml"
    config.write_text("[receiver]\nmax_pending_bytes = 1\n")
    server = start_server("--config", config)
    collector = start("fan-out", TRACELENS_GRPC=server.grpc, BACKEND_GRPC=backend.grpc)
    spans = recorded(traces=100, spans=100)
    send(collector, spans)  # more than the Collector puts in one request
    collector.wait_for("more data is waiting for the store than is allowed")
    eventually(lambda: spans_taken(server) == len(spans))
    collector.stop()
    server.end()
    assert ids_stored(server.db) == ids_of(spans)
