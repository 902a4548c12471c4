"""Sends events as OpenTelemetry log records to any OTLP endpoint, such as a Collector.

A record carries the trace and the span of the event's exemplar, so a backend that has the trace shows both together.
`url` is `http(s)://host:4318`, to which `/v1/logs` is added, or `grpc://host:4317`, `grpcs://host:4317` with TLS.

Records are named by the event's type, `dev.tracelens.escalation.firing` or `.resolved`. Info is INFO, warning WARN and
critical ERROR; what is resolved is INFO. The text is the body, the rest are attributes: `cloudevents.*` as the semantic
conventions have them, and what the event holds as `tracelens.*`. The resource is tracelens itself, which observed it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import tracelens
from tracelens.escalation.answers import excerpt, place_of
from tracelens.escalation.posting import Sender, wrong_with
from tracelens.escalation.wording import data_of, exemplars_of, severity_of, tell, time_of
from tracelens.report.quantities import EPOCH

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from opentelemetry.proto.common.v1.common_pb2 import AnyValue
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

    from tracelens.errors import DeliveryError
    from tracelens.escalation.wording import Event
    from tracelens.settings.notifying import Headers, NotifierSettings

EXAMPLE: Final = """\
[[notifiers]]
name = "collector"
kind = "otlp_logs"
url = "grpc://otel-collector:4317"
"""

_PATH: Final = "/v1/logs"
_EXPORT: Final = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
_SEVERITIES: Final = {"info": "INFO", "warning": "WARN", "critical": "ERROR"}
_CLOUDEVENTS: Final = {
    "id": "cloudevents.event_id",
    "source": "cloudevents.event_source",
    "specversion": "cloudevents.event_spec_version",
    "subject": "cloudevents.event_subject",
    "type": "cloudevents.event_type",
}
_DATA: Final = {
    "rule": "tracelens.rule",
    "state": "tracelens.state",
    "reason": "tracelens.reason",
    "severity": "tracelens.severity",
    "service_name": "tracelens.service.name",
    "endpoint": "tracelens.endpoint",
    "subject": "tracelens.subject",
    "value": "tracelens.value",
    "threshold": "tracelens.threshold",
    "unit": "tracelens.unit",
    "since": "tracelens.since",
    "action": "tracelens.action",
    "group": "tracelens.group",
    "fingerprints": "tracelens.fingerprints",
    "exemplar_trace_ids": "tracelens.exemplar_trace_ids",
}


@dataclass(frozen=True, slots=True)
class Options:
    """The endpoint."""

    url: str = field(metadata={"about": "The endpoint."})
    headers: Headers = field(default=(), metadata={"about": "Sent with every request; over gRPC as metadata."})
    ca_file: Path | None = field(default=None, metadata={"about": "Authorities to trust in place of the system's."})
    timeout_s: float = field(default=10.0, metadata={"about": "How long an answer may take."})


class Channel:
    """Exports log records."""

    def __init__(self, notifier: NotifierSettings, options: Options) -> None:
        self._options = options
        self._sender = Sender(notifier.name, options.timeout_s, options.ca_file)

    @property
    def target(self) -> str:
        """Where it delivers to."""
        return place_of(self._options.url)

    @property
    def _is_grpc(self) -> bool:
        return self._options.url.startswith(("grpc://", "grpcs://"))

    def check(self) -> None:
        """Check the address and that the secrets are there.

        Raises:
            DeliveryError: one of them is not.
        """
        if self._is_grpc:
            wrong = None if _is_grpc_address(self._options.url) else "its url is no address: write grpc(s)://host:port"
        else:
            wrong = wrong_with(self._options.url)
        self._sender.check(wrong, self._options.headers)

    def deliver(self, events: Sequence[Event]) -> None:
        """Export the events in one request.

        Raises:
            DeliveryError: they were not accepted.
        """
        from google.protobuf.message import DecodeError  # noqa: PLC0415  (who never delivers must not pay for it)
        from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (  # noqa: PLC0415
            ExportLogsServiceResponse,
        )

        body = request_of(events)
        answer = self._export_grpc(body) if self._is_grpc else self._export_http(body)
        try:
            refused = ExportLogsServiceResponse.FromString(answer).partial_success
        except DecodeError as error:
            raise self._sender.failure(f"{self.target} answered what is not OTLP's; correct its url") from error
        if refused.rejected_log_records:
            said = excerpt(refused.error_message.encode())
            raise self._sender.failure(
                f"{self.target} rejected {refused.rejected_log_records} of {len(events)} records"
                f"{f' ({said})' if said else ''}: they were refused for what they are and are not sent again",
                is_final=True,
            )

    def _export_http(self, body: bytes) -> bytes:
        base = self._options.url.rstrip("/")
        url = base if base.endswith(_PATH) else base + _PATH
        extra = self._sender.reveal_headers(self._options.headers)
        headers = extra | {"content-type": "application/x-protobuf"}
        return self._sender.post(url, body, headers, tuple(extra.values())).body

    def _export_grpc(self, body: bytes) -> bytes:
        import grpc  # noqa: PLC0415  (only this way of sending needs it)

        extra = self._sender.reveal_headers(self._options.headers)
        with self._grpc_channel() as channel:
            try:
                export = channel.unary_unary(_EXPORT)
                return bytes(export(body, timeout=self._options.timeout_s, metadata=tuple(extra.items())))
            except grpc.RpcError as error:
                raise self._grpc_failure(error, tuple(extra.values())) from None  # it may repeat what was sent

    def _grpc_channel(self) -> Any:
        import grpc  # noqa: PLC0415

        parts, ca_file = urlsplit(self._options.url), self._options.ca_file
        options = [("grpc.primary_user_agent", f"tracelens/{tracelens.__version__}")]
        if parts.scheme == "grpc":
            return grpc.insecure_channel(parts.netloc, options=options)
        if ca_file is not None:
            self._sender.tls_context()  # tells what is wrong with the file
        roots = None if ca_file is None else ca_file.read_bytes()
        return grpc.secure_channel(parts.netloc, grpc.ssl_channel_credentials(roots), options=options)

    def _grpc_failure(self, error: Any, hidden: Sequence[str]) -> DeliveryError:
        import grpc  # noqa: PLC0415

        code = error.code()
        said = excerpt((error.details() or "").encode("utf-8", "replace"), hidden)
        is_final = code in {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.OUT_OF_RANGE}
        remedies = {
            grpc.StatusCode.UNAUTHENTICATED: "correct its headers",
            grpc.StatusCode.PERMISSION_DENIED: "correct its headers",
            grpc.StatusCode.UNIMPLEMENTED: "correct its url: this is no OTLP endpoint for logs",
            grpc.StatusCode.UNAVAILABLE: "correct its url, or try again later",
        }
        remedy = "the records were refused for what they are and are not sent again" if is_final else ""
        return self._sender.failure(
            f"{self.target} answered {code.name}{f' ({said})' if said else ''}: "
            + (remedy or remedies.get(code, "try again later")),
            is_final=is_final,
            retry_after_s=_pause_s(error),
        )


def request_of(events: Sequence[Event]) -> bytes:
    """Return the export request for events, serialised."""
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest  # noqa: PLC0415
    from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope, KeyValue  # noqa: PLC0415
    from opentelemetry.proto.logs.v1.logs_pb2 import ResourceLogs, ScopeLogs  # noqa: PLC0415
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource  # noqa: PLC0415

    named = {"service.name": "tracelens", "service.version": tracelens.__version__}
    resource = Resource(attributes=[KeyValue(key=key, value=_any(value)) for key, value in named.items()])
    scope = InstrumentationScope(name="tracelens.escalation", version=tracelens.__version__)
    logs = ScopeLogs(scope=scope, log_records=[_record(event) for event in events])
    return bytes(
        ExportLogsServiceRequest(resource_logs=[ResourceLogs(resource=resource, scope_logs=[logs])]).SerializeToString()
    )


def _record(event: Event) -> LogRecord:
    from opentelemetry.proto.common.v1.common_pb2 import KeyValue  # noqa: PLC0415
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, SeverityNumber  # noqa: PLC0415

    data, telling, severity = data_of(event), tell(event), severity_of(event)
    told = "info" if telling.is_resolved else severity
    time_ns = _ns(time_of(event)) or _ns(datetime.now(UTC))
    found = {key: event.get(name) for name, key in _CLOUDEVENTS.items()}
    found |= {key: data.get(name) for name, key in _DATA.items()}
    attributes = [
        KeyValue(key=key, value=_any(value)) for key, value in found.items() if value is not None and value != []
    ]
    exemplar = next(iter(exemplars_of(event)), None)
    return LogRecord(
        time_unix_nano=time_ns,
        observed_time_unix_nano=time_ns,
        severity_number=SeverityNumber.Value(f"SEVERITY_NUMBER_{_SEVERITIES[told]}"),
        severity_text=severity,
        body=_any(f"{telling.title}. {telling.message}".rstrip(" .")),
        attributes=attributes,
        trace_id=bytes.fromhex(exemplar.trace_id) if exemplar else b"",
        span_id=bytes.fromhex(exemplar.span_id) if exemplar else b"",
        event_name=_utf8(event.get("type") or ""),
    )


def _any(value: Any) -> AnyValue:
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue  # noqa: PLC0415

    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int() if -(2**63) <= value < 2**63:
            return AnyValue(int_value=value)
        case int() | float():
            return AnyValue(double_value=float(value))
        case list():
            return AnyValue(array_value=ArrayValue(values=map(_any, value)))
        case _:
            return AnyValue(string_value=_utf8(value))


def _utf8(value: object) -> str:
    """Return text that protobuf takes: a lone surrogate has no UTF-8."""
    return str(value).encode("utf-8", "backslashreplace").decode()


def _ns(time: datetime | None) -> int:
    return 0 if time is None else max(0, (time - EPOCH) // timedelta(microseconds=1) * 1000)


def _is_grpc_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname and parts.port) and not (parts.username or parts.path.strip("/") or parts.query)
    except ValueError:  # a port that is no number
        return False


def _pause_s(error: Any) -> float | None:
    """Return what the endpoint asks to wait, which gRPC puts into a trailer of the answer."""
    from google.rpc.error_details_pb2 import RetryInfo  # noqa: PLC0415
    from google.rpc.status_pb2 import Status  # noqa: PLC0415

    for name, value in error.trailing_metadata() or ():
        if name == "grpc-status-details-bin":
            for detail in Status.FromString(value).details:
                info = RetryInfo()
                if detail.Is(RetryInfo.DESCRIPTOR) and detail.Unpack(info):
                    return float(info.retry_delay.seconds + info.retry_delay.nanos / 1e9)
    return None
