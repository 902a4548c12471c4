"""How long to wait before the next attempt: exponential back-off with jitter, as OTLP asks of its clients."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tracelens.settings.forwarding import ForwardSettings

_GROWTH: Final = 1.5
_JITTER: Final = 0.5
"""A pause is its interval times something between 1 - this and 1 + this."""


class Backoff:
    """The pauses between the attempts for one request.

    Args:
        settings: its retry intervals.
    """

    def __init__(self, settings: ForwardSettings) -> None:
        self._interval_s = settings.retry_initial_s
        self._longest_s = settings.retry_max_interval_s
        self._limit_s = settings.retry_max_elapsed_s
        self._begun = time.monotonic()

    def next_pause_s(self, retry_after_s: float | None) -> float | None:
        """Return how long to wait now, at least what the next hop asked for; None once the time is up."""
        interval_s = min(self._interval_s, self._longest_s)
        self._interval_s = interval_s * _GROWTH
        pause_s = max(interval_s * random.uniform(1 - _JITTER, 1 + _JITTER), retry_after_s or 0.0)  # noqa: S311  (no secret)
        if self._limit_s and time.monotonic() - self._begun + pause_s > self._limit_s:
            return None
        return pause_s
