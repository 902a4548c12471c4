"""What forwarding counts."""

from __future__ import annotations

import threading
from collections import Counter


class ForwardStatistics:
    """Counts since the start, by signal. Any thread may count and read.

    Attributes:
        sent: requests that the next hop took.
        sent_bytes: their bytes before compression.
        failed: attempts that are repeated.
        refused: requests that the next hop refused for good.
        dropped: requests that were not passed on, by signal and reason: `queue_full`, `expired`, `defect`.
        rejected: records that the next hop said it rejected, of requests that it took.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self.sent: Counter[str] = Counter()
        self.sent_bytes: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.dropped: Counter[tuple[str, str]] = Counter()
        self.rejected: Counter[str] = Counter()

    def count_sent(self, signal: str, size_bytes: int, rejected: int) -> None:
        """Count a request that the next hop took."""
        with self._guard:
            self.sent[signal] += 1
            self.sent_bytes[signal] += size_bytes
            self.rejected[signal] += rejected

    def count_failed(self, signal: str) -> None:
        """Count an attempt that is repeated."""
        with self._guard:
            self.failed[signal] += 1

    def count_refused(self, signal: str) -> None:
        """Count a request that the next hop refused for good."""
        with self._guard:
            self.refused[signal] += 1

    def count_dropped(self, signal: str, reason: str) -> None:
        """Count a request that is not passed on."""
        with self._guard:
            self.dropped[signal, reason] += 1
