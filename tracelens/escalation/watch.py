"""Watches what arrives: judges it, and tells of each breach once when it begins and once when it is over."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tracelens.analysis import Scope, analyse
from tracelens.errors import TracelensError
from tracelens.escalation.events import event_line, firing_event, open_events, record_event, resolved_event
from tracelens.escalation.rules import breaches

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from tracelens.escalation.events import Breach
    from tracelens.settings import Settings
    from tracelens.store.store import Store

_log = logging.getLogger(__name__)

# A judgement reads the whole window, so it may use this share of one core and no more.
_BUSY_SHARE: Final = 0.2

# Without new data a breach still ends, when its spans leave the window.
_IDLE_INTERVAL_S: Final = 15.0

# Children are exported before their parent ends. A span whose parent is not there yet waits this long for it before it is
# taken for a request of its own: two export intervals of the SDKs.
_SETTLE_S: Final = 10.0


class Watch:
    """Judges the recently received spans again and again, on a thread of its own.

    Args:
        store: read for spans, written for events.
        settings: the rules' limits, thresholds and objectives.
        emit: called with each event as a line of JSON without its end.
    """

    def __init__(self, store: Store, settings: Settings, emit: Callable[[str], None]) -> None:
        self._store = store
        self._settings = _judging(settings)
        self._emit = emit
        with store.reader() as reader:
            self._firing = open_events(reader)
        self._changed = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the judgement that is under way, and return."""
        self._stopping = True
        self._changed.set()
        if self._thread.ident is not None:
            self._thread.join()

    def notice(self, _received_ns: int) -> None:
        """New spans are in the store."""
        self._changed.set()

    def judge(self, now_ns: int) -> None:
        """Judge the window that ends now, and tell of what began and what is over.

        Raises:
            TracelensError: the store cannot be read or written.
        """
        limits = self._settings.escalation
        scope = Scope(
            received_since_ns=now_ns - int(limits.window_s * 1e9), settled_before_ns=now_ns - int(_SETTLE_S * 1e9)
        )
        with self._store.reader() as reader:
            report = analyse(reader, self._settings, scope)
        self._tell(breaches(report, limits), now_ns)

    def _tell(self, current: Sequence[Breach], now_ns: int) -> None:
        seen = {breach.key: breach for breach in current}
        for key, breach in seen.items():
            if key not in self._firing:
                event = firing_event(breach, now_ns)
                self._record(key, event, now_ns)
                self._firing[key] = event
        for key in [key for key in self._firing if key not in seen]:
            self._record(key, resolved_event(self._firing[key], now_ns), now_ns)
            del self._firing[key]

    def _record(self, key: str, event: dict[str, Any], now_ns: int) -> None:
        record_event(self._store, key, event, now_ns)
        self._emit(event_line(event))

    def _run(self) -> None:
        interval = self._settings.escalation.interval_s
        while not self._stopping:
            self._changed.wait(_IDLE_INTERVAL_S if self._firing else None)
            self._changed.clear()
            if self._stopping:
                return
            begun = time.monotonic()
            try:
                self.judge(time.time_ns())
            except TracelensError as error:
                _log.error("cannot judge the limits: %s", error)  # noqa: TRY400
            except Exception:
                _log.exception("cannot judge the limits")
            took = time.monotonic() - begun
            self._pause(max(interval, took / _BUSY_SHARE))

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._stopping and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.2))


def _judging(settings: Settings) -> Settings:
    """Return the settings with the passes' own bounds moved to the rules' limits."""
    limits = settings.escalation
    thresholds = {name: dict(values) for name, values in settings.thresholds.items()}
    thresholds.setdefault("slow_query", {})["critical_ms"] = limits.slow_query_s * 1000
    thresholds.setdefault("p95_breach", {})["objective_ms"] = limits.p95_s * 1000
    return replace(settings, thresholds=thresholds)
