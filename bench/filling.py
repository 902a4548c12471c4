"""Large stores, quickly: one block of spans goes the normal way, and is then copied by SQL with other ids and times."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import duckdb
from planted import PlantedMix

from tracelens.ingest import store_requests
from tracelens.otlp.requests import Request
from tracelens.otlp.signals import Signal
from tracelens.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

BLOCK_SPANS: Final = 100_000
START_NS: Final = 1_772_442_000 * 10**9  # 2026-03-02T09:00:00Z

# Odd factors, under which the numbers of copies come to lie far apart.
_TRACE_FACTOR: Final = 0x9E3779B97F4A7C15F39CC0605CEDC835
_SPAN_FACTOR: Final = 0xC2B2AE3D27D4EB4F

_COPY_TEXTS: Final = """
insert into query_texts
select query_text_id + $copy * ($last_text_id + 1),
       query_shape_id, regexp_replace(query_text, '9([0-9]{7})', '9' || $copy || '\\1', 'g'),
       xor(parameter_hash, $copy), offset_rows, limit_rows, value_rows, truncated
from query_texts
where query_text_id <= $last_text_id and regexp_matches(query_text, '9[0-9]{7}')
"""

_COPY_SPANS: Final = """
insert into span_rows by name
select s.* replace (
  xor(s.trace_id::uhugeint, $trace_pattern::uhugeint)::uuid as trace_id,
  xor(s.span_id, $span_pattern) as span_id,
  xor(s.parent_span_id, $span_pattern) as parent_span_id,
  s.start_ns + $shift_ns as start_ns,
  s.received_ns + $shift_ns as received_ns,
  coalesce(t.query_text_id, s.query_text_id) as query_text_id
)
from block as s
left join query_texts as t
  on t.query_text_id = s.query_text_id + $copy * ($last_text_id + 1) and t.query_text_id > $last_text_id
"""

_COPY_EVENTS: Final = """
insert into span_events
select xor(trace_id::uhugeint, $trace_pattern::uhugeint)::uuid, xor(span_id, $span_pattern), time_ns + $shift_ns, name,
       attributes
from block_events
"""


@dataclass(frozen=True, slots=True)
class Filled:
    """What is in a store: spans, and traces with each planted pattern by pass and endpoint."""

    spans: int
    planted: Counter[tuple[str, str]]


def fill(path: Path, spans: int, *, seed: int = 1, block_spans: int = BLOCK_SPANS) -> Filled:
    """Make a store with so many spans, some more or less, in copies of a block."""
    copies = max(1, round(spans / block_spans))
    mix = PlantedMix(seed, START_NS)
    requests = [Request(Signal.TRACES, body) for body in mix.requests(min(spans, block_spans))]
    store = Store(path)
    try:
        store_requests(store, requests, _refuse)
    finally:
        store.close()
    with duckdb.connect(str(path)) as connection:
        return Filled(_copy(connection, copies), Counter({name: count * copies for name, count in mix.planted.items()}))


def _copy(connection: duckdb.DuckDBPyConnection, copies: int) -> int:
    connection.execute("create temp table block as select * from span_rows")
    connection.execute("create temp table block_events as select * from span_events")
    block_spans, length_ns, last_text_id = connection.execute(
        "select count(*), max(start_ns) - min(start_ns), (select max(query_text_id) from query_texts) from span_rows"
    ).fetchall()[0]
    for copy in range(1, copies):
        texts = {"copy": copy, "last_text_id": last_text_id}
        details = {
            "trace_pattern": copy * _TRACE_FACTOR % 2**127,
            "span_pattern": copy * _SPAN_FACTOR % 2**63,
            "shift_ns": copy * length_ns,
        }
        connection.execute(_COPY_TEXTS, texts)
        connection.execute(_COPY_SPANS, texts | details)
        connection.execute(_COPY_EVENTS, details)
    connection.execute("checkpoint")
    return int(block_spans) * copies


def _refuse(reason: str) -> None:
    raise ValueError(reason)
