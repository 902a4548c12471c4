"""Counts of the requests that the receiver answered."""

from __future__ import annotations

import threading
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RequestKind:
    """What is counted apart.

    Attributes:
        transport: `grpc` or `http`.
        signal: `traces`, `metrics` or `logs`.
        outcome: the name of the `google.rpc.Code` that was answered, in lower case: `ok`, `unavailable`.
    """

    transport: str
    signal: str
    outcome: str


@dataclass(frozen=True, slots=True)
class RequestTotals:
    """How many requests, and the bytes of their bodies after decompression; a body never read counts 0."""

    requests: int
    size_bytes: int


class ReceiverStatistics:
    """Totals by kind since the start. Any thread may count and read."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._totals: dict[RequestKind, RequestTotals] = {}

    def count(self, kind: RequestKind, size_bytes: int) -> None:
        """Add one answered request."""
        with self._guard:
            totals = self._totals.get(kind, RequestTotals(0, 0))
            self._totals[kind] = RequestTotals(totals.requests + 1, totals.size_bytes + size_bytes)

    def totals(self) -> dict[RequestKind, RequestTotals]:
        """Return a copy of the totals."""
        with self._guard:
            return dict(self._totals)
