"""sqlglot's tree of one statement to its QueryShape.

Loads sqlglot: import it only where a parse is due.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Final

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from tracelens.semconv.query_shape import ColumnUse, QueryShape, SortColumn
from tracelens.semconv.sql_columns import ColumnOrigins, Comparison, Comparisons, conjuncts, own_nodes, table_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tracelens.semconv.sql_columns import Origin

# It warns of every statement that it knows only by its first word; what matters of that is in the result.
logging.getLogger("sqlglot").setLevel(logging.CRITICAL)

_DIALECTS: Final = {
    "postgresql": "postgres",
    "postgres": "postgres",
    "cockroachdb": "postgres",
    "redshift": "redshift",
    "aws.redshift": "redshift",
    "mysql": "mysql",
    "mariadb": "mysql",
    "sqlite": "sqlite",
    "microsoft.sql_server": "tsql",
    "mssql": "tsql",
    "sqlserver": "tsql",
    "oracle": "oracle",
    "oracle.db": "oracle",
    "snowflake": "snowflake",
    "bigquery": "bigquery",
    "gcp.bigquery": "bigquery",
    "clickhouse": "clickhouse",
    "duckdb": "duckdb",
    "trino": "trino",
    "presto": "presto",
    "hive": "hive",
    "spark": "spark",
    "databricks": "databricks",
    "teradata": "teradata",
}
# What a parser written for good SQL raises on texts that are not.
_PARSE_ERRORS: Final = (SqlglotError, RecursionError, ValueError, TypeError, AttributeError, LookupError)

# Every grammar has strings where only some have `?`; after these words it has to be a number.
_ROW_COUNT: Final = re.compile(r"\b(OFFSET|NEXT|FIRST|LIMIT|TOP\s*\(?)\s*\?", re.IGNORECASE)
_QUESTION_MARK: Final = re.compile(r"\?")
# In PostgreSQL a question mark before another is the JSON operator, and so are ?| and ?&.
_PLACEHOLDER: Final = re.compile(r"\?(?!\s*\?|\|(?!\|)|&(?!&))")
_REPLACE: Final = re.compile(r"^\s*(?:REPLACE|UPSERT)\s+(?:INTO\s+)?", re.IGNORECASE)
_CASSANDRA: Final = re.compile(
    r"\s+(?:ALLOW\s+FILTERING|USING\s+(?:TTL|TIMESTAMP)\s+\?(?:\s+AND\s+\w+\s+\?)?)", re.IGNORECASE
)

_STATEMENTS: Final = (
    (exp.Insert, "insert"),
    (exp.Update, "update"),
    (exp.Delete, "delete"),
    (exp.Merge, "merge"),
    ((exp.Query, exp.Values), "select"),
)
_CHANGES: Final = (exp.Insert, exp.Update, exp.Delete, exp.Merge)
_CHANGING_FUNCTION: Final = re.compile(
    r"\b(?:nextval|setval|pg_(?:try_)?advisory\w*|pg_notify|get_lock|release_lock|lo_\w+)\s*\(|\bnextval\b",
    re.IGNORECASE,
)
_DEEPEST_STAR: Final = 20
_PRIMARY_KEYS: Final = frozenset({"id", "_id", "uuid", "guid", "pk", "rowid"})


def parsed_shape(statement: str, db_system: str) -> QueryShape | None:
    """Return what sqlglot makes of one SELECT, INSERT, UPDATE, DELETE or MERGE; None where it cannot read it."""
    own = _DIALECTS.get(db_system.lower())
    for dialect in dict.fromkeys((own, "postgres", "mysql")):
        try:
            tree = sqlglot.parse_one(_readable(statement, dialect), dialect=dialect)
            kind = next((name for kinds, name in _STATEMENTS if isinstance(tree, kinds)), None)
            if kind is not None:
                return _Statement(tree, kind, dialect).shape(statement)
        except _PARSE_ERRORS:
            continue
    return None


def _readable(statement: str, dialect: str | None) -> str:
    """Return the shape text with literals again in place of `?`, which not every grammar takes everywhere."""
    text = _CASSANDRA.sub("", _REPLACE.sub("INSERT INTO ", statement, count=1))
    text = _ROW_COUNT.sub(r"\1 1", text)
    return (_PLACEHOLDER if dialect == "postgres" else _QUESTION_MARK).sub("'?'", text)


class _Statement:
    """One parsed statement, asked for its facts."""

    def __init__(self, tree: exp.Expr, kind: str, dialect: str | None) -> None:
        self._tree = tree
        self._kind = kind
        self._dialect = dialect
        self._origins = ColumnOrigins(tree)
        self._tables = {
            table_of(table): _spelling(table, dialect)
            for table in tree.find_all(exp.Table, bfs=False)
            if self._origins.is_table(table) and not self._is_alias(table)
        }

    def shape(self, text: str) -> QueryShape:
        written = self._written_tables()
        comparisons = Comparisons(self._origins, self._dialect)
        wheres = [comparisons.read(each) for where in self._wheres() for each in conjuncts(where.this)]
        joins = list(self._join_comparisons(comparisons))
        filters = _columns(each for each in wheres if not each.joins)
        joined = _columns([*joins, *(each for each in wheres if each.joins)])
        result = _leftmost_select(self._tree) if self._kind == "select" else None
        width = self._width(result) if result is not None else 0
        return QueryShape(
            statement=self._kind,
            is_read=self._kind == "select"
            and not written
            and not self._locks()
            and not _CHANGING_FUNCTION.search(text),
            tables=tuple(self._tables),
            table_spellings=tuple(self._tables.values()),
            written_tables=written,
            filter_columns=filters,
            join_columns=joined,
            sort_columns=self._sort_columns(),
            constant_predicates=self._constants([*wheres, *joins]),
            select_star=width is None,
            selected_columns=width or 0,
            aggregates=result is not None and _is_aggregate(result),
            has_limit=any(_has_limit(query) for query in self._row_sources()),
            has_offset=any(query.args.get("offset") is not None for query in self._tree.find_all(exp.Query)),
            single_row_lookup=self._is_single_row_lookup(filters, joined),
            insert_values=self._kind == "insert" and self._tree.find(exp.Values) is not None,
        )

    def _is_alias(self, table: exp.Table) -> bool:
        """Return whether this is the target of `UPDATE o … FROM orders o`, named by the alias of the real table."""
        if table.db or table.alias or table.parent is None:
            return False
        other = self._origins.sources(table.find_ancestor(exp.Select, *_CHANGES) or self._tree).get(table.name.lower())
        return isinstance(other, exp.Table) and other is not table and bool(other.alias)

    def _wheres(self) -> Iterator[exp.Expr]:
        for where in self._tree.find_all(exp.Where, exp.PreWhere, bfs=False):
            # An aggregate's FILTER (WHERE …) leaves the rows that are read as they are.
            if isinstance(where.parent, (exp.Query, *_CHANGES)):
                yield where

    def _written_tables(self) -> tuple[str, ...]:
        written: dict[str, None] = {}
        for change in self._tree.find_all(*_CHANGES):
            target = change.this.this if isinstance(change.this, exp.Schema) else change.this
            targets = change.args.get("tables") or [target]
            for table in (each for each in targets if isinstance(each, exp.Table)):
                source = self._origins.sources(change).get(table.name.lower())
                written[table_of(source if isinstance(source, exp.Table) and not table.db else table)] = None
        for into in self._tree.find_all(exp.Into):
            if isinstance(into.this, exp.Table):
                written[table_of(into.this)] = None
        return tuple(written)

    def _locks(self) -> bool:
        return self._tree.find(exp.Lock) is not None

    def _join_comparisons(self, comparisons: Comparisons) -> Iterator[Comparison]:
        conditions = [join.args.get("on") for join in self._tree.find_all(exp.Join, bfs=False)]
        conditions += [merge.args.get("on") for merge in self._tree.find_all(exp.Merge)]
        for condition in conditions:
            yield from map(comparisons.read, conjuncts(condition))
        for join in self._tree.find_all(exp.Join, bfs=False):
            table = join.this
            for column in join.args.get("using") or ():
                named = isinstance(table, exp.Table) and self._origins.is_table(table)
                yield Comparison((ColumnUse(table_of(table) if named else None, column.name, "equal"),), joins=True)

    def _sort_columns(self) -> tuple[SortColumn, ...]:
        found: dict[SortColumn, None] = {}
        for order in self._tree.find_all(exp.Order):
            if isinstance(order.parent, exp.Query):
                for ordered in order.expressions:
                    origin = self._sorted_origin(ordered.this.unnest(), order.parent)
                    if origin is not None:
                        direction = "desc" if ordered.args.get("desc") else "asc"
                        found[SortColumn(origin.table, origin.column, direction)] = None
        return tuple(found)

    def _sorted_origin(self, column: exp.Expr, query: exp.Query) -> Origin | None:
        if not isinstance(column, exp.Column):
            return None
        if not column.table:
            # What UNION sorts by are the names of its first SELECT's columns.
            of_union = isinstance(query, exp.SetOperation)
            named = [
                each
                for each in query.selects
                if column.name.lower() == (each.alias_or_name if of_union else each.alias).lower()
            ]
            if named:
                inner = named[0].unalias()
                return self._origins.of(inner) if isinstance(inner, exp.Column) else None
        return self._origins.of(column)

    def _constants(self, comparisons: list[Comparison]) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for comparison in comparisons:
            for column in comparison.columns if comparison.constant else ():
                prefix = f"{column.table}." if column.table and len(self._tables) > 1 else ""
                found[f"{prefix}{column.column} {comparison.constant}"] = None
        return tuple(found)

    def _width(self, select: exp.Select, depth: int = 0) -> int | None:
        """Return how many columns the result names, seen through derived tables; None for a star of a table."""
        sources = self._origins.sources(select)
        width = 0
        for projection in select.selects:
            if not projection.is_star or isinstance(projection, exp.AggFunc):
                width += 1
                continue
            table = projection.table.lower() if isinstance(projection, exp.Column) else None
            for alias, source in sources.items():
                inner = self._origins.derived_from(source)
                if table not in {None, alias}:
                    continue
                columns = self._width(inner, depth + 1) if inner is not None and depth < _DEEPEST_STAR else None
                if columns is None:
                    return None
                width += columns
        return width

    def _row_sources(self) -> Iterator[exp.Query]:
        """Yield the statement's query and the derived tables in its FROM, which bound its rows too."""
        query: exp.Query | None = self._tree if isinstance(self._tree, exp.Query) else None
        for _ in range(_DEEPEST_STAR):
            if query is None:
                return
            yield query
            first = (
                next(iter(self._origins.sources(query).values()), None) if isinstance(query, exp.Select) else query.this
            )
            query = self._origins.derived_from(first) if first is not None else None

    def _is_single_row_lookup(self, filters: tuple[ColumnUse, ...], joined: tuple[ColumnUse, ...]) -> bool:
        if len(self._tables) != 1 or joined or self._kind == "insert":
            return False
        table = next(iter(self._tables)).rpartition(".")[2]
        return any(use.operator == "equal" and _is_primary_key(use.column.lower(), table) for use in filters)


def _spelling(table: exp.Table, dialect: str | None) -> str:
    parts = [part for part in (table.args.get("db"), table.this) if part is not None]
    return ".".join(part.sql(dialect=dialect) for part in parts)


def _columns(comparisons: Iterable[Comparison]) -> tuple[ColumnUse, ...]:
    return tuple(dict.fromkeys(use for comparison in comparisons for use in comparison.columns))


def _leftmost_select(tree: exp.Expr) -> exp.Select | None:
    while isinstance(tree, (exp.Subquery, exp.SetOperation)):
        tree = tree.this
    return tree if isinstance(tree, exp.Select) else None


def _is_aggregate(select: exp.Select) -> bool:
    """Return whether every column of the result aggregates and there is no GROUP BY."""
    if select.args.get("group") is not None or not select.selects:
        return False
    return all(
        any(isinstance(node, exp.AggFunc) and not isinstance(node.parent, exp.Window) for node in own_nodes(projection))
        for projection in select.selects
    )


def _has_limit(query: exp.Query) -> bool:
    where = query.args.get("where")
    return query.args.get("limit") is not None or (
        where is not None
        and any(node.name.lower() == "rownum" for node in where.find_all(exp.Column, exp.Pseudocolumn))
    )


def _is_primary_key(column: str, table: str) -> bool:
    """Return whether a column's name reads like the primary key of the table."""
    singulars = {table, table.removesuffix("s"), table.removesuffix("es"), table.removesuffix("ies") + "y"}
    return column in _PRIMARY_KEYS or any(column in {f"{name}_id", f"{name}id", f"id_{name}"} for name in singulars)
