"""The three OTLP signals: where each is sent, and the answers that say what was not kept.

Exporters that send logs as well are answered with success, as an error would fill their own logs; the partial success
in it says honestly that the records were not kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import orjson
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsPartialSuccess,
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsPartialSuccess,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from tracelens.errors import InvalidRequestError
from tracelens.receiver.encoding import Encoding
from tracelens.receiver.status import shortened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracelens.otlp.metrics import RefusedPoints

Response: TypeAlias = ExportTraceServiceResponse | ExportMetricsServiceResponse | ExportLogsServiceResponse

_EXPLANATION: Final = "tracelens keeps traces and metrics only: switch off this exporter, or send logs elsewhere"


@dataclass(frozen=True, slots=True)
class Signal:
    """One kind of telemetry. `path` is HTTP's, `service` gRPC's; both are fixed by OTLP."""

    name: str
    path: str
    service: str


TRACES: Final = Signal("traces", "/v1/traces", "opentelemetry.proto.collector.trace.v1.TraceService")
METRICS: Final = Signal("metrics", "/v1/metrics", "opentelemetry.proto.collector.metrics.v1.MetricsService")
LOGS: Final = Signal("logs", "/v1/logs", "opentelemetry.proto.collector.logs.v1.LogsService")
SIGNALS: Final = (TRACES, METRICS, LOGS)
KEPT: Final = frozenset({TRACES, METRICS})
"""The signals that an intake takes."""

_RESPONSES: Final[dict[Signal, type[Response]]] = {
    TRACES: ExportTraceServiceResponse,
    METRICS: ExportMetricsServiceResponse,
    LOGS: ExportLogsServiceResponse,
}


def response_class(signal: Signal) -> type[Response]:
    """Return the message that answers requests of a signal."""
    return _RESPONSES[signal]


def rejected_records(response: Response) -> int:
    """Return how many spans, data points or log records an answer says were rejected."""
    return sum(value for field, value in response.partial_success.ListFields() if field.name.startswith("rejected_"))


class RefusedSpans:
    """The spans of a request that could not be read while its others are kept."""

    def __init__(self) -> None:
        self._count = 0
        self._first = ""

    def add(self, reason: str) -> None:
        """Count one span, and remember the reason of the first."""
        self._first = self._first or reason
        self._count += 1

    def response(self) -> ExportTraceServiceResponse:
        """Answer the request: partial success where there are refused spans."""
        if not self._count:
            return ExportTraceServiceResponse()
        message = shortened(f"spans were refused, the first of them for this: {self._first}")
        partial = ExportTracePartialSuccess(rejected_spans=self._count, error_message=message)
        return ExportTraceServiceResponse(partial_success=partial)


def metrics_response(refused: RefusedPoints) -> ExportMetricsServiceResponse:
    """Answer a metrics request: partial success where data points are not kept."""
    if not refused.count:
        return ExportMetricsServiceResponse()
    message = shortened(f"data points were refused, the first of them for this: {refused.reason}")
    partial = ExportMetricsPartialSuccess(rejected_data_points=refused.count, error_message=message)
    return ExportMetricsServiceResponse(partial_success=partial)


def decline(body: bytes, encoding: Encoding) -> ExportLogsServiceResponse:
    """Answer a request of logs: success, in which every record is counted as rejected.

    Raises:
        InvalidRequestError: the body is no such request.
    """
    if encoding is Encoding.JSON:
        records = len(list(_descend(_json_object(body), "resourceLogs", "scopeLogs", "logRecords")))
    else:
        request = _log_request(body)
        records = sum(len(scope.log_records) for resource in request.resource_logs for scope in resource.scope_logs)
    if not records:
        return ExportLogsServiceResponse()
    rejected = ExportLogsPartialSuccess(rejected_log_records=records, error_message=_EXPLANATION)
    return ExportLogsServiceResponse(partial_success=rejected)


def _log_request(body: bytes) -> ExportLogsServiceRequest:
    try:
        return ExportLogsServiceRequest.FromString(body)
    except DecodeError as error:
        raise InvalidRequestError(f"the body is not an OTLP logs request in protobuf: {error}") from error


def _json_object(body: bytes) -> dict[str, object]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequestError(f"the body is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise InvalidRequestError("the body is not an OTLP request: a JSON object is expected")
    return document


def _descend(parent: dict[str, object], key: str, *keys: str) -> Iterator[dict[str, object]]:
    """Yield the objects that a path of members leads to, each member a list of objects or absent."""
    children = parent.get(key)
    if not isinstance(children, list | None):
        raise InvalidRequestError(f"the body is not an OTLP request: {key} is not a list")
    for child in children or ():
        if not isinstance(child, dict):
            raise InvalidRequestError(f"the body is not an OTLP request: {key} holds something else than objects")
        if keys:
            yield from _descend(child, *keys)
        else:
            yield child
