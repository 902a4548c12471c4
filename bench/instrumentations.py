"""What instrumentations make of a shop's calls: spans as they name and fill them, in both generations of conventions.

Numbers that are new every time, such as an order's, are eight digits that begin with 9, after one of `=:/ '(`: that is
how `distinct.py` finds and changes them. Numbers that come again, such as a popular product's, begin with 1.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mix import Trace
    from services import Value

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
    attributes: dict[str, Value] = {
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
    attributes: dict[str, Value] = {
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
    attributes: dict[str, Value] = {
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
    attributes: dict[str, Value] = {
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
    attributes: dict[str, Value] = {
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
    attributes: dict[str, Value] = {
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
    attributes: dict[str, Value] = {
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


def _thread(trace: Trace) -> Mapping[str, Value]:
    number = trace.rng.randrange(1, 33)
    return {"thread.id": 40 + number, "thread.name": f"http-nio-8080-exec-{number}"}


@contextmanager
def tomcat(trace: Trace, method: str, route: str, path: str) -> Iterator[Span]:
    """A request to the billing service: Spring on Tomcat."""
    attributes: dict[str, Value] = {
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
        attributes: dict[str, Value] = {
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
    attributes: dict[str, Value] = {
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
    common: dict[str, Value] = {
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
