"""What no recording shows of calls: each situation is one request, and the passes that must speak of it.

All are analysed at once, each as a service of its own.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest
from call_traces import (
    CLIENT,
    INTERNAL,
    MICROSECONDS,
    MILLISECONDS,
    PRODUCER,
    SERVER,
    Trace,
    http_in_a_row,
    in_a_row,
    redis_in_a_row,
    sql_in_a_row,
)

import tracelens

if TYPE_CHECKING:
    from tracelens.findings import Finding

SERIAL = ["SELECT count(*) FROM orders", "SELECT avg(stars) FROM reviews", "SELECT max(price) FROM products"]


def slugs_of_a_routed_service() -> Trace:
    trace = Trace()
    for number, start_ms, end_ms in in_a_row(6, 3):
        call = trace.http(f"http://users/users/{'abcdef'[number]}/card", start_ms, end_ms)
        attributes = {"http.request.method": "GET", "http.route": "/users/:login/card"}
        trace.add("GET", SERVER, start_ms + 0.5, end_ms - 0.5, attributes, parent=call)
    return trace


def named_in_a_row(name: str, scope: str = "test") -> Trace:
    """Return a request that runs 25 queries whose spans carry no text."""
    trace = Trace(scope=scope)
    for _, start_ms, end_ms in in_a_row(25, 3):
        trace.add(name, CLIENT, start_ms, end_ms, {"db.system.name": "postgresql"})
    return trace


def retries(method: str) -> Trace:
    trace = Trace("POST /orders", duration_ms=400)
    for number in range(6):
        start_ms = 1 + number * 60
        trace.http("http://flaky/stock/7", start_ms, start_ms + 4, method=method, status=503 if number < 5 else 200)
    return trace


def waiting_for_a_job() -> Trace:
    trace = Trace("POST /exports", duration_ms=900)
    trace.http("http://jobs/jobs", 1, 5, method="POST")
    for number in range(8):
        trace.http("http://jobs/jobs/17", 10 + number * 100, 14 + number * 100)
    return trace


def rpc_in_a_row(method: str) -> Trace:
    trace = Trace()
    for _, start_ms, end_ms in in_a_row(6, 3):
        attributes = {"rpc.system": "grpc", "rpc.service": "shop.Users", "rpc.method": method}
        trace.add(method, CLIENT, start_ms, end_ms, attributes)
    return trace


def cache_reads_within_ticks() -> Trace:
    """They seem to start together, five a tick; their durations fit one after another."""
    trace = Trace(start_ns=MILLISECONDS)
    for number in range(20):
        trace.redis(f"GET cart:{number}", 1 + number // 5, 1 + number // 5 + 0.18)
    return trace


def cache_reads_sent_together(start_ns: int) -> Trace:
    trace = Trace(start_ns=start_ns)
    for first_ms in (1, 60):
        for number in range(10):
            trace.redis(f"GET cart:{number + first_ms}", first_ms, first_ms + 0.6)
    return trace


def cache_writes(*, together: bool) -> Trace:
    trace = Trace(duration_ms=300)
    for number, start_ms, end_ms in in_a_row(60, 2):
        trace.redis(f"SET page:{number} ?", 1 if together else start_ms, 4 if together else end_ms)
    return trace


def publishes(*, together: bool = False, messages: int = 1) -> Trace:
    trace = Trace("POST /newsletter")
    attributes: dict[str, str | int] = {
        "messaging.system": "kafka",
        "messaging.destination.name": "mails",
        "messaging.operation.type": "send",
        "messaging.batch.message_count": messages,
    }
    for _, start_ms, end_ms in in_a_row(8, 4):
        trace.add("send mails", PRODUCER, 1 if together else start_ms, 9 if together else end_ms, attributes)
    return trace


def long_call(url: str, status: int = 200) -> Trace:
    trace = Trace(duration_ms=2900)
    trace.http(url, 10, 2800, status=status)
    return trace


def slow_call_of_the_called_service() -> Trace:
    trace = Trace(duration_ms=2900)
    call = trace.http("http://orders/orders/17", 10, 2800)
    attributes = {"http.request.method": "GET", "http.route": "/orders"}
    inner = trace.add("GET /orders", SERVER, 11, 2799, attributes, parent=call)
    trace.http("http://carrier/quote", 20, 2790, parent=inner)
    return trace


def side_effect(url: str, *, endpoint: str = "POST /orders", write: bool = True, result_written: bool = False) -> Trace:
    trace = Trace(endpoint, duration_ms=920)
    if write:
        trace.sql("INSERT INTO orders (total) VALUES ($1)", 1, 4)
    trace.http(url, 10, 910, method="POST")
    if result_written:
        trace.sql("UPDATE orders SET points = $1 WHERE id = $2", 912, 915)
    return trace


def left_running() -> Trace:
    trace = Trace("POST /orders", duration_ms=20)
    trace.sql("INSERT INTO orders (total) VALUES ($1)", 1, 4)
    trace.http("http://mailer/send", 10, 3000, method="POST")
    return trace


def background_task_of_an_asgi_server() -> Trace:
    trace = Trace("POST /orders", duration_ms=3020)
    trace.sql("INSERT INTO orders (total) VALUES ($1)", 1, 4)
    trace.add("POST /orders http send", INTERNAL, 5, 5.1)
    trace.add("POST /orders http send", INTERNAL, 5.2, 5.3)
    trace.http("http://mailer/send", 6, 3010, method="POST")
    return trace


def queries_with_work_between() -> Trace:
    trace = Trace(duration_ms=900)
    for number in range(3):
        trace.sql(SERIAL[number], 1 + number * 250, 61 + number * 250)
    return trace


def queries_of_a_transaction_that_writes() -> Trace:
    trace = Trace("POST /checkout", duration_ms=300)
    trace.sql("BEGIN", 0.2, 0.4)
    for number, start_ms, end_ms in in_a_row(3, 60):
        trace.sql(SERIAL[number], start_ms, end_ms)
    trace.sql("INSERT INTO orders (total) VALUES ($1)", 200, 204)
    trace.sql("COMMIT", 205, 206)
    return trace


def queries_in_wrapping_spans() -> Trace:
    trace = Trace(duration_ms=300)
    for number, start_ms, end_ms in in_a_row(3, 60):
        repository = trace.add("Repository.find", INTERNAL, start_ms - 0.5, end_ms + 0.5)
        session = trace.add("Session.find", INTERNAL, start_ms - 0.2, end_ms + 0.2, parent=repository)
        trace.sql(SERIAL[number], start_ms, end_ms, parent=session)
    return trace


def sixty_different_queries() -> Trace:
    trace = Trace(duration_ms=300)
    for number, start_ms, end_ms in in_a_row(60, 2):
        wrapper = trace.add("Repository.count", INTERNAL, start_ms, end_ms)
        column = f"c_{'abcdefgh'[number // 8]}{'abcdefgh'[number % 8]}"
        trace.sql(f"SELECT count({column}) FROM audit_log", start_ms, end_ms, parent=wrapper)  # noqa: S608  (never run)
    return trace


def serial_sql(texts: list[str]) -> Trace:
    return sql_in_a_row(texts, within=Trace(duration_ms=300), each_ms=60)


def serial_http(*paths: str) -> Trace:
    urls = [f"http://service-{path[1:4]}{path}" for path in paths]
    request = Trace("GET /quote/:user", path="/quote/7", duration_ms=300)
    return http_in_a_row(urls, within=request, each_ms=70)


SITUATIONS: dict[str, tuple[Trace, str | None]] = {
    "items by path": (http_in_a_row(f"http://prices:80/prices/{n}" for n in range(8)), "n_plus_one_http"),
    "items by query": (http_in_a_row(f"http://prices/prices?id={n}" for n in range(8)), "n_plus_one_http"),
    "items by code": (http_in_a_row(f"http://prices/prices/sku-{n}" for n in range(8)), "n_plus_one_http"),
    "items by slug": (slugs_of_a_routed_service(), "n_plus_one_http"),
    "items in hidden queries": (http_in_a_row(["http://prices/prices?*"] * 6), "n_plus_one_http"),
    "items in bodies": (http_in_a_row(["http://stock/movements"] * 6, method="POST"), "n_plus_one_http"),
    "pages by number": (http_in_a_row(f"http://prices/items?page={n}" for n in range(8)), None),
    "pages by path": (http_in_a_row(f"http://prices/items/page/{n}" for n in range(8)), None),
    "pages by cursor": (
        http_in_a_row(["http://p/items?size=5", *(f"http://p/items?size=5&cursor=c{n}" for n in range(8))]),
        None,
    ),
    "one address for all operations": (http_in_a_row(["http://subgraph/graphql"] * 6, method="POST"), None),
    "three equal URLs": (http_in_a_row(["http://rates/rates/eur"] * 3), "repeated_call"),
    "two equal URLs": (http_in_a_row(["http://rates/rates/eur"] * 2), None),
    "retries of a read": (retries("GET"), None),
    "retries of a write": (retries("POST"), None),
    "waiting for a job": (waiting_for_a_job(), None),
    "procedure by item": (rpc_in_a_row("GetUser"), "n_plus_one_http"),
    "procedure that waits": (rpc_in_a_row("ReceiveMessage"), None),
    "cache reads": (redis_in_a_row(f"GET cart:{n}" for n in range(10)), "n_plus_one_cache"),
    "cache reads within ticks": (cache_reads_within_ticks(), "n_plus_one_cache"),
    "cache reads of masked keys": (redis_in_a_row(["GET ?"] * 6), "n_plus_one_cache"),
    "cache reads in a pipeline": (redis_in_a_row((f"GET a:{n}" for n in range(10)), operation="PIPELINE GET"), None),
    "cache reads sent together": (cache_reads_sent_together(MICROSECONDS), None),
    "cache reads sent together within ticks": (cache_reads_sent_together(MILLISECONDS), None),
    "cache reads of one key": (redis_in_a_row(["GET user:5"] * 3), "repeated_call"),
    "cache reads of a key that is written": (
        redis_in_a_row(["GET user:5", "SET user:5 ?", "GET user:5", "GET user:5"]),
        None,
    ),
    "cache scan": (redis_in_a_row(f"SCAN {n}" for n in range(0, 102, 17)), None),
    "cache reads of many keys": (redis_in_a_row(f"MGET a:{n} b:{n} c:{n}" for n in range(6)), None),
    "blocking cache commands": (redis_in_a_row(["BLPOP jobs 5"] * 6), None),
    "publishes": (publishes(), "n_plus_one_messaging"),
    "publishes in flight together": (publishes(together=True), None),
    "publishes of batches": (publishes(messages=100), None),
    "queries that show only a name": (named_in_a_row("query"), None),
    "queries that show only their verb": (named_in_a_row("SELECT"), None),
    "queries of a mapper that show only their verb": (
        named_in_a_row("SELECT", "opentelemetry.instrumentation.sqlalchemy"),
        None,
    ),
    "equal queries": (sql_in_a_row(["SELECT value FROM settings WHERE name = 'tax'"] * 25), "repeated_query"),
    "inserts": (sql_in_a_row(["INSERT INTO audit (actor) VALUES ($1)"] * 12), "single_row_writes"),
    "upserts": (
        sql_in_a_row(["INSERT INTO seen (id) VALUES ($1) ON CONFLICT (id) DO UPDATE SET at = now()"] * 12),
        "single_row_writes",
    ),
    "updates": (sql_in_a_row(["UPDATE stock SET amount = $1 WHERE product_id = $2"] * 12), "single_row_writes"),
    "deletes": (sql_in_a_row(["DELETE FROM sessions WHERE id = $1"] * 12), "single_row_writes"),
    "inserts of several rows": (sql_in_a_row(["INSERT INTO audit (actor) VALUES ($1), ($2), ($3)"] * 12), None),
    "inserts from an array": (
        sql_in_a_row(["INSERT INTO audit (actor) SELECT actor FROM unnest($1::text[]) AS t(actor)"] * 12),
        None,
    ),
    "deletes by list": (sql_in_a_row(["DELETE FROM sessions WHERE id = ANY($1)"] * 12), None),
    "deletes with a limit": (
        sql_in_a_row(["DELETE FROM s WHERE id IN (SELECT id FROM s WHERE old LIMIT 1000)"] * 12),
        None,
    ),
    "long call": (long_call("http://carrier/upstream/17"), "slow_call"),
    "long call that fails": (long_call("http://carrier/upstream/17", 504), "slow_call"),
    "long poll that ran out of time": (long_call("http://carrier/updates", 204), None),
    "long poll by its query": (long_call("http://consul/v1/kv/flags?index=7&wait=5m"), None),
    "long poll by its name": (long_call("http://chat/longpoll"), None),
    "long call of the called service": (slow_call_of_the_called_service(), "slow_call"),
    "long call left running": (left_running(), None),
    "long call after the answer": (background_task_of_an_asgi_server(), None),
    "mail": (side_effect("http://mailer/send"), "blocking_side_effect"),
    "mail alone": (side_effect("http://mailer/send", write=False), "blocking_side_effect"),
    "webhook": (side_effect("http://partner.example/webhook"), "blocking_side_effect"),
    "call after the write": (side_effect("http://loyalty/points"), "blocking_side_effect"),
    "call whose result is written": (side_effect("http://loyalty/points", result_written=True), None),
    "payment": (side_effect("http://psp/charge"), None),
    "search": (side_effect("http://catalogue/search"), None),
    "document that was asked for": (side_effect("http://documents/pdf", endpoint="GET /invoice", write=False), None),
    "gateway": (side_effect("http://orders/orders", write=False), None),
    "serial queries": (serial_sql(SERIAL), "serial_calls"),
    "serial queries of one table": (
        serial_sql([SERIAL[0], "SELECT sum(total) FROM orders", SERIAL[2]]),
        None,
    ),
    "serial queries by list": (
        serial_sql([*SERIAL[:2], "SELECT id FROM items WHERE order_id IN ($1, $2)"]),
        None,
    ),
    "serial queries around a write": (
        serial_sql([*SERIAL[:2], "UPDATE totals SET n = n + 1", SERIAL[2]]),
        None,
    ),
    "serial queries with work between": (queries_with_work_between(), None),
    "serial queries of a transaction": (queries_of_a_transaction_that_writes(), None),
    "serial queries in wrapping spans": (queries_in_wrapping_spans(), "serial_calls"),
    "serial calls": (serial_http("/stock", "/rates", "/promos"), "serial_calls"),
    "serial calls with the request's id": (serial_http("/users/7", "/plans", "/promos"), "serial_calls"),
    "serial calls with each other's ids": (serial_http("/users/7", "/accounts/4711", "/cards/99"), None),
    "serial calls after a login": (serial_http("/oauth/token", "/stock", "/promos"), None),
    "sixty different queries": (sixty_different_queries(), "excessive_fanout"),
    "sixty cache writes": (cache_writes(together=False), "excessive_fanout"),
    "sixty cache writes sent together": (cache_writes(together=True), None),
}


@cache
def findings() -> tuple[Finding, ...]:
    return tracelens.analyze(*(trace.request(name) for name, (trace, _) in SITUATIONS.items())).findings


@pytest.mark.parametrize("situation", SITUATIONS)
def test_passes_speak_of_it_or_stay_silent(situation: str) -> None:
    expected = SITUATIONS[situation][1]
    found = [finding.pass_name for finding in findings() if finding.service_name == situation]
    assert found == ([expected] if expected else [])


def test_the_slow_call_is_the_innermost_one() -> None:
    subjects = [found.subject for found in findings() if found.service_name == "long call of the called service"]
    assert subjects == ["GET carrier/quote"]
