"""docs/scale.md, computed from the tables of bench/README.md."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tracelens.settings.escalation import EscalationSettings

BENCH: Final = Path(__file__).resolve().parents[1] / "bench" / "README.md"

_LOAD_FACTOR: Final = 0.6
"""The part of an instance's cores that is planned for: the rest is for bursts, reports and a restart's catching up."""

_CORES: Final = 4
_MILLION: Final = 1_000_000
_DAY_S: Final = 86_400
_TERA: Final = 1e12


@dataclass(frozen=True, slots=True)
class Measured:
    """What the page is computed from.

    Attributes:
        ingest_us: CPU per span with the analysis off, as fast as it goes.
        live_us: the same with the analysis on.
        steady_us: with the analysis on, at 10,000 spans a second.
        ceiling: spans a second that one instance took, on a machine of two cores shared with the sender.
        relay_us: what the Collector spends on a span that it only receives.
        span_bytes: of a stored span.
        analysis_us: CPU per span of the largest store analysed.
        analysis_spans: how many spans that store had.
        analysis_mib: what that took at its peak.
    """

    ingest_us: float
    live_us: float
    steady_us: float
    ceiling: float
    relay_us: float
    span_bytes: float
    analysis_us: float
    analysis_spans: float
    analysis_mib: float


def measured() -> Measured:
    """Read the tables."""
    ingest = _rows("ingest")
    off, live = ingest["tracelens, analysis off, gRPC"], ingest["tracelens, gRPC"]
    steady, relay = ingest["tracelens, gRPC, 10,000 spans/s"], ingest["Collector → nop, gRPC"]
    largest = max(
        (row for row in _table("analysis") if row[0] == "tracelens" and row[8].startswith("all")),
        key=lambda row: _number(row[1]),
    )
    return Measured(
        ingest_us=_number(off[1]),
        live_us=_number(live[1]),
        steady_us=_number(steady[1]),
        ceiling=_number(off[3]),
        relay_us=_number(relay[1]),
        span_bytes=_number(off[6]),
        analysis_us=_number(largest[5]),
        analysis_spans=_number(largest[1]),
        analysis_mib=_number(largest[6]),
    )


def scale_page() -> str:
    """Return the page."""
    figures = measured()
    usable_us = _CORES * _LOAD_FACTOR * _MILLION
    by_cpu = usable_us / figures.live_us
    spans_s = min(by_cpu, _LOAD_FACTOR * figures.ceiling)
    instances = math.ceil(_MILLION / spans_s)
    relays = math.ceil(_MILLION * figures.relay_us / usable_us)
    window_s = EscalationSettings().window_s
    window_spans = spans_s * window_s
    rows = [
        _stored(rate, days, figures.span_bytes) for rate, days in ((1_000, 30), (10_000, 30), (10_000, 3), (spans_s, 1))
    ]
    return _PAGE.format(
        cores=_CORES,
        percent=round(_LOAD_FACTOR * 100),
        live_us=_short(figures.live_us),
        ingest_us=_short(figures.ingest_us),
        steady_us=_short(figures.steady_us),
        steady_share=f"{figures.steady_us / 100:.0%}",
        by_cpu=_round(by_cpu),
        ceiling=_round(figures.ceiling),
        spans_s=_round(spans_s),
        limit="the ceiling of one process" if spans_s < by_cpu else "the CPU time",
        instances=instances,
        relays=relays,
        relay_us=_short(figures.relay_us),
        tier_cores=instances * _CORES,
        relay_cores=relays * _CORES,
        span_bytes=round(figures.span_bytes),
        disk="\n".join(rows),
        million_tb=_short(_MILLION * _DAY_S * figures.span_bytes / 1e12),
        instance_gb=_round(_MILLION * _DAY_S * figures.span_bytes / instances / 1e9),
        window_min=round(window_s / 60),
        window_spans=_round(window_spans),
        window_s=_round(window_spans * figures.analysis_us / _MILLION / _CORES, 1),
        analysis_us=_short(figures.analysis_us),
        analysis_spans=_round(figures.analysis_spans),
        analysis_gib=_short(figures.analysis_mib / 1024),
        hour_spans=_round(spans_s * 3600),
        hour_min=_round(spans_s * 3600 * figures.analysis_us / _MILLION / _CORES / 60, 1),
    )


def _stored(rate: float, days: int, span_bytes: float) -> str:
    size = rate * days * _DAY_S * span_bytes
    text = f"{size / _TERA:,.1f} TB" if size >= _TERA else f"{size / 1e9:,.0f} GB"
    return f"| {_round(rate)} | {days} | {_round(rate * days * _DAY_S)} | {text} |"


def _round(value: float, digits: int = 2) -> str:
    """Return a number of two digits: more would be promised by nobody."""
    if value == 0:
        return "0"
    places = digits - 1 - math.floor(math.log10(abs(value)))
    return f"{round(value, places):,.{max(0, places)}f}"


def _short(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"  # noqa: PLR2004


def _number(cell: str) -> float:
    return float(cell.replace(",", ""))


def _rows(section: str) -> dict[str, list[str]]:
    return {row[0]: row for row in _table(section)}


def _table(section: str) -> list[list[str]]:
    text = BENCH.read_text(encoding="utf-8")
    found = re.search(rf"<!-- {section}: begin -->(.*?)<!-- {section}: end -->", text, re.DOTALL)
    lines = found[1].splitlines() if found else []
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]


_PAGE: Final = """\
# Scale

What one instance carries, how many carry a million spans a second, and where another engine takes over. Every number
is computed from the tables of [bench/README.md](../bench/README.md) by `docs/scale_page.py`: measure on your own
machine (`make bench-ingest bench-analysis`) and `make docs` computes the page again. Two digits, since no machine
repeats the third.

## One instance

A span costs {ingest_us} µs of CPU to receive, to make durable and to store, and {live_us} µs with the continuous
analysis, at full speed; at 10,000 spans a second, in smaller transactions, {steady_us} µs: {steady_share} of one core.

| | spans a second |
| :-- | --: |
| {cores} cores, {percent} % of them planned for, at {live_us} µs | {by_cpu} |
| ceiling of one process, measured on two cores that the sender shared | {ceiling} |
| **plan for**, by {limit} | **{spans_s}** |

The ceiling is there because one thread writes to one DuckDB file and one thread acknowledges. Give an instance four
cores: more of them make reports faster, not ingest.

**Memory** does not grow with time or rate: what waits is bounded by `receiver.max_pending_bytes`, what DuckDB uses by
`store.memory_limit`. **Disk** does, at {span_bytes} bytes a span, every attribute included:

| spans a second | days kept | spans | store |
| --: | --: | --: | --: |
{disk}

The journal adds what is not stored yet, seconds of traffic. `store.keep_s` and `store.max_size` keep the file within
its bounds.

**Analysis.** The escalation window of {window_min} minutes holds {window_spans} spans at that rate. `serve` does not go
through them again: it analyses what is new. A report over the whole window costs {analysis_us} µs of CPU a span:
{window_s} s on {cores} cores; over an hour ({hour_spans} spans) {hour_min} minutes. Its memory is that of the slices
of traces that it works through and of what is kept of them: {analysis_gib} GiB for {analysis_spans} spans.

## A million spans a second

A trace must be judged whole, so its spans must meet in one instance. The Collector's load-balancing exporter sends
them there by trace id ([configuration](collector/load-balancing.yaml), run by our tests):

| tier | instances of {cores} cores | why |
| :-- | --: | :-- |
| Collectors that spread the load | {relays} and more | {relay_us} µs a span to receive it, as much to send it |
| tracelens | {instances} | {spans_s} spans a second each |

That is {tier_cores} cores for storing and judging every span, beside {relay_cores} or more that only pass them on. Each
instance keeps its share, some {instance_gb} GB a day; all of them {million_tb} TB.

What an instance says of an endpoint rests on its share of the traces, {instances} times fewer requests:

- What is told of one trace, such as N+1 queries, serial calls, repeated calls, does not change. Every instance that
  meets it tells it, under the same fingerprint: receivers that deduplicate by it, such as Alertmanager and PagerDuty,
  show it once.
- p95 and error shares are those of a random sample, 1/{instances} of the requests, and an endpoint needs {instances}
  times the traffic before `min_requests` is reached. Lower `min_requests` where your endpoints are quiet.
- Sums over a window, such as the calls that a database answers, are 1/{instances}; shares are not touched.

## Where ClickHouse takes over

Whoever has these needs runs a distributed engine for traces already, and should keep one copy of them, not two:

- **Reports across all traces of many instances**, over hours: one DuckDB file answers for its own share.
- **Weeks of every span at high rates**: from some terabytes on, a single file is slow to back up, to expire from and
  to move.
- **More readers than one machine serves**: DuckDB lets one process open the file, and every report runs in it.

As a rule of thumb that is above {hour_spans} spans per window of analysis, or a store of more than a terabyte. The
passes and the model are written in a portable subset of SQL, with what differs between engines behind macros
(`tracelens/store/macros.sql`), so that the same passes can run where the spans are: in the `otel_traces` table that the
Collector's ClickHouse exporter fills. That backend is not built.
"""
