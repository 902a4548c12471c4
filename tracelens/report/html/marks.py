"""Small drawings: marks whose shape, not colour alone, tells what they mean, and bars that show a share."""

from __future__ import annotations

import math
from typing import Final

from tracelens.report.html.markup import Markup, tag

_PATHS: Final = {
    "critical": "M5 1h6l4 4v6l-4 4H5l-4-4V5zM5.4 5.4l5.2 5.2M10.6 5.4l-5.2 5.2",
    "warning": "M8 1.6 15.2 14.4H.8zM8 6v4M8 12v.2",
    "info": "M8 1a7 7 0 1 0 0 14A7 7 0 1 0 8 1M8 7.4v4M8 4.6v.2",
    "fail": "M3.5 3.5l9 9M12.5 3.5l-9 9",
    "pass": "M2.5 8.5l4 4 7-9",
    "unknown": "M5 5.6a3 3 0 1 1 4.4 2.6C8.4 8.8 8 9.2 8 10.2M8 12.8v.2",
}
_MEANINGS: Final = {
    "critical": "critical",
    "warning": "warning",
    "info": "info",
    "fail": "fails",
    "pass": "passes",
    "unknown": "unknown",
}


def sprite() -> Markup:
    """Return the definitions that `mark` refers to; they stand in the page once."""
    symbols = [
        tag("symbol", tag("path", d=path), id=f"mark-{name}", viewBox="0 0 16 16") for name, path in _PATHS.items()
    ]
    return tag("svg", *symbols, class_="sprite", aria_hidden="true")


def mark(name: str, *, spoken: bool = True) -> Markup:
    """Return the mark of a severity or of a checklist state, with its meaning for those who cannot see it."""
    known = name if name in _PATHS else "unknown"
    drawing = tag("svg", tag("use", href=f"#mark-{known}"), class_=f"mark {known}", aria_hidden="true")
    return Markup(drawing + (tag("span", f"{_MEANINGS[known]}: ", class_="spoken") if spoken else ""))


def bar(share: float, *, gain: bool = False) -> Markup:
    """Return a bar of which a share (of 1) is filled; what it says stands beside it in words.

    With `gain` the rest of it is what can be won, not only what is not there.
    """
    filled = min(max(share, 0.0), 1.0) * 100 if math.isfinite(share) else 0.0
    rect = tag("rect", width=f"{filled:.1f}%", height="100%")
    return tag("svg", rect, class_="bar gain" if gain else "bar", aria_hidden="true")
