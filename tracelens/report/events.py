"""An escalation event as one line for a person who follows them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from tracelens.report.layout import Canvas, cell_width
from tracelens.report.quantities import duration, percent

if TYPE_CHECKING:
    from tracelens.report.layout import Text

_SEVERITY_STYLES: Final = {"critical": "bold red", "warning": "bold yellow", "info": "bold blue"}
_STATE_STYLES: Final = {"firing": "bold red", "resolved": "bold green"}


def render_event_line(event: Mapping[str, object], *, colour: bool = False, unicode: bool = True) -> str:
    """Return a CloudEvents escalation event as one line of any length, ending in a newline.

    `2026-03-02T09:15:00Z  firing    critical  p95_breach  GET /orders in orders: 2.41 s > 2.00 s. Investigate …`
    Fields that are missing are passed over: the line shows what is there.
    """
    canvas = Canvas(colour=colour, unicode=unicode)
    found = event.get("data")
    data: Mapping[str, object] = found if isinstance(found, Mapping) else {}
    state, severity = _string(data, "state"), _string(data, "severity")
    reason, muted = _string(data, "reason"), _string(data, "muted")
    columns: list[tuple[Text, int]] = [
        ((_string(event, "time"), "dim"), 0),
        ((state, _STATE_STYLES.get(state, "")), 8),
        ((severity, _SEVERITY_STYLES.get(severity, "")), 8),
        ((_string(data, "rule"), "bold"), 10),
        ((_what(data), ""), 0),
        ((f"[{reason}]" if reason in {"worse", "repeat"} else "", ""), 0),
        ((f"[nobody was told: {muted}]" if muted else "", "dim"), 0),
    ]
    parts = []
    for (text, style), width in columns:
        line = canvas.clean(text)
        parts.append(canvas.paint(line, style) + " " * (width - cell_width(line)))
    return "  ".join(part for part in parts if part).rstrip() + "\n"


def _what(data: Mapping[str, object]) -> str:
    endpoint, service, subject = (_string(data, key) for key in ("endpoint", "service_name", "subject"))
    about = _joined(", ", _joined(" in ", endpoint, service), "" if subject in {endpoint, service} else subject)
    return _joined(". ", _joined(": ", about, _measure(data)), _string(data, "action"))


def _joined(separator: str, *parts: str) -> str:
    return separator.join(part for part in parts if part)


def _measure(data: Mapping[str, object]) -> str:
    unit = _string(data, "unit")
    value, threshold = _amount(data.get("value"), unit), _amount(data.get("threshold"), unit)
    if data.get("rule") == "finding":
        return _joined("; ", _string(data, "message"), f"{value} avoidable" if data.get("value") else "")
    if not (value and threshold):
        return value
    return f"{value} (threshold {threshold})"


def _amount(value: object, unit: str) -> str:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return ""
    if unit in {"s", "ms"}:
        return duration(value * 1000 if unit == "s" else value)
    if unit == "%":
        return percent(value / 100)
    return f"{value:g} {unit}".rstrip()


def _string(values: Mapping[str, object], key: str) -> str:
    value = values.get(key)
    return value if isinstance(value, str) else ""
