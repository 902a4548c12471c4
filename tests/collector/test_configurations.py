"""Every configuration in docs/collector is one that the Collector takes, and its page tells of it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from collector.build import collector_binary
from collectors import DOCUMENTED
from telemetry import eventually, ids_of, ids_stored, recorded, send, spans_taken

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from collectors import Collector
    from processes import ServerProcess

COMPRESSIONS = [
    ("fan-out", "none"),
    ("fan-out", "gzip"),
    ("before", "none"),
    ("before", "gzip"),
    ("before", "zstd"),
    ("before", "deflate"),
]
"""What tracelens takes from a Collector, over gRPC and over HTTP."""

CONFIGURATIONS = sorted(DOCUMENTED.glob("*.yaml"))


@pytest.mark.parametrize("config", CONFIGURATIONS, ids=[path.stem for path in CONFIGURATIONS])
def test_it_is_valid(config: Path) -> None:
    done = subprocess.run([collector_binary(), "validate", "--config", config], capture_output=True, check=False)
    assert (done.returncode, done.stderr.decode()) == (0, "")


def test_compressions_of_the_collector(
    start: Callable[..., Collector], start_server: Callable[..., ServerProcess]
) -> None:
    server = start_server()
    spans = recorded(traces=len(COMPRESSIONS))
    collectors = [
        start(name, TRACELENS_GRPC=server.grpc, TRACELENS_HTTP=server.http, TRACELENS_COMPRESSION=compression)
        for name, compression in COMPRESSIONS
    ]
    for number, collector in enumerate(collectors):
        send(collector, spans[5 * number : 5 * number + 5])
    eventually(lambda: spans_taken(server) == len(spans))
    server.end()
    assert ids_stored(server.db) == ids_of(spans)
