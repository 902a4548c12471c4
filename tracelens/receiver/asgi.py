"""The part of ASGI 3 that tracelens speaks, as types, and reading and answering HTTP requests with it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeAlias, TypedDict

from tracelens.errors import OverloadedError
from tracelens.receiver.admission import TooLargeError

if TYPE_CHECKING:
    from tracelens.receiver.admission import ByteBudget

Headers: TypeAlias = list[tuple[bytes, bytes]]


class Scope(TypedDict):
    """What a connection is about: the keys of an `http` scope that are used here."""

    type: str
    method: str
    path: str
    headers: Headers


class Event(TypedDict, total=False):
    """A message in either direction: the keys of the `http.*` messages that are used here."""

    type: str
    status: int
    headers: Headers
    body: bytes
    more_body: bool


Receive: TypeAlias = Callable[[], Awaitable[Event]]
Send: TypeAlias = Callable[[Event], Awaitable[None]]
AsgiApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


class SenderGoneError(Exception):
    """The sender closed the connection before its request was complete: there is nobody to answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP response; Content-Length is added when it is sent."""

    status: int
    body: bytes
    headers: Headers

    async def send(self, send: Send) -> None:
        """Send it."""
        headers = list(self.headers)
        if self.status != HTTPStatus.NO_CONTENT:
            headers.append((b"content-length", b"%d" % len(self.body)))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


async def read_body(receive: Receive, budget: ByteBudget, *, limit_bytes: int, timeout_s: float) -> bytes:
    """Read the whole body of a request, as sent. Its bytes count against the budget while it arrives.

    Raises:
        TooLargeError: it is longer than the limit.
        OverloadedError: the budget is used up, or the body did not arrive in time.
        SenderGoneError: the connection closed first.
    """
    pieces: list[bytes] = []
    size = 0
    reserved = 0
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                event = await receive()
                if event["type"] == "http.disconnect":
                    raise SenderGoneError
                piece = event.get("body", b"")
                size += len(piece)
                if size > limit_bytes:
                    raise TooLargeError(f"the body is larger than {limit_bytes} bytes")
                budget.reserve(len(piece))
                reserved = size
                pieces.append(piece)
                if not event.get("more_body", False):
                    return b"".join(pieces)
    except TimeoutError as error:
        raise OverloadedError(f"the body did not arrive within {timeout_s:g} s: send the request again") from error
    finally:
        budget.release(reserved)
