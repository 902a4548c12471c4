"""Watches what arrives: judges it, and tells of each breach once when it begins and once when it is over."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from tracelens.analysis import Scope, analyse
from tracelens.errors import TracelensError
from tracelens.escalation.events import event_line, firing_event, open_events, record_event, resolved_event
from tracelens.escalation.rules import breaches
from tracelens.waivers import waive

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracelens.escalation.events import Breach
    from tracelens.settings import Settings
    from tracelens.store.store import Store

_log = logging.getLogger(__name__)

# A judgement reads the whole window, so it may use this share of one core and no more.
_BUSY_SHARE: Final = 0.25

# Without new data a breach still ends, when its spans leave the window.
_IDLE_INTERVAL_S: Final = 15.0

# Children are exported before their parent ends. A span whose parent is not there yet waits this long for it before it
# is taken for a request of its own: two export intervals of the SDKs.
_SETTLE_S: Final = 10.0

# A judgement of a large window can take longer than whoever stops the server should wait.
_STOP_S: Final = 3.0

_NS_PER_S: Final = 1_000_000_000


class Watch:
    """Judges the recently received spans again and again, on a thread of its own.

    An event is told, then recorded: what dies in between tells it again after its restart, and never loses it.

    Args:
        store: read for spans, written for events.
        settings: the rules' limits, thresholds and objectives.
        emit: called with each event as a line of JSON without its end; raises nothing.
    """

    def __init__(self, store: Store, settings: Settings, emit: Callable[[str], None]) -> None:
        self._store = store
        self._settings = _judging(settings)
        self._emit = emit
        with store.reader() as reader:
            self._firing = open_events(reader)
        self._unrecorded: list[tuple[str, dict[str, Any], int]] = []
        self._received_ns = time.time_ns()  # the last process may have received spans that have not settled
        self._judged_ns = 0
        # Set from the start: what was received just before the last process ended has not been judged.
        self._changed = threading.Event()
        self._changed.set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    @property
    def is_idle(self) -> bool:
        """Whether it has not been started, or has ended."""
        return not self._thread.is_alive()

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Begin no further judgement, and return when the one under way is finished, after a moment in any case."""
        self._stopping.set()
        self._changed.set()
        if self._thread.ident is not None:
            self._thread.join(_STOP_S)

    def notice(self, received_ns: int) -> None:
        """Spans received at this time are in the store."""
        self._received_ns = received_ns
        self._changed.set()

    def judge(self, now_ns: int) -> None:
        """Judge the window that ends now, and tell of what began and what is over.

        Raises:
            TracelensError: the store cannot be read or written.
        """
        self._judged_ns = now_ns
        limits = self._settings.escalation
        scope = Scope(
            received_since_ns=now_ns - int(limits.window_s * _NS_PER_S),
            settled_before_ns=now_ns - int(_SETTLE_S * _NS_PER_S),
        )
        with self._store.reader() as reader:
            report = analyse(reader, self._settings, scope)
        today = datetime.fromtimestamp(now_ns / _NS_PER_S, UTC).date()
        report = waive(report, self._settings.waivers, today)
        if not self._stopping.is_set():
            self._tell(breaches(report, limits), now_ns)
        self._record()

    def _tell(self, current: Sequence[Breach], now_ns: int) -> None:
        seen = {breach.key: breach for breach in current}
        for key, breach in seen.items():
            if key not in self._firing:
                self._firing[key] = firing_event(breach, now_ns)
                self._deliver(key, self._firing[key], now_ns)
        for key in [key for key in self._firing if key not in seen]:
            self._deliver(key, resolved_event(self._firing.pop(key), now_ns), now_ns)

    def _deliver(self, key: str, event: dict[str, Any], now_ns: int) -> None:
        self._emit(event_line(event))
        self._unrecorded.append((key, event, now_ns))

    def _record(self) -> None:
        """Record what was told, in order; what cannot be written now is tried again after the next judgement."""
        while self._unrecorded:
            key, event, now_ns = self._unrecorded[0]
            record_event(self._store, key, event, now_ns)
            del self._unrecorded[0]

    def _run(self) -> None:
        interval_s = self._settings.escalation.interval_s
        while True:
            self._changed.wait(self._wait_s(time.time_ns()))
            self._changed.clear()
            if self._stopping.is_set():
                return
            begun = time.monotonic()
            try:
                self.judge(time.time_ns())
            except TracelensError as error:
                _log.error("cannot judge the limits: %s", error)
            except Exception:  # noqa: BLE001  (the thread must live on: the next judgement may succeed)
                _log.exception("cannot judge the limits")
            took_s = time.monotonic() - begun
            self._stopping.wait(max(interval_s, took_s / _BUSY_SHARE))

    def _wait_s(self, now_ns: int) -> float | None:
        """Return how long nothing can change without new spans."""
        settled_ns = self._received_ns + int(_SETTLE_S * _NS_PER_S)
        if self._judged_ns <= settled_ns:
            return max(0.0, (settled_ns + 1 - now_ns) / _NS_PER_S)
        if self._firing or self._unrecorded:
            return min(_IDLE_INTERVAL_S, self._settings.escalation.window_s)
        return None


def _judging(settings: Settings) -> Settings:
    """Return the settings with the passes' own bounds moved to the rules' limits."""
    limits = settings.escalation
    thresholds = {name: dict(values) for name, values in settings.thresholds.items()}
    thresholds.setdefault("slow_query", {})["critical_ms"] = limits.slow_query_s * 1000
    thresholds.setdefault("p95_breach", {})["objective_ms"] = limits.p95_s * 1000
    return replace(settings, thresholds=thresholds)
