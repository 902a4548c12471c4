"""OTLP log records: over HTTP and over gRPC, to real servers."""

from __future__ import annotations

import socket
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status
from http_receiver import Reply
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsPartialSuccess,
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import (
    LogsServiceServicer,
    add_LogsServiceServicer_to_server,
)
from told_events import OTHER_TRACE_ID, SPAN_ID, TRACE_ID, event, hostile_event

import tracelens
from tracelens.errors import DeliveryError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import trustme
    from http_receiver import HttpReceiver

    from tracelens.escalation.notifiers import Notifier

    Load = Callable[[str], Notifier]

KEY = "k3y-of-the-backend"
EVENT_NS = 1_772_442_900_000_000_000  # 2026-03-02T09:15:00Z


@dataclass
class LogsService(LogsServiceServicer):
    """Keeps what it is sent, and answers what a test wants."""

    rejected: int = 0
    refusal: tuple[grpc.StatusCode, str] | None = None
    pause_s: int | None = None
    echo: bool = False
    received: list[tuple[ExportLogsServiceRequest, dict[str, Any]]] = field(default_factory=list)

    def Export(  # noqa: N802  (the service's name)
        self, request: ExportLogsServiceRequest, context: grpc.ServicerContext
    ) -> ExportLogsServiceResponse:
        metadata = dict(context.invocation_metadata())
        self.received.append((request, metadata))
        if self.pause_s is not None:
            detail = AnyMessage()
            detail.Pack(RetryInfo(retry_delay=Duration(seconds=self.pause_s, nanos=500_000_000)))
            context.abort_with_status(rpc_status.to_status(Status(code=14, message="busy", details=[detail])))
        if self.refusal is not None:
            code, said = self.refusal
            context.abort(code, f"{said} {metadata}" if self.echo else said)
        refused = ExportLogsPartialSuccess(rejected_log_records=self.rejected, error_message="no room")
        return ExportLogsServiceResponse(partial_success=refused if self.rejected else None)


@pytest.fixture
def service() -> LogsService:
    return LogsService()


def started(service: LogsService, credentials: grpc.ServerCredentials | None) -> tuple[grpc.Server, int]:
    server = grpc.server(ThreadPoolExecutor(2))
    add_LogsServiceServicer_to_server(service, server)
    if credentials is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    return server, port


@pytest.fixture
def place(service: LogsService) -> Iterator[str]:
    server, port = started(service, None)
    yield f"127.0.0.1:{port}"
    server.stop(None)


@pytest.fixture
def secure_place(service: LogsService, certificate: trustme.LeafCert) -> Iterator[str]:
    chain = b"".join(pem.bytes() for pem in certificate.cert_chain_pems)
    server, port = started(service, grpc.ssl_server_credentials([(certificate.private_key_pem.bytes(), chain)]))
    yield f"127.0.0.1:{port}"
    server.stop(None)


def failure(notifier: Notifier) -> DeliveryError:
    with pytest.raises(DeliveryError) as raised:
        notifier.deliver([event()])
    return raised.value


def text(value: str) -> dict[str, Any]:
    return {"stringValue": value}


def texts(*values: str) -> dict[str, Any]:
    return {"arrayValue": {"values": [text(value) for value in values]}}


WHOLE_REQUEST = {
    "resourceLogs": [
        {
            "resource": {
                "attributes": [
                    {"key": "service.name", "value": text("tracelens")},
                    {"key": "service.version", "value": text(tracelens.__version__)},
                ]
            },
            "scopeLogs": [
                {
                    "scope": {"name": "tracelens.escalation", "version": tracelens.__version__},
                    "logRecords": [
                        {
                            "timeUnixNano": str(EVENT_NS),
                            "observedTimeUnixNano": str(EVENT_NS),
                            "severityNumber": "SEVERITY_NUMBER_ERROR",
                            "severityText": "critical",
                            "eventName": "dev.tracelens.escalation.firing",
                            "body": text(
                                "Critical: p95 over its limit, GET /orders/{id} in orders. "
                                "95 % of the requests take 2.41 s or less, the objective is 2.00 s"
                            ),
                            "traceId": TRACE_ID,
                            "spanId": SPAN_ID,
                            "attributes": [
                                {"key": key, "value": value}
                                for key, value in {
                                    "cloudevents.event_id": text("00000000-0000-4000-8000-000000000011"),
                                    "cloudevents.event_source": text("tracelens"),
                                    "cloudevents.event_spec_version": text("1.0"),
                                    "cloudevents.event_subject": text("0000000000000001"),
                                    "cloudevents.event_type": text("dev.tracelens.escalation.firing"),
                                    "tracelens.rule": text("p95_breach"),
                                    "tracelens.state": text("firing"),
                                    "tracelens.reason": text("first"),
                                    "tracelens.severity": text("critical"),
                                    "tracelens.service.name": text("orders"),
                                    "tracelens.endpoint": text("GET /orders/{id}"),
                                    "tracelens.subject": text("GET /orders/{id}"),
                                    "tracelens.value": {"doubleValue": 2.41},
                                    "tracelens.threshold": {"doubleValue": 2.0},
                                    "tracelens.unit": text("s"),
                                    "tracelens.since": text("2026-03-02T09:14:00.000000Z"),
                                    "tracelens.action": text("Investigate and add a cache"),
                                    "tracelens.group": text("orders GET /orders/{id}"),
                                    "tracelens.fingerprints": texts("00000000000000aa"),
                                    "tracelens.exemplar_trace_ids": texts(TRACE_ID, OTHER_TRACE_ID),
                                }.items()
                            ],
                        }
                    ],
                }
            ],
        }
    ]
}


def shown(request: ExportLogsServiceRequest) -> dict[str, Any]:
    """Return a request as OTLP/JSON has it, with ids in hexadecimal digits."""
    found: dict[str, Any] = MessageToDict(request)
    for record, message in zip(
        found["resourceLogs"][0]["scopeLogs"][0]["logRecords"],
        request.resource_logs[0].scope_logs[0].log_records,
        strict=True,
    ):
        record["traceId"], record["spanId"] = message.trace_id.hex(), message.span_id.hex()
    return found


def test_over_grpc(service: LogsService, place: str, notifier: Load) -> None:
    notifier(f'kind = "otlp_logs"\nurl = "grpc://{place}"\nheaders = {{ Api-Key = "{KEY}" }}').deliver([event()])
    ((request, metadata),) = service.received
    assert shown(request) == WHOLE_REQUEST
    assert metadata["api-key"] == KEY
    assert metadata["user-agent"].startswith("tracelens/")


@pytest.mark.parametrize("path", ["", "/", "/v1/logs", "/otlp"])
def test_over_http(path: str, receiver: HttpReceiver, notifier: Load) -> None:
    notifier(f'kind = "otlp_logs"\nurl = "{receiver.url}{path}"').deliver([event()])
    (received,) = receiver.received
    assert shown(ExportLogsServiceRequest.FromString(received.body)) == WHOLE_REQUEST
    assert received.headers["content-type"] == "application/x-protobuf"
    assert received.path == ("/otlp/v1/logs" if path == "/otlp" else "/v1/logs")


def test_severities_strange_values_and_missing_ones(service: LogsService, place: str, notifier: Load) -> None:
    told = [
        event(severity="info"),
        event(severity="warning"),
        event(state="resolved"),
        hostile_event("\ud800 \u0000", value=2**70, threshold=True, exemplar_trace_ids=["no trace"]),
        {},
    ]
    notifier(f'kind = "otlp_logs"\nurl = "grpc://{place}"').deliver(told)
    ((request, _),) = service.received
    records = request.resource_logs[0].scope_logs[0].log_records
    assert [record.severity_number for record in records] == [9, 13, 9, 17, 17]
    assert [record.trace_id.hex() for record in records] == [TRACE_ID] * 3 + [""] * 2
    values = {each.key: each.value for each in records[3].attributes}
    assert values["tracelens.service.name"].string_value == "\\ud800 \u0000"
    assert values["tracelens.value"].double_value == 2.0**70
    assert values["tracelens.threshold"].bool_value is True
    assert [len(record.attributes) for record in records[4:]] == [0]
    assert all(record.time_unix_nano for record in records)


def test_over_tls(service: LogsService, secure_place: str, ca_file: Path, notifier: Load) -> None:
    text_of = f'kind = "otlp_logs"\nurl = "grpcs://{secure_place}"'
    notifier(f'{text_of}\nca_file = "{ca_file}"').deliver([event()])
    assert len(service.received) == 1
    error = failure(notifier(f"{text_of}\ntimeout_s = 5"))
    assert str(error).startswith(f"notifier it: {secure_place} answered UNAVAILABLE (")
    assert not error.is_final
    assert len(service.received) == 1


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("INVALID_ARGUMENT", ("the records were refused for what they are and are not sent again", True)),
        ("UNAUTHENTICATED", ("correct its headers", False)),
        ("PERMISSION_DENIED", ("correct its headers", False)),
        ("UNIMPLEMENTED", ("correct its url: this is no OTLP endpoint for logs", False)),
        ("RESOURCE_EXHAUSTED", ("try again later", False)),
        ("UNAVAILABLE", ("correct its url, or try again later", False)),
        ("INTERNAL", ("try again later", False)),
    ],
)
def test_refused_over_grpc(
    code: str, expected: tuple[str, bool], service: LogsService, place: str, notifier: Load
) -> None:
    service.refusal, service.echo = (grpc.StatusCode[code], "you said"), True
    error = failure(notifier(f'kind = "otlp_logs"\nurl = "grpc://{place}"\nheaders = {{ api-key = "{KEY}" }}'))
    assert str(error).startswith(f"notifier it: {place} answered {code} (you said")
    assert str(error).endswith(f": {expected[0]}")
    assert (error.is_final, error.retry_after_s) == (expected[1], None)
    assert KEY not in "".join(traceback.format_exception(error))


def test_it_asks_to_wait(service: LogsService, place: str, notifier: Load) -> None:
    service.pause_s = 9
    error = failure(notifier(f'kind = "otlp_logs"\nurl = "grpc://{place}"'))
    assert str(error) == f"notifier it: {place} answered UNAVAILABLE (busy): correct its url, or try again later"
    assert (error.is_final, error.retry_after_s) == (False, 9.5)


def test_records_are_rejected(service: LogsService, place: str, receiver: HttpReceiver, notifier: Load) -> None:
    service.rejected = 1
    said = "rejected 1 of 1 records (no room): they were refused for what they are and are not sent again"
    error = failure(notifier(f'kind = "otlp_logs"\nurl = "grpc://{place}"'))
    assert (str(error), error.is_final) == (f"notifier it: {place} {said}", True)
    partial = ExportLogsPartialSuccess(rejected_log_records=1, error_message="no room")
    receiver.reply(Reply(200, body=ExportLogsServiceResponse(partial_success=partial).SerializeToString()))
    error = failure(notifier(f'kind = "otlp_logs"\nurl = "{receiver.url}"'))
    assert (str(error), error.is_final) == (f"notifier it: {receiver.place} {said}", True)
    receiver.reply(Reply(200, body=b"\xff\xff no protobuf"))
    error = failure(notifier(f'kind = "otlp_logs"\nurl = "{receiver.url}"'))
    assert str(error) == f"notifier it: {receiver.place} answered what is not OTLP's; correct its url"
    assert not error.is_final


def test_nobody_answers_over_grpc(notifier: Load) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"127.0.0.1:{silent.getsockname()[1]}"
        error = failure(notifier(f'kind = "otlp_logs"\nurl = "grpc://{place}"\ntimeout_s = 0.2'))
    assert str(error).startswith(f"notifier it: {place} answered DEADLINE_EXCEEDED (")
    assert not error.is_final


@pytest.mark.parametrize(
    "url", ["grpc://host", "grpc://host:x", "grpc://host:1/path", "grpc://me@host:1", "grpcs://:1"]
)
def test_an_address_that_is_none_stops_the_start(url: str, notifier: Load) -> None:
    with pytest.raises(UsageError) as raised:
        notifier(f'kind = "otlp_logs"\nurl = "{url}"')
    said = "notifier it: its url is no address: write grpc(s)://host:port"
    assert str(raised.value) == f"test.toml: notifiers[0]: {said}"
