"""What the transports ask of whatever keeps the requests, and the limits they enforce before asking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from tracelens.errors import InvalidRequestError, OverloadedError

if TYPE_CHECKING:
    from concurrent.futures import Future

    from tracelens.otlp.metrics import RefusedPoints

DEFAULT_MAX_REQUEST_BYTES: Final = 64 << 20
"""Largest request, compressed or not: the OTLP specification's recommendation since 1.11.0."""

ANSWER_TIMEOUT_S: Final = 30.0
"""How long a request waits for its intake. Exporters give up after 10 s by default, so nobody waits longer."""


class TooLargeError(InvalidRequestError):
    """A request above the size limit, as sent or once decompressed."""


class UnauthenticatedError(InvalidRequestError):
    """A request without a valid credential."""


class Intake(Protocol):
    """Keeps requests of traces and metrics."""

    def submit(self, body: bytes) -> Future[RefusedPoints | None]:
        """Take one serialised ExportTraceServiceRequest, without blocking.

        The transports answer the sender when the future is done, and never cancel it.

        Returns:
            A future that is done when the request is durable, and then holds None, or which of its points are not
            kept. It raises InvalidRequestError where the bytes do not parse, OverloadedError or StoreError where the
            sender should try again later. The intake logs its StoreErrors itself, once for all the requests that one
            of them fails.

        Raises:
            OverloadedError: the queues are full.
        """
        ...

    def submit_metrics(self, body: bytes) -> Future[RefusedPoints | None]:
        """Take one serialised ExportMetricsServiceRequest, as `submit` does."""
        ...


class ByteBudget:
    """Bytes that requests being received may hold together. For one event loop: it has no lock."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._used_bytes = 0

    def reserve(self, size_bytes: int) -> None:
        """Take bytes from the budget.

        Raises:
            OverloadedError: they are not there; nothing was taken.
        """
        if self._used_bytes + size_bytes > self._limit_bytes:
            raise OverloadedError("too many bytes are being received at once: send the request again later")
        self._used_bytes += size_bytes

    def release(self, size_bytes: int) -> None:
        """Give reserved bytes back."""
        self._used_bytes -= size_bytes
