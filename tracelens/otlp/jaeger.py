"""Jaeger JSON, as its UI and query API export it, to OTLP.

trace       {"traceID", "spans": [span], "processes": {processID: process}}
process     {"serviceName", "tags": [tag]}; Elasticsearch exports keep it inside the span
span        ids in hex, times in microseconds, references to other spans, tags, logs
tag         {"key", "type": string | bool | int64 | float64 | binary, "value"}
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tracelens.otlp.assembly import (
    SPAN_ID_BYTES,
    TRACE_ID_BYTES,
    Assembly,
    Tags,
    apply_tags,
    fill_tags,
    identifier,
    set_times,
    time_ns,
)
from tracelens.otlp.json_attributes import set_declared
from tracelens.otlp.json_values import Fault, JsonValue, elements, members, text

if TYPE_CHECKING:
    from collections.abc import Callable

_MEMBERS: Final = {
    "string": "string_value",
    "bool": "bool_value",
    "int64": "int_value",
    "float64": "double_value",
    "binary": "bytes_value",
}
_SAMPLED: Final = 1


def request_from_trace(trace: dict[str, JsonValue], on_bad_span: Callable[[str], None]) -> bytes:
    """Return one Jaeger trace as a serialised `ExportTraceServiceRequest`.

    Args:
        trace: a trace with its `spans`.
        on_bad_span: told of each span that cannot be read; the others are kept.

    Raises:
        Fault: `spans` or `processes` are built differently.
    """
    processes = members(trace.get("processes") or {})
    assembly = Assembly()
    for position, source in enumerate(elements(trace.get("spans") or [])):
        try:
            span = members(source)
            process = span.get("process") or processes.get(text(span.get("processID"))) or {}
            assembly.add(_resource(members(process)), *_span(span))
        except Fault as fault:
            fault.path.append(f"spans[{position}]")
            on_bad_span(str(fault))
    return assembly.request()


def _resource(process: dict[str, JsonValue]) -> Resource:
    resource = Resource()
    tags = _tags(process.get("tags"))
    if name := text(process.get("serviceName")):
        tags = {"service.name": AnyValue(string_value=name), **tags}
    fill_tags(resource.attributes, tags)
    return resource


def _span(source: dict[str, JsonValue]) -> tuple[InstrumentationScope, Span]:
    span = Span(
        trace_id=identifier(source.get("traceID"), TRACE_ID_BYTES),
        span_id=identifier(source.get("spanID"), SPAN_ID_BYTES),
        parent_span_id=identifier(source.get("parentSpanID"), SPAN_ID_BYTES),
        name=text(source.get("operationName")),
    )
    set_times(span, source.get("startTime"), source.get("duration"))
    flags = source.get("flags")
    span.flags = flags & _SAMPLED if isinstance(flags, int) else 0
    _refer(span, source.get("references"))
    scope = apply_tags(span, _tags(source.get("tags")))
    for log in elements(source.get("logs") or []):
        fields = members(log)
        tags = _tags(fields.get("fields"))
        event = span.events.add(time_unix_nano=time_ns(fields.get("timestamp")))
        if "event" in tags and tags["event"].HasField("string_value"):
            event.name = tags.pop("event").string_value
        fill_tags(event.attributes, tags)
    return scope, span


def _refer(span: Span, references: JsonValue) -> None:
    """Make the first CHILD_OF within the trace the parent and links of all other references."""
    for source in elements(references or []):
        reference = members(source)
        kind = text(reference.get("refType"))
        trace_id = identifier(reference.get("traceID"), TRACE_ID_BYTES)
        span_id = identifier(reference.get("spanID"), SPAN_ID_BYTES)
        if kind == "CHILD_OF" and trace_id in (span.trace_id, b"") and span.parent_span_id in (b"", span_id):
            span.parent_span_id = span_id
        else:
            link = span.links.add(trace_id=trace_id, span_id=span_id)
            link.attributes.add(key="opentracing.ref_type", value=AnyValue(string_value=kind.lower()))


def _tags(source: JsonValue) -> Tags:
    tags: Tags = {}
    for element in elements(source or []):
        tag = members(element)
        value = tag.get("value")
        if value is None:
            continue
        if isinstance(value, list | dict):
            value = orjson.dumps(value).decode()
        kept = tags[text(tag.get("key"))] = AnyValue()
        set_declared(kept, _MEMBERS.get(text(tag.get("type")).lower(), ""), value)
    return tags
