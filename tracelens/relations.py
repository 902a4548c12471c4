"""Which of the model's relations a window keeps, and which scripts a question needs: read off the SQL itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tracelens.model import TRACE_MODEL, WEIGHTS, WINDOW_MODEL, made_by, make
from tracelens.store.database import read_sql

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracelens.store.store import Reader

OVERVIEW: Final = ("summary", "coverage", "signs", "top_queries")
"""What a report says besides its findings."""

EXEMPLARS: Final = ("exemplars", "shape_facts", "request_scopes", "sdk_language", "source_table")

NUMBERED: Final = ("calls", "requests")
"""Relations with many rows, most of which have much in common."""

_FOLDING: Final = ("impact", "fold")

_COMMENT: Final = re.compile(r"--.*")
_WORD: Final = re.compile(r"\w+")


def texts(names: Iterable[str]) -> str:
    """Return the SQL of some files of `analysis/`."""
    return "\n".join(read_sql(f"analysis/{name}.sql") for name in names)


def kept_relations(window_queries: Iterable[str]) -> tuple[str, ...]:
    """Return those relations of single traces that anything reads which looks across traces.

    A word that only happens to be a relation's name costs its room, nothing else.
    """
    readers = [*window_queries, texts((*OVERVIEW, *EXEMPLARS, *_FOLDING)), *map(_script, WINDOW_MODEL)]
    read = frozenset[str]().union(*map(_words, readers))
    return tuple(name for script in TRACE_MODEL for name in made_by(script) if name in read)


def scripts_for(query: str) -> tuple[str, ...]:
    """Return the scripts that look across traces and have to run before a query, in order."""
    wanted, scripts = set(_words(query)), list[str]()
    for script in reversed(WINDOW_MODEL):
        if script == WEIGHTS or wanted.intersection(made_by(script)):
            wanted |= _words(_script(script))
            scripts.append(script)
    return tuple(reversed(scripts))


def number_rows(reader: Reader, relation: str) -> None:
    """Make a temporary table of a relation of NUMBERED, with a number in the place of what rows have in common."""
    reader.run_file(f"slices/numbered_{relation}.sql")


def begin_numbered(reader: Reader, kept: str, relation: str) -> None:
    """Begin to keep the rows of a numbered relation; what they have in common, a view joins to them again.

    Args:
        reader: holds the relation, and its rows numbered.
        kept: the name of the view, with its database.
        relation: the relation's name.
    """
    reader.run_script(
        f"create table {kept}_rows as select * exclude (row_number) from temp.numbered_{relation} with no data;"  # noqa: S608
        f"create table {kept}_kinds as select {_common(reader, relation)} "
        f"from temp.numbered_{relation} as n, temp.{relation} as r with no data;"
        f"create view {kept} as select r.* exclude (kind), k.* exclude (kind) "
        f"from {kept}_rows as r inner join {kept}_kinds as k on r.kind = k.kind"
    )


def add_numbered(reader: Reader, kept: str, relation: str) -> None:
    """Add numbered rows to those that are kept."""
    new = (
        "create or replace temp table new_kinds as "  # noqa: S608
        f"select kind, min(row_number) as row_number from temp.numbered_{relation} "
        f"where kind not in (select kind from {kept}_kinds) group by kind"
    )
    if make(reader, new, {}):
        reader.run_script(
            f"insert into {kept}_kinds select {_common(reader, relation)} "  # noqa: S608
            f"from new_kinds as n inner join temp.{relation} as r on n.row_number = r.rowid"
        )
    reader.run_script(f"insert into {kept}_rows select * exclude (row_number) from temp.numbered_{relation}")  # noqa: S608


def drop_unused_kinds(reader: Reader, kept: str) -> None:
    """Delete what no kept row has any more."""
    reader.run_script(f"delete from {kept}_kinds where kind not in (select kind from {kept}_rows)")  # noqa: S608


def _common(reader: Reader, relation: str) -> str:
    """Return the columns that rows have in common, of a relation r with its numbered rows n."""
    columns = reader.columns(f"from temp.numbered_{relation}", {})
    own = [name for name in columns if name not in ("kind", "row_number")]
    return f"n.kind, r.* exclude ({', '.join(own)})"


def _script(name: str) -> str:
    return read_sql(f"model/{name}.sql")


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(_COMMENT.sub("", text)))
