"""Addresses to listen on: `host:port` text to listening sockets, with errors that name the option."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass
from typing import Final

from tracelens.errors import ServerError, UsageError

_MAX_PORT: Final = 65535
_BACKLOG: Final = 1024


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port, 0 for any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_address(text: str, option: str) -> Address:
    """Read `host:port`, with an IPv6 host in brackets.

    Raises:
        UsageError: anything else; the message names the option.
    """
    host, _, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    valid_host = host[1:-1] if bracketed else host
    if not valid_host or (":" in valid_host) != bracketed or not (port.isascii() and port.isdecimal()):
        raise UsageError(f"{option} {text!r} is not an address: write host:port, for example 127.0.0.1:4317")
    if int(port) > _MAX_PORT:
        raise UsageError(f"{option} {text!r} is not an address: a port is at most {_MAX_PORT}")
    return Address(valid_host, int(port))


def listen(address: Address, option: str) -> list[socket.socket]:
    """Listen on every address that the host's name stands for, all on the same port.

    Raises:
        ServerError: the address is in use, not this machine's, or not allowed; the message names the option.
    """
    sockets: list[socket.socket] = []
    port = address.port
    try:
        found = socket.getaddrinfo(address.host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, place in dict.fromkeys(found):
            try:
                listener = _listener(family, kind, protocol, (place[0], port, *place[2:]))
            except OSError as error:
                # `localhost` is also ::1 on machines that have no IPv6.
                if sockets and error.errno in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
                    continue
                raise
            sockets.append(listener)
            port = listener.getsockname()[1]
    except OSError as error:
        for opened in sockets:
            opened.close()
        if error.errno == errno.EADDRINUSE:
            raise ServerError(f"{address} is in use: choose another with {option} or stop the other process") from error
        raise ServerError(f"{address} cannot be listened on: {error.strerror}: choose another with {option}") from error
    return sockets


def _listener(family: int, kind: int, protocol: int, place: tuple[str | int, ...]) -> socket.socket:
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # "::" means both families here, as it does in gRPC; a name's own IPv4 address has its own socket.
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if place[0] == "::" else 1)
        listener.bind(place)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener
