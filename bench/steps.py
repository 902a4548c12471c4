"""Where the CPU time of taking spans in goes, step by step, and where the bytes on disk.

    python bench/steps.py --spans 500000

The steps of `tracelens serve` run one after the other in this process, in groups and transactions as large as a busy
server's, on the load of load.py. Each step is charged with the CPU time of the whole process, DuckDB's threads
included, less that of the steps within it. Transport is measured beside it: the gRPC receiver alone, answering at once.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter, defaultdict
from concurrent.futures import Future
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import duckdb
import pyarrow as pa
import xxhash
from ingest import Loader
from load import Load, parse_all
from measured import machine
from mix import SPANS_PER_REQUEST
from tables import number, table, write_section

from tracelens import journal as journal_module
from tracelens.ingest import decoding
from tracelens.ingest.storing import store_batch
from tracelens.journal import Journal
from tracelens.native.library import library
from tracelens.native.span_reader import SpanReader
from tracelens.otlp.requests import Request
from tracelens.otlp.signals import Signal
from tracelens.receiver.grpc import GrpcReceiver
from tracelens.semconv import catalogue
from tracelens.store import store as store_module
from tracelens.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tracelens.otlp.metrics import RefusedPoints

_GROUP_REQUESTS: Final = 20
"""Some 4 MB: what a busy receiver decodes and synchronises at once."""

_TRANSACTION_SPANS: Final = 122_880


class Steps:
    """CPU time by step, each without the steps within it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._open = ["other"]
        self._since = time.process_time()

    def _charge(self) -> None:
        now = time.process_time()
        self.seconds[self._open[-1]] += now - self._since
        self._since = now

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Charge the block to a step."""
        self._charge()
        self._open.append(name)
        try:
            yield
        finally:
            self._charge()
            self._open.pop()

    def wrap(self, owner: Any, attribute: str, name: str | Callable[..., str]) -> None:
        """Charge every call of a function to a step, whose name may depend on the arguments."""
        inner = getattr(owner, attribute)

        @wraps(inner)
        def charged(*arguments: Any, **keywords: Any) -> Any:
            with self.step(name if isinstance(name, str) else name(*arguments)):
                return inner(*arguments, **keywords)

        setattr(owner, attribute, charged)


class ChargedConnection:
    """A connection of DuckDB whose statements are charged to steps named after them."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, steps: Steps) -> None:
        self._connection = connection
        self._steps = steps

    def execute(self, statement: str, parameters: Any = None) -> Any:
        words = statement.split()
        name = f"store: {' '.join(words[:3])}" if words[0] in ("insert", "update") else "store: ask for known ids"
        with self._steps.step(name):
            return self._connection.execute(statement, parameters)

    def commit(self) -> None:
        with self._steps.step("store: commit"):
            self._connection.commit()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def instrument(steps: Steps) -> None:
    """Charge the steps of ingest."""
    core = library()
    if core is None:
        sys.exit("the compiled core is not installed: pip install .")
    for name, does in (
        ("check", "is it a plain request?"),
        ("collect", "read spans"),
        ("emit", "columns"),
        ("free", "let go of memory"),
    ):
        steps.wrap(core, name, f"core: {does}")
    for owner, attribute, name in (
        (journal_module, "_write_all", "journal: write"),
        (journal_module, "_synchronise", "journal: synchronise"),
        (Journal, "append", "journal: digests"),
        (SpanReader, "_described", "shapes: work out new ones"),
        (catalogue.Catalogue, "add_query_texts", "texts: give ids to new ones"),
        (catalogue, "shape_texts", "texts: shapes of new ones"),
        (catalogue, "describe", "texts: parse new shapes"),
        (store_module, "new_spans", "store: which spans are new"),
    ):
        steps.wrap(owner, attribute, name)


def run(bodies: Sequence[bytes], folder: Path, steps: Steps, group_requests: int, transaction_spans: int) -> None:
    """Take the requests in, as the server does."""
    path = folder / "store.duckdb"
    with steps.step("store: open"):
        store = Store(path)
    store._writer = ChargedConnection(store._writer, steps)  # type: ignore[assignment]  # noqa: SLF001
    journal = Journal(folder / "journal")
    groups: list[decoding.DecodedGroup] = []
    spans = 0
    for first in range(0, len(bodies), group_requests):
        group = bodies[first : first + group_requests]
        with steps.step("intake: digests"):
            for body in group:
                xxhash.xxh3_128_digest(body)
        with steps.step("decode: the rest"):
            groups.append(decoding.decode_group([Request(Signal.TRACES, body) for body in group]).group)
            spans += groups[-1].spans
        sequence = journal.append(group)
        is_last = first + group_requests >= len(bodies)
        if is_last or spans >= transaction_spans:
            with steps.step("write: the rest"):
                whole = decoding.DecodedGroup.joined(groups)
                store_batch(store, whole, time.time_ns(), sequence, _no_defect)
            groups.clear()
            spans = 0
    with steps.step("store: checkpoint and close"):
        store.close()
    journal.close()


def _no_defect(_number: int, error: Exception) -> None:
    raise error


class InstantIntake:
    """Answers at once."""

    def submit(self, body: bytes) -> Future[RefusedPoints | None]:  # noqa: ARG002
        answer: Future[RefusedPoints | None] = Future()
        answer.set_result(None)
        return answer

    submit_metrics = submit


def transport_us(spans: int) -> float:
    """Return the CPU time of the gRPC receiver alone, in µs per span."""
    receiver = GrpcReceiver("127.0.0.1:0", InstantIntake())
    receiver.start()
    try:
        with Loader(f"grpc://{receiver.address}", spans, senders=4) as loader:
            begun = time.process_time()
            outcome = loader.run()
            return (time.process_time() - begun) / outcome.spans * 1e6
    finally:
        receiver.stop(1.0)


def columns_on_disk(path: Path, spans: int) -> str:
    """Return what each column takes in the store's blocks, the largest first, as a table."""
    with duckdb.connect(str(path), read_only=True) as connection:
        block_bytes = connection.execute("select block_size from pragma_database_size()").fetchall()[0][0]
        rows = []
        for (name,) in connection.execute("select table_name from duckdb_tables() where not internal").fetchall():
            rows += connection.execute(_SEGMENTS, {"name": name}).fetchall()
    # A block may be shared by small segments: each is charged with what lies between its start and the next one's.
    blocks: dict[int, list[tuple[int, str, str]]] = {}
    sizes: Counter[tuple[str, str]] = Counter()
    for relation, column, compression, block, offset, extra in rows:
        if block is not None and block >= 0:
            blocks.setdefault(block, []).append((offset, f"{relation}.{column}", compression))
        sizes[f"{relation}.{column}", compression] += len(extra or ()) * block_bytes
    for segments in blocks.values():
        segments.sort()
        ends = [*(offset for offset, _, _ in segments[1:]), block_bytes]
        for (offset, column, compression), end in zip(segments, ends, strict=True):
            sizes[column, compression] += end - offset
    total = sum(sizes.values())
    lines = [
        [
            column.replace("attributes.1.1", "attributes.key").replace("attributes.1.2", "attributes.value"),
            compression,
            number(size / spans, 2),
        ]
        for (column, compression), size in sizes.most_common(30)
    ]
    lines.append(["all", "", number(total / spans, 2)])
    lines.append(["the file", "", number(path.stat().st_size / spans, 2)])
    return table(["column", "compression", "bytes per span"], lines)


_SEGMENTS: Final = r"""
select $name, column_name || regexp_replace(regexp_replace(column_path, '^.[0-9]+|[ \]]', '', 'g'), ',', '.', 'g'),
       compression, block_id, block_offset, additional_block_ids
from pragma_storage_info($name)
where persistent
"""


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=500_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--group", type=int, default=_GROUP_REQUESTS, help="requests that are decoded at once")
    parser.add_argument("--transaction", type=int, default=_TRANSACTION_SPANS, help="spans that are stored at once")
    parser.add_argument("--write", action="store_true", help="into bench/README.md")
    arguments = parser.parse_args()
    pa.set_memory_pool(pa.system_memory_pool())  # as the server does
    bodies = list(Load(arguments.spans, arguments.seed).bodies())
    spans = len(bodies) * SPANS_PER_REQUEST
    parses = [parse_all(bodies).parse_us]
    with tempfile.TemporaryDirectory(prefix="tracelens-bench-") as folder:  # what is loaded and parsed only once
        run(bodies[:_GROUP_REQUESTS], Path(folder), Steps(), arguments.group, arguments.transaction)
    steps = Steps()
    instrument(steps)
    with tempfile.TemporaryDirectory(prefix="tracelens-bench-") as folder:
        begun = time.process_time()
        run(bodies, Path(folder), steps, arguments.group, arguments.transaction)
        total_us = (time.process_time() - begun) / spans * 1e6
        disk = columns_on_disk(Path(folder) / "store.duckdb", spans)
    parses.append(parse_all(bodies).parse_us)
    parse_us = sum(parses) / len(parses)
    costs = {"transport: gRPC": transport_us(arguments.spans)}
    costs |= {name: seconds / spans * 1e6 for name, seconds in steps.seconds.items()}
    total_us += costs["transport: gRPC"]
    rows = [[name, number(cost, 2), number(cost / parse_us, 1)] for name, cost in sorted(costs.items(), key=_falling)]
    rows.append(["all", number(total_us, 2), number(total_us / parse_us, 1)])
    text = (
        f"{machine()}; {spans:,} spans; bare parse {parses[0]:.2f} and {parses[1]:.2f} µs.\n\n"
        f"{table(['step', 'CPU µs per span', 'ratio to the parse'], rows)}\n{disk}"
    )
    print(text)
    if arguments.write:
        write_section("steps", text)
    return 0


def _falling(entry: tuple[str, float]) -> float:
    return -entry[1]


if __name__ == "__main__":
    sys.exit(main())
