"""Trace requests for the tests of this folder: generated ones, small ones, and the same as OTLP JSON."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from google.protobuf.json_format import MessageToDict
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

if TYPE_CHECKING:
    from collections.abc import Iterable

_TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
_UINT32 = st.integers(0, 2**32 - 1)
_TIME = st.integers(0, 2**64 - 1)
_TRACE_ID = st.sampled_from((b"", bytes(16), bytes(range(16)))) | st.binary(min_size=16, max_size=16)
_SPAN_ID = st.sampled_from((b"", bytes(8), bytes(range(8)))) | st.binary(min_size=8, max_size=8)

_SCALARS = st.one_of(
    st.just(AnyValue()),
    st.builds(AnyValue, string_value=_TEXT),
    st.builds(AnyValue, bool_value=st.booleans()),
    st.builds(AnyValue, int_value=st.integers(-(2**63), 2**63 - 1)),
    st.builds(AnyValue, double_value=st.floats(allow_nan=False)),
    st.builds(AnyValue, bytes_value=st.binary(max_size=5)),
)


def _attribute_lists(values: st.SearchStrategy[AnyValue]) -> st.SearchStrategy[list[KeyValue]]:
    return st.lists(st.builds(KeyValue, key=_TEXT, value=values), max_size=3)


_VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.builds(AnyValue, array_value=st.builds(ArrayValue, values=st.lists(inner, max_size=2)))
        | st.builds(AnyValue, kvlist_value=st.builds(KeyValueList, values=_attribute_lists(inner)))
    ),
    max_leaves=3,
)
_ATTRIBUTES = _attribute_lists(_VALUES)
_EVENTS = st.builds(Span.Event, time_unix_nano=_TIME, name=_TEXT, attributes=_ATTRIBUTES)
_LINKS = st.builds(Span.Link, trace_id=_TRACE_ID, span_id=_SPAN_ID, trace_state=_TEXT, flags=_UINT32)
_SPANS = st.builds(
    Span,
    trace_id=_TRACE_ID,
    span_id=_SPAN_ID,
    parent_span_id=_SPAN_ID,
    trace_state=_TEXT,
    flags=_UINT32,
    name=_TEXT,
    kind=st.integers(-(2**31), 2**31 - 1) | st.integers(0, 5),
    start_time_unix_nano=_TIME,
    end_time_unix_nano=_TIME,
    attributes=_ATTRIBUTES,
    dropped_attributes_count=_UINT32,
    events=st.lists(_EVENTS, max_size=1),
    links=st.lists(_LINKS, max_size=1),
    status=st.none() | st.builds(Status, message=_TEXT, code=st.integers(0, 3)),
)
_RESOURCE_SPANS = st.builds(
    ResourceSpans,
    resource=st.none() | st.builds(Resource, attributes=_ATTRIBUTES, dropped_attributes_count=_UINT32),
    scope_spans=st.lists(
        st.builds(
            ScopeSpans,
            scope=st.none() | st.builds(InstrumentationScope, name=_TEXT, version=_TEXT, attributes=_ATTRIBUTES),
            spans=st.lists(_SPANS, max_size=2),
            schema_url=_TEXT,
        ),
        max_size=2,
    ),
    schema_url=_TEXT,
)
REQUESTS = st.builds(ExportTraceServiceRequest, resource_spans=st.lists(_RESOURCE_SPANS, min_size=1, max_size=2))


def small_request(number: int, *, name: str = "SELECT shop") -> ExportTraceServiceRequest:
    """Return a request with one usual span; its ids and times follow the number."""
    return ExportTraceServiceRequest(
        resource_spans=[
            ResourceSpans(
                resource=Resource(attributes=[KeyValue(key="service.name", value=AnyValue(string_value="orders"))]),
                scope_spans=[
                    ScopeSpans(
                        spans=[
                            Span(
                                trace_id=number.to_bytes(16),
                                span_id=number.to_bytes(8),
                                name=name,
                                kind=Span.SPAN_KIND_CLIENT,
                                start_time_unix_nano=1_700_000_000_000_000_000 + number,
                                end_time_unix_nano=1_700_000_000_000_001_000 + number,
                            )
                        ]
                    )
                ],
            )
        ]
    )


def merged(requests: Iterable[bytes | ExportTraceServiceRequest]) -> bytes:
    """Return the requests as one, serialised: what a file says, however it is cut into requests."""
    whole = ExportTraceServiceRequest()
    for request in requests:
        whole.MergeFromString(request if isinstance(request, bytes) else request.SerializeToString())
    return whole.SerializeToString(deterministic=True)


def to_document(request: ExportTraceServiceRequest, *, is_proto_style: bool = False) -> dict[str, Any]:
    """Return a request as OTLP JSON: the protobuf library's, with ids in hex; or with the names of the .proto files."""
    document: dict[str, Any] = MessageToDict(
        request, use_integers_for_enums=not is_proto_style, preserving_proto_field_name=is_proto_style
    )
    _write_ids_in_hex(document)
    return document


def to_json(request: ExportTraceServiceRequest) -> bytes:
    """Return a request as one line of OTLP JSON."""
    return json.dumps(to_document(request)).encode()


def _write_ids_in_hex(node: Any) -> None:
    if isinstance(node, list):
        for element in node:
            _write_ids_in_hex(element)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in ("traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id"):
                node[key] = base64.b64decode(value).hex()
            else:
                _write_ids_in_hex(value)
