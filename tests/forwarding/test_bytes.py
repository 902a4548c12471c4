"""What reaches the next hop is what was sent, byte for byte."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import given, settings
from hypothesis import strategies as st
from next_hop import Tray, front, next_hop
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from otlp_clients import call, export_everything, json_body, json_document, post

from tracelens.errors import InvalidRequestError
from tracelens.receiver.encoding import Encoding
from tracelens.receiver.signals import LOGS, SIGNALS, TRACES, Signal

if TYPE_CHECKING:
    from pathlib import Path

REQUESTS = {
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
    "logs": ExportLogsServiceRequest,
}
each_signal = pytest.mark.parametrize("signal", SIGNALS, ids=[signal.name for signal in SIGNALS])


@pytest.mark.parametrize("sender", ["grpc", "http"])
@pytest.mark.parametrize(
    ("hop_speaks", "compression"),
    [("grpc", "none"), ("grpc", "gzip"), ("http", "none"), ("http", "gzip"), ("http", "zstd")],
)
def test_what_exporters_send(tmp_path: Path, sender: str, hop_speaks: str, compression: str) -> None:
    with next_hop(hop_speaks) as hop, front(tmp_path, hop.url, compression=compression) as relay:
        sent = export_everything(relay, sender)
        assert hop.tray.bodies(3) == sent
        assert {request.encoding for request in hop.tray.requests} == {Encoding.PROTOBUF}


@pytest.mark.parametrize("hop_speaks", ["grpc", "http"])
def test_any_bytes(tmp_path: Path, hop_speaks: str) -> None:
    with next_hop(hop_speaks) as hop, front(tmp_path, hop.url) as relay:

        @settings(max_examples=30, deadline=None)
        @given(signal=st.sampled_from(SIGNALS), body=st.binary(min_size=1))
        def arrives(signal: Signal, body: bytes) -> None:
            before = len(hop.tray.requests)
            assert post(relay, signal.name, body).status_code == 200
            call(relay, signal.service, body)
            arrived = hop.tray.wait_for(before + 2)[before:]
            assert [(request.signal, request.body) for request in arrived] == [(signal, body)] * 2

        arrives()


@each_signal
def test_json_over_http_stays_as_it_is(tmp_path: Path, signal: Signal) -> None:
    with next_hop("http") as hop, front(tmp_path, hop.url) as relay:
        body = json_body(signal.name)
        answer = post(relay, signal.name, body, content_type="application/json; charset=utf-8")
        assert (answer.status_code, answer.content) == (200, b"{}")
        assert [(request.encoding, request.body) for request in hop.tray.wait_for(1)] == [(Encoding.JSON, body)]


@each_signal
def test_json_becomes_protobuf_for_grpc(tmp_path: Path, signal: Signal) -> None:
    with next_hop("grpc") as hop, front(tmp_path, hop.url) as relay:
        assert post(relay, signal.name, json_body(signal.name), content_type="application/json").status_code == 200
        (request,) = hop.tray.wait_for(1)
        message = REQUESTS[signal.name].FromString(request.body)
        assert _as_otlp_json(MessageToDict(message, use_integers_for_enums=True)) == _texts(json_document(signal.name))


def test_json_that_is_none_is_not_sent_over_grpc(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with next_hop("grpc") as hop, front(tmp_path, hop.url) as relay:
        for body in (b"[]", b"{", b'{"resourceLogs": 5}', b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[5]}]}]}'):
            assert post(relay, "logs", body, content_type="application/json").status_code == 200
        assert post(relay, "logs", json_body("logs"), content_type="application/json").status_code == 200
        hop.tray.wait_for(1)
        relay.forwarder.stop(10)
        assert relay.forwarder.statistics.refused == {"logs": 4}
        assert relay.forwarder.statistics.sent == {"logs": 1}
    assert len([record for record in caplog.records if "refuses logs" in record.message]) == 1


def test_logs_are_answered_as_kept(tmp_path: Path) -> None:
    with next_hop("http") as hop, front(tmp_path, hop.url) as relay:
        assert call(relay, LOGS.service, ExportLogsServiceRequest().SerializeToString()) == b""
        body = b"\x0a\x00"
        assert call(relay, LOGS.service, body) == ExportLogsServiceResponse().SerializeToString()
        assert hop.tray.bodies(1) == [("logs", body)]


def test_what_only_we_refuse_is_passed_on_with_a_warning(tmp_path: Path) -> None:
    with next_hop("http") as hop, front(tmp_path, hop.url) as relay:
        relay.intake.errors = [InvalidRequestError("no such id"), InvalidRequestError("no such id")]
        warning = ExportTraceServiceResponse()
        warning.partial_success.error_message = "passed on, but not kept by tracelens: no such id"
        assert ExportTraceServiceResponse.FromString(post(relay, "traces", b"\x0a\x00").content) == warning
        assert ExportTraceServiceResponse.FromString(call(relay, TRACES.service, b"\x0a\x00")) == warning
        assert hop.tray.bodies(2) == [("traces", b"\x0a\x00")] * 2


def test_a_span_that_only_we_refuse_is_no_more_than_a_warning(tmp_path: Path) -> None:
    document = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"zz"}]}]}]}'
    with next_hop("http") as hop, front(tmp_path, hop.url) as relay:
        answer = post(relay, "traces", document, content_type="application/json").json()["partialSuccess"]
        assert list(answer) == ["errorMessage"]
        assert hop.tray.bodies(1) == [("traces", document)]


@pytest.mark.parametrize("hop_speaks", ["grpc", "http"])
def test_headers(tmp_path: Path, hop_speaks: str) -> None:
    seen = ("x-scope-orgid", "authorization", "x-secret")
    with (
        next_hop(hop_speaks, Tray(seen)) as hop,
        front(
            tmp_path,
            hop.url,
            headers=(("x-scope-orgid", "everybody"), ("authorization", "Bearer a")),
            pass_headers=("x-scope-orgid",),
        ) as relay,
    ):
        post(relay, "traces", b"\x0a\x00", headers={"X-Scope-OrgID": "team-a", "x-secret": "s", "authorization": "no"})
        call(relay, TRACES.service, b"\x0a\x00", (("x-scope-orgid", "team-b"), ("x-secret", "s")))
        post(relay, "traces", b"\x0a\x00", headers={"x-scope-orgid": b"t\xebam"})  # gRPC could not send it on
        own = ("authorization", "Bearer a")
        assert sorted(request.headers for request in hop.tray.wait_for(3)) == sorted(
            [
                (("x-scope-orgid", "team-a"), own),
                (("x-scope-orgid", "team-b"), own),
                (("x-scope-orgid", "everybody"), own),
            ]
        )


def _texts(value: object) -> object:
    """Return a JSON value with its whole numbers as texts: OTLP has both."""
    match value:
        case dict():
            return {name: _texts(member) for name, member in value.items()}
        case list():
            return [_texts(element) for element in value]
        case bool():
            return value
        case int():
            return str(value)
    return value


def _as_otlp_json(value: object) -> object:
    """Return the proto3 mapping's JSON as OTLP's: identifiers in hex."""
    match _texts(value):
        case dict() as members:
            return {
                name: base64.b64decode(member).hex()
                if name in {"traceId", "spanId"} and isinstance(member, str)
                else _as_otlp_json(member)
                for name, member in members.items()
            }
        case list() as elements:
            return [_as_otlp_json(element) for element in elements]
        case other:
            return other
