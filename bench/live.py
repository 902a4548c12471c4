"""What the live analysis costs per new span, at a steady rate, over a full window.

    python bench/live.py FOLDER --rate 10000 [--window 300] [--steps 10] [--everything] [--compare]

FOLDER holds recordings; copies of their traces under other ids arrive in slices of two seconds. The window is filled
first, then so many steps are measured. CPU time is that of the whole process between the steps' beginnings and ends.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from tracelens.analysis import analyse
from tracelens.live import LiveAnalysis
from tracelens.live.analysis import SHARE
from tracelens.model import Scope
from tracelens.otlp.decode import decode_requests
from tracelens.otlp.files import expand_paths, read_requests
from tracelens.semconv.normalise import normalise
from tracelens.semconv.span_shapes import shaped
from tracelens.settings import Settings
from tracelens.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracelens.semconv.normalise import SpanTables

SECOND = 1_000_000_000
STEP_S = 2
BEGIN_NS = 1_800_000_000 * SECOND


def recorded(store: Store, folder: str) -> list[SpanTables]:
    """Return the recordings' rows, one table each."""
    tables = []
    for path in expand_paths([folder]):
        bodies = [getattr(request, "body", request) for request in read_requests(path, on_damage=print)]
        if "metrics" not in str(path):
            tables.append(shaped(normalise(decode_requests(bodies).batch, store.catalogue, 0), store.catalogue))
    return [table for table in tables if len(table.spans)]


def slices(tables: list[SpanTables], spans: int) -> Iterator[SpanTables]:
    """Return endless copies of the recordings' traces, about so many spans at a time, none of them twice the same."""
    rng = np.random.default_rng(1)
    whole = pa.concat_tables([table.spans for table in tables]).combine_chunks()
    ids = whole.column("trace_id").combine_chunks().storage
    words = np.frombuffer(ids.buffers()[1], dtype=np.uint64).reshape(-1, 2)[ids.offset : ids.offset + len(ids)]
    order = np.lexsort((words[:, 1], words[:, 0]))
    whole, words = whole.take(pa.array(order)), words[order]
    begins = np.flatnonzero(np.r_[True, (words[1:] != words[:-1]).any(axis=1)])
    ends = np.r_[begins[1:], len(words)]
    traces = [(int(begin), int(end)) for begin, end in zip(begins, ends, strict=True) if end - begin < 20_000]
    start = whole.column("start_ns").to_numpy()
    while True:
        chosen, size = list[np.ndarray](), 0
        while size < spans:
            begin, end = traces[int(rng.integers(len(traces)))]
            chosen.append(np.arange(begin, end))
            size += end - begin
        rows = np.concatenate(chosen)
        lengths = [len(part) for part in chosen]
        salt = np.repeat(rng.integers(1, 2**63, size=len(chosen), dtype=np.uint64), lengths)
        first = np.repeat(np.array([start[part].min() for part in chosen]), lengths)
        renamed = np.stack([words[rows, 0] ^ salt, words[rows, 1]], axis=1)
        table = whole.take(pa.array(rows))
        buffers = [None, pa.py_buffer(renamed.tobytes())]
        storage = pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(rows), buffers)
        table = table.set_column(0, "trace_id", pa.ExtensionArray.from_storage(whole.schema.field(0).type, storage))
        place = table.schema.get_field_index("start_ns")
        table = table.set_column(place, "start_ns", pa.array(start[rows] - first))
        yield replace(tables[0], spans=table, events=None, links=None)


def received(rows: SpanTables, now_ns: int) -> SpanTables:
    """Return rows as if received now, having begun a second before."""
    table = rows.spans
    at = table.schema.get_field_index("received_ns")
    table = table.set_column(at, "received_ns", pa.array(np.full(len(table), now_ns)))
    place = table.schema.get_field_index("start_ns")
    begun = table.column("start_ns").to_numpy() + now_ns - SECOND
    return replace(rows, spans=table.set_column(place, "start_ns", pa.array(begun)))


class Bench:
    """A store, its live analysis, and a clock of its own.

    Args:
        folder: for the store's file.
        window_s: length of the window.
        share: of the live analysis.
    """

    def __init__(self, folder: str, window_s: int, share: float | None) -> None:
        settings = Settings()
        self.settings = replace(settings, escalation=replace(settings.escalation, window_s=window_s))
        self.store = Store(Path(folder) / "bench.duckdb")
        self.live = LiveAnalysis(self.store, self.settings, ("slow_query", "p95_breach", "db_cpu"), share)
        self.now_ns = BEGIN_NS

    def receive(self, rows: SpanTables) -> int:
        """Store rows, two seconds after the last ones; return how many spans they are."""
        self.now_ns += STEP_S * SECOND
        self.store.append([received(rows, self.now_ns)])
        return len(rows.spans)

    def step(self) -> tuple[float, float]:
        """Return the CPU and the wall-clock seconds of one step."""
        cpu, wall = time.process_time(), time.monotonic()
        self.live.advance(self.now_ns + 1)
        return time.process_time() - cpu, time.monotonic() - wall

    def measure(self, source: Iterator[SpanTables], steps: int) -> list[float]:
        """Measure steps at their pace, print a line for each, and return their CPU seconds."""
        costs = []
        for _ in range(steps):
            spans = self.receive(next(source))
            cpu, wall = self.step()
            costs.append(cpu)
            print(f"  {spans} new spans: {cpu * 1e3:.0f} ms CPU, {wall * 1e3:.0f} ms")
            time.sleep(max(0.0, STEP_S - wall))
        return costs


def main() -> None:
    """Measure, and print one line a step and a summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--rate", type=int, default=1000, help="spans a second")
    parser.add_argument("--window", type=int, default=300, help="seconds")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--everything", action="store_true", help="work out every part at every step")
    parser.add_argument("--compare", action="store_true", help="measure a whole analysis of the window, too")
    asked = parser.parse_args()
    with TemporaryDirectory() as folder:
        bench = Bench(folder, asked.window, None if asked.everything else SHARE)
        tables = recorded(bench.store, asked.folder)
        source = slices(tables, asked.rate * STEP_S)
        spans = sum(bench.receive(next(source)) for _ in range(asked.window // STEP_S))
        cpu, wall = bench.step()
        print(f"window of {spans} spans, first step: {cpu:.2f} s CPU, {wall:.2f} s")
        costs = bench.measure(source, asked.steps)
        most_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        median_s, mean_s = statistics.median(costs), statistics.mean(costs)
        print(f"median step: {median_s * 1e3:.0f} ms CPU, {median_s / asked.rate / STEP_S * 1e6:.1f} us a new span")
        print(f"in all {mean_s / STEP_S:.0%} of a core; {most_mb:.0f} MB")
        print("one new trace:")
        bench.measure(slices(tables, 1), 3)
        if asked.compare:
            cpu, wall = time.process_time(), time.monotonic()
            with bench.store.reader() as reader:
                analyse(reader, bench.settings, Scope(received_since_ns=bench.now_ns - asked.window * SECOND))
            print(f"whole analysis: {time.process_time() - cpu:.2f} s CPU, {time.monotonic() - wall:.2f} s")
        while (wait_s := bench.live.wait_s(bench.now_ns)) is not None:
            bench.now_ns += int(wait_s * SECOND) + 1
            bench.step()
        print(f"step with nothing new: {bench.step()[0] * 1e3:.1f} ms CPU")
        bench.live.close()
        bench.store.close()


if __name__ == "__main__":
    main()
