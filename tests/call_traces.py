"""Traces of one request each, built span by span, to show the passes what no recording shows."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MICROSECONDS: Final = 1_772_442_000_000_123_000
"""2026-03-02T09:00:00.000123Z, on a clock that counts microseconds."""
MILLISECONDS: Final = 1_772_442_000_000_000_000
"""The same second on a clock that cuts off what is less than a millisecond."""

SERVER: Final = Span.SPAN_KIND_SERVER
CLIENT: Final = Span.SPAN_KIND_CLIENT
INTERNAL: Final = Span.SPAN_KIND_INTERNAL
PRODUCER: Final = Span.SPAN_KIND_PRODUCER
ENTRY: Final = 1

_trace_ids = count(1)


class Trace:
    """A request of its own service: the entry span, and what is added below it, in milliseconds from its start.

    Args:
        name: the endpoint, method and route.
        duration_ms: how long it takes.
        start_ns: when it starts, see MICROSECONDS and MILLISECONDS.
        path: the path that was asked for; the route where None.
        scope: who made its spans.
    """

    def __init__(
        self,
        name: str = "GET /page",
        *,
        duration_ms: float = 100,
        start_ns: int = MICROSECONDS,
        path: str | None = None,
        scope: str = "test",
    ) -> None:
        self._scope = scope
        self._trace_id = next(_trace_ids).to_bytes(16, "big")
        self._start_ns = start_ns
        self._spans: list[Span] = []
        method, _, route = name.partition(" ")
        attributes = {"http.request.method": method, "http.route": route, "url.path": path or route}
        self.add(name, SERVER, 0, duration_ms, attributes, parent=0)

    def add(
        self,
        name: str,
        kind: Span.SpanKind.ValueType,
        start_ms: float,
        end_ms: float,
        attributes: Mapping[str, str | int] | None = None,
        *,
        parent: int = ENTRY,
        failed: bool = False,
    ) -> int:
        """Add a span and return its number, which is its id."""
        number = len(self._spans) + 1
        self._spans.append(
            Span(
                trace_id=self._trace_id,
                span_id=number.to_bytes(8, "big"),
                parent_span_id=parent.to_bytes(8, "big") if parent else b"",
                name=name,
                kind=kind,
                start_time_unix_nano=self._start_ns + round(start_ms * 1e6),
                end_time_unix_nano=self._start_ns + round(end_ms * 1e6),
                attributes=[_attribute(key, value) for key, value in (attributes or {}).items()],
                status=Status(code=Status.STATUS_CODE_ERROR if failed else Status.STATUS_CODE_UNSET),
            )
        )
        return number

    def http(
        self, url: str, start_ms: float, end_ms: float, *, method: str = "GET", parent: int = ENTRY, status: int = 200
    ) -> int:
        """Add an HTTP call and return its number."""
        attributes: dict[str, str | int] = {
            "http.request.method": method,
            "url.full": url,
            "server.address": url.split("/")[2].split(":", maxsplit=1)[0],
            "http.response.status_code": status,
        }
        return self.add(method, CLIENT, start_ms, end_ms, attributes, parent=parent, failed=status >= 400)

    def sql(self, text: str, start_ms: float, end_ms: float, *, parent: int = ENTRY) -> int:
        """Add a query and return its number."""
        attributes = {"db.system.name": "postgresql", "db.query.text": text}
        return self.add("query", CLIENT, start_ms, end_ms, attributes, parent=parent)

    def redis(self, text: str, start_ms: float, end_ms: float, *, operation: str | None = None) -> int:
        """Add a cache command and return its number."""
        attributes = {"db.system.name": "redis", "db.query.text": text}
        if operation:
            attributes["db.operation.name"] = operation
        return self.add(text.split(maxsplit=1)[0], CLIENT, start_ms, end_ms, attributes)

    def request(self, service_name: str) -> bytes:
        """Return the trace as an export request of this service."""
        resource = Resource(attributes=[_attribute("service.name", service_name)])
        scoped = ScopeSpans(scope=InstrumentationScope(name=self._scope), spans=self._spans)
        return ExportTraceServiceRequest(
            resource_spans=[ResourceSpans(resource=resource, scope_spans=[scoped])]
        ).SerializeToString()


def in_a_row(calls: int, each_ms: float) -> Iterator[tuple[int, float, float]]:
    """Return number, start and end of calls that are made one after another, with a tenth of their length between."""
    for number in range(calls):
        start_ms = 1 + number * each_ms * 1.1
        yield number, start_ms, start_ms + each_ms


def http_in_a_row(
    urls: Iterable[str], *, within: Trace | None = None, each_ms: float = 3, method: str = "GET"
) -> Trace:
    """Return a request that calls these URLs one after another."""
    trace = within or Trace()
    listed = list(urls)
    for number, start_ms, end_ms in in_a_row(len(listed), each_ms):
        trace.http(listed[number], start_ms, end_ms, method=method)
    return trace


def sql_in_a_row(texts: Iterable[str], *, within: Trace | None = None, each_ms: float = 3) -> Trace:
    """Return a request that runs these queries one after another."""
    trace = within or Trace()
    listed = list(texts)
    for number, start_ms, end_ms in in_a_row(len(listed), each_ms):
        trace.sql(listed[number], start_ms, end_ms)
    return trace


def redis_in_a_row(texts: Iterable[str], *, operation: str | None = None) -> Trace:
    """Return a request that sends these commands one after another."""
    trace = Trace()
    listed = list(texts)
    for number, start_ms, end_ms in in_a_row(len(listed), 0.4):
        trace.redis(listed[number], start_ms, end_ms, operation=operation)
    return trace


def _attribute(key: str, value: str | int) -> KeyValue:
    return KeyValue(
        key=key, value=AnyValue(int_value=value) if isinstance(value, int) else AnyValue(string_value=value)
    )
