"""What is kept of traces, replaced trace by trace: relations of the model, and the rows of passes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tracelens.model import ROWS_AND_KINDS
from tracelens.pass_rows import find_rows
from tracelens.relations import add_kept, begin_kept, drop_unused_kinds, tables_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tracelens.passes.registry import Pass
    from tracelens.store.store import Reader

_log = logging.getLogger(__name__)

_KINDS = ("pass_rows", "row_impact")


class KeptRelations:
    """Relations in `_live`. To delete from one that holds nothing of a trace costs as much as any small statement."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Nothing is kept any more."""
        self._begun = set[str]()
        self._filled = set[str]()

    def replace(self, reader: Reader, relation: str, *, has_rows: bool, has_old: bool) -> None:
        """Put a staged relation's rows in the place of what was kept of the same traces.

        Args:
            reader: holds the staged relation.
            relation: its name.
            has_rows: whether it has rows.
            has_old: whether anything was kept of these traces.
        """
        if relation not in self._begun:
            begin_kept(reader, "_live", relation)
            self._begun.add(relation)
        if has_old:
            self.delete(reader, (relation,))
        if has_rows:
            add_kept(reader, "_live", relation)
            self._filled.add(relation)

    def delete(self, reader: Reader, relations: Iterable[str]) -> None:
        """Delete what is kept of the replaced traces."""
        for relation in relations:
            if relation in self._filled:
                _delete(reader, tables_of(relation)[0])

    def checkpoint(self, reader: Reader) -> None:
        """Compress what was added, and free what was deleted."""
        for relation in self._filled.intersection(ROWS_AND_KINDS):
            drop_unused_kinds(reader, "_live", relation)
        reader.run_script("checkpoint _live")


class KeptRows:
    """The rows of passes that look at single traces, and what each of them gains.

    Args:
        passes: each with its thresholds.

    Attributes:
        failed: the passes of which rows are missing, since their query failed.
    """

    def __init__(self, passes: Sequence[tuple[Pass, dict[str, float]]]) -> None:
        self._passes = passes
        self.forget()

    def forget(self) -> None:
        """Nothing is kept any more."""
        self.failed: set[str] = set()
        self._counts = {entry.name: 0 for entry, _ in self._passes}

    def replace(self, reader: Reader, has_rows: Mapping[str, bool], *, has_old: bool) -> None:
        """Run the passes over the staged model, and put their rows in the place of those of the same traces.

        Args:
            reader: holds the staged model.
            has_rows: which of its relations have rows.
            has_old: whether anything was kept of these traces.
        """
        if has_old:
            self.delete(reader)
        for entry, thresholds in self._passes:
            try:
                is_found = find_rows(reader, entry, thresholds, has_rows)
            except Exception:  # noqa: BLE001  (one broken pass, a user's perhaps, must not cost the others)
                _log.exception("pass %s failed", entry.name)
                self.failed.add(entry.name)
                continue
            if is_found:
                for kind in _KINDS:
                    name = f"_live.{kind}_{entry.name}"
                    reader.run_script(f"create table if not exists {name} as from {kind} with no data")
                    reader.run_script(f"insert into {name} by name from {kind}")
                self._count(reader, entry.name)

    def delete(self, reader: Reader) -> None:
        """Delete the rows of the replaced traces."""
        for name, count in self._counts.items():
            if count:
                for kind in _KINDS:
                    _delete(reader, f"{kind}_{name}")
                self._count(reader, name)

    def load(self, reader: Reader, name: str) -> bool:
        """Make `pass_rows` and `row_impact` of what is kept of a pass; return whether there are any."""
        if not self._counts[name]:
            return False
        for kind in _KINDS:
            reader.run_script(f"create or replace temp table {kind} as from _live.{kind}_{name}")
        return True

    def _count(self, reader: Reader, name: str) -> None:
        self._counts[name] = reader.rows(f"select count(*) as rows from _live.pass_rows_{name}")[0]["rows"]  # noqa: S608


def _delete(reader: Reader, relation: str) -> None:
    reader.run_script(f"delete from _live.{relation} where trace_id in (select trace_id from replaced)")  # noqa: S608
