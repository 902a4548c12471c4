"""Queries rewritten, whole texts compared."""

from __future__ import annotations

import pytest

from tracelens.advice.dialects import dialect_of
from tracelens.advice.queries import Query, parse_query
from tracelens.advice.rewrites import batched, explained, inserted_columns, keyset, narrowed, written_in_bulk
from tracelens.advice.routes import cache_prefix, collection_url, routes


def parsed(text: str, db_system: str = "postgresql") -> Query:
    query = parse_query(text, dialect_of(db_system))
    assert query is not None
    return query


def one_line(text: str | None) -> str | None:
    return " ".join(text.split()).replace("( ", "(").replace(" )", ")") if text is not None else None


@pytest.mark.parametrize(
    ("db_system", "text", "key", "unique", "expected"),
    [
        (
            "postgresql",
            'SELECT "id" FROM "public"."orders" WHERE "public"."orders"."user_id" = $1 OFFSET $2',
            "user_id",
            False,
            (
                'SELECT "public"."orders"."user_id", "id" FROM "public"."orders" '
                'WHERE "public"."orders"."user_id" = ANY($1)'
            ),
        ),
        (
            "postgresql",
            "SELECT orders.user_id AS u, orders.id AS orders_id \nFROM orders \nWHERE %(p)s::INTEGER = orders.user_id",
            "user_id",
            False,
            "SELECT orders.user_id AS u, orders.id AS orders_id FROM orders WHERE orders.user_id = ANY($1)",
        ),
        (
            "postgresql",
            "SELECT u.* FROM users u WHERE (u.id = $1 AND 1=1) LIMIT $2 OFFSET $3",
            "id",
            True,
            "SELECT u.* FROM users AS u WHERE (u.id = ANY($1) AND 1 = 1)",
        ),
        (
            "mysql",
            "SELECT COUNT(*) FROM `reviews` WHERE `reviews`.`user_id` = ? AND kind = ?",
            "user_id",
            False,
            (
                "SELECT `reviews`.`user_id`, COUNT(*) FROM `reviews` "
                "WHERE `reviews`.`user_id` IN (?, ?, ?) AND kind = ? GROUP BY `reviews`.`user_id`"
            ),
        ),
        (
            "postgresql",
            "SELECT * FROM orders WHERE user_id = $1 ORDER BY created_at DESC LIMIT 3",
            "user_id",
            False,
            (
                "SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY created_at DESC) "
                "AS position_in_group FROM orders WHERE user_id = ANY($1)) AS ranked WHERE position_in_group <= $2"
            ),
        ),
        ("postgresql", "SELECT * FROM orders WHERE user_id = $1 LIMIT 3", "user_id", False, None),
        ("postgresql", "SELECT * FROM orders WHERE lower(name) = $1", "name", False, None),
        ("postgresql", "SELECT * FROM orders WHERE a = $1 OR b = $2", "a", False, None),
        ("postgresql", "SELECT a.* FROM a JOIN b ON a.x = b.x WHERE a.x = b.y", "x", False, None),
        ("postgresql", "SELECT DISTINCT kind FROM orders WHERE user_id = $1", "user_id", False, None),
        ("postgresql", "DELETE FROM orders WHERE user_id = $1", "user_id", False, None),
    ],
)
def test_one_query_for_all_keys(db_system: str, text: str, key: str, unique: bool, expected: str | None) -> None:  # noqa: FBT001
    assert one_line(batched(parsed(text, db_system), key, unique=unique)) == expected


@pytest.mark.parametrize(
    ("db_system", "text", "expected"),
    [
        (
            "postgresql",
            "SELECT id, kind FROM events ORDER BY id LIMIT $1 OFFSET $2",
            "SELECT id, kind FROM events WHERE id > $1 ORDER BY id LIMIT $2",
        ),
        (
            "postgresql",
            "SELECT e.id FROM events e WHERE e.kind = $1 ORDER BY e.created_at DESC LIMIT 20 OFFSET 10000",
            (
                "SELECT e.id FROM events AS e WHERE e.kind = $1 AND (e.created_at, e.id) < ($2, $3) "
                "ORDER BY e.created_at DESC, e.id DESC LIMIT 20"
            ),
        ),
        (
            "mysql",
            "SELECT * FROM t ORDER BY a DESC, b LIMIT ? OFFSET ?",
            (
                "SELECT * FROM t WHERE (a < ? OR (a = ? AND b > ?) OR (a = ? AND b = ? AND id > ?)) "
                "ORDER BY a DESC, b, id LIMIT ?"
            ),
        ),
        (
            "postgresql",
            "SELECT * FROM events OFFSET 5000",
            "SELECT * FROM events WHERE id > $1 ORDER BY id LIMIT $2",
        ),
        ("postgresql", "SELECT kind, COUNT(*) FROM events GROUP BY kind ORDER BY kind OFFSET 10", None),
        ("postgresql", "SELECT * FROM events ORDER BY random() OFFSET 10", None),
        ("postgresql", "SELECT * FROM (SELECT 1 AS id) AS sub OFFSET 10", None),
    ],
)
def test_the_page_after_the_last_row(db_system: str, text: str, expected: str | None) -> None:
    assert one_line(keyset(parsed(text, db_system))) == expected


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        (
            "INSERT INTO t (a, b) VALUES ($1, $2) RETURNING id",
            None,
            "INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4), ($5, $6) RETURNING id",
        ),
        ("UPDATE t SET a = $1 WHERE id = $2", "id", "UPDATE t SET a = $1 WHERE id = ANY($2)"),
        ("DELETE FROM t WHERE id = $1", "id", "DELETE FROM t WHERE id = ANY($1)"),
        ("INSERT INTO t SELECT * FROM u", None, None),
        ("UPDATE t SET a = $1", "id", None),
        ("UPDATE t SET a = $1 WHERE id = $2", None, None),
    ],
)
def test_writes_in_bulk(text: str, key: str | None, expected: str | None) -> None:
    assert written_in_bulk(parsed(text), key) == expected


def test_explain_of_a_write_is_rolled_back() -> None:
    assert explained(parsed("DELETE FROM t WHERE id = $1")) == (
        "BEGIN;\nEXPLAIN (ANALYZE, BUFFERS)\nDELETE FROM t WHERE id = $1;\nROLLBACK;"
    )
    assert explained(parsed("SELECT 1", "sqlite")) == "EXPLAIN QUERY PLAN\nSELECT 1;"
    assert (
        explained(parsed("DELETE FROM t WHERE id = ?", "sqlite")) == "EXPLAIN QUERY PLAN\nDELETE FROM t WHERE id = ?;"
    )


def test_fewer_columns() -> None:
    query = parsed("SELECT * FROM events e JOIN users u ON u.id = e.user_id")
    assert narrowed(query, ["id", "order"]) == (
        'SELECT e.id, e."order" FROM events AS e JOIN users AS u ON u.id = e.user_id'
    )
    assert narrowed(parsed("SELECT kind, COUNT(*) FROM t GROUP BY kind"), ["id"]) is None
    assert narrowed(parsed("SELECT * FROM t"), []) is None


def test_columns_of_an_insert() -> None:
    assert inserted_columns(parsed('INSERT INTO t (a, "B c") VALUES ($1, $2)')) == ["a", "B c"]
    assert inserted_columns(parsed("INSERT INTO t VALUES ($1, $2)")) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "GET key",
        "EXPLAIN SELECT 1",
        "SELECT 1; DROP TABLE t",
        "SELECT a FROM t WHERE b = 'x...",
        "SELECT " + "(" * 90,
    ],
)
def test_what_is_not_one_whole_query_does_not_parse(text: str) -> None:
    assert parse_query(text, dialect_of("postgresql")) is None
    assert parse_query("SELECT 1", dialect_of("mongodb")) is None


@pytest.mark.parametrize(
    ("endpoint", "colon", "braces", "angle"),
    [
        ("GET /users/{id}/orders", "/users/:id/orders", "/users/{id}/orders", "/users/<id>/orders"),
        ("GET /users/:id", "/users/:id", "/users/{id}", "/users/<id>"),
        ("GET users/<int:pk>/", "/users/:pk/", "/users/{pk}/", "/users/<pk>/"),
        ("GET", None, None, None),
        ("UsersController#show", None, None, None),
        ("GET /a'b", None, None, None),
        ("run/tasks.add", None, None, None),
    ],
)
def test_routes(endpoint: str, colon: str | None, braces: str | None, angle: str | None) -> None:
    assert routes(endpoint) == {"route_colon": colon, "route_braces": braces, "route_angle": angle}


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("GET http://users:3000/api/users/{id}", "http://users:3000/api/users"),
        ("GET /api/users/:id", "/api/users"),
        ("GET http://users/users/17", "http://users/users"),
        ("GET http://users/users/?", "http://users/users"),
        ("GET users/api/users/{id}", "http://users/api/users"),
        ("GET http://users/users", None),
        ("GET http://users/us'ers/{id}", None),
    ],
)
def test_collection_urls(subject: str, expected: str | None) -> None:
    assert collection_url(subject) == expected


def test_cache_prefixes() -> None:
    assert [cache_prefix(text) for text in ("get banner:?", "redis-GET user:12", "GET ?", "SET a:b", "HGET h:1 f")] == [
        "banner:",
        "user:",
        None,
        None,
        "h:",
    ]
