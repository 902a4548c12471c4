"""Which of the model's relations a window keeps, and which scripts a question needs: read off the SQL itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tracelens.model import ROWS_AND_KINDS, TRACE_MODEL, WEIGHTS, WINDOW_MODEL, made_by, model_statements
from tracelens.store.database import read_sql

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracelens.store.store import Reader

OVERVIEW: Final = ("summary", "coverage", "signs", "top_queries")
"""What a report says besides its findings."""

EXEMPLARS: Final = ("exemplars", "shape_facts", "request_scopes", "sdk_language", "source_table")

_FOLDING: Final = ("impact", "fold")

_COMMENT: Final = re.compile(r"--.*")
_WORD: Final = re.compile(r"\w+")
_TABLE: Final = re.compile(r"^(from|inner join) (\w+)", re.MULTILINE)


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


def begin_kept(reader: Reader, database: str, relation: str) -> None:
    """Make a relation of the model in another database, like the reader's own but empty."""
    for table in tables_of(relation):
        reader.run_script(f"create table if not exists {database}.{table} as from temp.{table} with no data")
    if relation in ROWS_AND_KINDS:
        (view,) = (text for made in TRACE_MODEL for name, text in model_statements(made) if name == relation)
        own = view.replace("create or replace temp view ", f"create view if not exists {database}.")
        reader.run_script(_TABLE.sub(rf"\1 {database}.\2", own))


def add_kept(reader: Reader, database: str, relation: str) -> None:
    """Add the rows of the reader's own relation to those in another database."""
    if relation not in ROWS_AND_KINDS:
        reader.run_script(f"insert into {database}.{relation} by name from temp.{relation}")
        return
    rows, kinds = ROWS_AND_KINDS[relation]
    reader.run_script(
        f"insert into {database}.{rows} by name from temp.{rows};"
        f"insert into {database}.{kinds} by name from temp.{kinds} anti join {database}.{kinds} using ({kinds[:-1]})"
    )


def drop_unused_kinds(reader: Reader, database: str, relation: str) -> None:
    """Delete what no kept row of a relation of ROWS_AND_KINDS has any more."""
    rows, kinds = ROWS_AND_KINDS[relation]
    kind = kinds[:-1]
    reader.run_script(f"delete from {database}.{kinds} where {kind} not in (select {kind} from {database}.{rows})")  # noqa: S608


def tables_of(relation: str) -> tuple[str, ...]:
    """Return the tables that hold a relation."""
    return ROWS_AND_KINDS.get(relation, (relation,))


def _script(name: str) -> str:
    return read_sql(f"model/{name}.sql")


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(_COMMENT.sub("", text)))
