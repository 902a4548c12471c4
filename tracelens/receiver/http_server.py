"""An ASGI application served by uvicorn on a thread and an event loop of its own."""

from __future__ import annotations

import asyncio
import logging
import math
import ssl
import threading
from typing import TYPE_CHECKING, Final

import uvicorn

from tracelens.errors import ServerError
from tracelens.receiver.address import Address, listen, parse_address

if TYPE_CHECKING:
    import socket

    from tracelens.receiver.asgi import AsgiApp
    from tracelens.receiver.tls import ServerTls

KEEP_ALIVE_S: Final = 120
"""How long an idle connection stays open. Exporters send every few seconds, and one that sends at the moment in which
the server closes sees an error, so this is far longer than their intervals."""

_THREAD_MARGIN_S: Final = 5.0

logger = logging.getLogger(__name__)


class HttpServer:
    """Serves an application over HTTP/1.1.

    Args:
        address: `host:port`, port 0 for any free one.
        app: the ASGI application.
        option: the command line's name for the address, for error messages.
        tls: the certificate to serve HTTPS with.

    Raises:
        UsageError: the address is not one.
    """

    def __init__(self, address: str, app: AsgiApp, *, option: str = "--http", tls: ServerTls | None = None) -> None:
        self._address = parse_address(address, option)
        self._option = option
        config = uvicorn.Config(
            app,
            http="httptools",
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            ssl_certfile=tls.certificate if tls else None,
            ssl_keyfile=tls.key if tls else None,
            ssl_ca_certs=str(tls.client_ca) if tls and tls.client_ca else None,
            ssl_cert_reqs=ssl.CERT_REQUIRED if tls and tls.client_ca else ssl.CERT_NONE,
        )
        self._server = _Server(config)
        self._sockets: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, name=f"http {address}", daemon=True)

    @property
    def address(self) -> str:
        """The `host:port` it listens on, with the port that was found for 0 once started."""
        return str(self._address)

    @property
    def port(self) -> int:
        """The port it listens on, once started."""
        return self._address.port

    def start(self) -> None:
        """Listen, and return when requests are answered.

        Raises:
            ServerError: the address cannot be listened on.
        """
        self._sockets = listen(self._address, self._option)
        self._address = Address(self._address.host, self._sockets[0].getsockname()[1])
        self._thread.start()
        self._server.ready.wait()
        if not self._server.started:
            raise ServerError(f"the server at {self._address} did not start: see the log, or choose another address")

    def stop(self, grace_s: float) -> None:
        """Stop listening, answer the requests that have arrived, and return after the grace time at the latest."""
        self._server.config.timeout_graceful_shutdown = math.ceil(grace_s)
        self._server.should_exit = True
        if self._thread.ident is not None:
            self._thread.join(grace_s + _THREAD_MARGIN_S)

    def _serve(self) -> None:
        try:
            asyncio.run(self._server.serve(self._sockets))
        finally:
            self._server.ready.set()


class _Server(uvicorn.Server):
    """uvicorn's server, which tells when it is ready."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()
