"""Counts of the requests that the receiver answered."""

from __future__ import annotations

import threading
from bisect import bisect_left
from dataclasses import dataclass
from typing import Final


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


ANSWER_BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the classes in which answer times are counted; the last class has none."""


@dataclass(frozen=True, slots=True)
class AnswerTimes:
    """How long senders waited for success, from their whole request to our answer.

    Attributes:
        counts: how many waited so long, a class for each of `ANSWER_BOUNDS_S` and one for longer waits.
        total_s: all their waits together.
    """

    counts: tuple[int, ...] = (0,) * (len(ANSWER_BOUNDS_S) + 1)
    total_s: float = 0.0


class ReceiverStatistics:
    """Totals by kind since the start. Any thread may count and read."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._totals: dict[RequestKind, RequestTotals] = {}
        self._answer_times: dict[str, AnswerTimes] = {}

    def count(self, kind: RequestKind, size_bytes: int) -> None:
        """Add one answered request."""
        with self._guard:
            totals = self._totals.get(kind, RequestTotals(0, 0))
            self._totals[kind] = RequestTotals(totals.requests + 1, totals.size_bytes + size_bytes)

    def totals(self) -> dict[RequestKind, RequestTotals]:
        """Return a copy of the totals."""
        with self._guard:
            return dict(self._totals)

    def acknowledge(self, transport: str, wait_s: float) -> None:
        """Add how long a sender waited for success."""
        place = bisect_left(ANSWER_BOUNDS_S, wait_s)
        with self._guard:
            times = self._answer_times.get(transport, AnswerTimes())
            counts = (*times.counts[:place], times.counts[place] + 1, *times.counts[place + 1 :])
            self._answer_times[transport] = AnswerTimes(counts, times.total_s + wait_s)

    def answer_times(self) -> dict[str, AnswerTimes]:
        """Return a copy of the answer times by transport."""
        with self._guard:
            return dict(self._answer_times)
