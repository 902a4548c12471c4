"""`[escalation]`: the rules' limits, who gets limits of his own, and when nobody is to be woken."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Any, Final
from zoneinfo import ZoneInfo

from tracelens.settings.reading import read_entries, read_patterned, read_section, read_table
from tracelens.severities import FINDING_SEVERITIES, SEVERITIES

RULES: Final = ("slow_query", "p95_breach", "db_cpu", "finding")
"""The source document's three limits, and any finding from a severity on."""

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_WHOLE_PERCENT: Final = 100.0

_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00")


@dataclass(frozen=True, slots=True)
class RuleOverride:
    """What a rule asks of some services and endpoints; what is left out stays as it is for all.

    Attributes:
        rule: one of RULES.
        service, endpoint: regular expressions, matched whole; all where empty.
        limit: seconds of slow_query and p95_breach, percent of db_cpu; finding has none.
        severity: of finding: the mildest that fires, "never" for none.
        min_samples: what a breach must rest on: calls that the pass calls slow, requests, samples, requests affected.
        hold_s: how long a limit must stay broken before it is told.
        resolve_after_s: how long it must be kept before the breach is over.
        action: what the event tells its reader to do.
        enabled: false switches the rule off.
    """

    rule: str
    service: str = ""
    endpoint: str = ""
    limit: float | None = None
    severity: str | None = None
    min_samples: int | None = None
    hold_s: float | None = None
    resolve_after_s: float | None = None
    action: str | None = None
    enabled: bool | None = None


@dataclass(frozen=True, slots=True)
class QuietHours:
    """When breaches are recorded but nobody is told; what lasts longer is told at the end of it.

    Attributes:
        reason: why; written into the events.
        start, end: times of day as hh:mm; an end before the start is the next day's.
        days: on which it starts, of WEEKDAYS.
        timezone: whose times they are, by its IANA name.
        service, endpoint: regular expressions, matched whole; all where empty.
        max_severity: what is worse is told all the same.
    """

    reason: str
    start: str = "00:00"
    end: str = "24:00"
    days: tuple[str, ...] = WEEKDAYS
    timezone: str = "UTC"
    service: str = ""
    endpoint: str = ""
    max_severity: str = "critical"


@dataclass(frozen=True, slots=True)
class EscalationSettings:
    """When `serve` escalates.

    Attributes:
        enabled: whether anything is judged while it arrives; `report` works all the same.
        window_s: how much of the recently received data the rules judge.
        interval_s: shortest time between two judgements.
        slow_query_s: a query over this fires.
        p95_s: an endpoint whose 95th percentile is over this fires.
        db_cpu_percent: a database host whose CPU is over this fires.
        finding_severity: findings at or above it fire; "never" for none.
        hold_s: how long a limit must stay broken before it is told.
        resolve_after_s: how long a limit must be kept before its breach is over.
        recover_ratio: a limit is kept again below this share of it, so that a value beside it does not flap.
        worse_ratio: a breach is told again when its value has grown by this factor.
        repeat_s: a breach is told again when it has lasted so long since; 0 for never.
        rules: limits of their own for some services and endpoints; later ones win.
        quiet: when nobody is to be told.
    """

    enabled: bool = True
    window_s: float = 300.0
    interval_s: float = 2.0
    slow_query_s: float = 1.0
    p95_s: float = 2.0
    db_cpu_percent: float = 80.0
    finding_severity: str = "critical"
    hold_s: float = 0.0
    resolve_after_s: float = 60.0
    recover_ratio: float = 0.9
    worse_ratio: float = 1.5
    repeat_s: float = 14_400.0
    rules: tuple[RuleOverride, ...] = ()
    quiet: tuple[QuietHours, ...] = ()


def parse_escalation(section: Any) -> EscalationSettings:
    """Return the settings of the `[escalation]` table.

    Raises:
        ValueError: it holds a setting that does not exist or fit.
    """
    table = dict(read_table(section, "escalation"))
    rules = tuple(_rule(entry, where) for where, entry in read_entries(table.pop("rules", []), "escalation.rules"))
    quiet = tuple(_quiet(entry, where) for where, entry in read_entries(table.pop("quiet", []), "escalation.quiet"))
    plain = read_section(EscalationSettings, table, "escalation")
    _require_among(plain.finding_severity, FINDING_SEVERITIES, "escalation.finding_severity")
    if plain.window_s == 0:
        raise ValueError("escalation.window_s must be above 0; to judge nothing, write enabled = false")
    if plain.db_cpu_percent > _WHOLE_PERCENT:
        raise ValueError("escalation.db_cpu_percent must be at most 100: all cores together are 100")
    if not 0 < plain.recover_ratio <= 1:
        raise ValueError("escalation.recover_ratio must be above 0 and at most 1")
    if plain.worse_ratio <= 1:
        raise ValueError("escalation.worse_ratio must be above 1")
    values = {entry.name: getattr(plain, entry.name) for entry in fields(plain)}
    return EscalationSettings(**values | {"rules": rules, "quiet": quiet})


def _rule(entry: Any, where: str) -> RuleOverride:
    rule = read_patterned(RuleOverride, entry, where)
    _require_among(rule.rule, RULES, f"{where}.rule")
    if rule.severity is not None:
        _require_among(rule.severity, FINDING_SEVERITIES, f"{where}.severity")
    if rule.rule == "finding" and rule.limit is not None:
        raise ValueError(f"{where}.limit does not go with the rule finding: give a severity")
    if rule.rule != "finding" and rule.severity is not None:
        raise ValueError(f"{where}.severity goes with the rule finding only: give a limit")
    return rule


def _quiet(entry: Any, where: str) -> QuietHours:
    quiet = read_patterned(QuietHours, entry, where)
    if not quiet.reason:
        raise ValueError(f"{where}.reason must say why")
    for name in ("start", "end"):
        if not _CLOCK.fullmatch(getattr(quiet, name)):
            raise ValueError(f"{where}.{name} {getattr(quiet, name)!r} must be a time such as '22:00'")
    if not quiet.days:
        raise ValueError(f"{where}.days must name a day")
    for day in quiet.days:
        _require_among(day, WEEKDAYS, f"{where}.days")
    _require_among(quiet.max_severity, SEVERITIES, f"{where}.max_severity")
    try:
        ZoneInfo(quiet.timezone)
    except (OSError, ValueError, KeyError) as error:  # unknown, a folder's name, no name at all
        raise ValueError(f"{where}.timezone {quiet.timezone!r} must be a name such as 'Europe/Paris'") from error
    return quiet


def _require_among(value: str, known: tuple[str, ...], where: str) -> None:
    if value not in known:
        raise ValueError(f"{where} {value!r} must be one of {', '.join(known)}")
