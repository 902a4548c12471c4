"""The plain decoder: protobuf objects to the same Arrow batch as `decode.py` makes without them.

Some thirty times slower. It is the oracle of the differential test, and what runs where ptars has no wheel.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from google.protobuf.message import DecodeError

from proto_stubs.otlp_trace_slim_pb2 import ExportTraceServiceRequest


def read_batch(bodies: list[bytes]) -> pa.RecordBatch:
    """Return one row per request, typed as `SCHEMA`.

    Raises:
        ValueError: a body does not parse.
    """
    rows = []
    for body in bodies:
        try:
            request = ExportTraceServiceRequest.FromString(body)
        except DecodeError as error:
            raise ValueError(f"failed to decode Protobuf message: {error}") from error
        rows.append([_resource_spans(item) for item in request.resource_spans])
    return pa.record_batch([pa.array(rows, SCHEMA.field(0).type)], schema=SCHEMA)


def _fields(*fields: tuple[str, pa.DataType]) -> pa.StructType:
    return pa.struct([pa.field(name, type_, nullable=name in _NULLABLE) for name, type_ in fields])


def _list(item: pa.DataType) -> pa.ListType:
    return pa.list_(pa.field("item", item, nullable=False))


# Submessages have presence in proto3; everything else has a default.
_NULLABLE = {"status"}

_ATTRIBUTES = _list(_fields(("key", pa.string()), ("value", pa.binary())))
_EVENT = _fields(("time_unix_nano", pa.uint64()), ("name", pa.string()), ("attributes", _ATTRIBUTES))
_LINK = _fields(
    ("trace_id", pa.binary()), ("span_id", pa.binary()), ("trace_state", pa.string()), ("attributes", _ATTRIBUTES)
)
_SPAN = _fields(
    ("trace_id", pa.binary()),
    ("span_id", pa.binary()),
    ("trace_state", pa.string()),
    ("parent_span_id", pa.binary()),
    ("name", pa.string()),
    ("kind", pa.int32()),
    ("start_time_unix_nano", pa.uint64()),
    ("end_time_unix_nano", pa.uint64()),
    ("attributes", _ATTRIBUTES),
    ("events", _list(_EVENT)),
    ("links", _list(_LINK)),
    ("status", _fields(("message", pa.string()), ("code", pa.int32()))),
)
_SCOPE_SPANS = _fields(("scope", pa.binary()), ("spans", _list(_SPAN)))
_RESOURCE_SPANS = _fields(("resource", pa.binary()), ("scope_spans", _list(_SCOPE_SPANS)))
SCHEMA = pa.schema([pa.field("resource_spans", _list(_RESOURCE_SPANS), nullable=False)])


def _resource_spans(message: Any) -> dict[str, Any]:
    return {"resource": message.resource, "scope_spans": [_scope_spans(item) for item in message.scope_spans]}


def _scope_spans(message: Any) -> dict[str, Any]:
    return {"scope": message.scope, "spans": [_span(span) for span in message.spans]}


def _span(span: Any) -> dict[str, Any]:
    row = {field.name: getattr(span, field.name) for field in _SPAN}
    row["attributes"] = _attributes(span)
    row["events"] = [
        {"time_unix_nano": event.time_unix_nano, "name": event.name, "attributes": _attributes(event)}
        for event in span.events
    ]
    row["links"] = [
        {
            "trace_id": link.trace_id,
            "span_id": link.span_id,
            "trace_state": link.trace_state,
            "attributes": _attributes(link),
        }
        for link in span.links
    ]
    row["status"] = {"message": span.status.message, "code": span.status.code} if span.HasField("status") else None
    return row


def _attributes(message: Any) -> list[dict[str, Any]]:
    return [{"key": attribute.key, "value": attribute.value} for attribute in message.attributes]
