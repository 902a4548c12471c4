"""Quiet hours: when a breach is recorded and nobody is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from tracelens.settings.escalation import WEEKDAYS
from tracelens.settings.selection import selects
from tracelens.severities import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracelens.escalation.rules import Observation
    from tracelens.settings.escalation import QuietHours

_MINUTES_PER_DAY: Final = 24 * 60
_NS_PER_S: Final = 1_000_000_000


def muting_reason(quiet: Sequence[QuietHours], seen: Observation, now_ns: int) -> str | None:
    """Return why nobody is to be told of a breach now, None where somebody is."""
    now = datetime.fromtimestamp(now_ns / _NS_PER_S, UTC)
    for hours in quiet:
        if _is_now(hours, now) and _covers(hours, seen):
            return hours.reason
    return None


def _is_now(hours: QuietHours, now: datetime) -> bool:
    local = now.astimezone(ZoneInfo(hours.timezone))
    minute = local.hour * 60 + local.minute
    start, end = _minute(hours.start), _minute(hours.end)
    begins_today = WEEKDAYS[local.weekday()] in hours.days
    if start < end:
        return begins_today and start <= minute < end
    began_yesterday = WEEKDAYS[(local - timedelta(days=1)).weekday()] in hours.days
    return (begins_today and minute >= start) or (began_yesterday and minute < end)


def _minute(clock: str) -> int:
    hours, minutes = clock.split(":")
    return min(int(hours) * 60 + int(minutes), _MINUTES_PER_DAY)


def _covers(hours: QuietHours, seen: Observation) -> bool:
    is_mild = SEVERITIES.index(seen.severity) <= SEVERITIES.index(hours.max_severity)
    return is_mild and selects(hours, seen.finding.service_name, seen.finding.endpoint)
