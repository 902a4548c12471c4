"""What is kept of traces, replaced trace by trace: relations of the model, and the rows of passes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tracelens.pass_rows import find_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracelens.passes.registry import Pass
    from tracelens.store.store import Reader

_log = logging.getLogger(__name__)

_KINDS = ("pass_rows", "row_impact")


def keep(reader: Reader, relation: str) -> None:
    """Begin to keep a staged relation."""
    reader.run_script(f"create table if not exists _live.{relation} as from temp.{relation} with no data")


def replace_kept(reader: Reader, relation: str, *, has_rows: bool) -> None:
    """Put a staged relation's rows, where it has any, in the place of what was kept of the same traces."""
    delete_kept(reader, relation)
    if has_rows:
        reader.run_script(f"insert into _live.{relation} by name from temp.{relation}")


def delete_kept(reader: Reader, relation: str) -> None:
    """Delete what is kept of the replaced traces."""
    reader.run_script(f"delete from _live.{relation} where trace_id in (select trace_id from replaced)")  # noqa: S608


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

    def replace(self, reader: Reader, has_rows: Mapping[str, bool]) -> None:
        """Run the passes over the staged model, and put their rows in the place of those of the same traces.

        Args:
            reader: holds the staged model.
            has_rows: which of its relations have rows.
        """
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
                    delete_kept(reader, f"{kind}_{name}")
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
