"""Trace requests that show what the passes look for, for tests of everything around the passes."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

if TYPE_CHECKING:
    from collections.abc import Iterable

MS: Final = 1_000_000
SECOND: Final = 1000 * MS
START_NS: Final = 1_772_442_000 * SECOND  # 2026-03-02T09:00:00Z

SLOW_QUERY: Final = "SELECT id, total FROM orders WHERE status = 'open' ORDER BY total"


def request_of(spans: Iterable[Span], service_name: str = "orders") -> bytes:
    """Return the serialised request with these spans."""
    resource = Resource(attributes=[_attribute("service.name", service_name)])
    scoped = ScopeSpans(spans=list(spans))
    return ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(resource=resource, scope_spans=[scoped])]
    ).SerializeToString()


def server_span(trace: int, *, route: str = "/users/{id}/orders", duration_ms: float, start_ns: int = START_NS) -> Span:
    """Return a trace's entry span, GET on a route; its span id is 1."""
    return Span(
        trace_id=trace.to_bytes(16, "big"),
        span_id=_span_id(1),
        name=f"GET {route}",
        kind=Span.SPAN_KIND_SERVER,
        start_time_unix_nano=start_ns,
        end_time_unix_nano=start_ns + round(duration_ms * MS),
        attributes=[_attribute("http.request.method", "GET"), _attribute("http.route", route)],
    )


def query_spans(trace: int, texts: Iterable[str], *, duration_ms: float, start_ns: int = START_NS) -> list[Span]:
    """Return one query after the other below the trace's entry span; their span ids count from 2."""
    return [
        Span(
            trace_id=trace.to_bytes(16, "big"),
            span_id=_span_id(number),
            parent_span_id=_span_id(1),
            name="SELECT shop",
            kind=Span.SPAN_KIND_CLIENT,
            start_time_unix_nano=start_ns + round((number - 2) * duration_ms * MS),
            end_time_unix_nano=start_ns + round((number - 1) * duration_ms * MS),
            attributes=[_attribute("db.system.name", "postgresql"), _attribute("db.query.text", text)],
        )
        for number, text in zip(count(2), texts, strict=False)
    ]


def n_plus_one(trace: int, *, repeats: int = 8, start_ns: int = START_NS) -> list[Span]:
    """Return a request that reads users, then the orders of each: 10 ms a query."""
    texts = ["SELECT id FROM users", *(f"SELECT id FROM orders WHERE user_id = {user}" for user in range(repeats))]  # noqa: S608  (text in a span)
    queries = query_spans(trace, texts, duration_ms=10, start_ns=start_ns)
    return [server_span(trace, duration_ms=10 * len(queries), start_ns=start_ns), *queries]


def slow_request(trace: int, *, route: str = "/reports", seconds: float = 1.5, start_ns: int = START_NS) -> list[Span]:
    """Return a request with one slow query."""
    queries = query_spans(trace, [SLOW_QUERY], duration_ms=seconds * 1000, start_ns=start_ns)
    return [server_span(trace, route=route, duration_ms=seconds * 1000 + 5, start_ns=start_ns), *queries]


def _span_id(number: int) -> bytes:
    return number.to_bytes(8, "big")


def _attribute(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))
