"""docs/collector/findings.toml: what tracelens finds goes back into the Collector, and on to the backend."""

from __future__ import annotations

import urllib.request
from typing import TYPE_CHECKING

from collectors import DOCUMENTED
from telemetry import eventually
from traffic import request_of, slow_request

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from collectors import Collector
    from processes import ServerProcess


def test_a_slow_query_is_a_log_record_of_its_trace(
    start: Callable[..., Collector], backend: Collector, start_server: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    stopped = start_server()
    stopped.end()
    collector = start("fan-out", TRACELENS_GRPC=stopped.grpc, BACKEND_GRPC=backend.grpc)
    documented = (DOCUMENTED / "findings.toml").read_text(encoding="utf-8")
    config = tmp_path / "tracelens.toml"
    config.write_text(documented.replace("collector:4317", collector.grpc))
    assert collector.grpc in config.read_text()
    server = start_server("--config", config, "--grpc", stopped.grpc)
    asked = urllib.request.Request(  # noqa: S310  (our own server)
        f"{collector.http}/v1/traces",
        request_of(slow_request(7)),
        {"content-type": "application/x-protobuf"},
    )
    with urllib.request.urlopen(asked, timeout=60) as answer:  # noqa: S310
        assert answer.status == 200
    eventually(lambda: bool(backend.received("logs")))
    server.end()
    collector.stop()
    backend.stop()
    (record,) = backend.received("logs")
    attributes = {entry["key"]: entry["value"] for entry in record["attributes"]}
    assert (record["traceId"], record["spanId"]) == (f"{7:032x}", f"{2:016x}")
    assert record["eventName"] == "dev.tracelens.escalation.firing"
    assert attributes["tracelens.rule"] == {"stringValue": "slow_query"}
    assert attributes["tracelens.endpoint"] == {"stringValue": "GET /reports"}
