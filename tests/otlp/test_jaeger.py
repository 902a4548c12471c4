"""Jaeger JSON becomes the spans that OpenTelemetry would have sent."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tracelens.otlp.files import Damage, read_requests

from .trace_requests import merged, to_document

TRACE: dict[str, Any] = {
    "traceID": "5b8aa5a2d2c872e8",
    "spans": [
        {
            "traceID": "5b8aa5a2d2c872e8",
            "spanID": "51581bf3cb55c13",
            "flags": 3,
            "operationName": "GET /orders",
            "references": [],
            "startTime": 1700000000000001,
            "duration": 1500,
            "tags": [
                {"key": "span.kind", "type": "string", "value": "server"},
                {"key": "http.method", "type": "string", "value": "GET"},
                {"key": "http.status_code", "type": "int64", "value": 500},
                {"key": "sampler.param", "type": "float64", "value": 1},
                {"key": "cached", "type": "bool", "value": False},
                {"key": "body", "type": "binary", "value": "aGVsbG8="},
                {"key": "error", "type": "bool", "value": True},
                {"key": "w3c.tracestate", "type": "string", "value": "vendor=1"},
            ],
            "logs": [
                {
                    "timestamp": 1700000000000500,
                    "fields": [
                        {"key": "event", "type": "string", "value": "retry"},
                        {"key": "attempt", "type": "int64", "value": "2"},
                    ],
                },
                {"timestamp": 1700000000000600, "fields": [{"key": "message", "type": "string", "value": "gone"}]},
            ],
            "processID": "p1",
            "warnings": ["clock skew"],
        },
        {
            "traceID": "5b8aa5a2d2c872e8",
            "spanID": "5fb397be34d26b51",
            "operationName": "SELECT",
            "references": [
                {"refType": "FOLLOWS_FROM", "traceID": "5b8aa5a2d2c872e8", "spanID": "1"},
                {"refType": "CHILD_OF", "traceID": "5b8aa5a2d2c872e8", "spanID": "051581bf3cb55c13"},
                {"refType": "CHILD_OF", "traceID": "aa", "spanID": "2"},
            ],
            "startTime": 1700000000000100,
            "duration": 2.5,
            "tags": [
                {"key": "otel.scope.name", "type": "string", "value": "pg"},
                {"key": "otel.library.name", "type": "string", "value": "pg"},
                {"key": "otel.scope.version", "type": "string", "value": "0.1"},
                {"key": "otel.status_code", "type": "string", "value": "ERROR"},
                {"key": "otel.status_description", "type": "string", "value": "relation is missing"},
                {"key": "error", "type": "bool", "value": True},
            ],
            "logs": None,
            "processID": "p2",
        },
    ],
    "processes": {
        "p1": {"serviceName": "orders", "tags": [{"key": "host.name", "type": "string", "value": "one"}]},
        "p2": {"serviceName": "orders-db", "tags": []},
    },
}

TRACE_ID = "00000000000000005b8aa5a2d2c872e8"
ROOT: dict[str, Any] = {
    "traceId": TRACE_ID,
    "spanId": "051581bf3cb55c13",
    "traceState": "vendor=1",
    "flags": 1,
    "name": "GET /orders",
    "kind": 2,
    "startTimeUnixNano": "1700000000000001000",
    "endTimeUnixNano": "1700000000001501000",
    "attributes": [
        {"key": "http.method", "value": {"stringValue": "GET"}},
        {"key": "http.status_code", "value": {"intValue": "500"}},
        {"key": "sampler.param", "value": {"doubleValue": 1.0}},
        {"key": "cached", "value": {"boolValue": False}},
        {"key": "body", "value": {"bytesValue": "aGVsbG8="}},
    ],
    "events": [
        {
            "timeUnixNano": "1700000000000500000",
            "name": "retry",
            "attributes": [{"key": "attempt", "value": {"intValue": "2"}}],
        },
        {
            "timeUnixNano": "1700000000000600000",
            "attributes": [{"key": "message", "value": {"stringValue": "gone"}}],
        },
    ],
    "status": {"code": 2},
}
QUERY: dict[str, Any] = {
    "traceId": TRACE_ID,
    "spanId": "5fb397be34d26b51",
    "parentSpanId": "051581bf3cb55c13",
    "name": "SELECT",
    "startTimeUnixNano": "1700000000000100000",
    "endTimeUnixNano": "1700000000000102500",
    "links": [
        {
            "traceId": TRACE_ID,
            "spanId": "0000000000000001",
            "attributes": [{"key": "opentracing.ref_type", "value": {"stringValue": "follows_from"}}],
        },
        {
            "traceId": "000000000000000000000000000000aa",
            "spanId": "0000000000000002",
            "attributes": [{"key": "opentracing.ref_type", "value": {"stringValue": "child_of"}}],
        },
    ],
    "status": {"code": 2, "message": "relation is missing"},
}
ORDERS = {
    "attributes": [
        {"key": "service.name", "value": {"stringValue": "orders"}},
        {"key": "host.name", "value": {"stringValue": "one"}},
    ]
}
EXPECTED = {
    "resourceSpans": [
        {"resource": ORDERS, "scopeSpans": [{"scope": {}, "spans": [ROOT]}]},
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "orders-db"}}]},
            "scopeSpans": [{"scope": {"name": "pg", "version": "0.1"}, "spans": [QUERY]}],
        },
    ]
}


def read(document: Any) -> tuple[dict[str, Any], list[Damage]]:
    damages: list[Damage] = []
    body = document if isinstance(document, bytes) else json.dumps(document, indent=1).encode()
    requests = read_requests(body, name="jaeger.json", on_damage=damages.append)
    return to_document(ExportTraceServiceRequest.FromString(merged(request.body for request in requests))), damages


def read_span(**members: Any) -> dict[str, Any]:
    """Return what one span becomes, with only these members beside its ids."""
    span = {"traceID": "1", "spanID": "2", "operationName": "op"} | members
    document, damages = read({"traceID": "1", "spans": [span], "processes": {}})
    assert damages == []
    converted: dict[str, Any] = document["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    return {
        name: value for name, value in converted.items() if name not in ("traceId", "spanId", "parentSpanId", "name")
    }


def tag(key: str, value: Any, kind: str = "string") -> dict[str, Any]:
    return {"key": key, "type": kind, "value": value}


@pytest.mark.parametrize(
    "document",
    [
        {"data": [TRACE], "total": 0, "limit": 0, "offset": 0, "errors": None},
        TRACE,
        [TRACE],
        json.dumps(TRACE).encode() + b"\n",
    ],
    ids=["answer of the API", "trace", "list of traces", "trace in one line"],
)
def test_a_trace_however_it_is_wrapped(document: Any) -> None:
    assert read(document) == (EXPECTED, [])


def test_each_trace_of_an_export_is_read() -> None:
    second = copy.deepcopy(TRACE)
    for span in second["spans"]:
        span["traceID"] = "ff"
        span["references"] = []
    document, damages = read({"data": [TRACE, second]})
    assert document["resourceSpans"][:2] == EXPECTED["resourceSpans"]
    found = [
        (span["traceId"], span["spanId"])
        for resource_spans in document["resourceSpans"][2:]
        for scope_spans in resource_spans["scopeSpans"]
        for span in scope_spans["spans"]
    ]
    assert (found, damages) == ([("ff".zfill(32), "051581bf3cb55c13"), ("ff".zfill(32), "5fb397be34d26b51")], [])


def test_spans_of_elasticsearch_hold_their_process() -> None:
    spans = [span | {"process": TRACE["processes"][span["processID"]]} for span in TRACE["spans"]]
    assert read("\n".join(json.dumps(span) for span in spans).encode()) == (EXPECTED, [])


def test_an_answer_without_traces_is_empty() -> None:
    assert read({"data": None, "total": 0, "errors": None}) == ({}, [])
    assert read({"data": []}) == ({}, [])


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"tags": [tag("error", "true")]}, {"status": {"code": 2}}),
        ({"tags": [tag("error", "timeout")]}, {"status": {"code": 2, "message": "timeout"}}),
        ({"tags": [tag("error", "false")]}, {}),
        ({"tags": [{"key": "error", "type": "bool", "value": False}]}, {}),
        ({"tags": [tag("otel.status_code", "OK")]}, {"status": {"code": 1}}),
        ({"tags": [tag("otel.status_code", "UNSET")]}, {}),
        ({"tags": [tag("span.kind", "client")]}, {"kind": 3}),
        (
            {"tags": [tag("span.kind", "nothing known")]},
            {"attributes": [{"key": "span.kind", "value": {"stringValue": "nothing known"}}]},
        ),
        ({"tags": [tag("n", "7", "int64")]}, {"attributes": [{"key": "n", "value": {"intValue": "7"}}]}),
        ({"tags": [tag("n", "many", "int64")]}, {"attributes": [{"key": "n", "value": {"stringValue": "many"}}]}),
        ({"tags": [{"key": "n", "value": 7}]}, {"attributes": [{"key": "n", "value": {"intValue": "7"}}]}),
        ({"tags": [tag("n", [1], "")]}, {"attributes": [{"key": "n", "value": {"stringValue": "[1]"}}]}),
        ({"tags": [tag("n", None)]}, {}),
    ],
)
def test_tags(members: dict[str, Any], expected: dict[str, Any]) -> None:
    assert read_span(**members) == expected


def test_a_bad_span_is_told_of_and_the_others_are_kept() -> None:
    damaged = copy.deepcopy(TRACE)
    damaged["spans"].insert(0, {"traceID": "not hex", "spanID": "1"})
    damaged["spans"].append({"traceID": "1", "spanID": "1", "startTime": -5})
    damaged["spans"].append("text")
    document, damages = read({"data": [damaged]})
    assert document == EXPECTED
    assert damages == [
        Damage("jaeger.json", "line 1", '[0]: spans[0]: expected at most 32 hex digits, found "not hex"'),
        Damage("jaeger.json", "line 1", "[0]: spans[3]: -5 is no time in microseconds"),
        Damage("jaeger.json", "line 1", '[0]: spans[4]: expected an object, found "text"'),
    ]
