"""Reports as a shop's services would get them: the values that the snapshots render."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tracelens.findings import (
    Advice,
    BlindPass,
    ChecklistItem,
    CodeLocation,
    CoverageNote,
    Exemplar,
    Finding,
    Impact,
    Occurrences,
    QueryStatistics,
    Report,
    ServiceCoverage,
    Snippet,
    Summary,
)

START_NS: Final = 1_772_442_000_000_000_000
MINUTE_NS: Final = 60_000_000_000

N_PLUS_ONE: Final = Finding(
    fingerprint="5b1f0c9a7e3d2468",
    pass_name="n_plus_one",
    severity="critical",
    confidence="certain",
    service_name="orders",
    endpoint="GET /users/{id}/orders",
    subject=(
        'SELECT "id", "total", "status", "created_at", "updated_at" FROM "orders" AS "Order"'
        ' WHERE "Order"."user_id" = ?'
    ),
    message="One query shape runs 40 times in one request, once for each row of users: 287 ms of its 1.21 s.",
    occurrences=Occurrences(requests=12, spans=480),
    impact=Impact(avoidable_ms=3443.9, endpoint_p95_ms=1211.4, endpoint_p95_if_fixed_ms=243.02),
    exemplar=Exemplar(
        trace_id="4bf92f3577b34da6a3ce929d0e0e4736", offender_span_ids=("00f067aa0ba902b7", "00f067aa0ba902b8")
    ),
    evidence=(
        ("repeats", 40),
        ("database_ms", 312.41),
        ("parent_query", 'SELECT "id", "name", "email" FROM "users" LIMIT ?'),
        ("distinct_parameters", 40),
        ("sequential", True),
    ),
    code=CodeLocation(function="listOrders", file="src/routes/orders.js", line=42),
    advice=Advice(
        summary="Load the orders of all users with one query: eager loading.",
        steps=(
            "Add include: [Order] to the User.findAll that starts the loop.",
            "Read user.Orders inside the loop instead of calling Order.findAll.",
            "Index orders (user_id), which the join now filters on.",
        ),
        snippet=Snippet(
            framework="sequelize",
            language="javascript",
            code=(
                "const users = await User.findAll({\n  include: [{ model: Order }],\n});\n\n"
                "for (const user of users) {\n  render(user.Orders);\n}\n"
            ),
        ),
    ),
    first_seen_ns=START_NS + 1_500_000_000,
    last_seen_ns=START_NS + 14 * MINUTE_NS,
)

SLOW_QUERY: Final = replace(
    N_PLUS_ONE,
    fingerprint="0c11d2e3f4a5b697",
    pass_name="slow_query",
    service_name="reports",
    endpoint="GET /reports/revenue",
    subject=(
        "select o.region, sum(o.total) as revenue, count(*) as orders from orders as o"
        " join customers as c on c.id = o.customer_id"
        " where o.created_at >= ? and o.status = ? and c.segment in (?) group by o.region order by revenue desc limit ?"
    ),
    message="The slowest of 31 calls took 2.41 s; 9 took more than 1 s.",
    occurrences=Occurrences(requests=31, spans=31),
    impact=Impact(avoidable_ms=0.0, endpoint_p95_ms=2633.0, endpoint_p95_if_fixed_ms=None),
    exemplar=Exemplar(trace_id="9d3c1f0a2b4e5d6c7f8091a2b3c4d5e6", offender_span_ids=("a1b2c3d4e5f60718",)),
    evidence=(("calls", 31), ("p95_ms", 2330.0), ("max_ms", 2410.5), ("tables", ("orders", "customers"))),
    code=None,
    advice=Advice(
        summary="See why it is slow with EXPLAIN, then give it an index that serves its filter.",
        steps=(
            "Run the statement below with the parameters of a slow call.",
            "Create the index that missing_index names.",
        ),
        snippet=Snippet(framework="postgresql", language="sql", code="explain (analyze, buffers)\nselect …;"),
    ),
)

P95_BREACH: Final = replace(
    SLOW_QUERY,
    fingerprint="77aa88bb99cc00dd",
    pass_name="p95_breach",
    severity="warning",
    subject="GET /reports/revenue",
    message="p95 is 2.63 s over 31 requests; the objective is 2.00 s.",
    impact=Impact(avoidable_ms=0.0, endpoint_p95_ms=2633.0, endpoint_p95_if_fixed_ms=None),
    evidence=(("objective_ms", 2000.0), ("requests", 31), ("breach_ratio", 0.2258)),
    advice=Advice(
        summary="Fix the findings on this endpoint, largest first, then consider a cache for what is left.",
        steps=(),
        snippet=None,
    ),
)

MISSING_CACHE: Final = replace(
    N_PLUS_ONE,
    fingerprint="13579bdf02468ace",
    pass_name="missing_cache",
    severity="warning",
    confidence="likely",
    service_name="catalogue",
    endpoint="GET /products/{sku}",
    subject="select * from exchange_rates where currency = ?",
    message="The same read was made 318 times by 310 requests in 15 min with no write to exchange_rates between.",
    occurrences=Occurrences(requests=310, spans=318),
    impact=Impact(avoidable_ms=2011.0, endpoint_p95_ms=38.2, endpoint_p95_if_fixed_ms=31.9),
    exemplar=Exemplar(trace_id="c0ffee00c0ffee00c0ffee00c0ffee00", offender_span_ids=("1122334455667788",)),
    evidence=(("hit_rate", 0.9874), ("ttl_s", 300), ("calls_per_s", 0.353), ("response_bytes", 1834)),
    code=CodeLocation(function="ExchangeRates.current", file=None, line=None),
    advice=Advice(
        summary="Keep the rates in a cache for 5 min: cache-aside with a TTL.",
        steps=(
            "Read from the cache first.",
            "On a miss, read the database and set the key with its TTL.",
            "Delete the key where exchange_rates is written.",
        ),
        snippet=Snippet(
            framework="redis-py",
            language="python",
            code=(
                "cached = redis.get(key)\nif cached is None:\n"
                "\trates = load_rates(currency)\n\tredis.setex(key, 300, json.dumps(rates))"
            ),
        ),
    ),
)

REPEATED_QUERY: Final = replace(
    MISSING_CACHE,
    fingerprint="2468ace013579bdf",
    pass_name="repeated_query",
    severity="info",
    confidence="certain",
    service_name="orders",
    endpoint="GET /users/{id}/orders",
    subject="select id, name from users where id = ?",
    message="The same query with the same parameters runs 3 times in one request.",
    occurrences=Occurrences(requests=12, spans=36),
    impact=Impact(avoidable_ms=14.2, endpoint_p95_ms=1211.4, endpoint_p95_if_fixed_ms=1210.2),
    evidence=(("repeats", 3),),
    code=None,
)

TOP_QUERIES: Final = (
    QueryStatistics(
        query_shape=SLOW_QUERY.subject,
        db_system="postgresql",
        calls=31,
        mean_ms=760.2,
        p95_ms=2330.0,
        max_ms=2410.5,
        total_ms=23566.2,
        endpoints=("GET /reports/revenue",),
    ),
    QueryStatistics(
        query_shape=N_PLUS_ONE.subject,
        db_system="postgresql",
        calls=480,
        mean_ms=7.8,
        p95_ms=12.02,
        max_ms=31.0,
        total_ms=3744.0,
        endpoints=("GET /users/{id}/orders", "GET /admin/orders"),
    ),
    QueryStatistics(
        query_shape=MISSING_CACHE.subject,
        db_system="mysql",
        calls=318,
        mean_ms=6.4,
        p95_ms=9.31,
        max_ms=14.8,
        total_ms=2035.2,
        endpoints=("GET /products/{sku}",),
    ),
    QueryStatistics(
        query_shape="insert into audit_log (actor, action, at) values (?)",
        db_system="postgresql",
        calls=1204,
        mean_ms=0.41,
        p95_ms=0.93,
        max_ms=4.7,
        total_ms=493.6,
        endpoints=(),
    ),
)

CAPTURE_HEADERS: Final = "set OTEL_INSTRUMENTATION_HTTP_SERVER_CAPTURE_RESPONSE_HEADERS to cache-control,etag"

SHOP: Final = Report(
    window_start_ns=START_NS,
    window_end_ns=START_NS + 15 * MINUTE_NS,
    summary=Summary(spans=48_210, traces=1_204, requests=1_377, services=4),
    findings=(N_PLUS_ONE, SLOW_QUERY, MISSING_CACHE, P95_BREACH, REPEATED_QUERY),
    coverage=(
        ServiceCoverage(
            service_name="orders",
            spans=31_007,
            db_calls=9_310,
            db_calls_with_text=9_310,
            blind=(
                BlindPass("over_fetching", "no db.response.returned_rows on any span"),
                BlindPass("pool_wait", "no pool metrics and no pool span", "switch on the driver's connect spans"),
            ),
            notes=(
                CoverageNote(
                    "sampled",
                    "1,180 of 1,377 requests were sampled, each standing for 10 on average",
                    "send all spans here (OTEL_TRACES_SAMPLER=parentbased_always_on) and sample behind tracelens",
                ),
            ),
        ),
        ServiceCoverage(
            service_name="catalogue",
            spans=14_801,
            db_calls=4_420,
            db_calls_with_text=1_326,
            blind=(
                BlindPass("over_fetching", "no db.response.returned_rows on any span"),
                BlindPass("missing_http_cache", "no response headers captured", CAPTURE_HEADERS),
            ),
            notes=(
                CoverageNote(
                    "clock_skew",
                    "12 of 310 requests begin before, or end after, the call that made them, by up to 41 ms",
                    "synchronise the hosts' clocks (NTP, chrony, the cloud's time service)",
                ),
                CoverageNote(
                    "no_route",
                    "4 of 310 HTTP requests name no route (http.route): their endpoints are guessed from paths",
                    "let the framework's instrumentation set http.route",
                ),
            ),
        ),
        ServiceCoverage(service_name="reports", spans=1_200, db_calls=31, db_calls_with_text=31, blind=()),
        ServiceCoverage(
            service_name="gateway",
            spans=1_202,
            db_calls=0,
            db_calls_with_text=0,
            blind=(
                BlindPass("missing_http_cache", "no response headers captured", CAPTURE_HEADERS),
                BlindPass("uncompressed_response", "no response headers captured", CAPTURE_HEADERS),
            ),
        ),
    ),
    checklist=(
        ChecklistItem("no_n_plus_one", "fail", "n_plus_one on GET /users/{id}/orders"),
        ChecklistItem("indexes", "unknown", "no slow query whose filter could be read"),
        ChecklistItem("cursor_pagination", "pass", "31 paged queries, none with an offset of 1000 or more"),
        ChecklistItem("connection_pooling", "pass", "3 connects for 1,377 requests"),
        ChecklistItem("query_text_visible", "fail", "70 % of the database calls of catalogue carry no db.query.text"),
        ChecklistItem("cache_for_frequent_data", "fail", "missing_cache on GET /products/{sku}"),
        ChecklistItem("http_cache", "unknown", "capture the response headers cache-control and etag"),
        ChecklistItem("cache_invalidation", "unknown", "no cache command seen"),
        ChecklistItem("ttl", "unknown", "no cache write seen"),
        ChecklistItem("compression", "unknown", "capture the response header content-encoding"),
        ChecklistItem("field_selection", "unknown", "record db.response.returned_rows"),
        ChecklistItem("rate_limiting", "unknown", "no 429 seen; spans cannot show a limit that was never reached"),
        ChecklistItem("timeouts", "pass", "no call took longer than 10 s"),
    ),
    top_queries=TOP_QUERIES,
)

SILENT: Final = replace(
    SHOP,
    findings=(),
    checklist=tuple(item for item in SHOP.checklist if item.state != "fail"),
    top_queries=TOP_QUERIES[3:],
)
"""No findings, yet blind spots."""

CLEAN: Final = replace(
    SHOP,
    findings=(),
    coverage=SHOP.coverage[2:3],
    checklist=tuple(item for item in SHOP.checklist if item.state == "pass"),
    summary=Summary(spans=1_200, traces=31, requests=31, services=1),
)
"""No findings, and nothing that could not be seen."""

THIN: Final = Report(
    window_start_ns=START_NS,
    window_end_ns=START_NS + 2_300_000,
    summary=Summary(spans=4, traces=1, requests=1, services=1),
    findings=(),
    coverage=(ServiceCoverage(service_name="cart", spans=4, db_calls=2, db_calls_with_text=0, blind=()),),
    checklist=(),
    top_queries=(),
)

CLIENT_SPANS_ONLY: Final = replace(
    THIN,
    summary=Summary(spans=40, traces=40, requests=40, services=1),
    coverage=(
        ServiceCoverage(
            service_name="cart",
            spans=40,
            db_calls=40,
            db_calls_with_text=40,
            blind=(BlindPass("p95_breach", "no SERVER span", "instrument the HTTP or RPC framework"),),
            notes=(
                CoverageNote(
                    "no_entry_spans",
                    "none of 40 spans shows a request being served or a message being consumed",
                    "instrument the HTTP or RPC framework, or the consumer of messages; jobs and scripts have none",
                ),
            ),
        ),
    ),
)
"""Nothing tells where a request starts."""

NO_SPANS: Final = Report(
    window_start_ns=None,
    window_end_ns=None,
    summary=Summary(spans=0, traces=0, requests=0, services=0),
    findings=(),
    coverage=(),
    checklist=tuple(replace(item, state="unknown", why="no spans") for item in SHOP.checklist),
    top_queries=(),
)

MANY: Final = replace(
    SHOP,
    findings=tuple(
        replace(
            N_PLUS_ONE,
            fingerprint=f"{number:016x}",
            severity="critical" if number < 2 else "warning",
            endpoint=f"GET /tenants/{{tenant}}/projects/{{project}}/widgets-{number}/history",
            impact=Impact(avoidable_ms=1000.0 / (number + 1), endpoint_p95_ms=400.0, endpoint_p95_if_fixed_ms=100.0),
        )
        for number in range(14)
    ),
)
"""More findings than are shown in full."""

_EVIL: Final = (
    "\x1b[2J\x1b]0;pwned\x07a\r\nb\t\u202ec\u2028|`</details><script>alert(1)</script>"
    "**x** [l](http://e.vil) @org/team ![i](j)"
)

HOSTILE: Final = replace(
    SHOP,
    findings=(
        replace(
            N_PLUS_ONE,
            pass_name=f"user_pass {_EVIL}",
            service_name=_EVIL,
            endpoint=f"GET /{_EVIL}",
            subject=f"select '{_EVIL}' from t where ``` = ?\n````\n# heading\n",  # noqa: S608 - never run
            message=f"- {_EVIL}",
            evidence=((_EVIL, _EVIL), ("list", (_EVIL, None, 1, 0.5, True, "six"))),
            code=CodeLocation(function=_EVIL, file=_EVIL, line=-1),
            exemplar=Exemplar(trace_id=_EVIL, offender_span_ids=(_EVIL,)),
            advice=Advice(
                summary=f"1. {_EVIL}",
                steps=(f"# {_EVIL}", ""),
                snippet=Snippet(framework=_EVIL, language=f"js\n{_EVIL}", code=f"a\n```\n{_EVIL}\n~~~"),
            ),
        ),
    ),
    coverage=(
        ServiceCoverage(
            service_name=_EVIL,
            spans=1,
            db_calls=1,
            db_calls_with_text=0,
            blind=(BlindPass(_EVIL, _EVIL, _EVIL),),
            notes=(CoverageNote(_EVIL, _EVIL, _EVIL),),
        ),
    ),
    checklist=(ChecklistItem(_EVIL, "fail", _EVIL), ChecklistItem(_EVIL, "unknown", _EVIL)),
    top_queries=(replace(TOP_QUERIES[0], query_shape=_EVIL, db_system=_EVIL, endpoints=(_EVIL, _EVIL)),),
)
