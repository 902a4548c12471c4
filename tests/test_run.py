"""`tracelens run`: a real program with the OpenTelemetry SDK, and programs that fail."""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest
from processes import Done, command, follow, tracelens

if TYPE_CHECKING:
    from pathlib import Path

# What an instrumented program does: the exporter that the environment asks for, a few queries, an orderly end.
SERVICE = """
import os, sys
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

if os.environ["OTEL_EXPORTER_OTLP_PROTOCOL"] == "grpc":
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
else:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
provider = TracerProvider(resource=Resource({"service.name": "job"}))
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
tracer = provider.get_tracer("service")
ms = 1_000_000
entry = tracer.start_span("import users", start_time=ms)
below = trace.set_span_in_context(entry)
for user in range(9):
    text = f"SELECT id FROM orders WHERE user_id = {user}"
    attributes = {"db.system.name": "postgresql", "db.query.text": text}
    query = tracer.start_span("SELECT", below, trace.SpanKind.CLIENT, attributes, start_time=(10 * user + 1) * ms)
    query.end((10 * user + 10) * ms)
entry.end(100 * ms)
provider.shutdown()
print("done", sys.argv[1])
sys.exit(int(sys.argv[1]))
"""


@pytest.fixture
def service(tmp_path: Path) -> Path:
    path = tmp_path / "service.py"
    path.write_text(SERVICE)
    return path


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_program_is_reported(tmp_path: Path, service: Path, protocol: str) -> None:
    done = command(
        *("run", "--protocol", protocol, "--format", "json", "--fail-on", "warning"),
        *("--", sys.executable, service, "0"),
        # What the user has set for another purpose must not win, nor a proxy between the program and us.
        env={
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1",
            "OTEL_SDK_DISABLED": "true",
            "OTEL_TRACES_EXPORTER": "none",
            "http_proxy": "http://127.0.0.1:1",
            "no_proxy": "example.com",
        },
    )
    assert (done.code, done.errors) == (1, "")
    (finding,) = json.loads(done.output)["findings"]
    assert (finding["pass"], finding["service_name"], finding["occurrences"]) == (
        "n_plus_one",
        "job",
        {"requests": 1, "spans": 9},
    )
    assert [path.name for path in tmp_path.iterdir()] == ["service.py"]


def test_a_program_that_fails_is_reported_and_fails(tmp_path: Path, service: Path) -> None:
    done = tracelens(
        *("run", "--format", "json", "--fail-on", "info", "--output", "out.json", "--"),
        *(sys.executable, service, "7"),
        cwd=tmp_path,
    )
    assert done == Done(7, b"", "done 7\n")
    assert len(json.loads((tmp_path / "out.json").read_text())["findings"]) == 1


def test_a_program_that_sends_nothing() -> None:
    done = command("run", "true")
    assert (done.code, done.errors) == (0, "")
    assert b"No spans to analyse" in done.output
    assert command("run", "--", "false").code == 1
    assert command("run", "--", "sh", "-c", "kill -9 $$").code == 128 + signal.SIGKILL


def test_signals_reach_the_program_and_the_report_still_comes(tmp_path: Path) -> None:
    program = (
        "import signal, sys; signal.signal(15, lambda *_: sys.exit(3)); print('ready', flush=True); signal.pause()"
    )
    running = follow("run", "--format", "json", "--", sys.executable, "-c", program, cwd=tmp_path)
    assert running.error_line() == "ready"
    code, output, errors = running.end(signal.SIGTERM)
    assert (code, errors) == (3, "")
    assert json.loads(output)["summary"]["spans"] == 0


def test_nothing_is_left_in_the_temporary_folder(tmp_path: Path) -> None:
    for arguments in (["true"], ["nosuchprogram"]):
        command("run", *arguments, env={"TMPDIR": str(tmp_path)})
        assert os.listdir(tmp_path) == []  # noqa: PTH208
