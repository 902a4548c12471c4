"""What one query shape says: statement, tables, filter, join and sort columns.

`parse_shape` is for distinct shape texts, as `literals.strip_literals` makes them; the caller keeps the
answers, since a parse takes half a millisecond. sqlglot does the parsing and is loaded at the first one:
loading takes a fifth of a second, which a command that parses nothing should not pay.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from tracelens.semconv.statement_kind import (
    DATA_STATEMENTS,
    is_lone_name,
    is_system_table,
    named_tables,
    parts_of,
    statement_of,
)

_LONGEST_PARSED: Final = 64 * 1024
# sqlglot recurses per parenthesis, and a process that runs out of stack is gone.
_DEEPEST_PARSED: Final = 60
_MOST_PARTS: Final = 50
_STAR: Final = re.compile(r"[\s(]*select\s+(?:distinct\s+|all\s+|top\s*\(?\?\)?\s+)*(?:[^\s,()]+\.)?\*", re.IGNORECASE)
_LIMIT: Final = re.compile(r"\b(?:limit|fetch\s+(?:first|next))\b|\bselect\s+(?:distinct\s+)?top\b", re.IGNORECASE)
_OFFSET: Final = re.compile(r"\boffset\s+\?|\blimit\s+\?\s*,", re.IGNORECASE)
_AFTER_WITH: Final = re.compile(r"\s*with\b.*\)\s*(insert|update|delete|merge)\b", re.IGNORECASE | re.DOTALL)
_INSERT_VALUES: Final = re.compile(r"\bvalues\s*\(", re.IGNORECASE)
_MOST_TELLING: Final = (
    *("insert", "update", "delete", "merge", "call", "select"),
    *("ddl", "utility", "other", "session", "transaction", "ping"),
)


@dataclass(frozen=True, slots=True)
class ColumnUse:
    """A column that a statement compares.

    Attributes:
        table: the table as in `QueryShape.tables`; None where the text does not tell.
        column: the name without quotes, its case kept.
        operator: equal | in | range | like | null_check | other; columns of a join are equal unless said otherwise.
        expression: for `other`, the compared expression of that one column, such as `lower(ref)`: what an index on an
            expression would hold.
    """

    table: str | None
    column: str
    operator: str
    expression: str | None = None


@dataclass(frozen=True, slots=True)
class SortColumn:
    """A plain column of an ORDER BY, with `direction` asc or desc."""

    table: str | None
    column: str
    direction: str


@dataclass(frozen=True, slots=True)
class QueryShape:
    """The parsed form of one shape text.

    Attributes:
        statement: select | insert | update | delete | merge | call | ddl | transaction | session | ping | utility |
            other; for a cache, the command in lower case. `session` is what drivers say to set themselves up: SET,
            SHOW, version checks, reads of the database's own catalogue.
        is_read: a select that changes nothing and locks nothing; for caches and documents, a reading command.
        tables: every table named, in order, without quotes, in lower case. The schema is kept unless it is a default
            (`public`, `dbo`, `main`), the catalogue never. A document collection counts as a table.
        table_spellings: the same tables as the author wrote them, for DDL.
        written_tables: those of `tables` that the statement changes.
        filter_columns: conjuncts of every WHERE in the statement, subqueries too, traced through derived tables to the
            table that holds the column; for documents, the filter's keys.
        join_columns: the same of join conditions, and of column-to-column comparisons in WHERE.
        sort_columns: of every ORDER BY in the statement, outermost first.
        constant_predicates: conditions without parameters that a partial index could carry, such as
            `deleted_at IS NULL`; the column is preceded by its table where the statement names several.
        select_star: the result has all columns of a table (`*`, `t.*`).
        selected_columns: how many columns the result names; 0 with a star.
        aggregates: the result is aggregates alone and not grouped, so one row.
        has_limit: LIMIT, TOP, FETCH or ROWNUM bounds the rows.
        has_offset: rows are skipped.
        single_row_lookup: one table, no join, and an equality on a column that reads like its primary key: `id`, `_id`,
            `uuid`, `guid`, `pk`, `rowid`, or the table's own name and `id` (`users.user_id`). A guess from names.
        insert_values: rows come from a VALUES list, not from a table.
        parsed: False where sqlglot could not read the text; then only the statement, the tables and what key words
            show are known.
        command_class: for caches, read | write | connection | transaction | blocking | script | pipeline | other.
        keys: for caches, the template of the key.
    """

    statement: str
    is_read: bool
    tables: tuple[str, ...] = ()
    table_spellings: tuple[str, ...] = ()
    written_tables: tuple[str, ...] = ()
    filter_columns: tuple[ColumnUse, ...] = ()
    join_columns: tuple[ColumnUse, ...] = ()
    sort_columns: tuple[SortColumn, ...] = ()
    constant_predicates: tuple[str, ...] = ()
    select_star: bool = False
    selected_columns: int = 0
    aggregates: bool = False
    has_limit: bool = False
    has_offset: bool = False
    single_row_lookup: bool = False
    insert_values: bool = False
    parsed: bool = True
    command_class: str | None = None
    keys: tuple[str, ...] = ()


def parse_shape(shape_text: str, db_system: str) -> QueryShape:
    """Return what a shape text of SQL says; never raises.

    A batch of several statements is described by its most telling one (a write before a read, and either before
    BEGIN or SET), with the tables of all.
    """
    parts = dict.fromkeys(parts_of(shape_text))
    shapes = [_statement_shape(part, db_system) for part in list(parts)[:_MOST_PARTS]]
    primary = min(shapes, key=lambda shape: _MOST_TELLING.index(shape.statement))
    spelled = {
        table: spelling
        for shape in (primary, *shapes)
        for table, spelling in zip(shape.tables, shape.table_spellings, strict=True)
    }
    return replace(
        primary,
        tables=tuple(spelled),
        table_spellings=tuple(spelled.values()),
        written_tables=tuple(dict.fromkeys(table for shape in shapes for table in shape.written_tables)),
    )


def _statement_shape(part: str, db_system: str) -> QueryShape:
    statement = statement_of(part)
    if statement == "other" and is_lone_name(part):
        # .NET reports a stored procedure by its name alone.
        statement = "call"
    if statement not in DATA_STATEMENTS:
        spelled, written = named_tables(part, statement)
        if statement == "session":
            spelled = {}
        return QueryShape(
            statement=statement,
            is_read=False,
            tables=tuple(spelled),
            table_spellings=tuple(spelled.values()),
            written_tables=written,
            parsed=statement != "other",
        )
    shape = _parsed(part, db_system) or _by_words(part, statement)
    if shape.statement == "select" and shape.tables and all(is_system_table(table) for table in shape.tables):
        return replace(shape, statement="session")
    return shape


def _parsed(part: str, db_system: str) -> QueryShape | None:
    if len(part) >= _LONGEST_PARSED or _depth(part) > _DEEPEST_PARSED:
        return None
    from tracelens.semconv.sql_tree import parsed_shape  # noqa: PLC0415 (loads sqlglot)

    return parsed_shape(part, db_system)


def _depth(text: str) -> int:
    deepest = depth = 0
    for character in text:
        if character in "([{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in ")]}":
            depth -= 1
    return deepest


def _by_words(part: str, statement: str) -> QueryShape:
    after_with = _AFTER_WITH.match(part)
    if after_with:
        statement = after_with[1].lower()
    spelled, written = named_tables(part, statement)
    return QueryShape(
        statement=statement,
        is_read=statement == "select",
        tables=tuple(spelled),
        table_spellings=tuple(spelled.values()),
        written_tables=written,
        select_star=bool(_STAR.match(part)),
        has_limit=bool(_LIMIT.search(part)),
        has_offset=bool(_OFFSET.search(part)),
        insert_values=statement == "insert" and bool(_INSERT_VALUES.search(part)),
        parsed=False,
    )
