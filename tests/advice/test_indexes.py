"""The index for a query, DDL compared whole."""

from __future__ import annotations

from typing import Any

import pytest

from tracelens.advice import AdviceFacts
from tracelens.advice.dialects import dialect_of
from tracelens.advice.indexes import plan_index
from tracelens.advice.queries import parse_query


def ddl(db_system: str, subject: str, tables: tuple[str, ...], **facts: Any) -> str | None:
    dialect = dialect_of(db_system)
    assert dialect is not None
    index = plan_index(
        AdviceFacts("missing_index", "", "", subject, tables=tables, **facts), parse_query(subject, dialect), dialect
    )
    return index.statement if index else None


PENDING = {
    "subject": "SELECT * FROM orders WHERE status = 'pending' AND total > ? AND user_id = ? ORDER BY created_at",
    "tables": ("orders",),
    "filter_columns": (("status", "equal"), ("total", "range"), ("user_id", "equal")),
    "sort_columns": ("created_at",),
    "constant_predicates": ("status = 'pending'",),
}


@pytest.mark.parametrize(
    ("db_system", "expected"),
    [
        (
            "postgresql",
            (
                "CREATE INDEX CONCURRENTLY idx_orders_user_id_total_created_at ON orders (user_id, total, created_at)\n"
                "WHERE status = 'pending';"
            ),
        ),
        (
            "microsoft.sql_server",
            (
                "CREATE INDEX idx_orders_user_id_total_created_at ON orders (user_id, total, created_at)\n"
                "WHERE status = 'pending';"
            ),
        ),
        (
            "mysql",
            "CREATE INDEX idx_orders_status_user_id_total_created_at ON orders (status, user_id, total, created_at);",
        ),
    ],
)
def test_equality_then_range_then_sort_and_partial_where_that_exists(db_system: str, expected: str) -> None:
    assert ddl(db_system, **PENDING) == expected  # type: ignore[arg-type]  # keyword arguments of several types


LOWERED = "SELECT e.id FROM events e JOIN users u ON u.id = e.user_id WHERE lower(e.ref) = lower(?) AND u.kind = ?"


@pytest.mark.parametrize(
    ("db_system", "expected"),
    [
        ("postgresql", "CREATE INDEX CONCURRENTLY idx_events_ref ON events (LOWER(ref));"),
        ("mysql", "CREATE INDEX idx_events_ref ON events ((LOWER(ref)));"),
    ],
)
def test_a_compared_function_is_indexed_on_the_table_of_the_first_condition(db_system: str, expected: str) -> None:
    filters = (("ref", "other"), ("kind", "equal"))
    assert ddl(db_system, LOWERED, ("events", "users"), filter_columns=filters) == expected


def test_a_pattern_gets_trigrams_on_postgresql_and_nothing_elsewhere() -> None:
    text = "SELECT id FROM events WHERE ref LIKE ? ORDER BY id"
    facts = {"filter_columns": (("ref", "like"),), "sort_columns": ("id",)}
    assert ddl("postgresql", text, ("events",), **facts) == (
        "CREATE EXTENSION IF NOT EXISTS pg_trgm;\n"
        "CREATE INDEX CONCURRENTLY idx_events_ref_trgm ON events USING gin (ref gin_trgm_ops);"
    )
    assert ddl("mysql", text, ("events",), **facts) is None


@pytest.mark.parametrize(
    ("subject", "tables", "facts"),
    [
        ("SELECT * FROM users WHERE id = ?", ("users",), {"filter_columns": (("id", "equal"),)}),
        ("SELECT * FROM users ORDER BY id", ("users",), {"sort_columns": ("id",)}),
        ("SELECT * FROM t WHERE a = ? OR b = ?", ("t",), {"filter_columns": (("a", "equal"), ("b", "equal"))}),
        ("no sql", ("a", "b"), {"filter_columns": (("x", "equal"),)}),
        ("no sql", (), {"filter_columns": (("x", "equal"),)}),
        ("no sql", ("t",), {}),
    ],
)
def test_no_index_where_none_helps_or_the_table_is_not_known(
    subject: str, tables: tuple[str, ...], facts: dict[str, Any]
) -> None:
    assert ddl("postgresql", subject, tables, **facts) is None


def test_directions_are_written_where_they_mix_and_names_quoted_where_they_must_be() -> None:
    text = 'SELECT * FROM "Order Items" ORDER BY a DESC, "order"'
    assert ddl("postgresql", text, ("public.Order Items",), sort_columns=("a", "order")) == (
        'CREATE INDEX CONCURRENTLY idx_order_items_a_order ON public."Order Items" (a DESC, "order");'
    )


@pytest.mark.parametrize("predicate", ["1 = 1", "status = ?", "x) ; DROP TABLE t; --", "id IN (SELECT 1)", ""])
def test_a_predicate_that_is_no_constant_condition_is_left_out(predicate: str) -> None:
    assert ddl("postgresql", "no sql", ("t",), filter_columns=(("a", "equal"),), constant_predicates=(predicate,)) == (
        "CREATE INDEX CONCURRENTLY idx_t_a ON t (a);"
    )
