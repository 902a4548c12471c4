"""The index that would serve a query: equality columns first, then range, then sort; partial where that recurs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracelens.advice import naming
from tracelens.advice.queries import Query, attempt, identifier, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sqlglot import exp

    from tracelens.advice.dialects import Dialect
    from tracelens.advice.facts import AdviceFacts

_ORDER_BY: Final = re.compile(
    r"\border\s+by\s+([^()]{1,400}?)(?=\s+(?:limit|offset|fetch|for)\b|\s*;|\s*$)", re.IGNORECASE
)
_EQUALITY: Final = frozenset({"equal", "in", "null_check"})
_PRIMARY_KEYS: Final = frozenset({"id", "_id", "uuid"})
_MAX_NAME: Final = 60
_MAX_COLUMNS: Final = 5
"""Beyond a few columns an index costs writes and memory that a further column's selectivity rarely repays."""


@dataclass(frozen=True, slots=True)
class _Placement:
    """What only the parsed query tells of its columns.

    Attributes:
        tables: the table of each column that is written with one.
        calls: the function call that a column is compared through, e.g. `LOWER(ref)`, without its table.
        disjoint: whether WHERE is an OR, which no single index serves.
    """

    tables: dict[str, str]
    calls: dict[str, exp.Expression]
    disjoint: bool


@dataclass(frozen=True, slots=True)
class Index:
    """An index that would serve a query.

    Attributes:
        table: the table that it is on, as the facts name it.
        statement: its DDL.
        name: its name.
        columns: its columns as plain names, () where it is more than columns in ascending order.
    """

    table: str
    statement: str
    name: str
    columns: tuple[str, ...]


def plan_index(facts: AdviceFacts, query: Query | None, dialect: Dialect) -> Index | None:
    """Return the index for this query; None where nothing is known or where an index would not help."""
    return attempt(lambda: _plan_index(facts, query, dialect))


def sorted_by(facts: AdviceFacts) -> list[tuple[str, bool]]:
    """Return (column, descending) for each sort column; the text tells a direction that the facts do not."""
    terms = [term.split() for term in facts.sort_columns if term.split()]
    written = _ORDER_BY.findall(facts.subject)[-1:]
    directions = [term.split()[-1:] for term in written[0].split(",")] if written else []
    if len(directions) != len(terms):
        directions = [term[-1:] for term in terms]
    return [
        (naming.bare(term[0]), "desc" in (term[-1].lower(), *(word.lower() for word in direction)))
        for term, direction in zip(terms, directions, strict=True)
    ]


def _plan_index(facts: AdviceFacts, query: Query | None, dialect: Dialect) -> Index | None:
    placement = _placement(query)
    filters = [(naming.bare(column), operator) for column, operator in facts.filter_columns]
    sorts = sorted_by(facts)
    joins = [naming.bare(column) for column in facts.join_columns]
    table = _table_to_index(facts, placement, [name for name, _ in (*filters, *sorts)] + joins)
    if table is None or placement.disjoint:
        return None

    own = naming.bare(table)

    def here(columns: Iterable[str]) -> list[str]:
        return [column for column in columns if column and placement.tables.get(column, own) == own]

    predicates = [tree for text in facts.constant_predicates if (tree := _predicate(text, dialect, here)) is not None]
    constant = {column.name for tree in predicates for column in tree.find_all(_column_type())}
    usable = [
        (name, operator)
        for name, operator in filters
        if (name not in constant or not dialect.partial) and (name not in placement.calls or dialect.expression_key)
    ]
    equal = here(name for name, operator in usable if operator in _EQUALITY or name in placement.calls)
    between = here(name for name, operator in usable if operator == "range" and name not in placement.calls)
    alike = here(name for name, operator in usable if operator == "like" and name not in placement.calls)
    if _PRIMARY_KEYS & {name.lower() for name, operator in usable if operator == "equal" and name in equal}:
        return None
    if alike and not equal and not between:
        return _trigram(table, alike[0], dialect)
    leading = equal or ([] if filters else here(joins))
    columns = list(dict.fromkeys([*leading, *between[:1], *here(name for name, _ in sorts)]))[:_MAX_COLUMNS]
    if {name.lower() for name in columns} <= _PRIMARY_KEYS:
        return None
    keys = _keys(columns, sorts, placement, dialect)
    name = _index_name(table, columns)
    where = " AND ".join(tree.sql(dialect=dialect.sqlglot) for tree in predicates) if dialect.partial else ""
    statement = f"{dialect.create_index} {name} ON {qualified(table, dialect)} ({', '.join(keys)})"
    simple = not where and keys == [quoted(column, dialect) for column in columns]
    return Index(
        table, f"{statement}\nWHERE {where};" if where else f"{statement};", name, tuple(columns) if simple else ()
    )


def _keys(
    columns: Sequence[str], sorts: Sequence[tuple[str, bool]], placement: _Placement, dialect: Dialect
) -> list[str]:
    # An index is read in either direction, so a direction is written only where the sort mixes them.
    mixed = len({descending for _, descending in sorts}) > 1
    descending = {name for name, down in sorts if down and mixed}

    def key(name: str) -> str:
        call = placement.calls.get(name)
        if call is not None:
            return dialect.expression_key.replace("{expression}", call.sql(dialect=dialect.sqlglot))
        return quoted(name, dialect) + (" DESC" if name in descending else "")

    return [key(name) for name in columns]


def _trigram(table: str, column: str, dialect: Dialect) -> Index | None:
    """A pattern that starts with a wildcard is served by trigrams, which only PostgreSQL has."""
    if dialect.sqlglot != "postgres":
        return None
    name = _index_name(table, (column, "trgm"))
    on = f"{qualified(table, dialect)} USING gin ({quoted(column, dialect)} gin_trgm_ops)"
    return Index(table, f"CREATE EXTENSION IF NOT EXISTS pg_trgm;\n{dialect.create_index} {name} ON {on};", name, ())


def qualified(table: str, dialect: Dialect) -> str:
    """Return a table name, with its schema where it has one, quoted where that is needed."""
    return ".".join(quoted(part, dialect) for part in table.split(".")[-3:] if part.strip('"`[] '))


def _index_name(table: str, columns: Sequence[str]) -> str:
    plain = re.sub(r"[^a-z0-9_]+", "_", "_".join((naming.bare(table), *columns)).lower())
    return f"idx_{plain}"[:_MAX_NAME].rstrip("_")


def _table_to_index(facts: AdviceFacts, placement: _Placement, columns: Sequence[str]) -> str | None:
    """The only table, else that of the first column that the query writes with its table."""
    tables = list(dict.fromkeys(table for table in facts.tables if naming.bare(table)))
    if len(tables) == 1:
        return tables[0]
    by_name = {naming.bare(table): table for table in tables}
    placed = [placement.tables[column] for column in columns if column in placement.tables]
    return by_name.get(placed[0]) if placed else None


def _placement(query: Query | None) -> _Placement:
    from sqlglot import exp  # noqa: PLC0415 - loaded only once a finding needs it

    if query is None:
        return _Placement({}, {}, disjoint=False)
    where = query.tree.args.get("where")
    placement = _Placement({}, {}, disjoint=where is not None and isinstance(where.this.unnest(), exp.Or))
    names = {table.alias_or_name: table.name for table in query.tree.find_all(exp.Table)}
    for column in query.tree.find_all(exp.Column):
        if column.table in names:
            placement.tables.setdefault(column.name, names[column.table])
        call = column.parent
        if isinstance(call, exp.Lower | exp.Upper | exp.Trim | exp.Date) and isinstance(call.parent, exp.Predicate):
            own = call.copy()
            own.set("this", exp.Column(this=identifier(column.name)))
            placement.calls.setdefault(column.name, own)
    return placement


def _predicate(text: str, dialect: Dialect, here: Callable[[Iterable[str]], list[str]]) -> exp.Expression | None:
    """A constant predicate on the indexed table, or None: a stranger's text goes into DDL only as a parsed tree."""
    from sqlglot import exp, parse_one  # noqa: PLC0415 - loaded only once a finding needs it

    select = attempt(lambda: parse_one(f"SELECT 1 FROM t WHERE {text}", read=dialect.sqlglot))  # noqa: S608 - parsed, never run
    where = select.args.get("where") if isinstance(select, exp.Select) else None
    if where is None or where.find(exp.Placeholder, exp.Parameter, exp.Query, exp.AggFunc):
        return None
    if not isinstance(where.this, exp.EQ | exp.NEQ | exp.Is | exp.In | exp.Not | exp.Column | exp.GT | exp.LT):
        return None
    columns = list(where.find_all(exp.Column))
    names = [column.name for column in columns]
    if not names or here(names) != names:
        return None
    for column in columns:
        column.replace(exp.Column(this=identifier(column.name)))
    return where.this


def _column_type() -> type[exp.Column]:
    from sqlglot import exp  # noqa: PLC0415 - loaded only once a finding needs it

    return exp.Column
