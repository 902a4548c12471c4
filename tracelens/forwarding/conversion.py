"""OTLP JSON to protobuf for a next hop that speaks gRPC, which has no JSON."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Final

from google.protobuf.json_format import ParseDict, ParseError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tracelens.errors import InvalidRequestError
from tracelens.otlp.json import request_from_json
from tracelens.otlp.json_values import Fault, load, members
from tracelens.otlp.metrics_json import metrics_request_from_json
from tracelens.receiver.signals import LOGS, METRICS, TRACES

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from tracelens.otlp.json_values import JsonValue
    from tracelens.receiver.signals import Signal

_REQUESTS: Final = {
    TRACES: ExportTraceServiceRequest,
    METRICS: ExportMetricsServiceRequest,
    LOGS: ExportLogsServiceRequest,
}
_LENIENT: Final = {TRACES: request_from_json, METRICS: metrics_request_from_json}
_HEX_DIGITS: Final = {
    "traceId": 32,
    "trace_id": 32,
    "spanId": 16,
    "span_id": 16,
    "parentSpanId": 16,
    "parent_span_id": 16,
}
"""Members that are identifiers, in whatever message. Attributes have their keys as values of `key`."""


def to_protobuf(signal: Signal, body: bytes) -> bytes:
    """Return an OTLP JSON request of any signal in protobuf, with every field that the installed protocol has.

    Raises:
        InvalidRequestError: it is not a request of the signal.
    """
    message: Message = _REQUESTS[signal]()
    try:
        # The library reads the proto3 mapping, from which OTLP JSON differs in its identifiers alone.
        ParseDict(members(_with_base64_identifiers(load(body))), message, ignore_unknown_fields=True)
    except (Fault, ParseError, RecursionError) as error:
        if signal in _LENIENT:  # senders stretch the rules in ways that our own reader knows
            return _LENIENT[signal](body)
        raise InvalidRequestError(f"not an OTLP {signal.name} request in JSON: {error}") from error
    return message.SerializeToString()


def _with_base64_identifiers(value: JsonValue) -> JsonValue:
    if isinstance(value, list):
        return [_with_base64_identifiers(element) for element in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _base64(member)
        if isinstance(member, str) and len(member) == _HEX_DIGITS.get(name)
        else _with_base64_identifiers(member)
        for name, member in value.items()
    }


def _base64(digits: str) -> str:
    try:
        return base64.b64encode(binascii.unhexlify(digits)).decode()
    except ValueError as error:
        raise InvalidRequestError(f"not an OTLP request in JSON: {digits!r} is not an identifier") from error
