"""OTLP JSON to protobuf bytes, so that one decoder follows for both encodings.

The protobuf library's own JSON reader is of no use here: OTLP writes ids as hex where the proto3 mapping
wants base64, and that reader takes them, decoded wrongly. Real senders also stretch the rules, so whatever
has one sensible reading is read: either spelling of a name, 64-bit integers as text or number, enums by
name, base64 ids, an attribute's value of another type than declared, the names of OTLP before 1.0. What is
structurally wrong is refused, with its place.

    spec        opentelemetry-proto, docs/specification.md, "JSON Protobuf Encoding"
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tracelens.errors import InvalidRequestError
from tracelens.otlp.json_messages import (
    COMMON,
    RESOURCE,
    SCOPE,
    child,
    children,
    enum,
    fill_message,
    identifier,
    number,
    spellings,
    words,
)
from tracelens.otlp.json_values import Fault, JsonValue, load

if TYPE_CHECKING:
    from tracelens.otlp.json_messages import OnBadRecord


def request_from_json(body: bytes, on_bad_span: OnBadRecord | None = None) -> bytes:
    """Return an OTLP JSON trace request as a serialised `ExportTraceServiceRequest`.

    Args:
        body: one JSON object, UTF-8.
        on_bad_span: told of each span that cannot be read; the others are kept. Without it one bad span refuses
            the request.

    Raises:
        InvalidRequestError: not JSON, or not a trace request; names the place.
    """
    return request_from_document(load(body), on_bad_span)


def request_from_document(document: JsonValue, on_bad_span: OnBadRecord | None = None) -> bytes:
    """Do what `request_from_json` does for a body that is parsed already."""
    request = ExportTraceServiceRequest()
    try:
        fill_message(request, document, _REQUEST, on_bad_span)
    except Fault as fault:
        raise InvalidRequestError(f"OTLP JSON is not valid: {fault}") from None
    return request.SerializeToString()


_KINDS: Final = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")

_EVENT: Final = spellings(time_unix_nano=number("time_unix_nano"), name=words("name"), **COMMON)
_LINK: Final = spellings(
    trace_id=identifier("trace_id", 16),
    span_id=identifier("span_id", 8),
    trace_state=words("trace_state"),
    flags=number("flags"),
    **COMMON,
)
_STATUS: Final = spellings(message=words("message"), code=enum("code", "STATUS_CODE_", ("UNSET", "OK", "ERROR")))
_SPAN: Final = spellings(
    trace_id=identifier("trace_id", 16),
    span_id=identifier("span_id", 8),
    parent_span_id=identifier("parent_span_id", 8),
    trace_state=words("trace_state"),
    flags=number("flags"),
    name=words("name"),
    kind=enum("kind", "SPAN_KIND_", _KINDS),
    start_time_unix_nano=number("start_time_unix_nano"),
    end_time_unix_nano=number("end_time_unix_nano"),
    events=children("events", _EVENT),
    dropped_events_count=number("dropped_events_count"),
    links=children("links", _LINK),
    dropped_links_count=number("dropped_links_count"),
    status=child("status", _STATUS),
    **COMMON,
)
_SCOPE_SPANS: Final = spellings(
    scope=child("scope", SCOPE),
    instrumentation_library=child("scope", SCOPE),  # the scope's name before OTLP 1.0
    spans=children("spans", _SPAN, may_drop=True),
    schema_url=words("schema_url"),
)
_RESOURCE_SPANS: Final = spellings(
    resource=child("resource", RESOURCE),
    scope_spans=children("scope_spans", _SCOPE_SPANS),
    instrumentation_library_spans=children("scope_spans", _SCOPE_SPANS),
    schema_url=words("schema_url"),
)
_REQUEST: Final = spellings(resource_spans=children("resource_spans", _RESOURCE_SPANS))
