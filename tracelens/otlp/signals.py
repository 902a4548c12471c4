"""What a protobuf message in a trace file is: a trace request, a request of another signal, or neither.

The requests of all signals are built alike, repeated field 1 of {resource, scopes, schema URL}, and protobuf reads
nearly anything as nearly anything. What tells them apart lies one level deeper: spans have ids and times, metrics
names and data, log records times elsewhere.
"""

from __future__ import annotations

from enum import Enum, auto
from itertools import islice
from typing import Final

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tracelens.otlp.assembly import SPAN_ID_BYTES, TRACE_ID_BYTES

_SAMPLE: Final = 3
"""Spans to look at."""
_LENGTH_DELIMITED: Final = 2
_BELOW_REQUEST: Final = frozenset({1, 2, 3, 1000})
"""Resource, scopes, schema URL, and the scopes' place before OTLP 1.0; the same for every signal."""


class Signal(Enum):
    """What a message turned out to be."""

    TRACES = auto()
    OTHER = auto()
    NONE = auto()


def signal_of(message: bytes) -> Signal:
    """Parse a message and say what it is."""
    try:
        request = ExportTraceServiceRequest.FromString(message)
    except DecodeError:
        return Signal.OTHER if _is_of_another_signal(message) else Signal.NONE
    all_spans = (span for above in request.resource_spans for scope in above.scope_spans for span in scope.spans)
    spans = list(islice(all_spans, _SAMPLE))
    is_usual = any(
        len(span.trace_id) == TRACE_ID_BYTES and len(span.span_id) == SPAN_ID_BYTES and span.start_time_unix_nano
        for span in spans
    )
    # Spans without ids or times are odd but spans, unless they make better metrics or log records.
    return Signal.TRACES if is_usual or not spans or not _is_of_another_signal(message) else Signal.OTHER


def _is_of_another_signal(message: bytes) -> bool:
    return _holds_metrics(message) or _holds_log_records(message)


def _holds_metrics(message: bytes) -> bool:
    try:
        request = ExportMetricsServiceRequest.FromString(message)
    except DecodeError:
        return False
    metrics = (
        metric for above in request.resource_metrics for scope in above.scope_metrics for metric in scope.metrics
    )
    return any(
        point.time_unix_nano
        for metric in metrics
        if (form := metric.WhichOneof("data")) is not None
        for point in getattr(metric, form).data_points
    )


def _holds_log_records(message: bytes) -> bool:
    try:
        request = ExportLogsServiceRequest.FromString(message)
    except DecodeError:
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
