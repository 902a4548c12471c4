"""When to work out again what looks at the whole window, so that all of it together keeps to a share of one core."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_NS_PER_S: Final = 1_000_000_000

_CHEAP_S: Final = 0.2
"""What is urgent and takes no longer is worked out at every step."""


@dataclass(slots=True)
class Part:
    """One part of the report.

    Attributes:
        share: part of a core that it may use; None lets it run whenever it is stale.
        is_urgent: whether somebody waits for it.
        is_stale: whether the window has changed since it was worked out.
        latest: what came of it; None before the first time.
    """

    name: str
    share: float | None
    is_urgent: bool = False
    is_stale: bool = True
    latest: Any = None
    _took_s: float = 0.0
    _run_ns: int = 0

    def is_due(self, now_ns: int) -> bool:
        """Whether it is stale, and its share allows to work it out again."""
        return self.is_stale and self.wait_s(now_ns) <= 0

    def wait_s(self, now_ns: int) -> float:
        """Return in how many seconds its share allows to work it out again."""
        is_cheap = self.is_urgent and self._took_s <= _CHEAP_S
        # A clock that was set back must not make it wait.
        if self.share is None or self.latest is None or is_cheap or now_ns < self._run_ns:
            return 0.0
        return max(0.0, self._took_s / self.share - (now_ns - self._run_ns) / _NS_PER_S)

    @contextmanager
    def run(self, now_ns: int) -> Iterator[None]:
        """Take the time of working it out: of this thread, since a busy machine must not slow it down twice."""
        begun = time.thread_time()
        yield
        self._took_s = time.thread_time() - begun
        self._run_ns = now_ns
        self.is_stale = False


def share_out(names: Iterable[str], share: float | None, urgent: Iterable[str]) -> dict[str, Part]:
    """Return a part for each name: urgent ones use half of the share between them, the others the other half."""
    is_urgent = {name: name in set(urgent) for name in names}
    each = [sum(is_urgent.values()), sum(not value for value in is_urgent.values())]
    halves = len([count for count in each if count])
    return {
        name: Part(name, None if share is None else share / halves / each[not value], value)
        for name, value in is_urgent.items()
    }
