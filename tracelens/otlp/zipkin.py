"""Zipkin v2 JSON to OTLP.

    span        ids in hex, times in microseconds, kind, localEndpoint, remoteEndpoint, tags, annotations
    endpoint    {"serviceName", "ipv4", "ipv6", "port"}

In Zipkin the two halves of a remote call may share one span id. OTLP knows a span by its id, so the server's half
gets an id of its own, below the client's, and the spans that the server made below the shared id follow it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import orjson
import xxhash
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tracelens.otlp.assembly import (
    SPAN_ID_BYTES,
    TRACE_ID_BYTES,
    Assembly,
    Tags,
    apply_tags,
    identifier,
    set_times,
    span_kind,
    time_ns,
)
from tracelens.otlp.json_values import Fault, JsonValue, elements, members, text, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SPANS_PER_REQUEST: Final = 5_000

_CALLERS: Final = ("CLIENT", "PRODUCER")
_PORTS: Final = range(1, 1 << 16)

_Halves: TypeAlias = "dict[tuple[bytes, bytes, str], bytes]"
"""(trace id, shared span id, service name) of a server's half of a call, to the span id it gets."""


def requests_from_spans(spans: list[JsonValue], on_bad_span: Callable[[str], None]) -> Iterator[bytes]:
    """Yield Zipkin spans as serialised `ExportTraceServiceRequest` messages.

    Args:
        spans: what belongs together: both halves of a call have to be among them to be told apart by kind alone.
        on_bad_span: told of each span that cannot be read; the others are kept.
    """
    halves = _server_halves(spans)
    for start in range(0, len(spans), SPANS_PER_REQUEST):
        assembly = Assembly()
        for position, source in enumerate(spans[start : start + SPANS_PER_REQUEST], start):
            try:
                span = members(source)
                if "binaryAnnotations" in span:
                    raise Fault("it is in Zipkin's first format: export the second, /api/v2")  # noqa: TRY301
                assembly.add(_resource(span), *_span(span, halves))
            except Fault as fault:
                fault.path.append(f"[{position}]")
                on_bad_span(str(fault))
        yield assembly.request()


def _server_halves(spans: list[JsonValue]) -> _Halves:
    """Find the server's halves: marked as shared, or a SERVER whose id a CLIENT has too."""
    called, serving = set[tuple[bytes, bytes]](), dict[tuple[bytes, bytes, str], bool]()
    for source in spans:
        try:
            span = members(source)
            trace_id, span_id = _identity(span)
            kind = text(span.get("kind"))
            service = _service(span)
        except Fault:
            continue  # told of when it is converted
        if kind == "CLIENT":
            called.add((trace_id, span_id))
        elif kind == "SERVER" or span.get("shared") is True:
            serving[trace_id, span_id, service] = span.get("shared") is True
    return {
        (trace_id, span_id, service): xxhash.xxh3_64_digest(trace_id + span_id + b"server")
        for (trace_id, span_id, service), shared in serving.items()
        if shared or (trace_id, span_id) in called
    }


def _identity(span: dict[str, JsonValue]) -> tuple[bytes, bytes]:
    return identifier(span.get("traceId"), TRACE_ID_BYTES), identifier(span.get("id"), SPAN_ID_BYTES)


def _service(span: dict[str, JsonValue]) -> str:
    return text(members(span.get("localEndpoint") or {}).get("serviceName"))


def _resource(span: dict[str, JsonValue]) -> Resource:
    resource = Resource()
    if name := _service(span):
        resource.attributes.add(key="service.name", value=AnyValue(string_value=name))
    return resource


def _span(source: dict[str, JsonValue], halves: _Halves) -> tuple[InstrumentationScope, Span]:
    trace_id, span_id = _identity(source)
    parent_id = identifier(source.get("parentId"), SPAN_ID_BYTES)
    kind, service = text(source.get("kind")), _service(source)
    own_id = halves.get((trace_id, span_id, service)) if kind != "CLIENT" else None
    span = Span(
        trace_id=trace_id,
        span_id=own_id or span_id,
        parent_span_id=span_id if own_id else halves.get((trace_id, parent_id, service), parent_id),
        name=text(source.get("name")),
    )
    set_times(span, source.get("timestamp"), source.get("duration"))
    for annotation in map(members, elements(source.get("annotations") or [])):
        span.events.add(time_unix_nano=time_ns(annotation.get("timestamp")), name=text(annotation.get("value")))
    tags = {
        key: AnyValue(string_value=_tag_text(value))
        for key, value in members(source.get("tags") or {}).items()
        if value is not None
    }
    for key, value in _endpoint_attributes(source, is_caller=kind in _CALLERS).items():
        tags.setdefault(key, value)
    scope = apply_tags(span, tags)
    span.kind = span_kind(kind) or span.kind
    return scope, span


def _endpoint_attributes(span: dict[str, JsonValue], *, is_caller: bool) -> Tags:
    """Return who was on the other side: the logical name, the network address, and what role that side had."""
    endpoint = members(span.get("remoteEndpoint") or {})
    name = text(endpoint.get("serviceName"))
    address = text(endpoint.get("ipv4")) or text(endpoint.get("ipv6"))
    port = whole(endpoint.get("port") or 0)
    role = "server" if is_caller else "client"
    attributes: Tags = {}
    if name:
        attributes["peer.service"] = AnyValue(string_value=name)
    if address or (name and is_caller):
        attributes[f"{role}.address"] = AnyValue(string_value=address or name)
    if address:
        attributes["network.peer.address"] = AnyValue(string_value=address)
    if port in _PORTS:
        attributes[f"{role}.port"] = attributes["network.peer.port"] = AnyValue(int_value=port)
    return attributes


def _tag_text(value: JsonValue) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
