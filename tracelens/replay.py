"""Trace files into a store, into the server that holds it, or to any OTLP endpoint."""

from __future__ import annotations

import http.client
import time
import urllib.parse
from typing import TYPE_CHECKING, Final

from tracelens.errors import DamagedInputError, ServerError, StoreBusyError, UsageError
from tracelens.otlp.files import expand_paths, read_requests
from tracelens.sources import load_files, running_server
from tracelens.store.database import StoreLimits
from tracelens.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tracelens.otlp.files import Damage
    from tracelens.settings import Settings

_RETRIED_STATUS: Final = frozenset({429, 502, 503, 504})
_ATTEMPTS: Final = 30
_TIMEOUT_S: Final = 60.0
_LONGEST_PAUSE_S: Final = 5.0


def replay_files(
    paths: Sequence[str],
    db: Path,
    to: str | None,
    settings: Settings,
    on_damage: Callable[[str], None],
    progress: Callable[[str], None],
) -> str:
    """Replay trace files; return a line that says what happened.

    Args:
        paths: files and directories, "-" for standard input.
        db: the store, used where `to` is None.
        to: an OTLP endpoint: http(s)://host:port, or grpc://host:port.
        settings: of the store.
        on_damage: told of every part that could not be read.
        progress: told what is being done.

    Raises:
        DamagedInputError: nothing could be read.
        StoreError: the store cannot be written.
        ServerError: the endpoint cannot be reached or refuses.
    """
    if to is None:
        try:
            store = Store(db, StoreLimits(memory=settings.store.memory_limit))
        except StoreBusyError:
            addresses = running_server(db)
            if addresses is None:
                raise
            to = addresses["http"]
        else:
            try:
                stored = load_files(store, paths, on_damage, lambda name, number, count: progress(f"{name} ({number} of {count})"))
            finally:
                store.close()
            return f"{stored} new spans in {db}"
    return _send_files(paths, to, on_damage, progress)


def _send_files(
    paths: Sequence[str], to: str, on_damage: Callable[[str], None], progress: Callable[[str], None]
) -> str:
    send = _sender(to)
    sent = unreadable = 0

    def tell(damage: Damage) -> None:
        on_damage(f"{damage.source}: {damage.where}: {damage.reason}")

    for path in expand_paths(paths):
        try:
            for body in read_requests(path, on_damage=tell):
                send(body)
                sent += 1
                progress(f"{path}: {sent} requests sent to {to}")
        except DamagedInputError as error:
            unreadable += 1
            on_damage(str(error))
    return f"{sent} requests sent to {to}"


def _sender(to: str) -> Callable[[bytes], None]:
    """Return what sends one request to an endpoint.

    Raises:
        UsageError: the URL is of no kind that can be sent to.
    """
    url = urllib.parse.urlsplit(to)
    if url.scheme not in {"http", "https", "grpc"} or not url.hostname:
        raise UsageError(f"--to {to}: not an OTLP endpoint; write http://host:4318 or grpc://host:4317")
    return _grpc_sender(url.netloc) if url.scheme == "grpc" else _http_sender(url)


def _http_sender(url: urllib.parse.SplitResult) -> Callable[[bytes], None]:
    connect = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    # As OTEL_EXPORTER_OTLP_ENDPOINT: a base URL to which the signal's path is added, unless it is there.
    path = url.path if url.path.endswith("/v1/traces") else url.path.rstrip("/") + "/v1/traces"
    connection = connect(url.hostname or "", url.port, timeout=_TIMEOUT_S)

    def send(body: bytes) -> None:
        for attempt in range(_ATTEMPTS):
            try:
                connection.request("POST", path, body, {"content-type": "application/x-protobuf"})
                response = connection.getresponse()
                answer = response.read()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                if attempt:
                    raise ServerError(f"{url.geturl()}: cannot be reached: {error}; is the receiver running?") from error
                continue
            if response.status < http.client.MULTIPLE_CHOICES:
                return
            if response.status not in _RETRIED_STATUS:
                detail = answer[:200].decode("utf-8", "replace").strip()
                raise ServerError(f"{url.geturl()}: refused a request with status {response.status}: {detail!r}")
            time.sleep(_pause_s(response.getheader("retry-after"), attempt))
        raise ServerError(f"{url.geturl()}: still overloaded after {_ATTEMPTS} attempts; try again later")

    return send


def _pause_s(retry_after: str | None, attempt: int) -> float:
    asked = float(retry_after) if retry_after and retry_after.isdecimal() else 0.1 * 2**attempt
    return min(asked, _LONGEST_PAUSE_S)


def _grpc_sender(target: str) -> Callable[[bytes], None]:
    import grpc  # noqa: PLC0415  (only this way of sending needs it)

    channel = grpc.insecure_channel(target, options=[("grpc.max_send_message_length", -1)])
    export = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")

    def send(body: bytes) -> None:
        for attempt in range(_ATTEMPTS):
            try:
                export(body, timeout=_TIMEOUT_S)
            except grpc.RpcError as error:
                if error.code() != grpc.StatusCode.UNAVAILABLE:
                    raise ServerError(f"grpc://{target}: refused a request: {error.details()}") from error
                if "connect" in (error.details() or "") and attempt:
                    raise ServerError(f"grpc://{target}: cannot be reached; is the receiver running?") from error
                time.sleep(_pause_s(None, attempt))
            else:
                return
        raise ServerError(f"grpc://{target}: still overloaded after {_ATTEMPTS} attempts; try again later")

    return send
