"""From what each judgement saw to the events worth telling: a breach begins, gets worse, lasts, is over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tracelens.escalation.causes import explain
from tracelens.escalation.events import firing_event, resolved_event
from tracelens.escalation.quiet_hours import muting_reason
from tracelens.severities import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tracelens.escalation.rules import Observation
    from tracelens.findings import Report
    from tracelens.settings.escalation import EscalationSettings

_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Change:
    """An event, and the identity of the breach that it tells of."""

    key: str
    event: dict[str, Any]

    @property
    def is_muted(self) -> bool:
        """Whether it is to be recorded and nobody told."""
        return _is_muted(self.event)


@dataclass(slots=True)
class _Breach:
    """A limit that is or was just broken.

    Attributes:
        noticed_ns: since when it has been broken without a break, before anything was said of it.
        hold_s, resolve_after_s: by its rule.
        told: the last event that somebody was told, None where nobody was.
        last: the last event, told or muted; None where there is none.
        is_explained: whether another breach's event told of it.
        kept_since_ns: since when the limit has been kept again, None while it is not.
    """

    noticed_ns: int
    hold_s: float
    resolve_after_s: float
    told: dict[str, Any] | None = None
    last: dict[str, Any] | None = None
    is_explained: bool = False
    kept_since_ns: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is anything to be said of it when it ends."""
        return self.last is not None or self.is_explained

    @property
    def deadline_ns(self) -> int | None:
        """When it begins to be told, or ends, if nothing changes."""
        if not self.is_open:
            return self.noticed_ns + _ns(self.hold_s)
        return None if self.kept_since_ns is None else self.kept_since_ns + _ns(self.resolve_after_s)


class Lifecycle:
    """Every breach from its beginning to its end, and when each is told.

    Args:
        settings: hold times, margins and quiet hours.
        open_events: the last event of every breach that had not ended, by its key.
        now_ns: when it starts.
        resolve_after_s: gives, for one of these events, how long its limit must be kept until it is over; what the
            settings say for all where it is left out.
    """

    def __init__(
        self,
        settings: EscalationSettings,
        open_events: Mapping[str, dict[str, Any]],
        now_ns: int,
        resolve_after_s: Callable[[dict[str, Any]], float] | None = None,
    ) -> None:
        self._settings = settings
        self._breaches: dict[str, _Breach] = {}
        for key, event in open_events.items():
            self._breaches[key] = _Breach(
                noticed_ns=now_ns,
                hold_s=settings.hold_s,
                resolve_after_s=resolve_after_s(event) if resolve_after_s else settings.resolve_after_s,
                told=None if _is_muted(event) else event,
                last=event,
            )

    @property
    def is_quiet(self) -> bool:
        """Whether no limit is broken or was just now: nothing changes with time alone."""
        return not self._breaches

    def deadline_ns(self, now_ns: int) -> int | None:
        """Return when time alone makes the next event, as a limit was broken or kept for long enough."""
        ends = [end for breach in self._breaches.values() if (end := breach.deadline_ns) is not None]
        return max(now_ns, min(ends)) if ends else None

    def step(self, observations: Iterable[Observation], report: Report, now_ns: int) -> list[Change]:
        """Return the events of one judgement, in the order in which they are to be told."""
        changes: list[Change] = []
        # An endpoint's breach goes first: the findings that its event names are told with it.
        seen = {each.key: each for each in sorted(observations, key=lambda each: each.rule.name == "finding")}
        for key, each in seen.items():
            changes += self._watch(key, each, report, now_ns)
        for key in [key for key, breach in self._breaches.items() if self._is_over(key, breach, seen, now_ns)]:
            changes += _ending(key, self._breaches.pop(key), now_ns)
        return changes

    def _watch(self, key: str, seen: Observation, report: Report, now_ns: int) -> Sequence[Change]:
        breach = self._breaches.get(key)
        if breach is None:
            if not seen.is_over:
                return ()
            breach = self._breaches[key] = _Breach(now_ns, seen.rule.hold_s, seen.rule.resolve_after_s)
        breach.resolve_after_s = seen.rule.resolve_after_s
        muted = muting_reason(self._settings.quiet, seen, now_ns)
        reason = self._reason(breach, seen, now_ns, is_muted=muted is not None)
        if reason is None or breach.is_explained:
            return ()
        if reason == "first" and self._is_told_by_another(seen):
            breach.is_explained = True
            return ()
        breach.last = firing_event(
            seen,
            explain(seen.finding, report),
            reason=reason,
            since_ns=seen.finding.first_seen_ns,
            now_ns=now_ns,
            muted=muted,
        )
        if muted is None:
            breach.told = breach.last
        return (Change(key, breach.last),)

    def _reason(self, breach: _Breach, seen: Observation, now_ns: int, *, is_muted: bool) -> str | None:
        """Return why to tell of a breach now, or to record it while nobody is told; None where there is no reason."""
        known = breach.last if is_muted else breach.told
        if not seen.is_over:
            return None
        if known is None:
            return "first" if now_ns - breach.noticed_ns >= _ns(seen.rule.hold_s) else None
        data = known["data"]
        is_worse = SEVERITIES.index(seen.severity) > SEVERITIES.index(data["severity"])
        # A finding's value is a sum over the window, which grows with the traffic; its severity does not.
        if seen.rule.name != "finding":
            is_worse = is_worse or seen.value >= data["value"] * self._settings.worse_ratio
        if is_worse:
            return "worse"
        lasts = self._settings.repeat_s and now_ns - _time_ns(known) >= _ns(self._settings.repeat_s)
        return "repeat" if lasts else None

    def _is_told_by_another(self, seen: Observation) -> bool:
        """Whether the event of a breach that lasts has named this finding among its causes."""
        return seen.rule.name == "finding" and any(
            seen.finding.fingerprint in breach.told["data"]["fingerprints"]
            for key, breach in self._breaches.items()
            if breach.told is not None and key != seen.key
        )

    def _is_over(self, key: str, breach: _Breach, seen: Mapping[str, Observation], now_ns: int) -> bool:
        """Note whether a limit is kept now, and return whether its breach has ended by that."""
        each = seen.get(key)
        if not breach.is_open:
            return each is None or not each.is_over
        if each is not None and not each.is_kept:
            breach.kept_since_ns = None
            return False
        if breach.kept_since_ns is None:
            breach.kept_since_ns = now_ns
        return now_ns - breach.kept_since_ns >= _ns(breach.resolve_after_s)


def _ending(key: str, breach: _Breach, now_ns: int) -> Sequence[Change]:
    """Return the event that a breach is over, where one was told or recorded of it."""
    last = breach.told or breach.last
    return (Change(key, resolved_event(last, now_ns)),) if last else ()


def _is_muted(event: dict[str, Any]) -> bool:
    return event["data"].get("muted") is not None


def _time_ns(event: dict[str, Any]) -> int:
    return round(datetime.fromisoformat(event["time"]).timestamp() * _NS_PER_S)


def _ns(seconds: float) -> int:
    return round(seconds * _NS_PER_S)
