"""Headers in the configuration: of HTTP, and of gRPC, which calls them metadata."""

from __future__ import annotations

import re
from typing import Final

HEADER_NAME: Final = re.compile(r"[a-z0-9_.-]+")
"""Of HTTP headers and gRPC metadata alike, in lower case; HTTP alone would take more."""

_OF_SENDING: Final = frozenset(
    {"connection", "content-encoding", "content-length", "content-type", "expect", "host", "te"}
)
"""Headers that sending itself decides on."""


def read_header_name(name: str, place: str, reserved: tuple[str, ...] = ("grpc-",)) -> str:
    """Return the name of a header to send, in lower case.

    Args:
        name: as it is configured.
        place: what to call it in messages.
        reserved: how names begin that sending itself decides on.

    Raises:
        ValueError: it is none, or not for configuration.
    """
    lower = name.lower()
    if not HEADER_NAME.fullmatch(lower):
        raise ValueError(f"{place}: not the name of a header")
    if lower in _OF_SENDING or lower.startswith(reserved) or lower.endswith("-bin"):
        raise ValueError(f"{place}: this header is not for configuration")
    return lower


def read_header_value(value: str, place: str) -> str:
    """Return the value of a header to send.

    Raises:
        ValueError: no header can have it.
    """
    if not (value.isascii() and value.isprintable()):
        raise ValueError(f"{place}: a header's value is printable ASCII")
    return value
