"""The HTTP receiver: what it takes in, and how it answers."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from compressors import COMPRESSORS
from google.protobuf.json_format import Parse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keeping_intake import trace_request, trace_request_of_size
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tracelens.receiver import HttpServer, OtlpApp, ReceiverStatistics, RequestKind, RequestTotals

if TYPE_CHECKING:
    from keeping_intake import KeepingIntake

PROTOBUF = {"content-type": "application/x-protobuf"}
JSON = {"content-type": "application/json"}
SPAN = {"traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "EEE19B7EC3C1B174", "name": "GET /", "kind": 2}


def json_request(*spans: dict[str, Any]) -> bytes:
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode()


def protobuf_of(*spans: dict[str, Any]) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for span in spans:
        scope.spans.add(
            trace_id=bytes.fromhex(span["traceId"]),
            span_id=bytes.fromhex(span["spanId"]),
            name=span["name"],
            kind=span["kind"],
        )
    return request


def answer(response: httpx.Response) -> tuple[int, str, bytes]:
    return response.status_code, response.headers["content-type"], response.content


@pytest.mark.parametrize("content_type", ["application/x-protobuf", "Application/X-Protobuf; v=1"])
def test_protobuf_is_kept_as_it_was_sent(http: httpx.Client, intake: KeepingIntake, content_type: str) -> None:
    response = http.post("/v1/traces", content=trace_request(spans=3), headers={"content-type": content_type})
    assert answer(response) == (200, "application/x-protobuf", b"")
    assert intake.kept == [trace_request(spans=3)]


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON;charset=UTF-8"]
)
def test_json_is_kept_as_protobuf(http: httpx.Client, intake: KeepingIntake, content_type: str) -> None:
    response = http.post("/v1/traces", content=json_request(SPAN), headers={"content-type": content_type})
    assert answer(response) == (200, "application/json", b"{}")
    assert [ExportTraceServiceRequest.FromString(body) for body in intake.kept] == [protobuf_of(SPAN)]


def test_a_bad_span_in_json_is_refused_alone(http: httpx.Client, intake: KeepingIntake) -> None:
    bad = {**SPAN, "traceId": "xyz"}
    response = http.post("/v1/traces", content=json_request(bad, SPAN, bad), headers=JSON)
    assert response.status_code == 200
    partial = Parse(response.content, ExportTraceServiceResponse()).partial_success
    assert partial == ExportTracePartialSuccess(rejected_spans=2, error_message=partial.error_message)
    assert partial.error_message.startswith("spans were refused, the first of them for this: ")
    assert [ExportTraceServiceRequest.FromString(body) for body in intake.kept] == [protobuf_of(SPAN)]


@pytest.mark.parametrize("encoding", sorted(COMPRESSORS))
def test_compressed_requests(http: httpx.Client, intake: KeepingIntake, encoding: str) -> None:
    compress = COMPRESSORS[encoding]
    compressed = {"content-encoding": encoding}
    body = trace_request(spans=500)
    assert answer(http.post("/v1/traces", content=compress(body), headers=PROTOBUF | compressed)) == (
        200,
        "application/x-protobuf",
        b"",
    )
    assert answer(http.post("/v1/traces", content=compress(json_request(SPAN)), headers=JSON | compressed)) == (
        200,
        "application/json",
        b"{}",
    )
    assert intake.kept == [body, protobuf_of(SPAN).SerializeToString()]


def test_a_body_sent_in_chunks(http: httpx.Client, intake: KeepingIntake) -> None:
    body = trace_request(spans=3000)
    pieces = (body[start : start + 999] for start in range(0, len(body), 999))
    assert http.post("/v1/traces", content=pieces, headers=PROTOBUF).status_code == 200
    assert intake.kept == [body]


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/metrics", "/v1/logs"])
@pytest.mark.parametrize(("headers", "empty", "success"), [(PROTOBUF, b"", b""), (JSON, b"{}", b"{}")])
def test_a_request_without_telemetry_succeeds(
    http: httpx.Client, intake: KeepingIntake, *, path: str, headers: dict[str, str], empty: bytes, success: bytes
) -> None:
    assert answer(http.post(path, content=empty, headers=headers)) == (200, headers["content-type"], success)
    assert intake.kept == []


@pytest.mark.parametrize("size", [300, 100_000, 20_000_000])
def test_bodies_of_any_size_up_to_the_default_limit(http: httpx.Client, intake: KeepingIntake, size: int) -> None:
    body = trace_request_of_size(size)
    assert http.post("/v1/traces", content=body, headers=PROTOBUF).status_code == 200
    assert intake.kept == [body]


UNKEPT = "tracelens keeps traces and metrics only: switch off this exporter, or send logs elsewhere"


def test_metrics_in_json_are_kept_and_answered_with_what_is_not(http: httpx.Client, intake: KeepingIntake) -> None:
    metrics: list[dict[str, Any]] = [
        {"name": "a", "gauge": {"dataPoints": [{"timeUnixNano": "7", "asInt": "1"}, {"asInt": []}]}},
        {"name": "b", "sum": {"dataPoints": [{"asInt": 1}, {"timeUnixNano": 7}]}},
        {"name": "c", "exponentialHistogram": {"dataPoints": None}},
        {"name": "d"},
    ]
    body = json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": metrics}]}, {}]})
    response = http.post("/v1/metrics", content=body, headers=JSON)
    assert (response.status_code, response.json()) == (
        200,
        {
            "partialSuccess": {
                "rejectedDataPoints": "3",
                "errorMessage": "data points were refused, the first of them for this: "
                "data_points[1].asInt: expected a whole number, found an array",
            }
        },
    )
    (body,) = intake.kept_metrics
    points = ExportMetricsServiceRequest.FromString(body).resource_metrics[0].scope_metrics[0].metrics[0].gauge
    assert [(point.time_unix_nano, point.as_int) for point in points.data_points] == [(7, 1)]


def test_logs_in_json_are_answered_with_what_was_not_kept(http: httpx.Client) -> None:
    body = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [{}, {"body": {"stringValue": "x"}}]}]}]})
    response = http.post("/v1/logs", content=body, headers=JSON)
    assert (response.status_code, response.json()) == (
        200,
        {"partialSuccess": {"rejectedLogRecords": "2", "errorMessage": UNKEPT}},
    )


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(["/v1/traces", "/v1/metrics", "/v1/logs"]),
    headers=st.sampled_from([PROTOBUF, JSON]),
    compression=st.sampled_from(["", "gzip", "deflate", "zstd"]),
    body=st.one_of(
        st.binary(max_size=200),
        st.recursive(st.none(), st.lists).map(lambda j: json.dumps(j).encode()),
    ),
)
def test_noise_is_answered_or_refused(
    http: httpx.Client, path: str, headers: dict[str, str], compression: str, body: bytes
) -> None:
    response = http.post(path, content=body, headers=headers | {"content-encoding": compression})
    assert response.status_code in {200, 400}
    assert response.headers["content-type"] == headers["content-type"]


def test_answers_are_counted(shared_intake: KeepingIntake) -> None:
    shared_intake.reset()
    statistics = ReceiverStatistics()
    server = HttpServer("127.0.0.1:0", OtlpApp(shared_intake, statistics=statistics))
    server.start()
    with httpx.Client(base_url=f"http://{server.address}") as client:
        client.post(
            "/v1/traces", content=gzip.compress(trace_request()), headers=PROTOBUF | {"content-encoding": "gzip"}
        )
        client.post("/v1/logs", content=b"1234", headers=JSON)
        client.get("/v1/traces")
        client.get("/elsewhere")
    server.stop(5)
    assert statistics.totals() == {
        RequestKind("http", "traces", "ok"): RequestTotals(1, len(trace_request())),
        RequestKind("http", "logs", "invalid_argument"): RequestTotals(1, 4),
        RequestKind("http", "traces", "unimplemented"): RequestTotals(1, 0),
    }


def test_health(shared_intake: KeepingIntake) -> None:
    healthy = True
    server = HttpServer("127.0.0.1:0", OtlpApp(shared_intake, healthy=lambda: healthy))
    server.start()
    with httpx.Client(base_url=f"http://{server.address}") as client:
        up = client.get("/healthz")
        head = client.head("/healthz")
        posted = client.post("/healthz")
        healthy = False
        down = client.get("/healthz")
    server.stop(5)
    assert [(response.status_code, response.text) for response in (up, head, posted, down)] == [
        (200, "healthy\n"),
        (200, ""),
        (405, ""),
        (503, "unhealthy\n"),
    ]
