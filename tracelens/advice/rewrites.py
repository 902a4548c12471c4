"""The query of a finding as it should be: batched, paged by keyset, narrowed, written in bulk, explained.

Each function takes the parsed query and answers the new text, or None where the change would not keep its meaning.
sqlglot is loaded inside the functions, and only where a finding needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracelens.advice.queries import Query, attempt, identifier, marker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlglot import exp

_ROWS_SHOWN: Final = 3


def explained(query: Query) -> str:
    """The query under the dialect's EXPLAIN; a write, which EXPLAIN ANALYZE would carry out, is rolled back."""
    text = f"{query.dialect.explain}\n{query.sql()};"
    runs = "ANALYZE" in query.dialect.explain or "STATISTICS" in query.dialect.explain
    if query.statement == "select" or not runs:
        return text
    begin = "BEGIN TRANSACTION" if query.dialect.sqlglot == "tsql" else "BEGIN"
    return f"{begin};\n{text}\nROLLBACK;"


def is_aggregate(query: Query) -> bool:
    """Whether the query answers with one row of totals: count, sum, ... and no GROUP BY."""
    from sqlglot import exp  # noqa: PLC0415

    tree = query.tree
    return (
        isinstance(tree, exp.Select)
        and not tree.args.get("group")
        and bool(tree.expressions)
        and all(projection.find(exp.AggFunc) is not None for projection in tree.expressions)
    )


def batched(query: Query, key: str, *, unique: bool) -> str | None:
    """One SELECT for all keys instead of one per key.

    Args:
        query: the repeated SELECT.
        key: its column that differs from call to call.
        unique: whether a key has at most one row, so that a LIMIT may be dropped.
    """
    return attempt(lambda: _batched(query, key, unique=unique))


def keyset(query: Query) -> str | None:
    """The page after the last row seen, by comparing the sort columns instead of counting an OFFSET."""
    return attempt(lambda: _keyset(query))


def narrowed(query: Query, columns: Sequence[str]) -> str | None:
    """The same rows with only these columns."""
    from sqlglot import exp  # noqa: PLC0415

    tree = query.tree
    if not isinstance(tree, exp.Select) or not columns or tree.args.get("group") or tree.args.get("distinct"):
        return None
    table = _from_table(tree)
    prefix = table.alias_or_name if table is not None and tree.args.get("joins") else None
    changed = tree.copy()
    changed.set("expressions", [_column(column, prefix) for column in columns])
    return attempt(lambda: query.sql(changed))


def inserted_columns(query: Query) -> list[str]:
    """The columns that an INSERT names, [] where it names none."""
    from sqlglot import exp  # noqa: PLC0415

    target = query.tree.this
    return [column.name for column in target.expressions] if isinstance(target, exp.Schema) else []


def written_in_bulk(query: Query, key: str | None) -> str | None:
    """One INSERT of several rows, or one UPDATE or DELETE for all keys."""
    return attempt(lambda: _written_in_bulk(query, key))


def _batched(query: Query, key: str, *, unique: bool) -> str | None:  # noqa: PLR0911 - one way out per form of query
    from sqlglot import exp  # noqa: PLC0415

    tree = query.tree.copy()
    comparison = _comparison(tree, key)
    if not isinstance(tree, exp.Select) or comparison is None or tree.args.get("distinct"):
        return None
    column = _compared_column(comparison, key)
    if column is None:
        return None
    aggregate, limited = is_aggregate(query), tree.args.get("limit") is not None
    if tree.args.get("group") or (limited and not unique and aggregate):
        return None
    comparison.replace(_any_of(query, column))
    tree.set("offset", None)
    if aggregate:
        tree.set("order", None)
        tree.set("limit", None)
        tree.set("expressions", [column.copy(), *tree.expressions])
        return query.sql(tree.group_by(column.copy()))
    if not _projects(tree, column):
        tree.set("expressions", [column.copy(), *tree.expressions])
    if not limited:
        return query.sql(tree)
    if unique:
        tree.set("limit", None)
        tree.set("order", None)
        return query.sql(tree)
    return _ranked(query, tree, column)


def _ranked(query: Query, tree: exp.Select, column: exp.Column) -> str | None:
    """The first rows of each key: a window function in place of a LIMIT per query."""
    from sqlglot import exp  # noqa: PLC0415

    order = tree.args.get("order")
    if order is None:
        return None
    tree.set("limit", None)
    tree.set("order", None)
    rank = exp.Window(this=exp.RowNumber(), partition_by=[column.copy()], order=order.copy())
    ranked = tree.select(exp.alias_(rank, "position_in_group"))
    outer = exp.select("*").from_(ranked.subquery("ranked"))
    return query.sql(outer.where(exp.LTE(this=exp.column("position_in_group"), expression=marker())))


def _keyset(query: Query) -> str | None:
    from sqlglot import exp  # noqa: PLC0415

    tree = query.tree.copy()
    refused = ("group", "distinct", "having")
    if not isinstance(tree, exp.Select) or is_aggregate(query) or any(tree.args.get(part) for part in refused):
        return None
    table = _from_table(tree)
    if table is None:
        return None
    prefix = table.alias_or_name if tree.args.get("joins") or table.alias else None
    order = tree.args.get("order")
    ordered = list(order.expressions) if order else []
    if any(not isinstance(term.this, exp.Column) for term in ordered):
        return None
    if not any(term.this.name.lower() == "id" for term in ordered):
        ordered.append(_ordered(query, _column("id", prefix), desc=bool(ordered and ordered[-1].args.get("desc"))))
    terms = [(term.this, bool(term.args.get("desc"))) for term in ordered]
    tree.set("offset", None)
    tree.set("order", exp.Order(expressions=[term.copy() for term in ordered]))
    if tree.args.get("limit") is None:
        tree = tree.limit(marker())
    return query.sql(tree.where(_after(query, terms)))


def _after(query: Query, terms: Sequence[tuple[exp.Expression, bool]]) -> exp.Expression:
    """The condition for rows beyond the last one seen; written out where row values are not for this dialect."""
    from sqlglot import exp  # noqa: PLC0415

    def beyond(term: exp.Expression, *, desc: bool) -> exp.Expression:
        return (exp.LT if desc else exp.GT)(this=term.copy(), expression=marker())

    if len(terms) == 1:
        return beyond(terms[0][0], desc=terms[0][1])
    if query.dialect.row_values and len({desc for _, desc in terms}) == 1:
        left = exp.Tuple(expressions=[term.copy() for term, _ in terms])
        right = exp.Tuple(expressions=[marker() for _ in terms])
        return (exp.LT if terms[0][1] else exp.GT)(this=left, expression=right)
    steps = [
        exp.and_(
            *(exp.EQ(this=earlier.copy(), expression=marker()) for earlier, _ in terms[:place]),
            beyond(term, desc=desc),
        )
        for place, (term, desc) in enumerate(terms)
    ]
    return exp.paren(exp.or_(*steps))


def _written_in_bulk(query: Query, key: str | None) -> str | None:
    from sqlglot import exp  # noqa: PLC0415

    tree = query.tree.copy()
    if isinstance(tree, exp.Insert):
        values = tree.expression
        if not isinstance(values, exp.Values) or not values.expressions:
            return None
        row = values.expressions[0]
        values.set("expressions", [row.copy() for _ in range(_ROWS_SHOWN)])
        return query.sql(tree)
    comparison = _comparison(tree, key) if key else None
    column = _compared_column(comparison, key) if comparison is not None and key else None
    if comparison is None or column is None:
        return None
    comparison.replace(_any_of(query, column))
    return query.sql(tree)


def _any_of(query: Query, column: exp.Column) -> exp.Expression:
    from sqlglot import exp  # noqa: PLC0415

    if query.dialect.any_array:
        return exp.EQ(this=column.copy(), expression=exp.Any(this=exp.paren(marker())))
    return exp.In(this=column.copy(), expressions=[marker() for _ in range(query.list_markers)])


def _comparison(tree: exp.Expression, key: str) -> exp.Expression | None:
    """The conjunct of WHERE that compares the key with a value, or with a list of one."""
    from sqlglot import exp  # noqa: PLC0415

    where = tree.args.get("where")
    if where is None:
        return None
    conjuncts = where.this.unnest().flatten() if isinstance(where.this.unnest(), exp.And) else [where.this]
    for conjunct in conjuncts:
        bare = conjunct.unnest()
        if isinstance(bare, exp.EQ | exp.In) and _compared_column(bare, key) is not None:
            return bare
    return None


def _compared_column(comparison: exp.Expression, key: str) -> exp.Column | None:
    """The key's column in `column = value` or `value = column`; None where it is compared with another column."""
    from sqlglot import exp  # noqa: PLC0415

    sides = [comparison.this, comparison.args.get("expression")]
    columns = [side for side in sides if isinstance(side, exp.Column)]
    if len(columns) == 1 and columns[0].name.lower() == key.lower():
        return columns[0]
    return None


def _ordered(query: Query, column: exp.Column, *, desc: bool) -> exp.Ordered:
    """An ORDER BY term with its dialect's own place for nulls, so that none has to be written out."""
    from sqlglot import exp, parse_one  # noqa: PLC0415

    term = parse_one(f"SELECT x ORDER BY x{' DESC' if desc else ''}", read=query.dialect.sqlglot).find(exp.Ordered)
    if term is None:
        raise ValueError(query.dialect.sqlglot)
    term.set("this", column)
    return term


def _projects(tree: exp.Select, column: exp.Column) -> bool:
    shown = [projection.unalias() for projection in tree.expressions]
    return any(projection.is_star or projection.name.lower() == column.name.lower() for projection in shown)


def _from_table(tree: exp.Expression) -> exp.Table | None:
    from sqlglot import exp  # noqa: PLC0415

    source = tree.args.get("from_") or tree.args.get("from")
    return source.this if source is not None and isinstance(source.this, exp.Table) else None


def _column(name: str, table: str | None) -> exp.Column:
    from sqlglot import exp  # noqa: PLC0415

    return exp.Column(this=identifier(name), table=identifier(table) if table else None)
