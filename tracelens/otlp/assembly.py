"""What the Jaeger and Zipkin readers share: tags to span fields, and single spans to one request.

Both formats keep in tags what OTLP has fields for: kind, status, scope, trace state. The names of those tags are
in the OpenTelemetry specification, trace/sdk_exporters/{jaeger,zipkin}.md and common/mapping-to-non-otlp.md.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, TypeAlias

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from tracelens.otlp.json_values import Fault, JsonValue, found, whole

if TYPE_CHECKING:
    from google.protobuf.internal.containers import RepeatedCompositeFieldContainer
    from opentelemetry.proto.common.v1.common_pb2 import KeyValue
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource

Tags: TypeAlias = "dict[str, AnyValue]"

TRACE_ID_BYTES: Final = 16
SPAN_ID_BYTES: Final = 8

_KINDS: Final = {
    "internal": Span.SPAN_KIND_INTERNAL,
    "server": Span.SPAN_KIND_SERVER,
    "client": Span.SPAN_KIND_CLIENT,
    "producer": Span.SPAN_KIND_PRODUCER,
    "consumer": Span.SPAN_KIND_CONSUMER,
}
_TIME_END: Final = 2**64
_STATUS_CODES: Final = {"OK": Status.STATUS_CODE_OK, "ERROR": Status.STATUS_CODE_ERROR}


class Assembly:
    """One request in the making, its spans grouped by resource and scope."""

    def __init__(self) -> None:
        self._request = ExportTraceServiceRequest()
        self._resource_spans: dict[bytes, ResourceSpans] = {}
        self._scope_spans: dict[tuple[bytes, str, str], ScopeSpans] = {}

    def add(self, resource: Resource, scope: InstrumentationScope, span: Span) -> None:
        """Put a copy of the span below its resource and scope; equal ones are one."""
        identity = resource.SerializeToString(deterministic=True)
        target = self._scope_spans.get((identity, scope.name, scope.version))
        if target is None:
            above = self._resource_spans.get(identity)
            if above is None:
                above = self._resource_spans[identity] = self._request.resource_spans.add(resource=resource)
            target = self._scope_spans[identity, scope.name, scope.version] = above.scope_spans.add(scope=scope)
        target.spans.append(span)

    def request(self) -> bytes:
        """Return the spans so far as a serialised `ExportTraceServiceRequest`."""
        return self._request.SerializeToString()


def apply_tags(span: Span, tags: Tags) -> InstrumentationScope:
    """Set the fields that the tags stand for and keep the other tags as attributes; return the scope they name."""
    if "span.kind" in tags and (kind := span_kind(tags["span.kind"].string_value)) is not None:
        span.kind = kind
        del tags["span.kind"]
    span.trace_state = _take_text(tags, "w3c.tracestate")
    _apply_status(span, tags)
    scope = InstrumentationScope(
        # The second names are those of OpenTelemetry before 1.0; some exporters send both.
        name=_take_text(tags, "otel.scope.name", "otel.library.name"),
        version=_take_text(tags, "otel.scope.version", "otel.library.version"),
    )
    fill_tags(span.attributes, tags)
    return scope


def fill_tags(attributes: RepeatedCompositeFieldContainer[KeyValue], tags: Tags) -> None:
    """Add the tags to a message's attributes."""
    for key, value in tags.items():
        attributes.add(key=key, value=value)


def identifier(value: JsonValue, length: int) -> bytes:
    """Return an id of `length` bytes from its hex digits, whose leading zeros may be missing; absent is empty.

    Raises:
        Fault: it is none.
    """
    if value is None or value == "":
        return b""
    if isinstance(value, str) and len(value) <= 2 * length and value.isalnum():
        try:
            return bytes.fromhex(value.zfill(2 * length))
        except ValueError:
            pass
    raise Fault(f"expected at most {2 * length} hex digits, found {found(value)}")


def time_ns(microseconds: JsonValue) -> int:
    """Return a time or duration in nanoseconds; absent is 0.

    Raises:
        Fault: it is not a number, or outside OTLP's range.
    """
    if microseconds is None:
        return 0
    if isinstance(microseconds, float) and math.isfinite(microseconds):
        nanoseconds = round(microseconds * 1000)
    else:
        nanoseconds = whole(microseconds) * 1000
    if not 0 <= nanoseconds < _TIME_END:
        raise Fault(f"{found(microseconds)} is no time in microseconds")
    return nanoseconds


def set_times(span: Span, start: JsonValue, duration: JsonValue) -> None:
    """Set a span's start and end from microseconds.

    Raises:
        Fault: they are not times.
    """
    span.start_time_unix_nano = time_ns(start)
    span.end_time_unix_nano = min(span.start_time_unix_nano + time_ns(duration), _TIME_END - 1)


def span_kind(name: str) -> Span.SpanKind.ValueType | None:
    """Return the OTLP span kind of this name, in either case; None where there is none."""
    return _KINDS.get(name.lower())


def _apply_status(span: Span, tags: Tags) -> None:
    """Read `otel.status_code`, else OpenTracing's and Zipkin's `error`, whose text is what went wrong."""
    code = _STATUS_CODES.get(_take_text(tags, "otel.status_code").upper())
    description = _take_text(tags, "otel.status_description")
    error = tags.get("error")
    if error is not None and error.WhichOneof("value") in ("bool_value", "string_value"):
        del tags["error"]
        text = error.string_value
        is_error = error.bool_value or (error.HasField("string_value") and text.lower() != "false")
        if is_error and code is None:
            code = Status.STATUS_CODE_ERROR
        if is_error and text.lower() != "true":
            description = description or text
    if code is not None:
        span.status.code = code
        span.status.message = description


def _take_text(tags: Tags, *keys: str) -> str:
    """Remove these tags and return the first one's text, empty where there is none."""
    values = [tags.pop(key).string_value for key in keys if key in tags]
    return values[0] if values else ""
