"""Which of the model's relations a window keeps, and which scripts a question needs: read off the SQL itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tracelens.model import TRACE_MODEL, WEIGHTS, WINDOW_MODEL, made_by
from tracelens.store.database import read_sql

if TYPE_CHECKING:
    from collections.abc import Iterable

OVERVIEW: Final = ("summary", "coverage", "signs", "top_queries")
"""What a report says besides its findings."""

EXEMPLARS: Final = ("exemplars", "shape_facts", "request_scopes", "sdk_language", "source_table")

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


def _script(name: str) -> str:
    return read_sql(f"model/{name}.sql")


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(_COMMENT.sub("", text)))
