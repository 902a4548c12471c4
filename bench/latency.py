"""How long it takes: from an acknowledged span to a report, a finding and a delivered event; and a report from cold.

    python bench/latency.py --write

A real `tracelens serve` with its default settings; another process sends healthy spans all the while (`--rate`). Each
round sends one trace with an anti-pattern on an endpoint of its own, and takes the time from its acknowledgement. The
event is the line on the server's standard output.

The cold report is the command on a file of 1,000 spans, a new process each time. The share of imports is what Python's
`-X importtime` says of a run of its own, which it slows down; the other columns are measured without it.
"""

# ruff: noqa: S608  (texts of spans, which nobody runs)
from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from contenders import Tracelens
from instrumentations import express, new_number, pg
from load import Load, grpc_sender
from measured import Cost, cost_of, environment, machine
from mix import MS, Mix, Trace
from planted import PlantedMix
from tables import number, table, write_section

from tracelens.model import Scope
from tracelens.settings import Settings
from tracelens.sources import open_source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_COLD_SPANS: Final = 1_000
_MODULE_TIME: Final = re.compile(r"^import time:\s+(\d+) \|", re.MULTILINE)
_LOAD: Final = Path(__file__).with_name("load.py")


def breach(route: str, seed: int) -> bytes:
    """Return a request with one trace that breaks a limit and shows an N+1, which ended just now."""

    def scenario(trace: Trace) -> None:
        with express(trace, "GET", route, route):
            pg(trace, "SELECT day, sum(total) FROM sales GROUP BY day ORDER BY day", 1_500, spread=0)
            for _ in range(12):
                pg(
                    trace,
                    f'SELECT "id", "sku" FROM "order_lines" AS "Line" WHERE "Line"."orderId" = {new_number(trace)}',
                )

    mix = Mix(seed, time.time_ns() - 1_600 * MS)
    mix.add(scenario)
    return next(iter(mix.take(1)))


def from_span_to_event(rounds: int, rate: float) -> Mapping[str, list[float]]:
    """Return the seconds from the acknowledgement to each thing that follows, one for each round."""
    seconds: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="tracelens-bench-") as name:
        folder = Path(name)
        running = Tracelens("tracelens").start(folder)
        background = subprocess.Popen(
            [sys.executable, _LOAD, f"grpc://{running.grpc}", "--rate", str(rate), "--spans", str(int(rate * 600))],
            env=environment(),
            stdout=subprocess.DEVNULL,
        ) if rate else None  # fmt: skip
        send = grpc_sender(running.grpc)
        try:
            for body in islice(Load(512 * 20, seed=3).bodies(), 20):
                send(body)
            for turn in range(rounds):
                route = f"/breach/{turn}"
                begun = time.monotonic()
                send(breach(route, seed=100 + turn))
                acknowledged = time.monotonic()
                seconds["acknowledged, from the request"].append(acknowledged - begun)
                found = found_s(folder / "store.duckdb", f"GET {route}", acknowledged)
                seconds["seen by a report, with its findings"].append(found)
                running.server.wait_for(f'"endpoint":"GET {route}"')
                seconds["told by an event"].append(time.monotonic() - acknowledged)
        finally:
            if background:
                background.kill()
                background.wait()
            running.server.stop()
    return seconds


def found_s(db: Path, endpoint: str, since: float) -> float:
    """Ask for reports until one holds the findings of an endpoint; return how long that took."""
    with open_source(db, Settings()) as source:
        while True:
            report = source.report(Scope(endpoint=endpoint))
            names = {finding.pass_name for finding in report.findings}
            if {"n_plus_one", "slow_query"} <= names:
                return time.monotonic() - since


def cold(folder: Path, rounds: int) -> Sequence[Sequence[str]]:
    """Return rows of the table of cold starts."""
    file = folder / "traces.otlp.pb"
    mix = PlantedMix(1, time.time_ns())
    bodies = list(mix.requests(_COLD_SPANS))
    file.write_bytes(b"".join(bodies))  # requests that follow each other are one request: protobuf merges them
    report = ["-m", "tracelens", "report", "--fail-on", "never", str(file)]
    commands = {
        "python -c pass": ["-c", "pass"],
        "tracelens --help": ["-m", "tracelens", "--help"],
        f"tracelens report, {_COLD_SPANS:,} spans": report,
    }
    rows = []
    for name, arguments in commands.items():
        runs = [timed([sys.executable, *arguments]) for _ in range(rounds)]
        walls, costs = zip(*runs, strict=True)
        rows.append(
            [
                name,
                number(min(walls), 2),
                number(statistics.median(walls), 2),
                number(min(cost.cpu_s for cost in costs), 2),
                number(import_s(arguments), 2),
                number(costs[0].peak_bytes / (1 << 20)),
            ]
        )
    return rows


def timed(command: Sequence[str]) -> tuple[float, Cost]:
    """Run a command; return its wall time in seconds and what it used."""
    begun = time.perf_counter()
    cost = cost_of(subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL))
    return time.perf_counter() - begun, cost


def import_s(arguments: Sequence[str]) -> float:
    """Return the seconds that a run spends in imports."""
    told = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments], env=environment(), capture_output=True, text=True, check=True
    )
    return sum(map(int, _MODULE_TIME.findall(told.stderr))) / 1e6


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rate", type=float, default=500.0, help="healthy spans a second beside it")
    parser.add_argument("--write", action="store_true", help="into bench/README.md")
    arguments = parser.parse_args()
    seconds = from_span_to_event(arguments.rounds, arguments.rate)
    rows = [
        [name, number(min(values), 2), number(statistics.median(values), 2), number(max(values), 2)]
        for name, values in seconds.items()
    ]
    with tempfile.TemporaryDirectory(prefix="tracelens-bench-") as folder:
        started = cold(Path(folder), arguments.rounds)
    text = (
        f"{machine()}; {arguments.rounds} rounds beside {arguments.rate:,.0f} spans/s.\n\n"
        f"{table(['a trace is', 'fastest s', 'median s', 'slowest s'], rows)}\n"
        f"{table(['from cold', 'fastest s', 'median s', 'CPU s', 'of it imports s', 'peak MiB'], started)}"
    )
    print(text)
    if arguments.write:
        write_section("latency", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
