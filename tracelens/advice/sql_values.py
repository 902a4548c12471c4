"""The placeholders that stand for SQL, written only once a passage asks for them.

`{{batched_query}}` is the batched query to be read as SQL. `{{batched_query_native}}` is the same inside a string of
another language, with the database's own parameter markers; `_percent`, `_question` and `_list` write the markers of
clients that have their own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

from tracelens.advice import naming, rewrites
from tracelens.advice.indexes import Index, plan_index
from tracelens.advice.queries import Query, parse_query

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tracelens.advice.dialects import Dialect
    from tracelens.advice.facts import AdviceFacts
    from tracelens.advice.relations import Relation

_ENDS_A_STRING: Final = re.compile(r'[`\\%]|\$\{|#\{|"""|^\s*SQL\b', re.MULTILINE)
"""What ends, or means something else in, a template literal, a raw string, a heredoc or a text with %s in it."""


@dataclass(frozen=True)
class SqlValues:
    """The SQL of one finding.

    Attributes:
        facts: the finding.
        dialect: the dialect to write in, None for a database without SQL.
        relation: how the query's rows are looked up.
        fields: columns that the request is known to use.
    """

    facts: AdviceFacts
    dialect: Dialect | None
    relation: Relation
    fields: Sequence[str]

    def get(self, name: str) -> str | None:
        """Return a placeholder's value, None where the query does not parse or cannot be rewritten so.

        A name with control characters is legal SQL, and no text to paste into a terminal: None as well.
        """
        text = self._written(name)
        return text if text is not None and text.replace("\n", "").isprintable() else None

    def _written(self, name: str) -> str | None:
        if name in _INDEX:
            return _INDEX[name](self.index) if self.index else None
        if self.query is None:
            return None
        if name in _INSERTED:
            return _INSERTED[name](rewrites.inserted_columns(self.query))
        if name in _REWRITES:
            return _REWRITES[name](self, self.query)
        rewrite, _, style = name.rpartition("_")
        marker, list_markers = _CLIENT_MARKERS.get(style, (self.query.dialect.marker, self.query.list_markers))
        dialect = replace(self.query.dialect, marker=marker)
        text = _REWRITES[rewrite](self, replace(self.query, dialect=dialect, list_markers=list_markers))
        return embeddable(text) if text else None

    @cached_property
    def query(self) -> Query | None:
        """The subject as a parsed query, None where it is not SQL or does not parse."""
        return parse_query(self.facts.subject, self.dialect)

    @cached_property
    def index(self) -> Index | None:
        """The index that would serve the query, None where none would or nothing is known."""
        return plan_index(self.facts, self.query, self.dialect) if self.dialect else None

    @cached_property
    def is_aggregate(self) -> bool:
        """Whether the query answers with totals."""
        return self.query is not None and rewrites.is_aggregate(self.query)


def embeddable(text: str) -> str | None:
    """Return SQL that may stand in a multi-line string of any language we write, else None."""
    return None if _ENDS_A_STRING.search(text.replace("%s", "")) else text


def _columns(names: Sequence[str], write: Callable[[str], str]) -> str | None:
    """Join column names; None where there are none or one of them is not a plain name."""
    plain = all(naming.literal(name) == name and naming.words(name) for name in names)
    return (", ".join(write(name) for name in names) or None) if plain else None


_REWRITES: Final[Mapping[str, Callable[[SqlValues, Query], str | None]]] = {
    "explained_query": lambda _, query: rewrites.explained(query),
    "keyset_query": lambda _, query: rewrites.keyset(query),
    "narrowed_query": lambda values, query: rewrites.narrowed(query, values.fields),
    "bulk_write": lambda values, query: rewrites.written_in_bulk(query, values.relation.key),
    "batched_query": lambda values, query: rewrites.batched(query, values.relation.key, unique=values.relation.unique),
}

_CLIENT_MARKERS: Final = {"percent": ("%s", 3), "question": ("?", 3), "list": ("?", 1)}
"""A parameter marker, and how many of them an IN list shows."""

_INSERTED: Final[Mapping[str, Callable[[Sequence[str]], str | None]]] = {
    "insert_columns": lambda names: _columns(names, str),
    "insert_columns_double": lambda names: _columns(names, lambda name: f'"{name}"'),
}

_INDEX: Final[Mapping[str, Callable[[Index], str | None]]] = {
    "create_index": lambda index: index.statement,
    "create_index_native": lambda index: embeddable(index.statement),
    "index_table": lambda index: naming.literal(index.table),
    "index_model": lambda index: naming.pascal(naming.one(naming.words(index.table))),
    "index_models": lambda index: naming.pascal(naming.many(naming.words(index.table))),
    "index_name": lambda index: index.name,
    "index_name_short": lambda index: index.name[:30].rstrip("_"),  # Django takes 30 characters
    "index_list": lambda index: _columns(index.columns, str),
    "index_quoted": lambda index: _columns(index.columns, lambda name: f"'{name}'"),
    "index_double": lambda index: _columns(index.columns, lambda name: f'"{name}"'),
    "index_symbols": lambda index: _columns(index.columns, lambda name: f":{name}"),
    "index_ones": lambda index: _columns(index.columns, lambda name: f"{name}: 1"),
    "index_camel": lambda index: _columns(index.columns, lambda name: f"{naming.camel(naming.words(name))}"),
    "index_camel_quoted": lambda index: _columns(index.columns, lambda name: f"'{naming.camel(naming.words(name))}'"),
    "index_members": lambda index: _columns(index.columns, lambda name: f"row.{naming.pascal(naming.words(name))}"),
}

SQL_PLACEHOLDERS: Final = frozenset(
    [
        *_INDEX,
        *_INSERTED,
        *_REWRITES,
        *(f"{name}_{style}" for name in _REWRITES for style in ("native", *_CLIENT_MARKERS)),
    ]
)
"""Every placeholder that stands for SQL."""
