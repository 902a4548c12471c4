"""A server that keeps what it is sent and answers what a test wants, over HTTP and HTTPS."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl

_LIMIT_S = 60
"""Far above what anything here takes."""


@dataclass(frozen=True)
class Reply:
    """What to answer; `echo` repeats the whole request in the body, as some receivers' error pages do."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    echo: bool = False
    raw: bytes = b""
    hang: bool = False


@dataclass(frozen=True)
class Received:
    """A request."""

    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class HttpReceiver:
    """Answers with the replies in turn, the last one for ever."""

    context: ssl.SSLContext | None = None
    replies: list[Reply] = field(default_factory=lambda: [Reply()])
    received: list[Received] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._ending = threading.Event()
        self._came = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        if self.context is not None:
            self._server.socket = self.context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        return f"{'http' if self.context is None else 'https'}://{self.place}"

    def wait_for(self, count: int) -> list[Received]:
        """Return the first requests once so many have come."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.received) >= count, timeout=_LIMIT_S)
        return self.received[:count]

    def reply(self, *replies: Reply) -> None:
        self.replies[:] = replies
        self.received.clear()

    def close(self) -> None:
        self._ending.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                headers = {name.lower(): value for name, value in self.headers.items()}
                with receiver._came:
                    receiver.received.append(Received(self.path, headers, body))
                    receiver._came.notify_all()
                reply = receiver.replies.pop(0) if len(receiver.replies) > 1 else receiver.replies[0]
                if reply.hang:
                    receiver._ending.wait()
                    return
                if reply.raw:
                    self.wfile.write(reply.raw)
                    self.close_connection = True
                    return
                said = reply.body
                if reply.echo:
                    said += f" {self.path} {headers} ".encode() + body
                self.send_response(reply.status)
                for name, value in reply.headers:
                    self.send_header(name, value)
                self.send_header("content-length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_: object) -> None:
                """Keep the tests' output clean."""

        return Handler
