"""A store that receives spans in slices, its live analysis, and what a whole analysis says of the same window."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from tracelens.analysis import analyse
from tracelens.live import LiveAnalysis
from tracelens.live.analysis import SETTLE_S
from tracelens.model import Scope
from tracelens.otlp.decode import decode_requests
from tracelens.otlp.files import read_requests
from tracelens.otlp.signals import Signal
from tracelens.semconv.normalise import normalise
from tracelens.semconv.span_shapes import shaped
from tracelens.settings import Settings
from tracelens.settings.escalation import EscalationSettings
from tracelens.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from tracelens.findings import Report
    from tracelens.semconv.normalise import SpanTables

SECOND: Final = 1_000_000_000
BEGIN_NS: Final = 1_800_000_000 * SECOND
WINDOW_S: Final = 60

EXPIRED = """
delete from span_rows where received_ns < $oldest_ns;
delete from span_rows
using (
  select trace_id, max(received_ns) as resumed_ns
  from (
    select trace_id, received_ns, received_ns - lag(received_ns) over (partition by trace_id order by received_ns)
      as pause_ns
    from (select distinct trace_id, received_ns from span_rows)
  )
  where pause_ns > $window_ns
  group by trace_id
) as resumed
where span_rows.trace_id = resumed.trace_id and span_rows.received_ns < resumed.resumed_ns;
delete from span_rows
where trace_id in (select trace_id from span_rows group by trace_id having max(received_ns) < $since_ns)
"""


class LiveStore:
    """Time is told, not measured.

    Args:
        path: of the store's file; None keeps it in memory.
        share, urgent: of the live analysis; without a share it works out everything at every step.
    """

    def __init__(self, path: Path | None = None, share: float | None = None, urgent: Sequence[str] = ()) -> None:
        self.settings = Settings(escalation=EscalationSettings(window_s=WINDOW_S))
        self.store = Store(path)
        self.live = LiveAnalysis(self.store, self.settings, urgent, share)
        self.now_ns = BEGIN_NS

    def wait(self, seconds: float) -> None:
        self.now_ns += round(seconds * SECOND)

    def receive(self, *bodies: bytes) -> None:
        """Store requests, received now."""
        self.append([shaped_rows(self.store, list(bodies), self.now_ns)])

    def append(self, batches: Sequence[SpanTables]) -> None:
        self.store.append([received(batch, self.now_ns) for batch in batches])
        self.live.notice(self.now_ns)

    def report(self) -> Report:
        """Return what the live analysis says a moment later."""
        self.now_ns += 1
        return self.live.advance(self.now_ns)

    def analysed(self) -> Report:
        """Return what a whole analysis says of the window. What the window does not hold is deleted."""
        window_ns = WINDOW_S * SECOND
        ages = {"window_ns": window_ns, "since_ns": self.now_ns - window_ns, "oldest_ns": self.now_ns - 2 * window_ns}
        for statement in EXPIRED.split(";"):
            self.store.execute(statement, {name: value for name, value in ages.items() if f"${name}" in statement})
        with self.store.reader() as reader:
            return analyse(reader, self.settings, Scope(settled_before_ns=self.now_ns - round(SETTLE_S * SECOND)))

    def close(self) -> None:
        self.live.close()
        self.store.close()


def shaped_rows(store: Store, bodies: Sequence[bytes], received_ns: int) -> SpanTables:
    """Return the rows of requests."""
    return shaped(normalise(decode_requests(bodies).batch, store.catalogue, received_ns), store.catalogue)


def recorded(store: Store, paths: Iterable[Path]) -> list[SpanTables]:
    """Return the rows of recordings, one table each."""
    bodies = [
        [request.body for request in read_requests(str(path), on_damage=print) if request.signal is Signal.TRACES]
        for path in paths
    ]
    return [shaped_rows(store, body, 0) for body in bodies]


def picked(rows: SpanTables, positions: Sequence[int]) -> SpanTables:
    """Return some of the rows, without what hangs on them."""
    return replace(rows, spans=rows.spans.take(pa.array(positions, pa.int64())), events=None, links=None)


def received(rows: SpanTables, now_ns: int) -> SpanTables:
    place = rows.spans.schema.get_field_index("received_ns")
    column = pa.array(np.full(len(rows.spans), now_ns))
    return replace(rows, spans=rows.spans.set_column(place, "received_ns", column))
