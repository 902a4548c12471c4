"""What happens in a shop: the scenarios whose traces the benchmarks send.

Three languages, both generations of semantic conventions: HTTP servers and clients, SQL with placeholders and with
literals, Redis, Kafka. A span has 9 attributes on average. No request repeats a call often enough, nor takes long
enough, to be a finding: `planted.py` adds those.

Numbers that are new every time, such as an order's, are eight digits that begin with 9, after one of `=:/ '(`: that is
how `load.py` finds and changes them. Numbers that come again, such as a popular product's, begin with 1.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mix import Trace

SERVER: Final = Span.SPAN_KIND_SERVER
CLIENT: Final = Span.SPAN_KIND_CLIENT
INTERNAL: Final = Span.SPAN_KIND_INTERNAL
PRODUCER: Final = Span.SPAN_KIND_PRODUCER
CONSUMER: Final = Span.SPAN_KIND_CONSUMER

_POPULAR: Final = 5_000
_AGENTS: Final = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1",
    "okhttp/4.12.0",
    "shop-ios/8.14.2",
)
_EXCEPTION: Final = (
    "java.net.SocketTimeoutException: Read timed out\n"
    "\tat java.base/sun.nio.ch.NioSocketImpl.timedRead(NioSocketImpl.java:288)\n"
    "\tat java.base/java.net.Socket$SocketInputStream.read(Socket.java:1099)\n"
    "\tat shop.billing.PaymentGateway.charge(PaymentGateway.java:74)\n"
    "\tat shop.billing.CheckoutController.pay(CheckoutController.java:41)\n"
)


def new_number(trace: Trace) -> int:
    """Return a number such as an order's, which no other trace has."""
    return 90_000_000 + trace.rng.randrange(10_000_000)


def known_number(trace: Trace) -> int:
    """Return a number such as a product's: few are popular."""
    return 10_000_000 + int(_POPULAR * trace.rng.random() ** 3)


@contextmanager
def express(trace: Trace, method: str, route: str, path: str, query: str = "") -> Iterator[Span]:
    """A request to the storefront, served by Express."""
    attributes = {
        "http.request.method": method,
        "url.scheme": "https",
        "server.address": "shop.example.com",
        "server.port": 443,
        "network.peer.address": f"10.4.{trace.rng.randrange(4)}.{trace.rng.randrange(1, 255)}",
        "network.peer.port": trace.rng.randrange(32_768, 61_000),
        "network.protocol.version": "1.1",
        "user_agent.original": trace.rng.choice(_AGENTS),
        "url.path": path,
        "client.address": f"{trace.rng.randrange(11, 220)}.{trace.rng.randrange(256)}.{trace.rng.randrange(256)}.7",
        "http.response.status_code": 200 if method == "GET" else 201,
        "http.route": route,
    }
    if query:
        attributes["url.query"] = query
    with trace.span("storefront", 0, f"{method} {route}", SERVER, attributes) as span:
        handler = {"express.name": route, "express.type": "request_handler", "http.route": route}
        with trace.span("storefront", 1, f"request handler - {route}", INTERNAL, handler):
            trace.work(0.3)
            yield span


def pg(trace: Trace, text: str, typical_ms: float = 0.8, spread: float = 0.5) -> None:
    """A query of the storefront: node-postgres, new conventions."""
    attributes = {
        "db.system.name": "postgresql",
        "db.namespace": "shop",
        "server.address": "pg-main.shop.internal",
        "server.port": 5432,
        "network.peer.address": "10.4.0.31",
        "network.peer.port": 5432,
        "db.query.text": text,
    }
    with trace.span("storefront", 2, f"pg.query:{text.split(' ', 1)[0]} shop", CLIENT, attributes):
        trace.work(typical_ms, spread)


def ioredis(trace: Trace, command: str, typical_ms: float = 0.2) -> None:
    """A Redis command of the storefront: ioredis, new conventions."""
    operation = command.split(" ", 1)[0]
    attributes = {
        "db.system.name": "redis",
        "db.operation.name": operation,
        "db.query.text": command,
        "db.namespace": "0",
        "server.address": "redis.shop.internal",
        "server.port": 6379,
        "network.peer.address": "10.4.0.12",
        "network.peer.port": 6379,
    }
    with trace.span("storefront", 3, operation, CLIENT, attributes):
        trace.work(typical_ms)


@contextmanager
def undici(trace: Trace, host: str, path: str) -> Iterator[None]:
    """A request of the storefront to another service: Node's fetch."""
    attributes = {
        "http.request.method": "GET",
        "http.request.method_original": "GET",
        "url.full": f"http://{host}{path}",
        "url.path": path,
        "url.query": "",
        "url.scheme": "http",
        "server.address": host,
        "server.port": 80,
        "user_agent.original": "node",
        "network.peer.address": "10.4.2.8",
        "network.peer.port": 80,
        "http.response.status_code": 200,
    }
    with trace.span("storefront", 4, "GET", CLIENT, attributes):
        trace.work(0.2)
        yield


@contextmanager
def django(trace: Trace, route: str, path: str) -> Iterator[None]:
    """A request to the catalogue: Django, old conventions."""
    attributes = {
        "http.method": "GET",
        "http.server_name": "catalogue",
        "http.scheme": "http",
        "net.host.name": "catalogue.shop.svc",
        "http.host": "catalogue.shop.svc",
        "net.host.port": 8000,
        "http.target": path,
        "net.peer.ip": f"10.4.{trace.rng.randrange(4)}.{trace.rng.randrange(1, 255)}",
        "http.user_agent": "node",
        "http.flavor": "1.1",
        "http.route": route,
        "http.status_code": 200,
    }
    with trace.span("catalogue", 0, f"GET {route}", SERVER, attributes):
        trace.work(0.8)
        yield


def psycopg(trace: Trace, text: str, typical_ms: float = 0.7, spread: float = 0.5) -> None:
    """A query of the catalogue: psycopg, old conventions."""
    attributes = {
        "db.system": "postgresql",
        "db.name": "catalogue",
        "db.statement": text,
        "db.user": "catalogue",
        "net.peer.name": "pg-catalogue.shop.internal",
        "net.peer.port": 5432,
        "net.transport": "ip_tcp",
    }
    with trace.span("catalogue", 1, text.split(" ", 1)[0], CLIENT, attributes):
        trace.work(typical_ms, spread)


def redis_py(trace: Trace, command: str, arguments: int) -> None:
    """A Redis command of the catalogue: redis-py masks what it is given."""
    attributes = {
        "db.statement": command + " ?" * arguments,
        "db.system": "redis",
        "db.redis.database_index": 0,
        "db.redis.args_length": arguments + 1,
        "net.peer.name": "redis.shop.internal",
        "net.peer.port": 6379,
        "net.transport": "ip_tcp",
    }
    with trace.span("catalogue", 2, command, CLIENT, attributes):
        trace.work(0.2)


def _thread(trace: Trace) -> Mapping[str, str | int]:
    number = trace.rng.randrange(1, 33)
    return {"thread.id": 40 + number, "thread.name": f"http-nio-8080-exec-{number}"}


@contextmanager
def tomcat(trace: Trace, method: str, route: str, path: str) -> Iterator[Span]:
    """A request to the billing service: Spring on Tomcat."""
    attributes = {
        "http.request.method": method,
        "server.address": "billing.shop.svc",
        "server.port": 80,
        "client.address": f"10.4.{trace.rng.randrange(4)}.{trace.rng.randrange(1, 255)}",
        "user_agent.original": "node",
        "url.path": path,
        "url.scheme": "http",
        "http.route": route,
        "network.protocol.version": "1.1",
        "network.peer.port": trace.rng.randrange(32_768, 61_000),
        "http.response.status_code": 200,
        **_thread(trace),
    }
    with trace.span("billing", 0, f"{method} {route}", SERVER, attributes) as span:
        trace.work(0.4)
        yield span


def hibernate(trace: Trace, entity: str, text: str, typical_ms: float = 0.6) -> None:
    """A query of the billing service: Hibernate over JDBC, old conventions."""
    thread = _thread(trace)
    with trace.span("billing", 1, f"SELECT shop.billing.{entity}", INTERNAL, {"hibernate.session_id": "-", **thread}):
        attributes = {
            "db.system": "postgresql",
            "db.name": "billing",
            "db.user": "billing",
            "db.connection_string": "postgresql://pg-billing.shop.internal:5432",
            "db.statement": text,
            "db.operation": text.split(" ", 1)[0].upper(),
            "db.sql.table": entity.lower() + "s",
            "server.address": "pg-billing.shop.internal",
            "server.port": 5432,
            **thread,
        }
        with trace.span("billing", 2, f"{attributes['db.operation']} billing.{entity.lower()}s", CLIENT, attributes):
            trace.work(typical_ms)


def java_http(trace: Trace, url: str, *, fails: bool = False) -> None:
    """A request of the billing service to a payment provider; one that fails carries its exception."""
    attributes: dict[str, str | int] = {
        "http.request.method": "POST",
        "url.full": url,
        "server.address": "api.payments.example",
        "server.port": 443,
        "network.protocol.version": "2",
        **_thread(trace),
    }
    attributes |= {"error.type": "java.net.SocketTimeoutException"} if fails else {"http.response.status_code": 200}
    with trace.span("billing", 4, "POST", CLIENT, attributes) as span:
        trace.work(30)
    if fails:
        span.status.CopyFrom(Status(code=Status.STATUS_CODE_ERROR))
        facts = {
            "exception.type": "java.net.SocketTimeoutException",
            "exception.message": "Read timed out",
            "exception.stacktrace": _EXCEPTION,
        }
        told = [KeyValue(key=key, value=AnyValue(string_value=text)) for key, text in facts.items()]
        span.events.add(name="exception", time_unix_nano=span.end_time_unix_nano, attributes=told)


@contextmanager
def kafka(trace: Trace, topic: str) -> Iterator[None]:
    """A message from the billing service to the shipping service, which handles it within the trace."""
    common: dict[str, str | int] = {
        "messaging.system": "kafka",
        "messaging.destination.name": topic,
        "messaging.client_id": "producer-1",
        "messaging.destination.partition.id": str(trace.rng.randrange(12)),
        "messaging.kafka.offset": trace.rng.randrange(10**9),
        **_thread(trace),
    }
    with trace.span("billing", 3, f"{topic} publish", PRODUCER, {**common, "messaging.operation": "publish"}):
        trace.work(0.5)
        received = {**common, "messaging.operation": "process", "messaging.message.body.size": 310}
        with trace.span("shipping", 3, f"{topic} process", CONSUMER, received):
            trace.work(2)
            yield


def browse(trace: Trace) -> None:
    """A product's page."""
    product = known_number(trace)
    with express(trace, "GET", "/products/:id", f"/products/{product}"):
        ioredis(trace, f"get session:{new_number(trace)}")
        ioredis(trace, f"get product:{product}")
        if trace.rng.random() < 0.3:
            pg(trace, 'SELECT "id", "name", "price", "stock" FROM "products" AS "Product" WHERE "Product"."id" = $1')
        with (
            undici(trace, "catalogue.shop.svc", f"/api/products/{product}/related"),
            django(trace, "api/products/<int:pk>/related", f"/api/products/{product}/related"),
        ):
            redis_py(trace, "GET", 1)
            psycopg(
                trace,
                'SELECT "catalogue_product"."id", "catalogue_product"."name", "catalogue_product"."price" FROM '
                '"catalogue_product" INNER JOIN "catalogue_relation" ON ("catalogue_product"."id" = '
                '"catalogue_relation"."target_id") WHERE "catalogue_relation"."source_id" = %s LIMIT 12',
            )


def search(trace: Trace) -> None:
    """A search."""
    words = f"q={trace.rng.choice(('shoes', 'red+dress', 'lamp', 'kettle', 'desk'))}&visitor={new_number(trace)}"
    with (
        express(trace, "GET", "/search", "/search", words),
        undici(trace, "catalogue.shop.svc", "/api/search"),
        django(trace, "api/search", f"/api/search?{words}"),
    ):
        psycopg(trace, "SELECT id, name, price, rank FROM product_search(%s) ORDER BY rank DESC LIMIT 24", 9)
        psycopg(trace, 'SELECT "catalogue_facet"."name", count(*) FROM "catalogue_facet" WHERE "kind" IN (%s, %s)')
        redis_py(trace, "SETEX", 3)


def account(trace: Trace) -> None:
    """A customer's orders: Sequelize writes its literals into the text."""
    customer = new_number(trace)
    with express(trace, "GET", "/account/orders", "/account/orders"):
        ioredis(trace, f"get session:{customer}")
        pg(
            trace,
            'SELECT "id", "email", "name", "locale" FROM "customers" AS "Customer" '
            f"WHERE \"Customer\".\"id\" = '{customer}'",
        )
        pg(
            trace,
            'SELECT "Order"."id", "Order"."total", "Order"."placedAt", "lines"."id" AS "lines.id", "lines"."sku" AS '
            '"lines.sku" FROM "orders" AS "Order" LEFT OUTER JOIN "order_lines" AS "lines" ON "Order"."id" = '
            f"\"lines\".\"orderId\" WHERE \"Order\".\"customerId\" = '{customer}' "
            'ORDER BY "Order"."placedAt" DESC LIMIT 20',
            2.5,
        )


def checkout(trace: Trace) -> None:
    """A purchase, through all the services."""
    order, product = new_number(trace), known_number(trace)
    with express(trace, "POST", "/checkout", "/checkout"):
        ioredis(trace, f"get cart:{order}")
        pg(trace, f'UPDATE "stock" SET "reserved"="reserved" + 1 WHERE "productId" = {product} AND "free" > 0')
        pg(
            trace,
            'INSERT INTO "orders" ("id","customerId","total","currency","placedAt") VALUES '
            f"({order},{new_number(trace)},149.90,'EUR','2026-11-23 06:32:25.000 +00:00') RETURNING \"id\"",
            1.4,
        )
        with (
            undici(trace, "billing.shop.svc", f"/payments/{order}"),
            tomcat(trace, "POST", "/payments/{order}", f"/payments/{order}"),
        ):
            hibernate(trace, "Customer", "select c1_0.id,c1_0.iban,c1_0.name from customers c1_0 where c1_0.id=?")
            java_http(trace, "https://api.payments.example/v2/charges", fails=trace.rng.random() < 0.02)
            hibernate(trace, "Payment", "insert into payments (amount,currency,order_id,state,id) values (?,?,?,?,?)")
            with kafka(trace, "orders.paid"):
                pass
        ioredis(trace, f"del cart:{order}")


def health(trace: Trace) -> None:
    """A probe of the cluster."""
    with express(trace, "GET", "/healthz", "/healthz"):
        pg(trace, "SELECT 1", 0.3)


HEALTHY: Final[Mapping[Callable[[Trace], None], float]] = {
    browse: 50,
    search: 18,
    account: 16,
    checkout: 12,
    health: 4,
}
"""Each scenario with its share of the traces, in percent."""
