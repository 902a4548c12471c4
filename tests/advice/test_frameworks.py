"""Which framework a span's scopes, language and text point at."""

from __future__ import annotations

import pytest

from tracelens.advice import Framework, detect_framework
from tracelens.advice.frameworks import candidates, framework_entries

JS = "@opentelemetry/instrumentation-"
PY = "opentelemetry.instrumentation."
RUBY = "OpenTelemetry::Instrumentation::"
PHP = "io.opentelemetry.contrib.php."


@pytest.mark.parametrize(
    ("scope_names", "expected"),
    [
        ([JS + "pg", JS + "sequelize", JS + "express", JS + "http"], Framework("sequelize", "javascript", "orm")),
        (["prisma", JS + "pg"], Framework("prisma", "javascript", "orm")),
        ([JS + "typeorm"], Framework("typeorm", "javascript", "orm")),
        ([JS + "knex", JS + "mysql2"], Framework("knex", "javascript", "orm")),
        ([JS + "mongoose", JS + "mongodb"], Framework("mongoose", "javascript", "orm")),
        ([JS + "pg", JS + "http"], Framework("pg", "javascript", "driver")),
        ([JS + "mysql2"], Framework("mysql2", "javascript", "driver")),
        ([PY + "psycopg", PY + "sqlalchemy", PY + "fastapi"], Framework("sqlalchemy", "python", "orm")),
        ([PY + "psycopg", PY + "django"], Framework("django", "python", "orm")),
        ([PY + "django", PY + "sqlalchemy"], Framework("sqlalchemy", "python", "orm")),
        ([PY + "asyncpg", PY + "fastapi"], Framework("asyncpg", "python", "driver")),
        (["io.opentelemetry.jdbc"], Framework("jdbc", "java", "driver")),
        (["io.opentelemetry.jdbc", "io.opentelemetry.hibernate-6.0"], Framework("hibernate", "java", "orm")),
        (
            ["io.opentelemetry.jdbc", "io.opentelemetry.hibernate-6.0", "io.opentelemetry.spring-data-1.8"],
            Framework("spring_data", "java", "orm"),
        ),
        (["Npgsql", "OpenTelemetry.Instrumentation.EntityFrameworkCore"], Framework("efcore", "csharp", "orm")),
        (["Npgsql", "Microsoft.AspNetCore"], Framework("npgsql", "csharp", "driver")),
        ([RUBY + "PG", RUBY + "ActiveRecord", RUBY + "ActionPack"], Framework("active_record", "ruby", "orm")),
        ([RUBY + "PG", RUBY + "ActionPack"], Framework("rails", "ruby", "orm")),
        ([PHP + "laravel", PHP + "pdo"], Framework("laravel", "php", "orm")),
        ([PHP + "doctrine", PHP + "pdo", PHP + "symfony"], Framework("doctrine", "php", "orm")),
        ([PHP + "pdo"], Framework("pdo", "php", "driver")),
        (["gorm.io/plugin/opentelemetry", "github.com/XSAM/otelsql"], Framework("gorm", "go", "orm")),
        (["github.com/uptrace/opentelemetry-go-extra/otelgorm"], Framework("gorm", "go", "orm")),
        (["github.com/exaring/otelpgx"], Framework("pgx", "go", "driver")),
        (["github.com/XSAM/otelsql"], Framework("database/sql", "go", "driver")),
        ([JS + "http"], Framework("javascript", "javascript", "language")),
        (["our-own-tracer"], Framework("sql", "sql", "sql")),
        ([], Framework("sql", "sql", "sql")),
    ],
)
def test_orms_win_over_drivers_and_drivers_over_the_language(scope_names: list[str], expected: Framework) -> None:
    assert detect_framework(scope_names, None, "postgresql") == expected
    assert detect_framework([name.upper() for name in reversed(scope_names)], None, "postgresql") == expected


@pytest.mark.parametrize(
    ("sdk_language", "language"),
    [
        ("nodejs", "javascript"),
        ("python", "python"),
        ("java", "java"),
        ("dotnet", "csharp"),
        ("ruby", "ruby"),
        ("php", "php"),
        ("go", "go"),
    ],
)
def test_the_sdk_tells_the_language_where_no_scope_does(sdk_language: str, language: str) -> None:
    assert detect_framework(["our-own-tracer"], sdk_language, None) == Framework(language, language, "language")


def test_a_scope_of_another_language_is_another_process() -> None:
    scope_names = [JS + "sequelize", PY + "psycopg"]
    assert detect_framework(scope_names, "python", "postgresql") == Framework("psycopg", "python", "driver")


def test_an_unknown_language_and_a_database_without_sql() -> None:
    assert detect_framework([], "erlang", "mongodb") == Framework("mongosh", "mongosh", "sql")
    assert [framework.name for framework in candidates([JS + "mongodb"], "nodejs", "mongodb")] == [
        "mongodb",
        "javascript",
        "mongosh",
    ]


@pytest.mark.parametrize(
    ("scope", "query_text", "expected"),
    [
        (JS + "pg", 'SELECT "id" FROM "orders" AS "Order" WHERE "Order"."user_id" = 4', "sequelize"),
        (JS + "mysql2", "SELECT `id` FROM `orders` AS `Order` WHERE `Order`.`user_id` = ?", "sequelize"),
        (JS + "pg", 'SELECT "Order"."id" AS "Order_id" FROM "orders" "Order" WHERE "Order"."user_id" = $1', "typeorm"),
        (JS + "pg", "SELECT id FROM orders WHERE user_id = $1", "pg"),
        (PY + "psycopg", "SELECT orders.id AS orders_id FROM orders WHERE %s::INTEGER = orders.user_id", "sqlalchemy"),
        (PY + "psycopg", 'SELECT "shop_order"."id", "shop_order"."total" FROM "shop_order" WHERE ?', "django"),
        (PY + "psycopg", "SELECT id, total FROM orders", "psycopg"),
        ("io.opentelemetry.jdbc", "select o1_0.id,o1_0.total from orders o1_0 where o1_0.user_id=?", "hibernate"),
        ("io.opentelemetry.jdbc", "select order0_.id as id1_0_ from orders order0_", "hibernate"),
        ("io.opentelemetry.jdbc", "select id from orders", "jdbc"),
        ("Npgsql", 'SELECT o."Id" FROM "Orders" AS o WHERE o."UserId" = @__id_0', "efcore"),
        ("Npgsql", "SELECT id FROM orders", "npgsql"),
        (RUBY + "PG", 'SELECT "orders".* FROM "orders" WHERE "orders"."user_id" = $1', "active_record"),
        (PHP + "pdo", "SELECT t0.id AS id_1, t0.total AS total_2 FROM orders t0 WHERE t0.user_id = ?", "doctrine"),
        (PHP + "pdo", "select * from `orders` where `orders`.`user_id` = ?", "laravel"),
    ],
)
def test_an_orm_is_known_by_its_sql_where_only_the_driver_speaks(scope: str, query_text: str, expected: str) -> None:
    assert detect_framework([scope], None, None, query_text=query_text).name == expected


def test_the_kinds_asked_for_decide() -> None:
    scope_names = [JS + "pg", JS + "ioredis", JS + "express"]
    assert detect_framework(scope_names, None, None, kinds=("cache",)).name == "ioredis"
    assert detect_framework(scope_names, None, None, kinds=("web",)).name == "express"
    assert [entry.name for entry in candidates(["io.opentelemetry.spring-data-1.8"], "java", "mysql")] == [
        "spring_data",
        "hibernate",
        "jdbc",
        "java",
        "sql",
    ]


def test_names_are_unique_and_fallbacks_exist() -> None:
    names = [entry.name for entry in framework_entries()]
    assert len(set(names)) == len(names)
    assert {fallback for entry in framework_entries() for fallback in entry.falls_back_to} <= set(names)
