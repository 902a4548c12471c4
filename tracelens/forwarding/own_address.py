"""Tells whether the next hop is the very server that passes requests on, which would send them to itself for ever."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING, Final, TypeAlias

from tracelens.errors import UsageError
from tracelens.receiver.address import parse_address

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracelens.forwarding.destination import Destination

_IpAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_LOOPBACKS: Final[dict[_IpAddress, _IpAddress]] = {
    ipaddress.IPv4Address(0): ipaddress.IPv4Address("127.0.0.1"),
    ipaddress.IPv6Address(0): ipaddress.IPv6Address("::1"),
}
"""Where a connection to an unspecified address goes."""


def refuse_own_address(destination: Destination, option: str, listening: Mapping[str, str]) -> None:
    """Refuse a destination on which this server listens itself.

    Args:
        destination: the next hop.
        option: where its URL was given, for messages.
        listening: option to address, as host:port.

    Raises:
        UsageError: it is one of them.
    """
    for listener, text in listening.items():
        own = parse_address(text, listener)
        if own.port != destination.port:
            continue
        reached = {_LOOPBACKS.get(address, address) for address in _resolved(destination.host)}
        listened = _resolved(own.host)
        is_everywhere = any(address.is_unspecified for address in listened)
        if any(address in listened or (is_everywhere and _is_of_this_machine(address)) for address in reached):
            raise UsageError(
                f"{option} {destination.url}: this server itself listens there, by {listener} {text}: "
                "name the next hop, or listen elsewhere"
            )


def _resolved(host: str) -> set[_IpAddress]:
    """Return every address of a host; none where it is unknown, as a next hop may be that is not there yet."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return set()
    return {_plain(str(place[0])) for _, _, _, _, place in found}


def _plain(text: str) -> _IpAddress:
    """Return an address without its zone, and an IPv4 address that is written as an IPv6 one as itself."""
    address = ipaddress.ip_address(text.partition("%")[0])
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address


def _is_of_this_machine(address: _IpAddress) -> bool:
    """Say whether an interface has the address; a socket can be bound to no other."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004  (of the protocol)
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True
