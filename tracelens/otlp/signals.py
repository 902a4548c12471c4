"""What a protobuf message in a trace file is: a request of which signal, or none.

The requests of all signals are built alike, repeated field 1 of {resource, scopes, schema URL}, and protobuf reads
nearly anything as nearly anything. What tells them apart lies one level deeper, where field numbers that two signals
share have different wire types in each:

    field 7     a span's start, fixed 64 bits · a metric's sum, a submessage
    field 5     a span's name, text · a metric's gauge, a submessage with times in it
    field 1     a span's trace id and a metric's name, both bytes · a log record's time, fixed 64 bits

A parser takes a field of another wire type for an unknown one. So no metric reads as a span with a start, and no span
reads as a metric with data points that have times.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Final, TypeVar

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tracelens.otlp.assembly import SPAN_ID_BYTES, TRACE_ID_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

_Message = TypeVar("_Message", bound=Message)

_LENGTH_DELIMITED: Final = 2
_BELOW_REQUEST: Final = frozenset({1, 2, 3, 1000})
"""Resource, scopes, schema URL, and the scopes' place before OTLP 1.0; the same for every signal."""


class Signal(Enum):
    """What a message turned out to be."""

    TRACES = auto()
    METRICS = auto()
    LOGS = auto()
    NONE = auto()


def signal_of(message: bytes) -> Signal:
    """Parse a message and say what it is."""
    trace = _parsed(ExportTraceServiceRequest, message)
    has_spans = trace is not None and any(True for _ in _spans(trace))
    if trace is not None and (not has_spans or any(span.start_time_unix_nano for span in _spans(trace))):
        return Signal.TRACES
    request = _parsed(ExportMetricsServiceRequest, message)
    metrics = [] if request is None else list(_metrics(request))
    if any(_holds_points(metric) for metric in metrics):
        return Signal.METRICS
    if _holds_log_records(message):
        return Signal.LOGS
    # Spans without times are odd but spans, where they have the ids of spans; metrics without points have names only.
    if trace is not None and all(_has_ids(span) for span in _spans(trace)):
        return Signal.TRACES
    if metrics and all(metric.name for metric in metrics):
        return Signal.METRICS
    return Signal.NONE if trace is None else Signal.TRACES


def _parsed(kind: type[_Message], message: bytes) -> _Message | None:
    try:
        return kind.FromString(message)
    except DecodeError:
        return None


def _spans(request: ExportTraceServiceRequest) -> Iterator[Span]:
    return (span for above in request.resource_spans for scope in above.scope_spans for span in scope.spans)


def _has_ids(span: Span) -> bool:
    return len(span.trace_id) in {0, TRACE_ID_BYTES} and len(span.span_id) in {0, SPAN_ID_BYTES}


def _metrics(request: ExportMetricsServiceRequest) -> Iterator[Metric]:
    return (metric for above in request.resource_metrics for scope in above.scope_metrics for metric in scope.metrics)


def _holds_points(metric: Metric) -> bool:
    form = metric.WhichOneof("data")
    return form is not None and any(point.time_unix_nano for point in getattr(metric, form).data_points)


def _holds_log_records(message: bytes) -> bool:
    request = _parsed(ExportLogsServiceRequest, message)
    if request is None:
        return False
    records = (record for above in request.resource_logs for scope in above.scope_logs for record in scope.log_records)
    return any(record.time_unix_nano or record.observed_time_unix_nano for record in records)


def is_enveloped(message: bytes) -> bool:
    """Say whether a message has the outer two levels that the requests of all signals have.

    Much stricter than parsing, which takes what it does not know for unknown fields: of a wrong framing nearly nothing
    passes.
    """
    outer = _delimited_fields(memoryview(message))
    if not outer or outer[0][0] != 1:
        return False
    inner = [_delimited_fields(payload) for number, payload in outer if number == 1]
    return all(fields is not None and _BELOW_REQUEST.issuperset(number for number, _ in fields) for fields in inner)


def _delimited_fields(message: memoryview) -> list[tuple[int, memoryview]] | None:
    """Return a message's fields by number, None where it is no sequence of length-delimited fields."""
    fields, position = [], 0
    while position < len(message):
        tag, position = _varint(message, position)
        length, position = _varint(message, position)
        if tag & 7 != _LENGTH_DELIMITED or position + length > len(message):
            return None
        fields.append((tag >> 3, message[position : position + length]))
        position += length
    return fields


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """Return the varint at a position and the position behind it, which is past the end where it is cut off."""
    value = shift = 0
    while position < len(message):
        byte = message[position]
        value |= (byte & 0x7F) << shift
        shift += 7
        position += 1
        if byte < 0x80:  # noqa: PLR2004  (the continuation bit)
            return value, position
    return 0, len(message) + 1
