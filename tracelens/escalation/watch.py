"""Watches what arrives: judges it, and records each breach once when it begins and once when it is over."""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from tracelens.background import Background
from tracelens.errors import TracelensError
from tracelens.escalation.lifecycle import Lifecycle
from tracelens.escalation.outbox import open_events, record, told_notifiers
from tracelens.escalation.rules import Rules
from tracelens.escalation.statistics import WatchStatistics
from tracelens.live import LiveAnalysis
from tracelens.live.analysis import SETTLE_S
from tracelens.waivers import waive

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracelens.escalation.delivery import Courier
    from tracelens.escalation.lifecycle import Change
    from tracelens.settings import Settings
    from tracelens.store.store import Store

_log = logging.getLogger(__name__)

# Judgements may use this share of one core: where they take longer, fewer of them, of more new spans each, cost less.
# But whoever is to be told does not wait longer than this.
_BUSY_SHARE: Final = 0.25
_LONGEST_PAUSE_S: Final = 2.5

# The passes whose findings break a limit.
_LIMITS: Final = ("slow_query", "p95_breach", "db_cpu")

# Without new data a breach still ends, when its spans leave the window.
_IDLE_INTERVAL_S: Final = 15.0

_NS_PER_S: Final = 1_000_000_000


class Watch(Background):
    """Judges the recently received spans again and again, on a thread of its own.

    An event is recorded, with everybody who is to be told, before anybody is: what dies afterwards tells it after its
    restart.

    Args:
        store: read for spans, written for events.
        settings: the rules' limits, thresholds and objectives.
        couriers: deliver the recorded events.
    """

    def __init__(self, store: Store, settings: Settings, couriers: Sequence[Courier]) -> None:
        super().__init__("watch")
        self.statistics = WatchStatistics()
        self._store = store
        self._settings = settings
        self._rules = Rules(settings)
        self._live = LiveAnalysis(store, self._rules.judging(), _LIMITS)
        self._couriers = couriers
        with store.reader() as reader:
            self._lifecycle = Lifecycle(
                settings.escalation, open_events(reader), time.time_ns(), self._rules.resolve_after_s
            )
            self._told = told_notifiers(reader)
        self._unrecorded: list[tuple[Change, list[str]]] = []
        self._received_ns = time.time_ns()  # the last process may have received spans that have not settled
        self._judged_ns = 0

    def notice(self, received_ns: int) -> None:
        """Spans received at this time are in the store."""
        self._received_ns = received_ns
        self._live.notice(received_ns)
        self.wake()

    def judge(self, now_ns: int) -> None:
        """Judge the window that ends now, and tell of what began and what is over.

        Raises:
            TracelensError: the store cannot be read or written.
        """
        self._judged_ns = now_ns
        report = self._live.advance(now_ns)
        today = datetime.fromtimestamp(now_ns / _NS_PER_S, UTC).date()
        report = waive(report, self._settings.waivers, today)
        if not self._stopping.is_set():
            changes = self._lifecycle.step(self._rules.observations(report), report, now_ns)
            self._unrecorded += [(change, self._told_by(change)) for change in changes]
        self._record(now_ns)
        self.statistics.findings = Counter((finding.pass_name, finding.severity) for finding in report.findings)

    def _record(self, now_ns: int) -> None:
        """Record what is new and have it delivered; what cannot be written now is tried after the next judgement."""
        if not self._unrecorded:
            return
        changes = self._unrecorded
        record(self._store, changes, now_ns)
        self._unrecorded = []
        for change, _ in changes:
            data = change.event["data"]
            self.statistics.events[data["rule"], data["state"]] += 1
        for courier in self._couriers:
            courier.wake()

    def _told_by(self, change: Change) -> list[str]:
        if change.is_muted:
            return []
        wanting = [courier.name for courier in self._couriers if courier.wants(change.event)]
        if change.event["data"]["state"] == "resolved":
            told = self._told.pop(change.key, set())
            return [name for name in wanting if name in told]
        self._told.setdefault(change.key, set()).update(wanting)
        return wanting

    def _run(self) -> None:
        interval_s = self._settings.escalation.interval_s
        while True:
            self._woken.wait(self._wait_s(time.time_ns()))
            self._woken.clear()
            if self._stopping.is_set():
                return
            begun, begun_working = time.monotonic(), time.thread_time()
            try:
                self.judge(time.time_ns())
            except TracelensError as error:
                _log.error("cannot judge the limits: %s", error)
            except Exception:  # noqa: BLE001  (the thread must live on: the next judgement may succeed)
                _log.exception("cannot judge the limits")
            self.statistics.judgements += 1
            self.statistics.judging_s += time.monotonic() - begun
            worked_s = time.thread_time() - begun_working
            self._stopping.wait(max(interval_s, min(worked_s / _BUSY_SHARE, _LONGEST_PAUSE_S)))

    def _wait_s(self, now_ns: int) -> float | None:
        """Return how long nothing can change without new spans."""
        stale_s = self._live.wait_s(now_ns)
        if stale_s is not None:
            return stale_s
        settled_ns = self._received_ns + int(SETTLE_S * _NS_PER_S)
        if self._judged_ns <= settled_ns:
            return max(0.0, (settled_ns + 1 - now_ns) / _NS_PER_S)
        if self._lifecycle.is_quiet and not self._unrecorded:
            return None
        deadline_ns = self._lifecycle.deadline_ns(now_ns)
        until_end_s = math.inf if deadline_ns is None else (deadline_ns - now_ns) / _NS_PER_S
        return min(until_end_s, _IDLE_INTERVAL_S, self._settings.escalation.window_s)
