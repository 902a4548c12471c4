"""What people are told of an event: built here for every channel, as plain text that is still to be escaped.

Service names, endpoints and query shapes come from whoever sends spans. Every text here is one line of printable
characters of a bounded length; what is special in a channel's markup is that channel's to disarm.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

from tracelens.report.layout import neutralise
from tracelens.report.markdown_text import clip
from tracelens.report.quantities import EPOCH, counted, duration, moment, percent, words
from tracelens.severities import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Message = TypeVar("Message")

Event = dict[str, Any]
"""An escalation event, in the form of CloudEvents. Any of its parts may be missing."""

_TITLES: Final = {
    "slow_query": "slow query",
    "p95_breach": "p95 over its limit",
    "db_cpu": "database CPU over its limit",
}
_REASONS: Final = {"worse": ", getting worse", "repeat": ", still firing"}
_TRACE_ID: Final = re.compile(r"[0-9a-f]{32}")
_SPAN_ID: Final = re.compile(r"[0-9a-f]{16}")

_SHOWN_CAUSES: Final = 5
_SHOWN_EXEMPLARS: Final = 3
_NAME_LENGTH: Final = 120
_SENTENCE_LENGTH: Final = 300
_MOST_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Exemplar:
    """A trace that shows what an event tells of; `url` is "" where no page is known that shows it."""

    trace_id: str
    span_id: str
    url: str


@dataclass(frozen=True, slots=True)
class Telling:
    """An event as people are told of it.

    Attributes:
        is_resolved: whether the breach is over.
        severity: critical, warning or info.
        title: severity or state, what it is and where, in a line.
        message: one sentence with the numbers; "" where the event has none, and once it is resolved.
        facts: names and values, in the order in which they are shown.
        action: what to do; "" once it is resolved.
        causes: what explains it, the largest share first.
        more_causes: how many causes are left out.
        exemplars: traces that show it.
    """

    is_resolved: bool
    severity: str
    title: str
    message: str
    facts: tuple[tuple[str, str], ...]
    action: str
    causes: tuple[str, ...]
    more_causes: int
    exemplars: tuple[Exemplar, ...]


def tell(event: Event, trace_url: str = "") -> Telling:
    """Return what to tell of an event.

    Args:
        event: in the form of CloudEvents, with any of its parts missing.
        trace_url: address of a page that shows a trace, with {trace_id} and perhaps {span_id} in it; "" for none.
    """
    data = data_of(event)
    is_resolved = data.get("state") == "resolved"
    causes = [cause for cause in _list(data, "causes") if isinstance(cause, dict)]
    return Telling(
        is_resolved=is_resolved,
        severity=severity_of(event),
        title=_title(data, is_resolved=is_resolved),
        message="" if is_resolved else _text(data, "message", _SENTENCE_LENGTH),
        facts=tuple((name, value) for name, value in _facts(event, data, is_resolved=is_resolved) if value),
        action="" if is_resolved else _text(data, "action", _SENTENCE_LENGTH),
        causes=() if is_resolved else tuple(filter(None, map(_cause, causes[:_SHOWN_CAUSES]))),
        more_causes=0 if is_resolved else max(0, len(causes) - _SHOWN_CAUSES),
        exemplars=exemplars_of(event, trace_url)[:_SHOWN_EXEMPLARS],
    )


def heading(tellings: Sequence[Telling]) -> str:
    """Return one line for events that are told together: the first one's title, and how many more there are."""
    more = len(tellings) - 1
    return tellings[0].title + (f", and {counted(more, 'more event')}" if more else "")


def plain(telling: Telling) -> str:
    """Return an event's telling as lines of plain text, ending in a newline."""
    lines = [telling.title, ""]
    if telling.message:
        lines += [telling.message, ""]
    width = max((len(name) for name, _ in telling.facts), default=0)
    lines += [f"{name:{width}}  {value}" for name, value in telling.facts]
    if telling.action:
        lines += ["", f"Do: {telling.action}"]
    if telling.causes:
        lines += ["", "Explained by:", *(f"- {cause}" for cause in telling.causes)]
        if telling.more_causes:
            lines.append(f"- and {telling.more_causes:,} more")
    if telling.exemplars:
        lines += ["", "Traces:", *(f"- {trace.url or trace.trace_id}" for trace in telling.exemplars)]
    return "\n".join(lines) + "\n"


def one_line(text: str, length: int) -> str:
    """Return text as one line of printable characters, cut to a length."""
    return clip(" ".join(neutralise(text).split()), length)


def data_of(event: Event) -> dict[str, Any]:
    """Return an event's data; nothing where it has none."""
    data = event.get("data")
    return data if isinstance(data, dict) else {}


def severity_of(event: Event) -> str:
    """Return an event's severity; the worst where it names none that is known, so that it is not overlooked."""
    severity = data_of(event).get("severity")
    return severity if severity in SEVERITIES else SEVERITIES[-1]


def key_of(event: Event) -> str:
    """Return the identity of the breach that an event tells of: the same from its beginning to its end."""
    return f"{_string(data_of(event), 'rule')}:{_string(event, 'subject')}"


def time_of(event: Event, name: str = "time") -> datetime | None:
    """Return an event's time, or its data's `since`; None where there is none."""
    text = _string(event if name == "time" else data_of(event), name)
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else None


def exemplars_of(event: Event, trace_url: str = "") -> tuple[Exemplar, ...]:
    """Return all traces that an event names; what is no trace id is left out."""
    data = data_of(event)
    trace_ids, span_ids = _list(data, "exemplar_trace_ids"), _list(data, "exemplar_span_ids")
    found = []
    for number, trace_id in enumerate(trace_ids):
        if not (isinstance(trace_id, str) and _TRACE_ID.fullmatch(trace_id)):
            continue
        span_id = span_ids[number] if number < len(span_ids) else ""
        if not (isinstance(span_id, str) and _SPAN_ID.fullmatch(span_id)):
            span_id = ""
        url = trace_url.replace("{trace_id}", trace_id).replace("{span_id}", span_id)
        found.append(Exemplar(trace_id, span_id, url))
    return tuple(found)


def fitting(count: int, build: Callable[[int], Message], fits: Callable[[Message], bool]) -> Message:
    """Return what `build` makes of as many of the first events as fit, at least one.

    Args:
        count: of all events.
        build: makes a message of so many events.
        fits: whether a message is within its channel's limits.
    """
    for shown in range(min(count, _MOST_SHOWN), 1, -1):
        message = build(shown)
        if fits(message):
            return message
    return build(1)


def _title(data: Mapping[str, Any], *, is_resolved: bool) -> str:
    rule = _string(data, "rule")
    severity = _string(data, "severity")
    begun = (severity if severity in SEVERITIES else "firing").capitalize()
    state = "Resolved" if is_resolved else begun + _REASONS.get(_string(data, "reason"), "")
    title = _TITLES.get(rule) or one_line(words(rule), _NAME_LENGTH) or "event"
    endpoint, service = _text(data, "endpoint", _NAME_LENGTH), _text(data, "service_name", _NAME_LENGTH)
    where = " in ".join(filter(None, (endpoint, service))) or _text(data, "subject", _NAME_LENGTH)
    return f"{state}: {title}" + (f", {where}" if where else "")


def _facts(event: Event, data: Mapping[str, Any], *, is_resolved: bool) -> list[tuple[str, str]]:
    names = {_string(data, "endpoint"), _string(data, "service_name")}
    since, until = time_of(event, "since"), time_of(event)
    lasted = duration((until - since) / timedelta(milliseconds=1)) if is_resolved and since and until else ""
    return [
        ("Last measured" if is_resolved else "Measured", _measured(data)),
        ("Service", _text(data, "service_name", _NAME_LENGTH)),
        ("Endpoint", _text(data, "endpoint", _NAME_LENGTH)),
        ("About", "" if _string(data, "subject") in names else _text(data, "subject", _SENTENCE_LENGTH)),
        ("Database", _database(data.get("database"))),
        ("Since", moment((since - EPOCH) // timedelta(microseconds=1) * 1000) if since else ""),
        ("Lasted", lasted),
    ]


def _measured(data: Mapping[str, Any]) -> str:
    unit = _string(data, "unit")
    value, threshold = _amount(data.get("value"), unit), _amount(data.get("threshold"), unit)
    if data.get("rule") == "finding":
        return f"{value} to be saved" if data.get("value") and value else ""
    return f"{value}, limit {threshold}" if value and threshold else value


def _amount(value: object, unit: str) -> str:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return ""
    if unit in {"s", "ms"}:
        return duration(value * 1000 if unit == "s" else value)
    if unit in {"%", "1"}:
        return percent(value / 100 if unit == "%" else value)
    return one_line(f"{value:g} {unit}", _NAME_LENGTH)


def _database(database: object) -> str:
    if not isinstance(database, dict):
        return ""
    host, cpu = _text(database, "host", _NAME_LENGTH), _amount(database.get("cpu"), "1")
    return ", ".join(filter(None, (host, f"CPU {cpu}" if cpu else "")))


def _cause(cause: Mapping[str, Any]) -> str:
    name = one_line(words(_string(cause, "pass")), _NAME_LENGTH)
    share = _amount(cause.get("share"), "1")
    message = _text(cause, "message", _SENTENCE_LENGTH) or _text(cause, "subject", _SENTENCE_LENGTH)
    lead = f"{name} ({share} of the time)" if share else name
    return ": ".join(filter(None, (lead, message)))


def _text(values: Mapping[str, Any], name: str, length: int) -> str:
    return one_line(_string(values, name), length)


def _string(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    return value if isinstance(value, str) else ""


def _list(values: Mapping[str, Any], name: str) -> list[Any]:
    value = values.get(name)
    return value if isinstance(value, list) else []
