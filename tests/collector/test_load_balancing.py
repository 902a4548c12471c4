"""docs/collector/load-balancing.yaml: every trace is whole on one of several tracelens instances."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from telemetry import eventually, ids_of, ids_stored, recorded, send, spans_taken

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from collectors import Collector
    from processes import ServerProcess


def test_a_trace_stays_on_its_instance_while_that_restarts(
    start: Callable[..., Collector], start_server: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    servers = [start_server(db=tmp_path / f"{name}.duckdb") for name in "ab"]
    collector = start("load-balancing", TRACELENS_HOSTS=f"[{servers[0].grpc}, {servers[1].grpc}]")
    spans = recorded(traces=20, spans=6)
    send(collector, spans[::2])
    eventually(lambda: sum(spans_taken(server) for server in servers) == 60)
    alone = spans_taken(servers[0])
    servers[1].end()
    send(collector, spans[1::2])
    eventually(lambda: spans_taken(servers[0]) == 2 * alone)
    collector.wait_for("Exporting failed. Will retry")
    servers[1] = start_server("--grpc", servers[1].grpc, db=servers[1].db)
    eventually(lambda: spans_taken(servers[1]) == 60 - alone)
    collector.stop()
    stored = []
    places = defaultdict(set)
    for server in servers:
        server.end()
        ids = ids_stored(server.db)
        stored += ids
        for trace_id, _ in ids:
            places[trace_id].add(server.db)
    assert sorted(stored) == ids_of(spans)
    assert {len(place) for place in places.values()} == {1}
    assert {place for each in places.values() for place in each} == {server.db for server in servers}
