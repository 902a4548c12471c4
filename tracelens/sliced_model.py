"""The model of a large window, made slice by slice: of each slice only what is read across traces is kept.

What looks at single traces runs over one slice after the other, on as many threads as DuckDB has; the passes among it
leave their rows. The rest runs over what was kept, as it would over the model of the whole window: equal reports come
of it, whatever the size of a slice.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Final, Protocol

from tracelens.model import CATALOGUE_MODEL, SHARED_MODEL, TRACE_MODEL, WINDOW_MODEL, made_by, make_relations
from tracelens.pass_rows import find_rows, fold_rows, run_pass
from tracelens.relations import add_kept, begin_kept, kept_relations
from tracelens.slices import cut
from tracelens.store.database import read_sql

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tracelens.passes.registry import Pass
    from tracelens.slices import Slice
    from tracelens.store.store import Reader

_SPANS_AT_ONCE: Final = 500_000
_MANY_SPANS_AT_ONCE: Final = 900_000
_MUCH_MEMORY: Final = 4 << 30
"""A slice takes one to two kilobytes a span while it is worked on, one slice for each worker, and a tenth of a second
however small it is: of ten million spans fewer, larger slices save a seventh of the time.
"""

WHOLE_SPANS: Final = 1_250_000
"""Up to so many spans fit into the default memory, and the model is made faster at once than in slices."""

_MOST_WORKERS: Final = 4

_KINDS: Final = ("pass_rows", "row_impact")

_SUMMED_UP: Final = {
    "trace_evidence": "slices/kept_trace_evidence.sql",
    "response_counts": "slices/kept_response_counts.sql",
}
"""Relations of which a slice leaves sums, where no pass reads them."""

_numbers = count()


class Model(Protocol):
    """A model with the passes over it."""

    def rows(self, entry: Pass, thresholds: dict[str, float]) -> list[dict[str, Any]]:
        """Return the folded rows of a pass, or raise whatever ails it."""


@dataclass(frozen=True, slots=True)
class WholeModel:
    """A model that was made at once.

    Attributes:
        reader: holds it.
        has_rows: see `make_relations`.
    """

    reader: Reader
    has_rows: Mapping[str, bool]

    def rows(self, entry: Pass, thresholds: dict[str, float]) -> list[dict[str, Any]]:
        """Return the folded rows of a pass."""
        return run_pass(self.reader, entry, thresholds, self.has_rows)


class SlicedModel:
    """What is kept of the slices, in a database of its own in memory.

    Args:
        reader: finds the kept relations under the names that they have in the model.
        name: of the database.
        passes: all that are to run, each with its thresholds.
    """

    def __init__(self, reader: Reader, name: str, passes: Sequence[tuple[Pass, dict[str, float]]]) -> None:
        self._failed = dict[str, Exception]()
        self._reader = reader
        self._name = name
        self._passes = [(entry, thresholds) for entry, thresholds in passes if entry.reach == "trace"]
        self._has_rows: Mapping[str, bool] = {}
        window_passes = [entry for entry, _ in passes if entry.reach != "trace"]
        asked_for = {relation for relation in _SUMMED_UP for entry in window_passes if relation in entry.query}
        self._summed_up = _SUMMED_UP.keys() - asked_for
        self._kept = kept_relations(" ".join((entry.query, *entry.rows_from)) for entry in window_passes)
        self._made = set[str]()
        self._keeping = threading.Lock()
        self._is_stopped = False

    def make(self, parameters: Mapping[str, object], spans_at_once: int) -> None:
        """Make the model of the whole window: what the reader sees is what `build_model` makes for other readers."""
        make_relations(self._reader, (*CATALOGUE_MODEL, *SHARED_MODEL), parameters)
        slices = cut(self._reader, parameters, spans_at_once)
        own = (name for script in (*CATALOGUE_MODEL, *SHARED_MODEL) for name in made_by(script))
        for relation in (*own, "straddling_traces"):
            self._reader.run_script(f"create table {self._name}.{relation} as from {relation}")
        self._reader.run_file("slices/recurring_texts.sql")
        self._reader.run_script(f"create table {self._name}.recurring_texts as from recurring_texts")
        for relation in ("spans", "query_texts"):
            self._reader.run_script(
                f"create view {self._name}.stored_{relation} as from {_own(self._reader)}.main.{relation}"
            )
        (setting,) = self._reader.rows("select current_setting('threads') as threads")
        workers = min(setting["threads"], _MOST_WORKERS, len(slices))
        waiting = iter(slices)
        with ThreadPoolExecutor(workers, "slices") as pool:
            working = [pool.submit(self._work, waiting, parameters) for _ in range(workers)]
            try:
                for worker in working:
                    worker.result()
            finally:
                self._is_stopped = (
                    True  # where one failed, or the user gave up, the others end with the slice they are at
                )
        self._has_rows = make_relations(self._reader, WINDOW_MODEL, parameters)

    def rows(self, entry: Pass, thresholds: dict[str, float]) -> list[dict[str, Any]]:
        """Return the folded rows of a pass.

        Raises:
            Exception: the pass fails, or failed over a slice.
        """
        if entry.reach != "trace":
            return run_pass(self._reader, entry, thresholds, self._has_rows)
        if entry.name in self._failed:
            raise self._failed[entry.name]
        if f"pass_rows_{entry.name}" not in self._made:
            return []
        for kind in _KINDS:
            self._reader.run_script(f"create or replace temp table {kind} as from {self._name}.{kind}_{entry.name}")
        return fold_rows(self._reader)

    def _work(self, waiting: Iterator[Slice], parameters: Mapping[str, object]) -> None:
        with self._reader.beside() as reader:
            _search(reader, self._name)
            while (taken := self._next(waiting)) is not None:
                self._make_slice(reader, taken, parameters)

    def _next(self, waiting: Iterator[Slice]) -> Slice | None:
        with self._keeping:
            return None if self._is_stopped else next(waiting, None)

    def _make_slice(self, reader: Reader, taken: Slice, parameters: Mapping[str, object]) -> None:
        bounds = {name: getattr(taken, name) for name in taken.__slots__}
        reader.run_file("slices/slice.sql", bounds)
        own_spans = "slices/range_spans.sql" if taken.part is None else "slices/part_spans.sql"
        reader.run_file(own_spans)
        nodes, *others = TRACE_MODEL
        has_rows = make_relations(reader, (nodes,), parameters)
        reader.run_file("slices/near_spans.sql")
        has_rows |= make_relations(reader, others, parameters)
        reader.run_file(own_spans)
        for entry, thresholds in self._passes:
            if entry.name in self._failed:
                continue
            try:
                is_found = find_rows(reader, entry, thresholds, has_rows)
            except Exception as error:  # noqa: BLE001  (one broken pass, a user's perhaps, must not cost the others)
                self._failed[entry.name] = error
                continue
            if is_found:
                for kind in _KINDS:
                    self._keep(reader, kind, f"{kind}_{entry.name}")
        for relation in self._kept:
            self._keep(reader, relation, relation)

    def _keep(self, reader: Reader, relation: str, name: str) -> None:
        with self._keeping:
            if relation in self._kept and relation not in self._summed_up:
                if name not in self._made:
                    begin_kept(reader, self._name, relation)
                    self._made.add(name)
                add_kept(reader, self._name, relation)
                return
            rows = f"({read_sql(_SUMMED_UP[relation])})" if relation in self._summed_up else f"temp.{relation}"
            if name not in self._made:
                reader.run_script(f"create table {self._name}.{name} as from {rows} with no data")
                self._made.add(name)
            reader.run_script(f"insert into {self._name}.{name} by name from {rows}")


@contextmanager
def sliced_model(
    reader: Reader,
    parameters: Mapping[str, object],
    passes: Sequence[tuple[Pass, dict[str, float]]],
    spans_at_once: int | None = None,
) -> Iterator[SlicedModel]:
    """Make the model in slices; it is there until the block ends.

    Args:
        reader: is to see the model.
        parameters: what the model's scripts are bound to.
        passes: all that are to run, each with its thresholds.
        spans_at_once: how many spans a slice has, more or less; None for what suits the memory.
    """
    name = f"_sliced_{next(_numbers)}"
    reader.run_script(f"attach ':memory:' as {name} (compress)")
    (path,) = reader.rows("select current_setting('search_path') as search_path")
    try:
        _search(reader, name)
        model = SlicedModel(reader, name, passes)
        model.make(parameters, spans_at_once or _spans_at_once(reader))
        yield model
    finally:
        reader.run_script("set search_path = '" + path["search_path"].replace("'", "''") + "'")
        reader.run_script(f"detach {name}")


def _spans_at_once(reader: Reader) -> int:
    """Return how many spans a slice should have where DuckDB may use as much memory as it may."""
    asked = "select parse_formatted_bytes(current_setting('memory_limit')) as bytes"
    return _MANY_SPANS_AT_ONCE if reader.rows(asked)[0]["bytes"] >= _MUCH_MEMORY else _SPANS_AT_ONCE


def _search(reader: Reader, name: str) -> None:
    """Let a reader find relations in the kept database, behind its own temporary ones and the store's."""
    quoted = f"{_own(reader)},{name}".replace("'", "''")
    reader.run_script(f"set search_path = '{quoted}'")


def _own(reader: Reader) -> str:
    """Return the name of the store's database, quoted."""
    name: str = reader.rows("select current_database() as name")[0]["name"]
    return '"' + name.replace('"', '""') + '"'
