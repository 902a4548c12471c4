"""A pass over a model: its rows, what each of them would gain, and both folded to one row per finding."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from tracelens.model import is_empty, make
from tracelens.passes.registry import OPTIONAL_COLUMNS
from tracelens.store.database import read_sql

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracelens.model import Scope
    from tracelens.passes.registry import Pass
    from tracelens.settings import Settings
    from tracelens.store.store import Reader

_UNKNOWN: Final[Mapping[str, bool]] = MappingProxyType({})


def thresholds_of(entry: Pass, settings: Settings, scope: Scope) -> dict[str, float]:
    """Return a pass's thresholds: configured, else its defaults."""
    defaults = {
        threshold.name: threshold.default
        if threshold.file_default is None or not scope.from_files
        else threshold.file_default
        for threshold in entry.thresholds
    }
    return defaults | settings.thresholds.get(entry.name, {})


def run_pass(
    reader: Reader, entry: Pass, thresholds: dict[str, float], has_rows: Mapping[str, bool] = _UNKNOWN
) -> list[dict[str, Any]]:
    """Return the rows of one pass over the model that the reader holds, folded: one per finding, as `fold.sql` says."""
    return fold_rows(reader) if find_rows(reader, entry, thresholds, has_rows) else []


def find_rows(
    reader: Reader, entry: Pass, thresholds: dict[str, float], has_rows: Mapping[str, bool] = _UNKNOWN
) -> bool:
    """Make `pass_rows` and `row_impact` of one pass, or neither; return whether there are any.

    `has_rows` says of some of the relations that the reader holds whether they have rows: see `make_relations`.
    """
    sources = [has_rows[name] if name in has_rows else not is_empty(reader, name) for name in entry.rows_from]
    if sources and not any(sources):
        return False
    columns = [] if entry.severity is None else [f"'{entry.severity}' as severity"]
    columns += [f"{value} as {name}" for name, value in OPTIONAL_COLUMNS.items() if name not in entry.optional]
    query = entry.query.strip().rstrip(";")
    statement = f"create or replace temp table pass_rows as select {', '.join([*columns, 'p.*'])} from ({query}) as p"  # noqa: S608
    if make(reader, statement, thresholds) == 0:
        return False  # planning the statement below, and the fold, costs a small file more than all its passes
    reader.run_file("analysis/impact.sql")
    return True


def fold_rows(reader: Reader) -> list[dict[str, Any]]:
    """Return `pass_rows` folded: one row per finding, as `fold.sql` says."""
    return reader.rows(read_sql("analysis/fold.sql"))
