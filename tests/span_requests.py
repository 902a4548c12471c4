"""Spans and requests for the tests of decoding, normalising, storing and ingesting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from tracelens.otlp.requests import Request
from tracelens.otlp.signals import Signal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

START_NS = 1_760_000_000_000_000_000


def any_value(value: Any) -> AnyValue:
    """Return a Python value as an AnyValue; None is the empty one."""
    return _ANY_VALUES[type(value)](value)


_ANY_VALUES: dict[type, Callable[[Any], AnyValue]] = {
    type(None): lambda _: AnyValue(),
    AnyValue: lambda value: value,
    bool: lambda value: AnyValue(bool_value=value),
    int: lambda value: AnyValue(int_value=value),
    float: lambda value: AnyValue(double_value=value),
    str: lambda value: AnyValue(string_value=value),
    bytes: lambda value: AnyValue(bytes_value=value),
    list: lambda value: AnyValue(array_value=ArrayValue(values=map(any_value, value))),
    dict: lambda value: AnyValue(kvlist_value=KeyValueList(values=key_values(value))),
}


def key_values(attributes: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> list[KeyValue]:
    pairs = attributes.items() if hasattr(attributes, "items") else attributes
    return [KeyValue(key=key, value=any_value(value)) for key, value in pairs]


def span(number: int, attributes: Mapping[str, Any] | Iterable[tuple[str, Any]] = (), **fields: Any) -> Span:
    """Return a span whose ids and times follow its number; fields replace what it has."""
    usual: dict[str, Any] = {
        "trace_id": number.to_bytes(16),
        "span_id": number.to_bytes(8),
        "name": f"span {number}",
        "start_time_unix_nano": START_NS + number * 1000,
        "end_time_unix_nano": START_NS + number * 1000 + 500,
        "attributes": key_values(attributes),
    }
    return Span(**(usual | fields))


def as_traces(bodies: Iterable[bytes]) -> list[Request]:
    """Return serialised trace requests as what a file reader yields."""
    return [Request(Signal.TRACES, body) for body in bodies]


def request(*spans: Span, service_name: str = "orders", scope: str = "test") -> bytes:
    """Return a serialised request with these spans, of one resource and one scope."""
    message = ExportTraceServiceRequest(
        resource_spans=[
            ResourceSpans(
                resource=Resource(attributes=key_values({"service.name": service_name})),
                scope_spans=[ScopeSpans(scope=InstrumentationScope(name=scope, version="1"), spans=spans)],
            )
        ]
    )
    serialised: bytes = message.SerializeToString()
    return serialised
