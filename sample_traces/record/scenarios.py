"""What is recorded: for each scenario the requests that are sent and what the code behind the route does wrong, if anything.

`bad` is driven against version 1 of an application, `fixed` against version 2, `control` against version 1. The labels say what
the code does; they are checked by counting in the recorded file, and never taken from a detector.
"""

from __future__ import annotations

from dataclasses import dataclass, field

PASSES = (
    "n_plus_one", "n_plus_one_http", "n_plus_one_cache", "n_plus_one_messaging", "repeated_query", "repeated_call", "missing_cache",
    "missing_http_cache", "slow_query", "slow_call", "missing_index", "offset_pagination", "over_fetching", "single_row_writes",
    "pool_wait", "connection_churn", "blocking_side_effect", "serial_calls", "excessive_fanout", "uncompressed_response", "p95_breach",
)  # fmt: skip


@dataclass(frozen=True)
class Request:
    """One HTTP request to the application."""

    path: str
    method: str = "GET"
    body: dict | None = None
    status: int = 200


@dataclass(frozen=True)
class Scenario:
    """One feature and how it is driven.

    `expected` are the passes that the bad version must set off; `acceptable` another reading of the same defect; `optional` true
    but minor. `pattern` is a regular expression of the culprit's text and `repeats` the least number of its calls in one trace
    of the bad version (the fixed version must have fewer); `route` is the culprit's endpoint, and `routes` one for each pass where
    several are expected. `min_ms` is what the slowest culprit call must take at least (and less in the fixed version).
    """

    name: str
    requests: tuple[Request, ...]
    route: str
    expected: tuple[str, ...] = ()
    fixed_requests: tuple[Request, ...] | None = None
    acceptable: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    fixed_optional: tuple[str, ...] = ()
    pattern: str | None = None
    repeats: int | None = None
    min_ms: float | None = None
    concurrency: int = 1
    hard: bool = False
    note: str | None = None
    stacks: tuple[str, ...] | None = None
    only_release: int | None = None
    settle_s: float = 0.0
    warm_up: bool = False  # send the requests once before recording, so that pools have their connections
    routes: dict[str, str] = field(default_factory=dict)

    def variants(self) -> tuple[str, ...]:
        """Which files this scenario gives."""
        if not self.expected and not self.optional_bad:
            return ("control",)
        return ("bad", "fixed")

    @property
    def optional_bad(self) -> bool:
        """A borderline pair: nothing must fire, yet it is not a control."""
        return self.repeats is not None or self.min_ms is not None


def get(*paths: str, status: int = 200) -> tuple[Request, ...]:
    """One GET for each path."""
    return tuple(Request(path, status=status) for path in paths)


def post(path: str, *bodies: dict, status: int = 201) -> tuple[Request, ...]:
    """One POST for each body."""
    return tuple(Request(path, "POST", body, status) for body in bodies)


FEATURES = (
    Scenario(
        "n_plus_one", get(*(f"/users/{i}/orders" for i in (11, 12, 13))), "/users/:id/orders", ("n_plus_one",),
        pattern=r"order_items.*where.*order_id", repeats=20, note="20 orders of a user, then the items of each",
    ),
    Scenario(
        "n_plus_one_list_3", get(*["/users?limit=3"] * 3), "/users", (), optional=("n_plus_one",), pattern=r"from .?orders.*where.*user_id",
        repeats=3, note="three repeats: below the threshold, borderline",
    ),
    Scenario(
        "n_plus_one_list_50", get(*["/users?limit=50"] * 3), "/users", ("n_plus_one",), pattern=r"from .?orders.*where.*user_id", repeats=50,
    ),
    Scenario(
        "n_plus_one_parallel", get(*["/feed"] * 3), "/feed", ("n_plus_one",), optional=("pool_wait",), pattern=r"from .?orders.*where.*user_id",
        repeats=30, note="the thirty queries overlap; the fixed version batches with a DataLoader where the language has one",
    ),
    Scenario(
        "n_plus_one_nested", get(*["/tree"] * 3), "/tree", ("n_plus_one",), pattern=r"order_items.*where.*order_id", repeats=20,
        note="items of each order of each user",
    ),
    Scenario(
        "n_plus_one_interleaved", get(*["/activity"] * 3), "/activity", ("n_plus_one",), pattern=r"(orders|reviews).*where.*user_id", repeats=20,
        note="two statements alternate, twenty of each",
    ),
    Scenario(
        "n_plus_one_http", get(*(f"/users/{i}/wishlist" for i in (21, 22, 23))), "/users/:id/wishlist", ("n_plus_one_http",), optional=("serial_calls",),
        pattern=r"/prices/\d+", repeats=15, note="one GET to the price service for each product; the fixed version asks for all at once",
    ),
    Scenario(
        "n_plus_one_cache", get(*["/carts"] * 3), "/carts", ("n_plus_one_cache",), pattern=r"^get\b", repeats=30, note="the fixed version uses MGET",
    ),
    Scenario(
        "n_plus_one_messaging", post("/newsletter", *[{"users": 25}] * 3, status=202), "/newsletter", ("n_plus_one_messaging",),
        optional=("n_plus_one_cache",), fixed_optional=(), pattern=r"apply_async", repeats=25, stacks=("django-psycopg",), settle_s=1.5,
        note="one task published for each user; the fixed version publishes one task with all of them",
    ),
    Scenario(
        "repeated_query", get(*(f"/orders/{i}/total" for i in (31, 32, 33, 34))), "/orders/:id/total", ("repeated_query",),
        pattern=r"settings.*where", repeats=9, note="the same setting is read for each part of each item",
    ),
    Scenario(
        "repeated_call", get(*(f"/products/{i}/prices" for i in (41, 42, 43))), "/products/:id/prices", ("repeated_call",),
        acceptable=("n_plus_one_http",), optional=("serial_calls",), pattern=r"/rates/eur", repeats=5, note="the same exchange rate is fetched for each country",
    ),
    Scenario(
        "missing_cache", get(*["/banner"] * 40), "/banner", ("missing_cache",), optional=("missing_http_cache",), pattern=r"settings.*where", concurrency=2,
        fixed_optional=("missing_http_cache",), note="one identical query in each of forty requests; the fixed version reads Redis first",
    ),
    Scenario(
        "missing_http_cache", get(*["/categories"] * 30), "/categories", ("missing_http_cache",), stacks=("django-psycopg",), concurrency=2, warm_up=True,
        note="both versions read Redis; the fixed version also sends Cache-Control and ETag",
    ),
    Scenario(
        "slow_query", get(*(f"/events/search?reference={w}" for w in ("c4ca4238a0b9", "c81e728d9d4c", "eccbc87e4b5c"))), "/events/search", ("slow_query",),
        get(*(f"/events/search?reference={w}" for w in ("c4ca4238a0b923820dcc509a6f75849b", "c81e728d9d4c2f636f067f89cc14862c", "eccbc87e4b5ce2fe28308fd9f2a7baf3"))),
        optional=("missing_index", "p95_breach"), pattern=r"events.*like", min_ms=1000, note="LIKE with a leading wildcard over three million rows",
    ),
    Scenario(
        "slow_query_warning", get(*["/events/recent?since=2026-04-15"] * 4), "/events/recent", ("slow_query",),
        get(*["/events/recent?since=2026-05-15"] * 4),
        optional=("missing_index", "p95_breach", "repeated_query"), pattern=r"count\(distinct", min_ms=500, note="between half a second and a few seconds, four times",
    ),
    Scenario(
        "slow_call", get(*(f"/orders/{i}/shipping" for i in (51, 52, 53))), "/orders/:id/shipping", ("slow_call",), optional=("p95_breach",),
        pattern=r"/shipping/", repeats=1, min_ms=2000, note="the answer waits 2.3 s for a carrier's API",
    ),
    Scenario(
        "missing_index", get(*(f"/shipments/by-code?code=TRK{i:09d}" for i in range(1000, 1030))), "/shipments/by-code", ("missing_index",), concurrency=2,
        pattern=r"shipments.*tracking_code", repeats=1, note="the same query before and after the migration that adds the index: only its time changes",
    ),
    Scenario(
        "offset_pagination", get(*(f"/events?page={p}" for p in (1, 1000, 10000, 20000, 30000))), "/events", ("offset_pagination",),
        get(*(f"/events?after={p * 50}" for p in (0, 1000, 10000, 20000, 30000))), optional=("slow_query", "missing_index"), pattern=r"offset", repeats=1,
    ),
    Scenario(
        "over_fetching", get(*["/products"] * 4), "/products", ("over_fetching",), optional=("missing_cache", "missing_http_cache", "repeated_query"), pattern=r"select .*products",
        note="every column of 3000 rows is loaded, 50 rows of 3 fields are sent",
    ),
    Scenario(
        "single_row_writes", post("/audit", *[{"count": 60}] * 2), "/audit", ("single_row_writes",), pattern=r"insert into .?audit_log", repeats=60,
        note="one INSERT for each row; the fixed version sends one",
    ),
    Scenario(
        "pool_wait", get(*(f"/invoices/{i}" for i in range(100, 124))), "/invoices/:id", ("pool_wait",), optional=("slow_query", "missing_index"), concurrency=8,
        fixed_optional=("slow_query", "missing_index"), warm_up=True, note="eight concurrent requests share one connection", pattern=r"from shipments",
    ),
    Scenario(
        "connection_churn", get(*(f"/orders/{i}/status" for i in range(200, 215))), "/orders/:id/status", ("connection_churn",), optional=("pool_wait",),
        note="a new connection for each request; the fixed version takes one from the pool",
    ),
    Scenario(
        "blocking_side_effect", post("/orders", *({"userId": i} for i in (61, 62, 63, 64))), "/orders", ("blocking_side_effect",), optional=("slow_call",),
        pattern=r"/mail", settle_s=5.0, note="the order's answer waits 0.9 s for the mail to be sent; the fixed version queues it and a worker sends it",
    ),
    Scenario(
        "serial_calls", get(*["/dashboard"] * 3), "/dashboard", ("serial_calls",), optional=("missing_index", "missing_cache"), fixed_optional=("missing_index",),
        note="four independent queries one after another; the fixed version runs them together",
    ),
    Scenario(
        "serial_calls_http", get(*["/quote"] * 3), "/quote", ("serial_calls",), note="four independent calls to four APIs one after another",
    ),
    Scenario(
        "excessive_fanout", get(*["/data-quality"] * 2), "/data-quality", ("excessive_fanout",), optional=("missing_index", "n_plus_one", "serial_calls", "missing_cache"),
        fixed_optional=("missing_index", "serial_calls"), note="two queries for each column of each table, all of different shapes; the fixed version has one for each table",
    ),
    Scenario(
        "uncompressed_response", get(*["/catalogue"] * 6), "/catalogue", ("uncompressed_response",), optional=("over_fetching", "missing_cache", "missing_http_cache"),
        fixed_optional=("over_fetching", "missing_cache", "missing_http_cache"), stacks=("django-psycopg",), note="300 kB of JSON; the fixed version has gzip switched on",
    ),
    Scenario(
        "p95_breach", get(*["/revenue"] * 24), "/revenue", ("p95_breach", "slow_query"), optional=("missing_index", "missing_cache", "missing_http_cache", "pool_wait"),
        pattern=r"revenue", min_ms=1000, concurrency=6, note="a heavy aggregation for every visitor; the fixed version reads a summary table through a cache", fixed_optional=("missing_http_cache",),
    ),
)  # fmt: skip

CONTROLS = (
    Scenario("cold_start", get("/users/7/profile"), "/users/:id/profile", hard=True, note="first request after the start: connections are set up"),
    Scenario("lookup_by_id", get(*(f"/users/{i}" for i in range(100, 145))), "/users/:id", hard=True, concurrency=2, note="same statement, different parameters, 45 requests"),
    Scenario("health_check", get(*["/health"] * 40), "/health", hard=True, note="the same trivial query in 40 requests"),
    Scenario("liveness", get(*["/health/live"] * 20), "/health/live", note="no database at all"),
    Scenario("profile_3_queries", get(*(f"/users/{i}/profile" for i in range(300, 308))), "/users/:id/profile", note="three different queries a request"),
    Scenario("overview_4_queries", get(*["/overview"] * 8), "/overview", hard=True, note="four different queries a request", optional=("serial_calls",)),
    Scenario("checkout_transaction", post("/checkout", *({"userId": i, "productId": i} for i in range(401, 407))), "/checkout", note="BEGIN, five different statements, COMMIT"),
    Scenario("shallow_offset", get(*(f"/orders/recent?page={p}" for p in (1, 2, 3, 4))), "/orders/recent", hard=True, note="OFFSET of at most 60"),
    Scenario("keyset_export_loop", get(*["/orders/export"] * 3), "/orders/export", hard=True, optional=("n_plus_one",), note="six dependent keyset pages in one request"),
    Scenario("batch_import", post("/import/batch", {}, {}, status=200), "/import/batch", note="three inserts of 200 rows each"),
    Scenario("long_poll", get(*(f"/notifications/poll?user={i}" for i in (1, 2, 3))), "/notifications/poll", hard=True, optional=("p95_breach",), concurrency=3, note="three seconds by design"),
    Scenario("retries_with_backoff", get(*(f"/stock/{i}/supplier" for i in (71, 72, 73))), "/stock/:id/supplier", hard=True, note="two refusals, then an answer: three identical calls with growing pauses"),
    Scenario("error_route", get(*(f"/orders/{i}/failing" for i in (81, 82, 83)), status=500), "/orders/:id/failing", hard=True, note="the query fails and the request answers 500"),
)  # fmt: skip

RELEASE_2_CONTROLS = (
    Scenario(
        "pipelined_reads",
        get(*["/carts/pipelined"] * 3),
        "/carts/pipelined",
        hard=True,
        only_release=2,
        note="thirty reads in one pipeline: one round trip",
    ),
)


def mixed_healthy() -> tuple[Request, ...]:
    """Healthy routes side by side, each with its own parameters."""
    requests: list[Request] = []
    for i in range(12):
        requests += get(f"/users/{500 + i}", f"/users/{600 + i}/profile", "/health", f"/orders/recent?page={1 + i % 3}")
        requests += post("/checkout", {"userId": 700 + i, "productId": 800 + i})
        if i % 6 == 0:
            requests += get("/orders/export")
    return tuple(requests)


def mixed_traffic(*searches: str) -> tuple[Request, ...]:
    """Three patterns inside healthy traffic, spread evenly."""
    bad = [
        *get(*(f"/users/{i}/orders" for i in (901, 902, 903)), *searches),
        *post("/audit", {"count": 60}, {"count": 60}),
    ]
    healthy = list(mixed_healthy())
    for position, request in enumerate(bad):
        healthy.insert(4 + position * 8, request)
    return tuple(healthy)


MIXED = (
    Scenario(
        "mixed_traffic", mixed_traffic("/events/search?reference=c4ca4238a0b9", "/events/search?reference=c81e728d9d4c"), "", ("n_plus_one", "slow_query", "single_row_writes"),
        mixed_traffic("/events/search?reference=c4ca4238a0b923820dcc509a6f75849b", "/events/search?reference=c81e728d9d4c2f636f067f89cc14862c"),
        optional=("missing_index", "missing_cache", "p95_breach"), fixed_optional=("missing_cache",), concurrency=3,
        note="three patterns inside healthy traffic",
        routes={"n_plus_one": "/users/:id/orders", "slow_query": "/events/search", "single_row_writes": "/audit"},
    ),
    Scenario("mixed_healthy", mixed_healthy(), "", hard=True, concurrency=4, optional=("missing_cache",), note="healthy routes at once, no anti-pattern"),
)  # fmt: skip

SCENARIOS = FEATURES + CONTROLS + RELEASE_2_CONTROLS + MIXED
