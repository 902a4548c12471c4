"""What it costs to analyse many spans: the model and every pass, on stores with planted patterns to find again.

    python bench/analysis.py --spans 100000 1000000 10000000 --memory 2GiB 8GiB --write

Each store is made once (filling.py), then `tracelens report` reads it in a process of its own, once per memory limit.
Time and memory are the kernel's account of that process, start and rendering included. The planted patterns have to be
found on each of their traces, and none on the look-alikes. Where perf-sentinel is installed its `analyze` reads the
same traces as OTLP JSON, up to the gigabyte that it takes.
"""

from __future__ import annotations

import argparse
import base64
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from contenders import PerfSentinel, perf_sentinel
from distinct import Template, Variation
from filling import BLOCK_SPANS, START_NS, Filled, fill
from google.protobuf.json_format import MessageToDict
from measured import Cost, cost_of, environment, machine
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from planted import PlantedMix
from tables import number, table, write_section

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_JSON_BYTES: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class Reading:
    """One analysis of one store."""

    spans: int
    memory_limit: str
    wall_s: float
    cost: Cost
    wrong: tuple[str, ...]
    findings: int


def analyse(db: Path, filled: Filled, memory_limit: str) -> Reading:
    """Report on a store and compare the findings with what was planted."""
    config = db.with_suffix(".toml")
    config.write_text(f'[store]\nmemory_limit = "{memory_limit}"\n')
    output = db.with_suffix(".json")
    command = [sys.executable, "-m", "tracelens", "report", "--db", db, "--config", config, "--output", output]
    begun = time.perf_counter()
    process = subprocess.Popen(
        [*map(str, command), "--format", "json", "--fail-on", "never"], env=environment(), stdout=subprocess.DEVNULL
    )
    cost = cost_of(process)
    wall_s = time.perf_counter() - begun
    if cost.code:
        return Reading(filled.spans, memory_limit, wall_s, cost, (f"it ended with {cost.code}",), 0)
    report = json.loads(output.read_text())
    return Reading(filled.spans, memory_limit, wall_s, cost, tuple(wrong(report, filled)), len(report["findings"]))


def wrong(report: dict[str, Any], filled: Filled) -> list[str]:
    """Return what the report has not found as it was planted."""
    found = {(entry["pass"], entry["endpoint"]): entry["occurrences"]["requests"] for entry in report["findings"]}
    missed = [
        f"{pass_name} on {endpoint}: {found.get((pass_name, endpoint), 0)} of {count}"
        for (pass_name, endpoint), count in sorted(filled.planted.items())
        if found.get((pass_name, endpoint), 0) != count
    ]
    if report["summary"]["spans"] != filled.spans:
        missed.append(f"{report['summary']['spans']} of {filled.spans} spans")
    planted = {endpoint for _, endpoint in filled.planted}
    invented = [f"{name} on {place}" for name, place in found if place not in planted and _is_pattern(name)]
    return missed + [f"invented: {text}" for text in sorted(invented)]


def _is_pattern(name: str) -> bool:
    """Say whether a finding of this pass on a healthy endpoint is an invention: those that count repetitions are."""
    return name.startswith("n_plus_one") or name in ("repeated_query", "slow_query", "single_row_writes")


def write_json(path: Path, spans: int, seed: int = 1) -> bool:
    """Write the traces of such a store as OTLP JSON, one request a line; return whether perf-sentinel takes so much."""
    templates = [Template(body) for body in PlantedMix(seed, START_NS).requests(min(spans, BLOCK_SPANS))]
    length_ns = 120 * 10**9
    with path.open("wb") as file:
        for copy in range(max(1, round(spans / BLOCK_SPANS))):
            patterns = copy.to_bytes(16, "big"), (copy << 40).to_bytes(8, "big")
            for template in templates:
                file.write(_json_line(template.vary(Variation(*patterns, copy * length_ns, copy * 7919))))
            if file.tell() > _MOST_JSON_BYTES:
                return False
    return True


def _json_line(body: bytes) -> bytes:
    """Return a request in OTLP's JSON, in which ids are hexadecimal and enums numbers."""
    document = MessageToDict(ExportTraceServiceRequest.FromString(body), use_integers_for_enums=True)
    for resource in document["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                for key in ("traceId", "spanId", "parentSpanId"):
                    if key in span:
                        span[key] = base64.b64decode(span[key]).hex()
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def rival(folder: Path, spans: int) -> Reading:
    """Have perf-sentinel analyse the same traces."""
    path = folder / "traces.jsonl"
    try:
        if not write_json(path, spans):
            return Reading(spans, "none", 0, Cost(0, 0, 0), ("more than the gigabyte that it reads",), 0)
        begun = time.perf_counter()
        with (folder / "rival.json").open("wb") as output:
            command = [str(perf_sentinel()), "analyze", "--input", str(path), "--format", "json"]
            cost = cost_of(subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL, cwd=folder))
        wall_s = time.perf_counter() - begun
        if cost.code:
            return Reading(spans, "none", wall_s, cost, (f"it ended with {cost.code}",), 0)
        found = json.loads((folder / "rival.json").read_text())["findings"]
    finally:
        path.unlink(missing_ok=True)
    return Reading(spans, "none", wall_s, cost, (), len(found))


def made(folder: Path, spans: int) -> tuple[Path, Filled]:
    """Return a store in a folder, made now unless one of that size is there."""
    db, account = folder / f"{spans}.duckdb", folder / f"{spans}.planted.json"
    if account.exists():
        stored, planted = json.loads(account.read_text())
        return db, Filled(stored, Counter({(name, endpoint): count for name, endpoint, count in planted}))
    db.unlink(missing_ok=True)
    filled = fill(db, spans)
    account.write_text(json.dumps([filled.spans, [[*name, count] for name, count in filled.planted.items()]]))
    return db, filled


def summary(readings: Sequence[tuple[str, Reading]]) -> str:
    """Return the table."""
    rows = [
        [
            name,
            number(reading.spans),
            reading.memory_limit,
            number(reading.wall_s, 1),
            number(reading.cost.cpu_s, 1),
            number(reading.cost.cpu_s / reading.spans * 1e6, 2),
            number(reading.cost.peak_bytes / (1 << 20)),
            number(reading.findings),
            "; ".join(reading.wrong) or ("all, none invented" if name == "tracelens" else "not compared"),
        ]
        for name, reading in readings
    ]
    heads = [
        "tool",
        "spans",
        "memory limit",
        "wall s",
        "CPU s",
        "CPU µs per span",
        "peak MiB",
        "findings",
        "planted found",
    ]
    return f"{machine()}.\n\n{table(heads, rows)}"


def main() -> int:
    """Measure and print; 1 where a planted pattern was not found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--memory", nargs="+", default=["2GiB", "8GiB"], help="DuckDB's limits")
    parser.add_argument("--folder", type=Path, help="where the stores are made; 90 bytes a span")
    parser.add_argument(
        "--keep", action="store_true", help="leave the stores in --folder, and use those that are there"
    )
    parser.add_argument("--write", action="store_true", help="into bench/README.md")
    arguments = parser.parse_args()
    readings: list[tuple[str, Reading]] = []
    for spans in arguments.spans:
        with tempfile.TemporaryDirectory(prefix="tracelens-bench-", dir=arguments.folder) as name:
            db, filled = made(arguments.folder if arguments.keep and arguments.folder else Path(name), spans)
            for memory_limit in arguments.memory:
                readings.append(("tracelens", analyse(db, filled, memory_limit)))
                print(f"{spans:,} spans, {memory_limit}: {readings[-1][1]}", file=sys.stderr, flush=True)
            if not arguments.keep:
                db.unlink()
            if PerfSentinel().missing():
                print(f"left out, not installed: {PerfSentinel().missing()}", file=sys.stderr)
            else:
                readings.append((f"perf-sentinel {PerfSentinel().version()}", rival(Path(name), spans)))
    text = summary(readings)
    print(text)
    if arguments.write:
        write_section("analysis", text)
    return 1 if any(reading.wrong for name, reading in readings if name == "tracelens") else 0


if __name__ == "__main__":
    sys.exit(main())
