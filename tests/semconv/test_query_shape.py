"""Shape texts to query shapes: every row of the cases, hostile texts, and what is not loaded without need."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tracelens.semconv.command_shape import describe
from tracelens.semconv.query_shape import ColumnUse, QueryShape, SortColumn, parse_shape

FOLDER = Path(__file__).parent / "cases"
CASES = tomllib.loads((FOLDER / "query_shape.toml").read_text())["case"]
COMMANDS = tomllib.loads((FOLDER / "commands.toml").read_text())["case"]
SYSTEMS = (
    "postgresql",
    "mysql",
    "microsoft.sql_server",
    "oracle.db",
    "sqlite",
    "clickhouse",
    "other_sql",
    "mongodb",
    "redis",
)
WORDS = (
    "SELECT INSERT UPDATE WITH FROM WHERE JOIN ON SET INTO VALUES AS ORDER BY LIMIT IN AND OR NOT NULL IS"
    " CASE DELETE BEGIN ( ) , = ? * a b t. ; ' \" ` [ ] :: -- /* $ {"
)


def column_use(written: str) -> ColumnUse:
    name, operator, expression = [*written.split(" ", 2), None][:3]
    table, _, column = str(name).rpartition(".")
    return ColumnUse(None if table == "-" else table, column, str(operator), expression)


def sort_column(written: str) -> SortColumn:
    use = column_use(written)
    return SortColumn(use.table, use.column, use.operator)


def expected_shape(case: dict[str, Any]) -> QueryShape:
    readers = {"filter_columns": column_use, "join_columns": column_use, "sort_columns": sort_column}
    values: dict[str, Any] = {
        name: tuple(map(readers.get(name, str), value)) if isinstance(value, list) else value
        for name, value in case.items()
        if name not in {"text", "db_system"}
    }
    return QueryShape(is_read=values.pop("is_read", False), **values)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["text"][:60])
def test_case(case: dict[str, Any]) -> None:
    shape = parse_shape(str(case["text"]), str(case.get("db_system", "postgresql")))
    assert shape == expected_shape(case)


@pytest.mark.parametrize("case", COMMANDS, ids=lambda case: case["shape"][:60])
def test_command(case: dict[str, Any]) -> None:
    shape = describe(case["shape"], case.get("db_system", "redis"), case.get("operation"))
    assert shape == expected_shape(case["describe"])


@pytest.mark.parametrize(
    ("db_system", "operation", "expected"),
    [
        ("postgresql", "SELECT shop", QueryShape("select", is_read=True, parsed=False)),
        ("mysql", "BATCH INSERT", QueryShape("insert", is_read=False, parsed=False)),
        ("postgresql", None, QueryShape("other", is_read=False, parsed=False)),
        ("aws.dynamodb", "GetItem", QueryShape("select", is_read=True)),
        ("mongodb", "findOneAndUpdate", QueryShape("update", is_read=False)),
        ("redis", "redis-GET", QueryShape("get", is_read=True, command_class="read")),
        ("redis", "PIPELINE get", QueryShape("get", is_read=True, command_class="read")),
        ("redis", None, QueryShape("other", is_read=False, command_class="other")),
    ],
)
def test_without_text_the_operation_tells(db_system: str, operation: str | None, expected: QueryShape) -> None:
    assert describe("", db_system, operation) == expected


@pytest.mark.parametrize(
    "text",
    [
        "SELECT " + "(" * 5000 + "?" + ")" * 5000,
        " AND ".join(["SELECT * FROM t WHERE a = ?", *["b = ?"] * 2000]),
        "SELECT * FROM t WHERE " + "NOT " * 5000 + "a",
        "SELECT " + "- " * 5000 + "a FROM t",
        "SELECT " + "CASE WHEN a THEN " * 2000 + "?" + " END" * 2000 + " FROM t",
        "SELECT * FROM " + "(SELECT * FROM " * 50 + "t" + ") x" * 50,
        "SELECT a FROM t WHERE b = ? " * 4000,
        "BEGIN; " * 5000,
    ],
    ids=["parentheses", "and", "not", "minus", "case", "derived", "huge", "parts"],
)
def test_hostile_texts_are_still_statements(text: str) -> None:
    shape = parse_shape(text, "postgresql")
    assert shape.statement == ("transaction" if text.startswith("BEGIN") else "select")


def test_a_huge_text_is_read_by_its_words() -> None:
    columns = ", ".join(f"column_{number}" for number in range(6000))
    assert parse_shape(f"SELECT {columns} FROM public.wide JOIN other ON a = b LIMIT ?", "postgresql") == QueryShape(  # noqa: S608
        statement="select",
        is_read=True,
        tables=("wide", "other"),
        table_spellings=("public.wide", "other"),
        has_limit=True,
        parsed=False,
    )


@settings(max_examples=80, deadline=None)
@given(
    st.one_of(
        st.text(max_size=80),
        st.lists(st.sampled_from(WORDS.split()), max_size=15).map(" ".join),
    ),
    st.sampled_from(SYSTEMS),
)
@example("SELECT", "postgresql")
@example("(", "mysql")
@example("SELECT * FROM t ORDER BY (SELECT", "oracle.db")
def test_no_text_raises(text: str, db_system: str) -> None:
    shape = describe(text, db_system)
    assert len(shape.tables) == len(shape.table_spellings)
    assert set(shape.written_tables) <= set(shape.tables)


def test_sqlglot_is_loaded_for_a_parse_only() -> None:
    script = (
        "import sys\n"
        "from tracelens.semconv.command_shape import describe\n"
        "describe('COMMIT', 'postgresql'); describe('GET a', 'redis'); print('sqlglot' in sys.modules)\n"
        "describe('SELECT a FROM t', 'postgresql'); print('sqlglot' in sys.modules)\n"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False", "True"]
    assert found.stderr == ""
