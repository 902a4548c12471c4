"""The model's relations over the recently received traces, kept up to date trace by trace.

A step makes the model anew for the traces that something was received of, and for these alone: the same scripts run as
for a report, with the spans of these traces standing in for the store's. What they say of a trace then replaces what
was kept of it. A trace stays whole as long as any of its spans was received within the window, then leaves it whole,
and begins anew if more is received of it; of the longest traces, what was received two windows ago is left out.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from tracelens.grouping import gathered
from tracelens.live.kept import KeptRelations, KeptRows
from tracelens.model import (
    CATALOGUE_MODEL,
    SHARED_MODEL,
    TRACE_MODEL,
    Scope,
    is_empty,
    made_by,
    make_relations,
    model_parameters,
)
from tracelens.relations import kept_relations
from tracelens.store.database import read_sql

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from tracelens.passes.registry import Pass
    from tracelens.settings import Settings
    from tracelens.store.store import Reader, Store

_SPANS_AT_ONCE: Final = 250_000
"""Bounds what a step holds beside the window: some 300 bytes a span."""

_SPANS_BETWEEN_CHECKPOINTS: Final = 500_000
"""A checkpoint compresses what was added and frees what was deleted."""

_SHARED: Final = ("prepared_spans", "database_addresses")
"""What traces tell about others: the scripts that follow read the whole window's."""

_OWN: Final = ("foreign_links", "sockets")
"""Which traces others tell something about."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """A window in time, nanoseconds since 1970.

    Attributes:
        now_ns: its end.
        since_ns: traces of which no span was received since then are left out.
        oldest_ns: spans received before are left out, even of traces that are not.
        settled_before_ns: as `analysis.Scope` has it.
        rest_per_span_ns: for how long a trace is left alone after it was made.
    """

    now_ns: int
    since_ns: int
    oldest_ns: int
    settled_before_ns: int
    rest_per_span_ns: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What a step changed.

    Attributes:
        is_any: whether any trace.
        traces: those of the traces that were asked about.
        due_ns: when a trace that rests has to be made anew; infinite where none has.
    """

    is_any: bool
    traces: frozenset[UUID] = frozenset()
    due_ns: float = math.inf


class LiveWindow:
    """The kept relations. They are in a database of their own in memory, which every reader of the store can see.

    Args:
        store: holds the spans.
        settings: thresholds and objectives.
        passes: all that are to run, each with its thresholds; of those that look at single traces the rows are kept.

    Attributes:
        rows: of the passes that look at single traces.
    """

    def __init__(self, store: Store, settings: Settings, passes: Sequence[tuple[Pass, dict[str, float]]]) -> None:
        self._store = store
        self._parameters = model_parameters(settings, Scope())
        self._kept_names = kept_relations(entry.query for entry, _ in passes if entry.reach != "trace")
        self._kept = KeptRelations()
        self.rows = KeptRows([(entry, thresholds) for entry, thresholds in passes if entry.reach == "trace"])
        self.forget()

    def forget(self) -> None:
        """Begin anew at the next step, with all that the store holds of the window."""
        self._is_open = False
        self._arrivals: dict[int, int] = {}
        self._catalogue: dict[str, Any] = {}
        self._spans_since_checkpoint = 0
        self._kept.forget()
        self.rows.forget()

    def close(self) -> None:
        """Let go of the kept relations."""
        with self._store.reader() as reader:
            reader.run_script("detach database if exists _live")
        self.forget()

    def catch_up(self, bounds: Bounds, asked_about: Collection[UUID]) -> Changes:
        """Bring the kept relations up to what the store holds now.

        Args:
            bounds: the window's.
            asked_about: traces of which the caller has to know whether they changed.

        Raises:
            StoreError, duckdb.Error: the store cannot be read; call `forget`.
        """
        self._open()
        with self._store.reader() as reader:
            arrived = {
                row["received_ns"]: row["spans"]
                for row in reader.rows(read_sql("live/arrivals.sql"), {"since_ns": bounds.since_ns})
            }
        new = {at: spans for at, spans in arrived.items() if self._arrivals.get(at) != spans}
        changed, traces = False, frozenset[UUID]()
        for group in gathered(sorted(new.items()), lambda arrival: arrival[1], _SPANS_AT_ONCE):
            step = self._step([received_ns for received_ns, _ in group], bounds, asked_about)
            changed, traces = changed or step.is_any, traces | step.traces
        # What one trace says of others is known when it was made: those others are made anew in a step of their own.
        due_ns = self._due_ns()
        while not new or due_ns <= bounds.now_ns:
            step = self._step([], bounds, asked_about)
            if not step.is_any:
                break
            changed, traces = True, traces | step.traces
            due_ns = self._due_ns()
        self._arrivals = arrived
        if self._spans_since_checkpoint >= _SPANS_BETWEEN_CHECKPOINTS:
            self._checkpoint()
        return Changes(changed, traces, due_ns)

    @contextmanager
    def reader(self) -> Iterator[Reader]:
        """Lend a reader that finds the kept relations under the names that they have in the model."""
        with self._store.reader() as reader:
            own = reader.rows("select current_database() as name")[0]["name"].replace('"', '""')
            quoted = f'"{own}",_live'.replace("'", "''")
            reader.run_script(f"set search_path = '{quoted}'")
            yield reader

    def _open(self) -> None:
        """See to it that the kept relations are there: they are gone when the store had to be opened again."""
        with self._store.reader() as reader:
            is_attached = bool(reader.rows("select 1 from duckdb_databases() where database_name = '_live'"))
            if is_attached and self._is_open:
                return
            self.forget()
            reader.run_script("detach database if exists _live")
            reader.run_file("live/open.sql")
            self._is_open = True

    def _step(self, received_ns: Sequence[int], bounds: Bounds, asked_about: Collection[UUID]) -> Changes:
        with self.reader() as reader:
            reader.run_file(
                "live/touched.sql",
                {
                    "received_ns": list(received_ns),
                    "first_ns": min(received_ns, default=0),
                    "last_ns": max(received_ns, default=-1),
                    "now_ns": bounds.now_ns,
                    "since_ns": bounds.since_ns,
                    "oldest_ns": bounds.oldest_ns,
                    # Where something is known, no older span of a trace is in the window that nothing is known of.
                    "unknown_from_ns": bounds.since_ns if self._arrivals else bounds.oldest_ns,
                    "settled_before_ns": bounds.settled_before_ns,
                },
            )
            if not self._arrivals:
                window_ns = bounds.now_ns - bounds.since_ns
                reader.run_file("live/pauses.sql", {"oldest_ns": bounds.oldest_ns, "window_ns": window_ns})
            counted = reader.rows(read_sql("live/touched_counts.sql"))[0]
            if counted["postponed"]:
                reader.run_file("live/postponed.sql")
            if not counted["replaced"] and self._catalogue:
                return Changes(is_any=False)
            if counted["has_dependents"]:
                reader.run_file("live/shared_before.sql")
            if counted["touched"] or not self._catalogue:  # the first step makes the relations, if only empty ones
                self._make(reader, counted["from_ns"] or bounds.since_ns, bounds, has_old=counted["has_old"])
            else:
                self._remove(reader)
            if counted["has_dependents"]:
                reader.run_file("live/dependents.sql")
            asked = {"trace_ids": list(asked_about)}
            changed = reader.rows(read_sql("live/replaced_of.sql"), asked) if counted["has_old"] else []
        return Changes(is_any=True, traces=frozenset(row["trace_id"] for row in changed))

    def _make(self, reader: Reader, from_ns: int, bounds: Bounds, *, has_old: bool) -> None:
        """Make the model of the touched traces, received from `from_ns` on, and replace what was kept of them."""
        parameters = self._parameters | {"settled_before_ns": bounds.settled_before_ns}
        self._refresh_catalogue(reader, parameters)
        reader.run_file("live/staging.sql", {"from_ns": from_ns})
        (shown,) = reader.rows(read_sql("live/spans_view.sql"))
        reader.run_script(shown["statement"])
        has_rows = make_relations(reader, SHARED_MODEL, parameters)
        for relation in _SHARED:
            self._kept.replace(reader, relation, has_rows=has_rows[relation], has_old=has_old)
            reader.run_script(f"drop table temp.{relation}")
        has_rows = make_relations(reader, TRACE_MODEL, parameters)
        resting = {
            "rest_per_span_ns": bounds.rest_per_span_ns,
            "longest_rest_ns": (bounds.now_ns - bounds.since_ns) // 4,
        }
        reader.run_file("live/states.sql", resting | {"now_ns": bounds.now_ns})
        for relation in ("traces", *_OWN, *self._kept_names):
            has_any = has_rows[relation] if relation in has_rows else not is_empty(reader, f"temp.{relation}")
            self._kept.replace(reader, relation, has_rows=has_any, has_old=has_old)
        self.rows.replace(reader, has_rows, has_old=has_old)
        self._spans_since_checkpoint += reader.rows("select count(*) as spans from span_rows")[0]["spans"]

    def _remove(self, reader: Reader) -> None:
        """Delete what was kept of traces that left the window, where no others were touched."""
        self._kept.delete(reader, ("traces", *_SHARED, *_OWN, *self._kept_names))
        self.rows.delete(reader)

    def _refresh_catalogue(self, reader: Reader, parameters: dict[str, object]) -> None:
        """Make the relations of the catalogue anew when it has grown."""
        size = reader.rows(read_sql("live/catalogue_size.sql"))[0]
        if size == self._catalogue:
            return
        for script in CATALOGUE_MODEL:
            reader.run_file(f"model/{script}.sql", parameters)
            for relation in made_by(script):
                reader.run_script(f"create or replace table _live.{relation} as from {relation}")
        self._catalogue = size

    def _due_ns(self) -> float:
        """Return when a trace has to be made anew, as far as that is known."""
        with self._store.reader() as reader:
            until_ns: int | None = reader.rows(read_sql("live/resting.sql"))[0]["until_ns"]
        return math.inf if until_ns is None else until_ns

    def _checkpoint(self) -> None:
        with self._store.reader() as reader:
            self._kept.checkpoint(reader)
        self._spans_since_checkpoint = 0
