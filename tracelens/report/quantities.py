"""Numbers as a person reads them, with their units.

A unit is known by the end of a name, as everywhere in tracelens: `wait_ms` is a duration, `response_bytes` a size,
`cpu_percent`, `breach_ratio` and `hit_rate` are shares. JSON keeps the plain numbers.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from tracelens.findings import whole_percent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracelens.findings import EvidenceValue, Scalar

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
UNKNOWN: Final = "—"
_KIBI: Final = 1024
_SHORTEST_SHOWN_MS: Final = 0.005  # what is shorter would round to 0.00 ms
_SECONDS_PER_MINUTE: Final = 60
_SPELLINGS: Final = {
    "api": "API", "cpu": "CPU", "db": "database", "http": "HTTP", "id": "ID", "ids": "IDs", "io": "I/O",
    "sql": "SQL", "ttl": "TTL", "uri": "URI", "url": "URL",
}  # fmt: skip
_SHOWN_ITEMS: Final = 5


def duration(milliseconds: float | None) -> str:
    """Return a duration with two or three digits that matter: `0.42 ms`, `7.8 ms`, `312 ms`, `3.44 s`, `2 min 5 s`."""
    if milliseconds is None or not math.isfinite(milliseconds):
        return UNKNOWN
    if milliseconds < 0:
        return "-" + duration(-milliseconds)
    if milliseconds < _SHORTEST_SHOWN_MS:
        return "<0.01 ms" if milliseconds else "0 ms"
    # Bounds are where rounding reaches the next form, so that 999.7 ms is 1.00 s and not 1000 ms.
    for below, divisor, digits, unit in (
        (0.995, 1, 2, "ms"),
        (9.95, 1, 1, "ms"),
        (999.5, 1, 0, "ms"),
        (9_995, 1000, 2, "s"),
        (59_950, 1000, 1, "s"),
    ):
        if milliseconds < below:
            return f"{milliseconds / divisor:.{digits}f} {unit}"
    minutes, seconds = divmod(round(milliseconds / 1000), _SECONDS_PER_MINUTE)
    if minutes < _SECONDS_PER_MINUTE:
        return f"{minutes} min {seconds} s" if seconds else f"{minutes} min"
    hours, minutes = divmod(minutes, _SECONDS_PER_MINUTE)
    return f"{hours:,} h {minutes} min" if minutes else f"{hours:,} h"


def size(size_bytes: float) -> str:
    """Return a size in binary units: `840 B`, `1.5 KiB`, `12.0 MiB`."""
    if not math.isfinite(size_bytes):
        return UNKNOWN
    amount, unit = float(size_bytes), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if abs(amount) < _KIBI:
            break
        amount, unit = amount / _KIBI, larger
    return f"{amount:.0f} B" if unit == "B" else f"{amount:,.1f} {unit}"


def percent(share: float) -> str:
    """Return a share of 1 in whole percent as everywhere: see `findings.whole_percent`."""
    return whole_percent(share) if math.isfinite(share) else UNKNOWN


def count(value: int) -> str:
    """Return a whole number with thousands separated by commas."""
    return f"{value:,}"


def counted(value: int, noun: str, plural: str | None = None) -> str:
    """Return `1 request`, `1,204 requests`."""
    return f"{value:,} {noun if value == 1 else plural or noun + 's'}"


def listed(names: Sequence[str], shown: int = _SHOWN_ITEMS) -> str:
    """Return the names joined by commas, those past `shown` only counted."""
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" +{more:,} more" if more > 0 else "")


def moment(time_ns: int) -> str:
    """Return a time in UTC to the second, `2026-03-02 09:00:00 UTC`."""
    return f"{_at(time_ns):%Y-%m-%d %H:%M:%S} UTC"


def window(start_ns: int, end_ns: int) -> str:
    """Return a window as `2026-03-02 09:00:00 to 09:15:00 UTC (15 min)`; the second date only where it differs."""
    start, end = _at(start_ns), _at(end_ns)
    length = duration((end_ns - start_ns) / 1e6)
    if start.replace(microsecond=0) == end.replace(microsecond=0):
        return f"{moment(start_ns)} ({length})"
    until = f"{end:%H:%M:%S}" if start.date() == end.date() else f"{end:%Y-%m-%d %H:%M:%S}"
    return f"{start:%Y-%m-%d %H:%M:%S} to {until} UTC ({length})"


def words(name: str) -> str:
    """Return a snake_case name as words: `no_n_plus_one` is `no N+1`, `endpoint_p95` is `endpoint p95`."""
    spaced = name.replace("n_plus_one", "N+1").replace("_", " ")
    return " ".join(_SPELLINGS.get(word, word) for word in spaced.split())


def evidence(name: str, value: EvidenceValue, shown: int = _SHOWN_ITEMS) -> tuple[str, str]:
    """Return a piece of evidence as label and text: `("wait_ms", 12.3)` is `("wait", "12 ms")`.

    Of a list the first `shown` are written out.
    """
    ending = next((ending for ending in _FORMS if name.endswith(ending) and name != ending), "")
    form = _FORMS.get(ending, _plain)
    label = name if ending in _SAID_IN_LABEL else name.removesuffix(ending)
    values = value if isinstance(value, tuple) else (value,)
    return words(label), listed([_scalar(each, form) for each in values], shown)


def _scalar(value: Scalar, form: Callable[[float], str]) -> str:
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else form(value)


def _plain(value: float) -> str:
    if isinstance(value, int):
        return count(value)
    if not math.isfinite(value):
        return UNKNOWN
    return f"{value:,.3f}".rstrip("0").rstrip(".")


def _at(time_ns: int) -> datetime:
    return EPOCH + timedelta(microseconds=time_ns // 1000)


# The first that fits counts: `calls_per_s` ends in `_s` too and is no duration.
_FORMS: Final[dict[str, Callable[[float], str]]] = {
    "_per_s": _plain,
    "_ms": duration,
    "_s": lambda seconds: duration(seconds * 1000),
    "_bytes": size,
    "_percent": lambda value: percent(value / 100),
    "_ratio": percent,
    "_rate": percent,
    "_share": percent,
}
_SAID_IN_LABEL: Final = frozenset({"_per_s", "_ratio", "_rate", "_share"})
