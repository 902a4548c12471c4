"""The page of a server's own metrics, from the list that /metrics is made from."""

from __future__ import annotations

from typing import Final

from tracelens.self_metrics import FIGURES, Figure

_HEAD: Final = """# Metrics of tracelens itself

`GET /metrics` on the UI port of `tracelens serve` (127.0.0.1:4320 by default), as OpenMetrics or Prometheus text.
Beside these there are `process_cpu_seconds_total`, `process_resident_memory_bytes` and the rest of what Prometheus'
own client tells of a process on Linux. Counters begin at 0 with the process; a value whose labels say what happened
appears once it has happened.

| name | kind | labels | what it says |
| --- | --- | --- | --- |
"""


def metrics_page() -> str:
    """Return the page."""
    return _HEAD + "".join(map(_row, FIGURES))


def _row(figure: Figure) -> str:
    labels = " ".join(f"`{label}`" for label in figure.labels)
    return f"| `{figure.sample_name}` | {figure.kind} | {labels} | {figure.help} |\n"
