"""Delivers recorded events to the notifiers, again and again until each has taken them."""

from __future__ import annotations

import logging
import random
import time
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, Protocol

from tracelens.background import Background
from tracelens.errors import DeliveryError, StoreError
from tracelens.escalation.outbox import pending, postpone, settle
from tracelens.escalation.statistics import DeliveryStatistics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracelens.escalation.outbox import Delivery
    from tracelens.store.store import Store

_log = logging.getLogger(__name__)

_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 300.0
_NS_PER_S: Final = 1_000_000_000


class Notifier(Protocol):
    """Something that takes events where people see them."""

    @property
    def name(self) -> str:
        """Its name in the configuration, by which its deliveries are recorded."""
        ...

    def wants(self, event: dict[str, Any]) -> bool:
        """Tell whether an event is for it."""
        ...

    def deliver(self, events: Sequence[dict[str, Any]]) -> None:
        """Deliver one or more events of one group.

        Raises:
            DeliveryError: they may not have arrived.
        """
        ...


class Courier(Background):
    """Delivers one notifier's events on a thread of its own: an endpoint that hangs holds up nobody else.

    An event is delivered, then noted as delivered: what dies in between delivers it again under the same event id, and
    never loses it. What was noted is not sent again.

    Args:
        store: holds the outbox.
        notifier: takes the events.
    """

    def __init__(self, store: Store, notifier: Notifier) -> None:
        super().__init__(f"notify-{notifier.name}")
        self.name = notifier.name
        self.statistics = DeliveryStatistics()
        self._store = store
        self._notifier = notifier
        self._unsettled: dict[int, str | None] = {}
        self._said = ""

    def wants(self, event: dict[str, Any]) -> bool:
        """Tell whether an event is for its notifier."""
        return self._notifier.wants(event)

    def deliver_due(self, now_ns: int) -> int | None:
        """Deliver what is due; return when something is due next, None where nothing is left.

        Raises:
            StoreError: the outbox cannot be read or written.
        """
        self._settle_done(now_ns)
        with self._store.reader() as reader:
            waiting = pending(reader, self.name)
        next_ns: int | None = None
        waiting.sort(key=lambda each: (each.group, each.event_number))
        for _, members in groupby(waiting, key=lambda each: each.group):
            group = list(members)
            # The events of a group stay in order: one that is put off holds back those after it.
            held_ns = max((each.next_ns for each in group if each.attempts), default=now_ns)
            due_ns: int | None = held_ns
            if held_ns <= now_ns and not self._stopping.is_set():
                due_ns = self._deliver(group, now_ns)
            next_ns = min((each for each in (next_ns, due_ns) if each is not None), default=None)
        return next_ns

    def _deliver(self, group: Sequence[Delivery], now_ns: int) -> int | None:
        """Deliver events together; return when to try again, None where that is not needed."""
        numbers = [each.event_number for each in group]
        try:
            self._notifier.deliver([each.event for each in group])
        except DeliveryError as error:
            if error.is_final and len(group) > 1:
                # One of them is refused for what it is: the others must not suffer for it.
                tries = [self._deliver([each], now_ns) for each in group]
                return min((each for each in tries if each is not None), default=None)
            if error.is_final:
                self._say(logging.ERROR, f"an event is given up: {error}")
                self.statistics.refused += 1
                self._settle(numbers, now_ns, str(error))
                return None
            return self._postpone(group, now_ns, str(error), error.retry_after_s)
        except Exception as error:  # noqa: BLE001  (a defect in one notifier must not lose its events)
            _log.exception("notifier %s failed", self.name)
            return self._postpone(group, now_ns, f"notifier {self.name}: {type(error).__name__}: {error}", None)
        self._said = ""
        self.statistics.delivered += len(group)
        self._settle(numbers, now_ns, None)
        return None

    def _say(self, level: int, message: str) -> None:
        """Log a failure once, not for each event and attempt."""
        if message != self._said:
            _log.log(level, "%s", message)
            self._said = message

    def _settle(self, numbers: Sequence[int], now_ns: int, refused: str | None) -> None:
        """Note what is done with; while the outbox cannot be written it is remembered, and not sent twice."""
        self._unsettled |= dict.fromkeys(numbers, refused)
        self._settle_done(now_ns)

    def _settle_done(self, now_ns: int) -> None:
        for refused in set(self._unsettled.values()):
            numbers = [number for number, reason in self._unsettled.items() if reason == refused]
            settle(self._store, self.name, numbers, now_ns, refused=refused)
            for number in numbers:
                del self._unsettled[number]

    def _postpone(self, group: Sequence[Delivery], now_ns: int, failure: str, retry_after_s: float | None) -> int:
        attempts = max(each.attempts for each in group)
        pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(attempts, 16))
        pause_s *= random.uniform(0.5, 1.0)  # noqa: S311  (spreads senders, keeps no secret)
        pause_s = max(pause_s, retry_after_s or 0.0)
        self._say(logging.WARNING, f"{failure}; tried again until it is delivered")
        self.statistics.failed += 1
        next_ns = now_ns + round(pause_s * _NS_PER_S)
        numbers = [each.event_number for each in group]
        postpone(self._store, self.name, numbers, now_ns, next_ns=next_ns, failure=failure)
        return next_ns

    def _run(self) -> None:
        pause_s: float | None = None
        while True:
            self._woken.wait(pause_s)
            self._woken.clear()
            if self._stopping.is_set():
                return
            try:
                next_ns = self.deliver_due(time.time_ns())
            except StoreError as error:
                _log.error("notifier %s: the outbox cannot be used: %s", self.name, error)
                next_ns = time.time_ns() + round(_FIRST_PAUSE_S * _NS_PER_S)
            pause_s = None if next_ns is None else max(0.0, (next_ns - time.time_ns()) / _NS_PER_S)
