"""The receivers that are compared: how each is started, and how what it kept is counted."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, Protocol

import duckdb
from collector.build import collector_binary
from measured import CACHE, Server, free_port, size_of
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PERF_SENTINEL_VERSION: Final = "0.34.0"
PHOENIX_VERSION: Final = "20.26.1"

_SETTLE_S: Final = 120.0


@dataclass(slots=True)
class Running:
    """A receiver that listens. Addresses are host:port, "" where it does not speak the protocol."""

    server: Server
    folder: Path
    grpc: str
    http: str


@dataclass(frozen=True, slots=True)
class Kept:
    """What a receiver has in the end, as far as it can be read: spans, their ids combined by exclusive or, bytes."""

    spans: int | None = None
    span_id_xor: int | None = None
    disk_bytes: int | None = None


class Contender(Protocol):
    """A receiver.

    Attributes:
        name: in the table and of `--only`.
        keeps: what becomes of a span.
        acknowledges: what has happened when it answers.
        most_spans: more would take too long.
    """

    name: str
    keeps: str
    acknowledges: str
    most_spans: int

    def missing(self) -> str:
        """Say what has to be installed, "" where nothing is missing."""

    def version(self) -> str:
        """Return its version."""

    def start(self, folder: Path) -> Running:
        """Start it, with what it keeps in the folder, and return once it listens."""

    def settle(self, running: Running, sent: int) -> Kept | None:
        """Wait until it has done what it will do; return what it kept where that is known only while it runs."""

    def kept(self, folder: Path) -> Kept:
        """Return what it kept, after its end."""


@dataclass(slots=True)
class Tracelens:
    """`tracelens serve` with its defaults; without analysis it never judges what it received."""

    name: str
    analyses: bool = True
    keeps: str = "stored in DuckDB, every attribute queryable"
    acknowledges: str = "synchronised to disk"
    most_spans: int = sys.maxsize

    def missing(self) -> str:
        return ""

    def version(self) -> str:
        libraries = ("duckdb", "pyarrow", "grpcio", "protobuf", "ptars")
        return f"{version('tracelens')} ({', '.join(f'{name} {version(name)}' for name in libraries)})"

    def start(self, folder: Path) -> Running:
        config = folder / "tracelens.toml"
        config.write_text("" if self.analyses else WITHOUT_ANALYSIS)
        ports = [word for option in ("--grpc", "--http", "--ui") for word in (option, "127.0.0.1:0")]
        own = ["--db", str(folder / "store.duckdb"), "--config", str(config)]
        server = Server.start([sys.executable, "-m", "tracelens", "serve", *own, *ports], folder)
        grpc = server.wait_for("OTLP/gRPC").split()[-1]
        http = server.wait_for("OTLP/HTTP").split()[-1].removeprefix("http://")
        server.wait_for("store ")
        return Running(server, folder, grpc, http)

    def settle(self, running: Running, sent: int) -> Kept | None:  # noqa: ARG002
        return None  # stopping stores what waits

    def kept(self, folder: Path) -> Kept:
        store = folder / "store.duckdb"
        with duckdb.connect(str(store), read_only=True) as connection:
            rows = connection.execute("select count(*), bit_xor(span_id) from spans").fetchall()
        log = store.with_suffix(".duckdb.wal")
        return Kept(rows[0][0], rows[0][1], size_of(store) + (size_of(log) if log.exists() else 0))


WITHOUT_ANALYSIS: Final = "[escalation]\nenabled = false\n"


@dataclass(slots=True)
class Collector:
    """The OpenTelemetry Collector of bench/collector: otlp → batch → one exporter."""

    name: str
    exporter: str
    keeps: str
    acknowledges: str = "in memory"
    most_spans: int = sys.maxsize

    def missing(self) -> str:
        return "" if collector_binary().exists() else "the Collector: run `make collector`"

    def version(self) -> str:
        told = subprocess.run([collector_binary(), "--version"], capture_output=True, text=True, check=True)
        return told.stdout.split()[-1]

    def start(self, folder: Path) -> Running:
        config = folder / "collector.yaml"
        config.write_text(_COLLECTOR.replace("EXPORTER", self.exporter).replace("FOLDER", str(folder)))
        server = Server.start([collector_binary(), "--config", config], folder)
        server.wait_for("Everything is ready")
        found = re.findall(r'Starting (GRPC|HTTP) server\t.*"endpoint": "([^"]+)"', "\n".join(server.said))
        addresses = dict(found)
        return Running(server, folder, addresses["GRPC"], addresses["HTTP"])

    def settle(self, running: Running, sent: int) -> Kept | None:  # noqa: ARG002
        running.server.rest()
        return Kept() if self.exporter == "nop" else None

    def kept(self, folder: Path) -> Kept:
        spans = xor = 0
        for request in _written(folder / "traces"):
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    spans += len(scope.spans)
                    for span in scope.spans:
                        xor ^= int.from_bytes(span.span_id, "big")
        return Kept(spans, xor, size_of(folder / "traces"))


_COLLECTOR: Final = """
receivers:
  otlp:
    protocols:
      grpc: {endpoint: "127.0.0.1:0", max_recv_msg_size_mib: 64}
      http: {endpoint: "127.0.0.1:0"}
processors:
  batch:
exporters:
  nop:
  file: {path: FOLDER/traces, format: proto}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    traces: {receivers: [otlp], processors: [batch], exporters: [EXPORTER]}
"""


def _written(path: Path) -> Iterator[ExportTraceServiceRequest]:
    """Yield what the file exporter wrote: messages, each after its length in four bytes."""
    with path.open("rb") as file:
        while head := file.read(4):
            yield ExportTraceServiceRequest.FromString(file.read(int.from_bytes(head, "big")))


@dataclass(slots=True)
class PerfSentinel:
    """perf-sentinel's daemon: analyses traces in memory and forgets their spans."""

    name: str = "perf-sentinel"
    keeps: str = "analysed in memory and forgotten; read back is its own count"
    acknowledges: str = "in memory"
    most_spans: int = sys.maxsize

    def missing(self) -> str:
        root = perf_sentinel().parents[1]
        install = f"cargo install perf-sentinel --version {PERF_SENTINEL_VERSION} --locked --root {root}"
        return "" if perf_sentinel().exists() else f"perf-sentinel: run `{install}`"

    def version(self) -> str:
        return PERF_SENTINEL_VERSION

    def start(self, folder: Path) -> Running:
        grpc, http = free_port(), free_port()
        config = folder / "perf-sentinel.toml"
        config.write_text(f"[daemon]\nlisten_port_http = {http}\nlisten_port_grpc = {grpc}\n")
        server = Server.start([perf_sentinel(), "watch", "--config", config], folder)
        running = Running(server, folder, f"127.0.0.1:{grpc}", f"127.0.0.1:{http}")
        server.wait_for_port(running.grpc)
        return running

    def settle(self, running: Running, sent: int) -> Kept | None:  # noqa: ARG002
        end = time.monotonic() + _SETTLE_S
        while _metric(running, "perf_sentinel_active_traces") and time.monotonic() < end:
            time.sleep(1.0)
        running.server.rest()
        return Kept(round(_metric(running, "perf_sentinel_otlp_spans_received_total")))

    def kept(self, folder: Path) -> Kept:  # noqa: ARG002
        return Kept()


def _metric(running: Running, name: str) -> float:
    """Return the value of a metric that a receiver tells of itself."""
    with urllib.request.urlopen(f"http://{running.http}/metrics", timeout=30) as page:
        text = page.read().decode()
    return sum(map(float, re.findall(rf"^{name}(?:{{[^}}]*}})? ([0-9.e+]+)$", text, re.MULTILINE)))


def perf_sentinel() -> Path:
    """Return where perf-sentinel's program is, or is to be installed."""
    return CACHE / f"perf-sentinel-{PERF_SENTINEL_VERSION}" / "bin" / "perf-sentinel"


@dataclass(slots=True)
class Phoenix:
    """Arize Phoenix: a receiver in Python that stores spans in SQLite."""

    name: str = "Phoenix"
    keeps: str = "stored in SQLite, attributes as JSON"
    acknowledges: str = "in memory"
    most_spans: int = 20 * 512

    def missing(self) -> str:
        environment = _phoenix().parents[1]
        install = f"python -m venv {environment} && {environment}/bin/pip install arize-phoenix=={PHOENIX_VERSION}"
        return "" if _phoenix().exists() else f"Phoenix: run `{install}`"

    def version(self) -> str:
        return PHOENIX_VERSION

    def start(self, folder: Path) -> Running:
        grpc, http = free_port(), free_port()
        own = {
            "PHOENIX_PORT": str(http),
            "PHOENIX_GRPC_PORT": str(grpc),
            "PHOENIX_HOST": "127.0.0.1",
            "PHOENIX_WORKING_DIR": str(folder),
            "PHOENIX_TELEMETRY_ENABLED": "false",
            "PYTHONPATH": "",
        }
        server = Server.start([_phoenix(), "serve"], folder, own)
        running = Running(server, folder, f"127.0.0.1:{grpc}", f"127.0.0.1:{http}")
        server.wait_for_port(running.http)
        server.wait_for_port(running.grpc)
        server.rest()
        return running

    def settle(self, running: Running, sent: int) -> Kept | None:
        end = time.monotonic() + _SETTLE_S
        while (self.kept(running.folder).spans or 0) < sent and time.monotonic() < end:
            time.sleep(1.0)
        running.server.rest()
        return None

    def kept(self, folder: Path) -> Kept:
        with sqlite3.connect(f"file:{folder / 'phoenix.db'}?mode=ro", uri=True) as connection:
            ids = connection.execute("select span_id from spans").fetchall()
        xor = 0
        for (span_id,) in ids:
            xor ^= int(span_id, 16)
        return Kept(len(ids), xor, size_of(*folder.glob("phoenix.db*")))


def _phoenix() -> Path:
    return CACHE / f"phoenix-{PHOENIX_VERSION}" / "bin" / "phoenix"
