"""Which columns a parsed statement compares, and which table holds each of them.

Loads sqlglot: import it only where a parse is due.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlglot import exp

from tracelens.semconv.query_shape import ColumnUse
from tracelens.semconv.statement_kind import qualified_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_QUERIES: Final = (exp.Select, exp.Update, exp.Delete, exp.Merge)
_RANGES: Final = (exp.GT, exp.GTE, exp.LT, exp.LTE)
_LIKES: Final = (exp.Like, exp.ILike, exp.SimilarTo, exp.RegexpLike, exp.RegexpILike, exp.Glob)
_DEEPEST_DERIVATION: Final = 20


class Origin(NamedTuple):
    """Where a column comes from; `table` is None where the text does not tell."""

    table: str | None
    column: str


class Comparison(NamedTuple):
    """What one conjunct compares.

    Attributes:
        columns: the columns it names.
        joins: it compares columns with columns.
        constant: what follows the one column in a condition without parameters: `IS NULL`, `= true`.
    """

    columns: tuple[ColumnUse, ...]
    joins: bool = False
    constant: str | None = None


def table_of(table: exp.Table) -> str:
    """Return the table's name as `QueryShape.tables` has it."""
    return qualified_name(table.name, table.db)


def own_nodes(query: exp.Expr) -> Iterator[exp.Expr]:
    """Yield the nodes of a query without those of the queries inside it, but with the nodes that hold those."""
    stack = [query]
    while stack:
        node = stack.pop()
        yield node
        if node is query or not isinstance(node, (*_QUERIES, exp.SetOperation, exp.CTE)):
            stack.extend(reversed(list(node.iter_expressions())))


class ColumnOrigins:
    """Traces columns through aliases, derived tables and WITH to the tables that hold them."""

    def __init__(self, statement: exp.Expr) -> None:
        self._withs = {cte.alias.lower(): cte.this for cte in statement.find_all(exp.CTE)}
        self._sources: dict[int, dict[str, exp.Expr]] = {}

    def is_table(self, table: exp.Table) -> bool:
        """Return whether this names a table of the database, not a WITH query or a function."""
        named = isinstance(table.this, exp.Identifier) and table.name.lower() not in {"", "dual"}
        return named and (bool(table.db) or table.name.lower() not in self._withs)

    def sources(self, query: exp.Expr) -> dict[str, exp.Expr]:
        """Return what the query reads from, by lower-case alias: tables and derived tables."""
        known = self._sources.get(id(query))
        if known is None:
            known = {}
            for node in own_nodes(query):
                from_clause = isinstance(node.parent, (exp.From, exp.Join, exp.Merge)) and node.arg_key in {
                    "this",
                    "using",
                }
                # UPDATE o … FROM orders o and DELETE o FROM orders o name the target by the alias that follows.
                named = isinstance(node, exp.Table) and (node.alias or node.alias_or_name.lower() not in known)
                if named or (from_clause and not isinstance(node, exp.Table)):
                    known[node.alias_or_name.lower()] = node
            self._sources[id(query)] = known
        return known

    def of(self, column: exp.Column, depth: int = 0) -> Origin | None:
        """Return where a column comes from; None where it is computed."""
        query = column.find_ancestor(*_QUERIES)
        while query is not None:
            sources = self.sources(query)
            if column.table:
                source = sources.get(column.table.lower())
            else:
                rows = [each for each in sources.values() if self._has_named_columns(each)]
                if len(rows) > 1:
                    return Origin(None, column.name)
                source = rows[0] if rows else next(iter(sources.values()), None)
            if source is not None:
                return self._within(source, column.name, depth)
            query = query.find_ancestor(*_QUERIES)
        return Origin(None, column.name)

    def derived_from(self, source: exp.Expr | None) -> exp.Select | None:
        """Return the SELECT behind a derived table or a WITH name; None for a table, a function, VALUES."""
        inner: exp.Expr | None = source
        if isinstance(source, exp.Table):
            inner = None if self.is_table(source) else self._withs.get(source.name.lower())
        while isinstance(inner, (exp.Subquery, exp.SetOperation)):
            inner = inner.this
        return inner if isinstance(inner, exp.Select) else None

    def _has_named_columns(self, source: exp.Expr) -> bool:
        return self.derived_from(source) is not None or (isinstance(source, exp.Table) and self.is_table(source))

    def _within(self, source: exp.Expr, name: str, depth: int) -> Origin | None:
        if isinstance(source, exp.Table) and self.is_table(source):
            return Origin(table_of(source), name)
        inner = self.derived_from(source)
        if inner is None or depth > _DEEPEST_DERIVATION:
            return None
        for projection in inner.selects:
            if projection.alias_or_name.lower() == name.lower() and not projection.is_star:
                computed = projection.unalias()
                return self.of(computed, depth + 1) if isinstance(computed, exp.Column) else None
        sources = list(self.sources(inner).values())
        return self._within(sources[0], name, depth + 1) if len(sources) == 1 and inner.is_star else None


def conjuncts(condition: exp.Expr | None, separator: type[exp.Connector] = exp.And) -> list[exp.Expr]:
    """Return the conditions that AND (or the given connector) joins, in order, without parentheses around them."""
    found: list[exp.Expr] = []
    stack = [condition] if condition is not None else []
    while stack:
        node = stack.pop()
        if isinstance(node, exp.Paren):
            stack.append(node.this)
        elif isinstance(node, separator):
            stack += [node.expression, node.this]
        else:
            found.append(node)
    return found


class Comparisons:
    """Reads conjuncts as uses of columns."""

    def __init__(self, origins: ColumnOrigins, dialect: str | None) -> None:
        self._origins = origins
        self._dialect = dialect

    def read(self, condition: exp.Expr) -> Comparison:
        """Return what one conjunct compares."""
        constant = self._constant(condition)
        if constant is not None:
            return constant
        if isinstance(condition, (exp.EQ, exp.NullSafeEQ)):
            return self._equality(condition.this.unnest(), condition.expression.unnest())
        if isinstance(condition, exp.Or):
            return self._alternatives(condition)
        if isinstance(condition, exp.Escape):
            return self.read(condition.this)
        operators = ((exp.In, "in"), (exp.Between, "range"), (_RANGES, "range"), (_LIKES, "like"))
        operator = next((name for kinds, name in operators if isinstance(condition, kinds)), "other")
        if condition.args.get("negate"):
            operator = "other"
        return self._sides(condition, operator)

    def _constant(self, condition: exp.Expr) -> Comparison | None:
        inner = condition.this.unnest() if isinstance(condition, exp.Not) else condition
        # `IS NOT NULL` is a flag of the node, `NOT x IS NULL` a node around it.
        negated = (inner is not condition) != bool(inner.args.get("negate"))
        column, value = inner, exp.true()
        if isinstance(inner, (exp.Is, exp.EQ)):
            column, value = inner.this.unnest(), inner.expression.unnest()
        if not isinstance(column, exp.Column) or not isinstance(value, (exp.Null, exp.Boolean)):
            return None
        if isinstance(value, exp.Null):
            return Comparison(self._uses([column], "null_check"), constant=f"IS {'NOT ' if negated else ''}NULL")
        truth = bool(value.this) != negated
        return Comparison(self._uses([column], "equal"), constant=f"= {'true' if truth else 'false'}")

    def _equality(self, left: exp.Expr, right: exp.Expr) -> Comparison:
        if isinstance(left, exp.Column) and isinstance(right, exp.Column):
            return Comparison(self._uses([left, right], "equal"), joins=True)
        if _columns_in(left) and _columns_in(right):
            return Comparison(self._uses(_columns_in(left) + _columns_in(right), "other"))
        column, value = (left, right) if _columns_in(left) else (right, left)
        if isinstance(column, exp.Column):
            return Comparison(self._uses([column], "in" if isinstance(value, exp.Any) else "equal"))
        if isinstance(column, exp.Tuple):
            return Comparison(self._uses(column.expressions, "equal"))
        return Comparison(self._uses(_columns_in(column), "other", column))

    def _alternatives(self, condition: exp.Or) -> Comparison:
        read = [self.read(each) for each in conjuncts(condition, exp.Or)]
        uses = tuple(use for comparison in read for use in comparison.columns)
        # `a = ? OR a = ?` is an IN list in other words.
        alike = all(use.operator in {"equal", "in"} for use in uses) and not any(each.joins for each in read)
        if alike and len({(use.table, use.column) for use in uses}) == 1 and all(each.columns for each in read):
            return Comparison((replace(uses[0], operator="in"),))
        return Comparison(tuple(dict.fromkeys(replace(use, operator="other", expression=None) for use in uses)))

    def _sides(self, condition: exp.Expr, operator: str) -> Comparison:
        """Read a comparison whose plain columns stand alone on a side; all else is `other`."""
        sides = [condition.this] if isinstance(condition, exp.In) else list(condition.iter_expressions())
        plain: list[exp.Expr] = []
        computed: list[exp.Column] = []
        for side in (side.unnest() for side in sides):
            if isinstance(side, exp.Tuple) and all(isinstance(each, exp.Column) for each in side.expressions):
                plain += side.expressions
            elif isinstance(side, exp.Column):
                plain.append(side)
            else:
                computed += _columns_in(side)
        if computed:
            return Comparison(self._uses([*plain, *computed], "other"))
        return Comparison(self._uses(plain, operator))

    def _uses(
        self, columns: Sequence[exp.Expr], operator: str, expression: exp.Expr | None = None
    ) -> tuple[ColumnUse, ...]:
        written = self._unqualified(expression) if expression is not None and len(columns) == 1 else None
        origins = [self._origins.of(column) for column in columns if isinstance(column, exp.Column)]
        found = [origin for origin in origins if origin and origin.column.lower() != "rownum"]
        return tuple(dict.fromkeys(ColumnUse(origin.table, origin.column, operator, written) for origin in found))

    def _unqualified(self, expression: exp.Expr) -> str | None:
        """Return the expression without table names; None where it holds a literal, whose value is not known."""
        copied = expression.copy()
        for column in copied.find_all(exp.Column):
            for qualifier in ("table", "db", "catalog"):
                column.set(qualifier, None)
        written = copied.sql(dialect=self._dialect, normalize_functions="lower")
        return None if "?" in written else written


def _columns_in(expression: exp.Expr) -> list[exp.Column]:
    if isinstance(expression, (*_QUERIES, exp.SetOperation)):
        return []
    return [node for node in own_nodes(expression) if isinstance(node, exp.Column)]
