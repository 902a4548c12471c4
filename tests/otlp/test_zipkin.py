"""Zipkin v2 JSON becomes the spans that OpenTelemetry would have sent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tracelens.otlp.files import Damage, read_requests

from .trace_requests import merged, to_document

TRACE_ID = "5af7183fb1d4cf5f"
SPAN: dict[str, Any] = {
    "traceId": TRACE_ID,
    "parentId": "6b221d5bc9e6496c",
    "id": "352bff9a74ca9ad2",
    "kind": "CLIENT",
    "name": "query",
    "timestamp": 1556604172355737,
    "duration": 1431,
    "localEndpoint": {"serviceName": "orders", "ipv4": "192.168.99.1", "port": 3306},
    "remoteEndpoint": {"serviceName": "mysql", "ipv4": "172.19.0.2", "port": 3307},
    "annotations": [{"timestamp": 1556604172356000, "value": "sent"}],
    "tags": {
        "sql.query": "select 1",
        "http.status_code": "200",
        "otel.scope.name": "jdbc",
        "otel.scope.version": "2",
        "error": "deadlock",
    },
    "debug": True,
}
EXPECTED: dict[str, Any] = {
    "resourceSpans": [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "orders"}}]},
            "scopeSpans": [
                {
                    "scope": {"name": "jdbc", "version": "2"},
                    "spans": [
                        {
                            "traceId": TRACE_ID.zfill(32),
                            "spanId": "352bff9a74ca9ad2",
                            "parentSpanId": "6b221d5bc9e6496c",
                            "name": "query",
                            "kind": 3,
                            "startTimeUnixNano": "1556604172355737000",
                            "endTimeUnixNano": "1556604172357168000",
                            "attributes": [
                                {"key": "sql.query", "value": {"stringValue": "select 1"}},
                                {"key": "http.status_code", "value": {"stringValue": "200"}},
                                {"key": "peer.service", "value": {"stringValue": "mysql"}},
                                {"key": "server.address", "value": {"stringValue": "172.19.0.2"}},
                                {"key": "network.peer.address", "value": {"stringValue": "172.19.0.2"}},
                                {"key": "server.port", "value": {"intValue": "3307"}},
                                {"key": "network.peer.port", "value": {"intValue": "3307"}},
                            ],
                            "events": [{"timeUnixNano": "1556604172356000000", "name": "sent"}],
                            "status": {"code": 2, "message": "deadlock"},
                        }
                    ],
                }
            ],
        }
    ]
}


def read(document: Any) -> tuple[dict[str, Any], list[Damage]]:
    damages: list[Damage] = []
    body = document if isinstance(document, bytes) else json.dumps(document, indent=1).encode()
    requests = read_requests(body, name="zipkin.json", on_damage=damages.append)
    return to_document(ExportTraceServiceRequest.FromString(merged(request.body for request in requests))), damages


def spans_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        span
        for resource_spans in document["resourceSpans"]
        for scope_spans in resource_spans["scopeSpans"]
        for span in scope_spans["spans"]
    ]


def span(span_id: str, parent_id: str | None, kind: str | None, service: str, **members: Any) -> dict[str, Any]:
    endpoint = {"serviceName": service}
    return {"traceId": "1", "id": span_id, "parentId": parent_id, "kind": kind, "localEndpoint": endpoint} | members


@pytest.mark.parametrize(
    "document",
    [[SPAN], [[SPAN]], json.dumps([SPAN]).encode(), b"[]\n" + json.dumps([SPAN]).encode(), json.dumps(SPAN).encode()],
    ids=["array", "array of traces", "array in a line", "arrays in lines", "span in a line"],
)
def test_a_span_however_it_is_wrapped(document: Any) -> None:
    assert read(document) == (EXPECTED, [])


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({}, {}),
        ({"kind": "PRODUCER"}, {"kind": 4}),
        ({"kind": "CONSUMER"}, {"kind": 5}),
        ({"tags": {"error": ""}}, {"status": {"code": 2}}),
        ({"tags": {"error": "true"}}, {"status": {"code": 2}}),
        (
            {"tags": {"otel.status_code": "ERROR", "error": "gone"}},
            {"status": {"code": 2, "message": "gone"}},
        ),
        ({"tags": {"otel.status_code": "OK"}}, {"status": {"code": 1}}),
        ({"tags": {"n": 5}}, {"attributes": [{"key": "n", "value": {"stringValue": "5"}}]}),
        ({"timestamp": 3}, {"startTimeUnixNano": "3000", "endTimeUnixNano": "3000"}),
        (
            {"kind": "SERVER", "remoteEndpoint": {"ipv6": "::1"}},
            {
                "kind": 2,
                "attributes": [
                    {"key": "client.address", "value": {"stringValue": "::1"}},
                    {"key": "network.peer.address", "value": {"stringValue": "::1"}},
                ],
            },
        ),
        (
            {"kind": "CLIENT", "remoteEndpoint": {"serviceName": "redis"}, "tags": {"peer.service": "cache"}},
            {
                "kind": 3,
                "attributes": [
                    {"key": "peer.service", "value": {"stringValue": "cache"}},
                    {"key": "server.address", "value": {"stringValue": "redis"}},
                ],
            },
        ),
    ],
)
def test_members(members: dict[str, Any], expected: dict[str, Any]) -> None:
    document, damages = read([{"traceId": "1", "id": "2"} | members])
    (converted,) = spans_of(document)
    del converted["traceId"], converted["spanId"]
    converted.pop("parentSpanId", None)
    assert (converted, damages) == (expected, [])


@pytest.mark.parametrize("marks", [{"shared": True}, {}], ids=["marked as shared", "known by kind"])
def test_halves_of_a_call_that_share_an_id_become_two_spans(marks: dict[str, Any]) -> None:
    document, damages = read(
        [
            span("a", None, "SERVER", "web"),
            span("b", "a", "CLIENT", "web"),
            span("b", "a", "SERVER", "orders", **marks),
            span("c", "b", "CLIENT", "orders"),
            span("d", "b", None, "web"),
        ]
    )
    tree = [(found["spanId"], found.get("parentSpanId")) for found in spans_of(document)]
    (server_half,) = {span_id for span_id, _ in tree} - {letter.zfill(16) for letter in "abcd"}
    assert tree == [
        ("a".zfill(16), None),
        ("b".zfill(16), "a".zfill(16)),
        ("d".zfill(16), "b".zfill(16)),
        (server_half, "b".zfill(16)),
        ("c".zfill(16), server_half),
    ]
    assert damages == []


def test_a_bad_span_is_told_of_and_the_others_are_kept() -> None:
    first_format = {"traceId": "1", "id": "2", "binaryAnnotations": []}
    document, damages = read(
        [{"traceId": "x", "id": "1"}, SPAN, {"traceId": "1", "id": "2", "tags": "none"}, first_format]
    )
    assert document == EXPECTED
    assert damages == [
        Damage("zipkin.json", "line 1", '[0]: expected at most 32 hex digits, found "x"'),
        Damage("zipkin.json", "line 1", '[2]: expected an object, found "none"'),
        Damage("zipkin.json", "line 1", "[3]: it is in Zipkin's first format: export the second, /api/v2"),
    ]
