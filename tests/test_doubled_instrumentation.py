"""One query is one call, however many spans instrumentation makes of it: the shapes that instrumentations really send.

Each case builds the spans of one query; it is repeated, and the repeats are what the statistics and N+1 must count.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

import tracelens

if TYPE_CHECKING:
    from collections.abc import Callable

REPEATS = 7
START_NS = 1_772_442_000_000_000_000
TEXT = "SELECT id, total FROM orders WHERE user_id = $1"
MS = 1_000_000


@dataclass
class Request:
    """Spans of one request, grouped by scope. Times are in milliseconds from its start."""

    spans: dict[str, list[Span]] = field(default_factory=dict)
    ids: count[int] = field(default_factory=lambda: count(2))

    def add(
        self,
        scope: str,
        name: str,
        start_ms: float,
        end_ms: float,
        *,
        parent: int = 1,
        links: int = 0,
        **attributes: str,
    ) -> int:
        """Add a CLIENT span (INTERNAL where the name of its scope begins with `internal:`) and return its id."""
        number = next(self.ids)
        span = Span(
            trace_id=b"\x01" * 16,
            span_id=number.to_bytes(8, "big"),
            parent_span_id=parent.to_bytes(8, "big"),
            name=name,
            kind=Span.SPAN_KIND_INTERNAL if scope.startswith("internal:") else Span.SPAN_KIND_CLIENT,
            start_time_unix_nano=START_NS + round(start_ms * MS),
            end_time_unix_nano=START_NS + round(end_ms * MS),
        )
        for key, value in attributes.items():
            span.attributes.add(key=key.replace("__", "."), value={"string_value": value})
        if links:
            span.links.add(trace_id=span.trace_id, span_id=links.to_bytes(8, "big"))
        self.spans.setdefault(scope.removeprefix("internal:"), []).append(span)
        return number

    def serialised(self) -> bytes:
        request = ExportTraceServiceRequest()
        resource = request.resource_spans.add()
        resource.resource.attributes.add(key="service.name", value={"string_value": "shop"})
        entry = resource.scope_spans.add().spans.add(
            trace_id=b"\x01" * 16,
            span_id=(1).to_bytes(8, "big"),
            name="GET /users",
            kind=Span.SPAN_KIND_SERVER,
            start_time_unix_nano=START_NS,
            end_time_unix_nano=START_NS + 500 * MS,
        )
        entry.attributes.add(key="http.request.method", value={"string_value": "GET"})
        entry.attributes.add(key="http.route", value={"string_value": "/users"})
        for name, spans in self.spans.items():
            scope_spans = resource.scope_spans.add()
            scope_spans.scope.name = name
            scope_spans.spans.extend(spans)
        return request.SerializeToString()


def sequelize(request: Request, at: float) -> None:
    outer = request.add(
        "@opentelemetry/instrumentation-sequelize", "SELECT", at, at + 9, db__system="postgres", db__statement=TEXT
    )
    pg = "@opentelemetry/instrumentation-pg"
    request.add(pg, "pg-pool.connect", at, at + 1, parent=outer, db__system="postgresql")
    request.add(pg, "pg.query:SELECT shop", at + 1, at + 8, parent=outer, db__system="postgresql", db__statement=TEXT)


def sqlalchemy(request: Request, at: float) -> None:
    text = TEXT.replace("$1", "%(user_id)s")
    alchemy = "opentelemetry.instrumentation.sqlalchemy"
    request.add(alchemy, "connect", at, at + 0.2, db__system="postgresql")
    request.add(alchemy, "SELECT shop", at + 1, at + 9, db__system="postgresql", db__statement=text)
    request.add(
        "opentelemetry.instrumentation.psycopg", "SELECT", at + 2, at + 8, db__system="postgresql", db__statement=text
    )


def prisma_with_an_adapter(request: Request, at: float) -> None:
    operation = request.add("internal:prisma", "prisma:client:operation", at, at + 9)
    query = request.add(
        "prisma",
        "prisma:engine:db_query",
        at + 1,
        at + 8,
        parent=operation,
        db__system="postgresql",
        db__query__text=TEXT,
    )
    request.add("prisma", "prisma:engine:js:query:args", at + 1, at + 2, parent=query, db__system="postgresql")
    request.add(
        "prisma",
        "prisma:engine:js:query:sql",
        at + 2,
        at + 7,
        parent=query,
        db__system="postgresql",
        db__query__text=TEXT,
    )
    request.add("prisma", "prisma:engine:js:query:result", at + 7, at + 8, parent=query, db__system="postgresql")


def prisma_over_pg(request: Request, at: float) -> None:
    query = request.add(
        "@prisma/instrumentation",
        "prisma:client:db_query",
        at,
        at + 9,
        db__system__name="postgresql",
        db__query__text=TEXT,
    )
    request.add(
        "@opentelemetry/instrumentation-pg",
        "pg.query:SELECT shop",
        at + 1,
        at + 8,
        parent=query,
        db__system__name="postgresql",
        db__query__text=TEXT,
    )


def knex_over_mysql2(request: Request, at: float) -> None:
    text = "select `id`, `total` from `orders` where `user_id` = ?"
    outer = request.add(
        "@opentelemetry/instrumentation-knex", "select shop.orders", at, at + 9, db__system="mysql", db__statement=text
    )
    request.add(
        "@opentelemetry/instrumentation-mysql2",
        "SELECT",
        at + 1,
        at + 8,
        parent=outer,
        db__system="mysql",
        db__statement=text,
    )


def typeorm(request: Request, at: float) -> None:
    arguments = json.dumps({"where": {"userId": round(at)}})
    outer = request.add(
        "@opentelemetry/instrumentation-typeorm",
        "find orders",
        at,
        at + 9,
        db__system__name="postgres",
        db__operation__name="find",
        db__query__text=arguments,
    )
    request.add(
        "@opentelemetry/instrumentation-pg",
        "pg.query:SELECT shop",
        at + 1,
        at + 8,
        parent=outer,
        db__system__name="postgresql",
        db__query__text=TEXT,
    )


def laravel_beside_pdo(request: Request, at: float) -> None:
    text = TEXT.replace("$1", "?")
    pdo = "io.opentelemetry.contrib.php.pdo"
    prepared = request.add(pdo, "PDO::prepare", at, at + 1, db__system__name="mysql", db__query__text=text)
    request.add(pdo, "PDOStatement::execute", at + 1, at + 8, links=prepared, db__system__name="mysql")
    request.add(pdo, "PDOStatement::fetchAll", at + 8, at + 9, links=prepared, db__system__name="mysql")
    request.add(
        "io.opentelemetry.contrib.php.laravel",
        "sql SELECT",
        at + 1.5,
        at + 8,
        db__system__name="mysql",
        db__query__text=text,
    )


def doctrine_without_links(request: Request, at: float) -> None:
    doctrine = "io.opentelemetry.contrib.php.doctrine"
    request.add(
        doctrine, "Doctrine::prepare", at, at + 1, db__system__name="mysql", db__query__text=TEXT.replace("$1", "?")
    )
    request.add(doctrine, "Doctrine::execute", at + 1, at + 8, db__system__name="mysql")


def hibernate_over_jdbc(request: Request, at: float) -> None:
    session = request.add("internal:io.opentelemetry.hibernate-6.0", "Session.find shop.Order", at, at + 9)
    request.add(
        "io.opentelemetry.jdbc", "HikariDataSource.getConnection", at, at + 1, parent=session, db__system="postgresql"
    )
    request.add(
        "io.opentelemetry.jdbc",
        "SELECT shop.orders",
        at + 1,
        at + 8,
        parent=session,
        db__system="postgresql",
        db__statement=TEXT.replace("$1", "?"),
    )


def entity_framework(request: Request, at: float) -> None:
    """The outer span may end before its child does."""
    text = "SELECT [o].[Id] FROM [Orders] AS [o] WHERE [o].[UserId] = @__id_0"
    outer = request.add(
        "OpenTelemetry.Instrumentation.EntityFrameworkCore", "shop", at, at + 7, db__system="mssql", db__statement=text
    )
    request.add(
        "OpenTelemetry.Instrumentation.SqlClient",
        "SELECT Orders",
        at + 1,
        at + 9,
        parent=outer,
        db__system__name="microsoft.sql_server",
        db__query__text=text,
    )


def gorm_over_otelsql(request: Request, at: float) -> None:
    outer = request.add(
        "gorm.io/plugin/opentelemetry",
        "select orders",
        at,
        at + 9,
        db__system__name="postgresql",
        db__query__text=TEXT.replace("$1", str(round(at))),
    )
    otelsql = "github.com/XSAM/otelsql"
    request.add(otelsql, "sql.conn.reset_session", at, at + 1, parent=outer, db__system="postgresql")
    request.add(otelsql, "sql.conn.query", at + 1, at + 7, parent=outer, db__system="postgresql", db__query__text=TEXT)
    request.add(otelsql, "sql.rows", at + 7, at + 9, parent=outer, db__system="postgresql")


def otelpgx(request: Request, at: float) -> None:
    scope = "github.com/exaring/otelpgx"
    request.add(scope, "pool.acquire", at, at + 1, db__system__name="postgresql")
    request.add(scope, f"prepare {TEXT}", at + 1, at + 2, db__system__name="postgresql", db__query__text=TEXT)
    request.add(scope, f"query {TEXT}", at + 2, at + 8, db__system__name="postgresql", db__query__text=TEXT)


def active_record_over_pg(request: Request, at: float) -> None:
    model = request.add("internal:OpenTelemetry::Instrumentation::ActiveRecord", "Order query", at, at + 9)
    pg = "OpenTelemetry::Instrumentation::PG"
    request.add(pg, "PREPARE shop", at + 1, at + 2, parent=model, db__system="postgresql", db__statement=TEXT)
    request.add(pg, "EXECUTE shop", at + 2, at + 8, parent=model, db__system="postgresql", db__statement=TEXT)


def mongoose_over_mongodb(request: Request, at: float) -> None:
    outer = request.add(
        "@opentelemetry/instrumentation-mongoose",
        "find orders",
        at,
        at + 9,
        db__system="mongodb",
        db__operation="find",
        db__mongodb__collection="orders",
    )
    request.add(
        "@opentelemetry/instrumentation-mongodb",
        "find orders",
        at + 1,
        at + 8,
        parent=outer,
        db__system="mongodb",
        db__operation="find",
        db__mongodb__collection="orders",
        db__statement='{"userId":"?"}',
    )


CASES: tuple[Callable[[Request, float], None], ...] = (
    sequelize, sqlalchemy, prisma_with_an_adapter, prisma_over_pg, knex_over_mysql2, typeorm, laravel_beside_pdo,
    doctrine_without_links, hibernate_over_jdbc, entity_framework, gorm_over_otelsql, otelpgx, active_record_over_pg,
    mongoose_over_mongodb,
)  # fmt: skip


@pytest.mark.parametrize("one_query", CASES, ids=lambda case: case.__name__)
def test_a_query_counts_once(one_query: Callable[[Request, float], None]) -> None:
    request = Request()
    for number in range(REPEATS):
        one_query(request, 10 + number * 15)
    report = tracelens.analyze(request.serialised())
    assert [query.calls for query in report.top_queries] == [REPEATS]
    found = {finding.pass_name: dict(finding.evidence)["repeats"] for finding in report.findings}
    # Hidden parameters, no mapper and no list read before: then it is one query that repeats, as far as one can see.
    assert found == {"repeated_query" if one_query is otelpgx else "n_plus_one": REPEATS}


def test_queries_at_the_same_time_count_once_each() -> None:
    """Seven at once, each beside its twin: pairs are found by their order, not by being alone."""
    request = Request()
    for number in range(REPEATS):
        sqlalchemy(request, 10 + number * 0.3)
    report = tracelens.analyze(request.serialised())
    assert [query.calls for query in report.top_queries] == [REPEATS]


def test_a_batch_is_one_call() -> None:
    request = Request()
    scope = "github.com/exaring/otelpgx"
    batch = request.add(scope, "batch start", 10, 40, db__system__name="postgresql")
    for number in range(REPEATS):
        request.add(
            scope,
            f"batch query {TEXT}",
            11 + number,
            12 + number,
            parent=batch,
            db__system__name="postgresql",
            db__query__text=TEXT,
        )
    report = tracelens.analyze(request.serialised())
    assert sum(query.calls for query in report.top_queries) == 1
    assert report.findings == ()


def test_the_rows_of_a_cursor_are_no_calls() -> None:
    request = Request()
    scope = "opentelemetry.instrumentation.asyncpg"
    request.add(scope, "SELECT", 10, 20, db__system="postgresql", db__statement=TEXT)
    for number in range(REPEATS):
        request.add(scope, "CURSOR: SELECT", 20 + number, 21 + number, db__system="postgresql", db__statement=TEXT)
    report = tracelens.analyze(request.serialised())
    assert [query.calls for query in report.top_queries] == [1]
    assert report.findings == ()


def test_two_real_queries_in_a_row_stay_two() -> None:
    """The same text under one parent from two scopes, one after the other: nothing is doubled."""
    request = Request()
    for number in range(REPEATS):
        at = 10 + number * 20
        request.add("app.reports", "SELECT", at, at + 5, db__system="postgresql", db__statement=TEXT)
        request.add("app.lists", "SELECT", at + 6, at + 11, db__system="postgresql", db__statement=TEXT)
    report = tracelens.analyze(request.serialised())
    assert [query.calls for query in report.top_queries] == [2 * REPEATS]
