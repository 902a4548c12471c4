"""Requests that are passed on as well as kept: what the transports hand over, and what they answer then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tracelens.receiver.signals import response_class
from tracelens.receiver.status import shortened

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future

    from tracelens.errors import InvalidRequestError
    from tracelens.receiver.encoding import Encoding
    from tracelens.receiver.signals import Response, Signal


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A request as its sender wrote it, decompressed.

    Attributes:
        headers: those of its headers that go on with it, names in lower case.
        body: never decoded here.
    """

    signal: Signal
    encoding: Encoding
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Forwarding(Protocol):
    """Passes requests on."""

    @property
    def pass_headers(self) -> tuple[str, ...]:
        """Names, in lower case, of the headers that go on with the request that brought them."""
        ...

    def submit(self, request: RawRequest) -> Future[None]:
        """Take one request, without blocking.

        Returns:
            A future that is done when the request is on disk: from then on it is passed on, even after a crash. It
            raises StoreError where the sender should try again later. It is never cancelled.

        Raises:
            OverloadedError: the queue is full.
            InvalidRequestError: the request is too long for the queue.
        """
        ...


def raw_request(
    signal: Signal, encoding: Encoding, body: bytes, headers: Mapping[str, str], forwarding: Forwarding
) -> RawRequest:
    """Build the request to pass on, with those of its headers that go on and that both transports can send."""
    found = ((name, headers.get(name, "")) for name in forwarding.pass_headers)
    passed = tuple((name, value) for name, value in found if value and value.isascii() and value.isprintable())
    return RawRequest(signal, encoding, passed, body)


def only_passed_on(signal: Signal, error: InvalidRequestError) -> Response:
    """Answer a request that we cannot read and pass on all the same: success, with a warning."""
    return _warning(signal, shortened(f"passed on, but not kept by tracelens: {error}"))


def as_warning(signal: Signal, response: Response) -> Response:
    """Return the answer to a request that was passed on whole: what only we refused of it is no more than a warning."""
    if not response.HasField("partial_success"):
        return response
    return _warning(signal, response.partial_success.error_message)


def _warning(signal: Signal, message: str) -> Response:
    response = response_class(signal)()
    response.partial_success.error_message = message
    return response
