"""Trace files into a store, into the server that holds it, or to any OTLP endpoint."""

from __future__ import annotations

import http.client
import time
import urllib.parse
from typing import TYPE_CHECKING, Final

from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tracelens.errors import DamagedInputError, ServerError, StoreBusyError, UsageError
from tracelens.otlp.files import expand_paths, read_requests
from tracelens.otlp.signals import Signal
from tracelens.sources import load_files, open_store, running_server
from tracelens.sources.files import counted, told_to

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import TypeAlias

    from tracelens.otlp.requests import Request
    from tracelens.settings import Settings

    Send: TypeAlias = Callable[[Request], bytes]
    """Sends a request, and returns the serialised response."""

_PATHS: Final = {Signal.TRACES: "/v1/traces", Signal.METRICS: "/v1/metrics"}
_METHODS: Final = {
    Signal.TRACES: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    Signal.METRICS: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}
_RETRIED_STATUS: Final = frozenset({429, 502, 503, 504})
_ATTEMPTS: Final = 30
_TIMEOUT_S: Final = 60.0
_LONGEST_PAUSE_S: Final = 5.0


def replay_files(
    paths: Sequence[str],
    target: Path | str,
    settings: Settings,
    on_damage: Callable[[str], None],
    progress: Callable[[str], None],
) -> str:
    """Replay trace files; return a line that says what happened.

    Args:
        paths: files and directories, "-" for standard input.
        target: the store's file, or an OTLP endpoint's URL: http(s)://host:port or grpc://host:port.
        settings: of the store.
        on_damage: told of every part that could not be read or was not taken, in a line.
        progress: told what is being done.

    Raises:
        DamagedInputError: nothing could be read.
        StoreError: the store cannot be written.
        ServerError: the endpoint cannot be reached or refuses.
        UsageError: the URL is of no kind that can be sent to.
    """
    files = expand_paths(paths)  # a path that is wrong leaves no new store behind
    if isinstance(target, str):
        return _send_files(files, target, on_damage, progress)
    server = running_server(target)
    if server is None:
        try:
            store = open_store(target, settings)
        except StoreBusyError:
            server = running_server(target)  # it was starting
            if server is None:
                raise
        else:
            try:
                stored = load_files(store, files, on_damage, progress)
            finally:
                store.close()
            points = f" and {stored.points:,} new data points" if stored.points else ""
            return f"{stored.stored:,} new spans{points} in {target}"
    return _send_files(files, server.http, on_damage, progress)


def _send_files(
    files: Sequence[str], to: str, on_damage: Callable[[str], None], progress: Callable[[str], None]
) -> str:
    send = _sender(to)
    unreadable: list[DamagedInputError] = []
    sent = 0
    for number, path in enumerate(files, start=1):
        doing = f"sending {path} ({number} of {len(files)}) to {to}"
        try:
            for request in counted(read_requests(path, on_damage=told_to(on_damage)), doing, progress):
                if rejected := _rejected(request.signal, send(request)):
                    on_damage(f"{path}: {to} rejected {rejected}")
                sent += 1
        except DamagedInputError as error:
            unreadable.append(error)
        except DecodeError as error:
            raise ServerError(f"{to}: the answer is not OTLP; check the address that --to names") from error
    if unreadable and len(unreadable) == len(files):
        raise unreadable[0]
    for refusal in unreadable:
        on_damage(str(refusal))
    return f"{sent:,} requests sent to {to}"


def _rejected(signal: Signal, answer: bytes) -> str:
    """Return what a response says was not kept, "" where everything was."""
    if signal is Signal.METRICS:
        metrics = ExportMetricsServiceResponse.FromString(answer).partial_success
        count, what, reason = metrics.rejected_data_points, "data points", metrics.error_message
    else:
        traces = ExportTraceServiceResponse.FromString(answer).partial_success
        count, what, reason = traces.rejected_spans, "spans", traces.error_message
    return f"{count:,} {what}: {reason}" if count else ""


def _sender(to: str) -> Send:
    wrong = UsageError(f"--to {to}: not an OTLP endpoint; write http://host:4318 or grpc://host:4317")
    try:
        url = urllib.parse.urlsplit(to)
        has_port = url.port is not None
    except ValueError:  # a port that is no number, or too large
        raise wrong from None
    if url.scheme not in {"http", "https", "grpc"} or not url.hostname or (url.scheme == "grpc" and not has_port):
        raise wrong
    return _grpc_sender(url.netloc) if url.scheme == "grpc" else _http_sender(url)


def _http_sender(url: urllib.parse.SplitResult) -> Send:
    connect = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    # As OTEL_EXPORTER_OTLP_ENDPOINT: a base URL to which the signal's path is added, unless it is there.
    base = url.path.removesuffix(_PATHS[Signal.TRACES]).rstrip("/")
    connection = connect(url.hostname or "", url.port, timeout=_TIMEOUT_S)

    def send(request: Request) -> bytes:
        path = base + _PATHS[request.signal]
        for attempt in range(_ATTEMPTS):
            try:
                connection.request("POST", path, request.body, {"content-type": "application/x-protobuf"})
                response = connection.getresponse()
                answer = response.read()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                if attempt:
                    reason = str(error) or type(error).__name__
                    raise ServerError(f"{url.geturl()}: cannot be reached: {reason}; is it running?") from error
                continue
            if response.status == http.client.OK:
                return answer
            if response.status not in _RETRIED_STATUS:
                raise ServerError(
                    f"{url.geturl()}: refused a request with status {response.status}: {_refusal(answer)}; "
                    "check the address and what it accepts"
                )
            time.sleep(_pause_s(response.getheader("retry-after"), attempt))
        raise ServerError(f"{url.geturl()}: still overloaded after {_ATTEMPTS} attempts; try again later")

    return send


def _refusal(answer: bytes) -> str:
    """Return what a refusal says: OTLP's own status, else the beginning of the answer as text."""
    try:
        text = str(Status.FromString(answer).message)
    except DecodeError:
        text = ""
    return " ".join((text or answer[:200].decode("utf-8", "replace")).split()) or "no reason given"


def _pause_s(retry_after: str | None, attempt: int) -> float:
    asked = float(retry_after) if retry_after and retry_after.isdecimal() else 0.1 * 2**attempt
    return min(asked, _LONGEST_PAUSE_S)


def _grpc_sender(target: str) -> Send:
    import grpc  # noqa: PLC0415  (only this way of sending needs it)

    # As over HTTP, no proxy of the environment is asked.
    options = [("grpc.max_send_message_length", -1), ("grpc.enable_http_proxy", 0)]
    channel = grpc.insecure_channel(target, options=options)
    exports = {signal: channel.unary_unary(method) for signal, method in _METHODS.items()}

    def send(request: Request) -> bytes:
        for attempt in range(_ATTEMPTS):
            try:
                return bytes(exports[request.signal](request.body, timeout=_TIMEOUT_S))
            except grpc.RpcError as error:
                detail = error.details() or str(error.code())
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise ServerError(
                        f"grpc://{target}: refused a request: {detail}; check the address and what it accepts"
                    ) from error
                if "connect" in detail.lower() and attempt:
                    raise ServerError(f"grpc://{target}: cannot be reached: {detail}; is it running?") from error
                time.sleep(_pause_s(None, attempt))
        raise ServerError(f"grpc://{target}: still overloaded after {_ATTEMPTS} attempts; try again later")

    return send
