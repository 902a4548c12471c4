"""What it costs to take spans in: tracelens beside a bare protobuf parse, the Collector and others, in one run.

    python bench/ingest.py --spans 1000000 --write
    python bench/ingest.py --spans 100000 --only collector

Every receiver gets the same kind of load from a process of its own (load.py): distinct requests of 512 spans. CPU time
is the kernel's account of the receiver's processes from the first request to their end, so that it holds what storing
in the background and stopping cost; what is done once, such as loading a library, some requests before have caused.
Beside each receiver the bare parse of the same requests is measured, before and after: machines are shared and their
cores change pace, so compare ratios, not seconds.

`--write` puts the table into bench/README.md. What is not installed is left out, with a line that says how to get it.
"""

from __future__ import annotations

import argparse
import json
import operator
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Final, Self

from contenders import Collector, Contender, Kept, PerfSentinel, Phoenix, Tracelens
from load import Outcome
from measured import Cost, environment, machine
from mix import SPANS_PER_REQUEST
from tables import number, table, write_section

_LOAD: Final = Path(__file__).with_name("load.py")
_PARSED_SPANS: Final = 200_000
_WARMING_SPANS: Final = 20 * SPANS_PER_REQUEST
_WARMING_S: Final = 3.0
_STEADY_RATE: Final = 10_000.0
"""Spans a second of the cases that are not measured at full speed."""


@dataclass(frozen=True, slots=True)
class Case:
    """One line of the table: a receiver, how it is sent to, and how fast, 0 for as fast as it goes."""

    contender: Contender
    protocol: str = "grpc"
    rate: float = 0.0

    @property
    def name(self) -> str:
        rate = f", {self.rate:,.0f} spans/s" if self.rate else ""
        return f"{self.contender.name}, {'gRPC' if self.protocol == 'grpc' else 'HTTP'}{rate}"


@dataclass(frozen=True, slots=True)
class Sent:
    """What was acknowledged in all: how many spans, and their ids combined by exclusive or."""

    spans: int
    span_id_xor: int

    @classmethod
    def of(cls, outcomes: list[Outcome]) -> Sent:
        xor = reduce(operator.xor, (int(outcome.span_id_xor, 16) for outcome in outcomes))
        return cls(sum(outcome.spans for outcome in outcomes), xor)


@dataclass(slots=True)
class Measurement:
    """What came of a case: `outcome` and what follows from it without the first requests, `sent` with them."""

    case: Case
    outcome: Outcome
    sent: Sent
    kept: Kept
    cpu_us: float
    peak_bytes: int
    parse_us: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """CPU time in bare parses."""
        return self.cpu_us * len(self.parse_us) / sum(self.parse_us)

    @property
    def is_whole(self) -> bool:
        """Whether every acknowledged span was read back, and nothing else."""
        is_same = self.kept.span_id_xor in (None, self.sent.span_id_xor) or self.outcome.refused > 0
        return self.kept.spans in (None, self.sent.spans) and is_same


def cases() -> list[Case]:
    """Return every case, in the order of the table."""
    plain = Tracelens("tracelens, analysis off", analyses=False)
    whole = Tracelens("tracelens")
    to_file = Collector("Collector → file", "file", "written to a file, as protobuf")
    to_nothing = Collector("Collector → nop", "nop", "dropped")
    return [
        Case(plain),
        Case(plain, "http"),
        Case(whole),
        Case(to_file),
        Case(to_file, "http"),
        Case(to_nothing),
        Case(PerfSentinel()),
        Case(Phoenix()),
        Case(plain, rate=_STEADY_RATE),
        Case(whole, rate=_STEADY_RATE),
        Case(to_file, rate=_STEADY_RATE),
    ]


def measure(
    case: Case, spans: int, senders: int, *, warming_spans: int = _WARMING_SPANS, warming_s: float = _WARMING_S
) -> Measurement:
    """Run one case in a folder of its own, which is gone afterwards.

    Args:
        case: what is measured.
        spans: how many are sent, less where the receiver is slow.
        senders: connections.
        warming_spans: how many are sent before, for what a receiver does once.
        warming_s: how long it is given for them.
    """
    spans = min(spans, case.contender.most_spans)
    with tempfile.TemporaryDirectory(prefix="tracelens-bench-") as name:
        folder = Path(name)
        running = case.contender.start(folder)
        address = running.grpc if case.protocol == "grpc" else running.http
        try:
            to = f"{case.protocol}://{address}"
            with (
                Loader(to, warming_spans, senders, seed=2) as warming,
                Loader(to, spans, senders, case.rate) as loader,
            ):
                first = warming.run()
                time.sleep(warming_s)
                before_s = running.server.cpu_s()
                outcome = loader.run()
            kept = case.contender.settle(running, first.spans + outcome.spans)
        finally:
            cost: Cost = running.server.stop()
        if kept is None:
            kept = case.contender.kept(folder)
    sent = Sent.of([first, outcome])
    return Measurement(case, outcome, sent, kept, (cost.cpu_s - before_s) / outcome.spans * 1e6, cost.peak_bytes)


class Loader:
    """A process of load.py that has made its requests and waits."""

    def __init__(self, to: str, spans: int, senders: int = 1, rate: float = 0.0, seed: int = 1) -> None:
        amount = ["--spans", spans, "--senders", senders, "--rate", rate, "--seed", seed]
        command = [sys.executable, _LOAD, to, "--wait", *amount]
        self._process = subprocess.Popen(
            [str(word) for word in command],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        assert self._process.stdout is not None  # noqa: S101  (asked for above)
        self._process.stdout.readline()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def run(self) -> Outcome:
        """Have it send everything, and return how that went."""
        told, _ = self._process.communicate("go\n")
        return Outcome(**json.loads(told))


def parse_us(spans: int) -> float:
    """Return the CPU time of a bare parse in µs per span."""
    with Loader("parse:", min(spans, _PARSED_SPANS)) as loader:
        return loader.run().parse_us


def measure_all(chosen: list[Case], spans: int, senders: int) -> list[Measurement]:
    """Run the cases one after the other, a bare parse before each and after the last."""
    found: list[Measurement] = []
    for case in chosen:
        before = parse_us(spans)
        if found:
            found[-1].parse_us.append(before)
        print(f"{case.name} ...", file=sys.stderr, flush=True)
        found.append(measure(case, spans, senders))
        found[-1].parse_us.append(before)
    found[-1].parse_us.append(parse_us(spans))
    return found


def summary(found: list[Measurement]) -> str:
    """Return the tables."""
    parses = sorted(value for entry in found for value in entry.parse_us)
    middle = parses[len(parses) // 2]
    rows = [["bare protobuf parse", number(middle, 2), "1.0", "-", "-", "-", "-", "-", "-", "-"]]
    rows += [
        [
            entry.case.name,
            number(entry.cpu_us, 2),
            number(entry.ratio, 1),
            number(entry.outcome.spans / entry.outcome.seconds),
            number(entry.outcome.p50_ms, 1),
            number(entry.outcome.p99_ms, 1),
            number(None if entry.kept.disk_bytes is None else entry.kept.disk_bytes / entry.sent.spans, 1),
            number(entry.peak_bytes / (1 << 20)),
            number(entry.sent.spans),
            number(entry.kept.spans) + ("" if entry.is_whole else " (!)"),
        ]
        for entry in found
    ]
    heads = [
        "receiver", "CPU µs per span", "ratio to the parse", "spans/s", "p50 ms", "p99 ms", "bytes per span on disk",
        "peak MiB", "acknowledged", "read back",
    ]  # fmt: skip
    kinds = {entry.case.contender.name: entry.case.contender for entry in found}
    facts = [[name, kind.keeps, kind.acknowledges, kind.version()] for name, kind in kinds.items()]
    size = found[0].outcome.bytes / found[0].outcome.requests / SPANS_PER_REQUEST
    return (
        f"{machine()}; {size:.0f} bytes a span on the wire; bare parse {parses[0]:.2f} to {parses[-1]:.2f} µs.\n\n"
        f"{table(heads, rows)}\n{table(['receiver', 'a span is', 'answers when it is', 'version'], facts)}"
    )


def main() -> int:
    """Measure and print; 1 where an acknowledged span was not kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=1_000_000, help="to each receiver; Phoenix gets fewer")
    parser.add_argument("--only", action="append", default=[], help="cases with this in their name, in any case")
    parser.add_argument("--senders", type=int, default=4, help="connections")
    parser.add_argument("--write", action="store_true", help="into bench/README.md")
    arguments = parser.parse_args()
    wanted = [word.lower() for word in arguments.only] or [""]
    chosen = [case for case in cases() if any(word in case.name.lower() for word in wanted)]
    missing = {case.contender.missing() for case in chosen} - {""}
    chosen = [case for case in chosen if not case.contender.missing()]
    for line in sorted(missing):
        print(f"left out, not installed: {line}", file=sys.stderr)
    if not chosen:
        print("nothing to measure", file=sys.stderr)
        return 2
    found = measure_all(chosen, arguments.spans, arguments.senders)
    text = summary(found)
    print(text)
    if arguments.write:
        write_section("ingest", text)
    return 0 if all(entry.is_whole for entry in found) else 1


if __name__ == "__main__":
    sys.exit(main())
