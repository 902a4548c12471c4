"""A next hop that is a real receiver of ours, and a front that passes requests on to it."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tracelens.forwarding import Forwarder
from tracelens.forwarding.senders import open_senders
from tracelens.otlp.metrics import RefusedPoints
from tracelens.receiver import GrpcReceiver, HttpServer, OtlpApp
from tracelens.settings import ForwardSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tracelens.receiver.credentials import Credentials
    from tracelens.receiver.forwarding import RawRequest
    from tracelens.receiver.tls import ServerTls

LIMIT_S = 30
"""Far above what anything here takes."""


class Tray:
    """Collects every request that a receiver passes on, with its bytes.

    Attributes:
        requests: what came, in order of arrival, refused ones apart.
        errors: raised for the next requests, one each.
        gate: while it is not set, requests wait.
    """

    def __init__(self, pass_headers: tuple[str, ...] = ()) -> None:
        self.pass_headers = pass_headers
        self.requests: list[RawRequest] = []
        self.errors: list[Exception] = []
        self.gate = threading.Event()
        self.gate.set()
        self._changed = threading.Condition()
        self._arrived = 0

    def submit(self, request: RawRequest) -> Future[None]:
        future: Future[None] = Future()
        with self._changed:
            self._arrived += 1
            self._changed.notify_all()
            if self.errors:
                raise self.errors.pop(0)
        threading.Thread(target=self._keep, args=(request, future)).start()
        return future

    def _keep(self, request: RawRequest, future: Future[None]) -> None:
        self.gate.wait(LIMIT_S)
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()
        future.set_result(None)

    def wait_for(self, count: int) -> list[RawRequest]:
        """Return what came once it is so many requests."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.requests) >= count, LIMIT_S), self.requests
            return list(self.requests)

    def wait_for_bodies(self, bodies: Iterable[bytes]) -> set[bytes]:
        """Return the bytes of what came once these are among them."""
        wanted = set(bodies)
        with self._changed:
            assert self._changed.wait_for(lambda: wanted <= {request.body for request in self.requests}, LIMIT_S)
            return {request.body for request in self.requests}

    def wait_arrived(self, count: int) -> None:
        """Wait until so many have come, whatever becomes of them."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._arrived >= count, LIMIT_S), self._arrived

    def bodies(self, count: int) -> list[tuple[str, bytes]]:
        """Return signal and bytes of what came once it is so many requests, in the order of their bytes."""
        return sorted((request.signal.name, request.body) for request in self.wait_for(count))


class Acceptor:
    """An intake that keeps nothing, and refuses what it is told to."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []

    def submit(self, _body: bytes) -> Future[RefusedPoints]:
        if self.errors:
            raise self.errors.pop(0)
        future: Future[RefusedPoints] = Future()
        future.set_result(RefusedPoints())
        return future

    submit_metrics = submit


@dataclass
class Hop:
    """A next hop: where it is, and what it has."""

    url: str
    tray: Tray
    intake: Acceptor


@contextmanager
def next_hop(
    transport: str,
    tray: Tray | None = None,
    *,
    port: int = 0,
    tls: ServerTls | None = None,
    intake: Acceptor | None = None,
    credentials: Credentials | None = None,
) -> Iterator[Hop]:
    """Run a next hop that speaks gRPC or HTTP until the block ends."""
    tray = tray or Tray()
    intake = intake or Acceptor()
    address = f"127.0.0.1:{port}"
    server = (
        GrpcReceiver(address, intake, forwarding=tray, tls=tls, credentials=credentials)
        if transport == "grpc"
        else HttpServer(address, OtlpApp(intake, forwarding=tray, credentials=credentials), tls=tls)
    )
    server.start()
    scheme = transport + ("s" if tls else "")
    try:
        yield Hop(f"{scheme}://{'localhost' if tls else '127.0.0.1'}:{server.port}", tray, intake)
    finally:
        tray.gate.set()
        server.stop(1)


@dataclass
class Front:
    """Receivers that pass on what they are sent."""

    grpc: str
    http: str
    forwarder: Forwarder
    intake: Acceptor


@contextmanager
def front(folder: Path, url: str, **settings: Any) -> Iterator[Front]:
    """Run receivers that pass requests on to the URL until the block ends."""
    quick = {"retry_initial_s": 0.01, "retry_max_interval_s": 0.05, "concurrency": 2} | settings
    chosen = ForwardSettings(url=url, **quick)
    with ExitStack() as running:
        forwarder = Forwarder(chosen, open_senders(chosen), folder)
        running.callback(forwarder.stop, 0)
        intake = Acceptor()
        grpc = GrpcReceiver("127.0.0.1:0", intake, forwarding=forwarder)
        http = HttpServer("127.0.0.1:0", OtlpApp(intake, forwarding=forwarder))
        forwarder.start()
        for receiver in (grpc, http):
            receiver.start()
            running.callback(receiver.stop, 1)
        yield Front(grpc.address, f"http://{http.address}", forwarder, intake)


@contextmanager
def held_port() -> Iterator[int]:
    """Hold a port on which nobody listens until the block ends."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]
