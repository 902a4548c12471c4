"""An OTLP endpoint that keeps the raw trace requests it is sent, byte for byte, and writes them to a file.

Both OTLP/gRPC and OTLP/HTTP (protobuf) are served, each on a free loopback port. A recording is a gzip file of
varint-delimited ExportTraceServiceRequest messages, and ExportMetricsServiceRequest messages where they are asked for. Nothing is decoded on the way, so nothing can be edited.
"""

from __future__ import annotations

import gzip
import threading
import time
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import grpc

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TRACE_METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
METRIC_METHOD = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
MAX_MESSAGE_BYTES = 64 * 1024 * 1024


class Recorder:
    """Receives OTLP trace requests, over gRPC metrics too where wanted, and hands them over in the order of arrival."""

    def __init__(self, *, with_metrics: bool = False) -> None:
        self._requests: list[bytes] = []
        self._lock = threading.Lock()
        self._last_arrival = time.monotonic()
        self._grpc = grpc.server(
            futures.ThreadPoolExecutor(4),
            handlers=[_RawHandler(self.append, {TRACE_METHOD, METRIC_METHOD} if with_metrics else {TRACE_METHOD})],
            options=[("grpc.max_receive_message_length", MAX_MESSAGE_BYTES)],
        )
        self.grpc_port = self._grpc.add_insecure_port("127.0.0.1:0")
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _http_handler(self.append))
        self.http_port = self._http.server_address[1]

    def __enter__(self) -> Recorder:
        self._grpc.start()
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._grpc.stop(grace=1)
        self._http.shutdown()
        self._http.server_close()

    def append(self, request: bytes) -> None:
        """Keep one raw ExportTraceServiceRequest."""
        with self._lock:
            self._requests.append(request)
            self._last_arrival = time.monotonic()

    def wait_quiet(self, quiet_s: float, timeout_s: float = 30.0) -> None:
        """Return when nothing has arrived for `quiet_s` seconds."""
        deadline = time.monotonic() + timeout_s
        with self._lock:
            self._last_arrival = time.monotonic()
        while time.monotonic() < deadline:
            with self._lock:
                if time.monotonic() - self._last_arrival >= quiet_s:
                    return
            time.sleep(0.05)

    def take(self) -> list[bytes]:
        """Hand over, and forget, what has been received."""
        with self._lock:
            requests, self._requests = self._requests, []
        return requests


def write_recording(path: Path, requests: list[bytes]) -> None:
    """Write varint-delimited messages, gzipped without a timestamp so that equal recordings are equal files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file, gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as stream:
        for request in requests:
            stream.write(_varint(len(request)) + request)


def read_recording(path: Path) -> Iterator[bytes]:
    """Yield the raw messages of a recording."""
    data = gzip.decompress(path.read_bytes())
    position = 0
    while position < len(data):
        length = shift = 0
        while True:
            byte = data[position]
            position += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        yield data[position : position + length]
        position += length


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


class _RawHandler(grpc.GenericRpcHandler):
    def __init__(self, append, kept_methods: set[str]) -> None:
        self._append = append
        self._kept_methods = kept_methods

    def service(self, handler_call_details):
        keep = handler_call_details.method in self._kept_methods

        def export(request: bytes, _context: grpc.ServicerContext) -> bytes:
            if keep:
                self._append(request)
            return b""

        return grpc.unary_unary_rpc_method_handler(export)


def _http_handler(append) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self._body()
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            if self.path == "/v1/traces":
                append(body)
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers["Content-Length"]))
            chunks = []  # the JavaScript exporter does not know its length in advance
            while size := int(self.rfile.readline().split(b";")[0], 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass  # trailers
            return b"".join(chunks)

        def log_message(self, *_: object) -> None:
            """Stay silent: the recording is the only output."""

    return Handler
