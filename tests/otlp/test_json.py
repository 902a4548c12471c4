"""OTLP JSON becomes the bytes that the same request has in protobuf."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from tracelens.errors import InvalidRequestError
from tracelens.otlp.json import request_from_json

from .trace_requests import REQUESTS, small_request, to_document, to_json

if TYPE_CHECKING:
    from collections.abc import Callable

TRACE_ID = bytes(range(16))
SPAN_ID = bytes(range(8))


def read(body: bytes) -> ExportTraceServiceRequest:
    return ExportTraceServiceRequest.FromString(request_from_json(body))


def document(*spans: Any) -> dict[str, Any]:
    return {"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]}


def request(*spans: Span) -> ExportTraceServiceRequest:
    return ExportTraceServiceRequest(resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=spans)])])


def refusal(body: bytes | dict[str, Any]) -> str:
    with pytest.raises(InvalidRequestError) as refused:
        request_from_json(body if isinstance(body, bytes) else json.dumps(body).encode())
    return str(refused.value)


def nested(levels: int, wrap: Callable[[Any], Any]) -> Any:
    value: Any = {"stringValue": "innermost"}
    for _ in range(levels):
        value = wrap(value)
    return value


def in_array(value: Any) -> Any:
    return {"arrayValue": {"values": [value]}}


def in_map(value: Any) -> Any:
    return {"kvlistValue": {"values": [{"key": "k", "value": value}]}}


@given(REQUESTS)
@settings(deadline=None)
def test_any_request_reads_back_equal(written: ExportTraceServiceRequest) -> None:
    assert read(to_json(written)) == written


@given(REQUESTS)
@settings(deadline=None, max_examples=30)
def test_enum_names_and_snake_case_read_back_equal(written: ExportTraceServiceRequest) -> None:
    body = json.dumps(to_document(written, is_proto_style=True)).encode()
    assert read(body) == written


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        ({}, Span()),
        (
            {"traceId": TRACE_ID.hex().upper(), "spanId": SPAN_ID.hex().upper()},
            Span(trace_id=TRACE_ID, span_id=SPAN_ID),
        ),
        (
            {"traceId": base64.b64encode(TRACE_ID).decode(), "spanId": base64.b64encode(SPAN_ID).decode()},
            Span(trace_id=TRACE_ID, span_id=SPAN_ID),
        ),
        ({"traceId": "", "spanId": None}, Span()),
        ({"traceId": "0" * 32, "parentSpanId": "0" * 16}, Span(trace_id=bytes(16), parent_span_id=bytes(8))),
        ({"trace_id": TRACE_ID.hex(), "start_time_unix_nano": 5}, Span(trace_id=TRACE_ID, start_time_unix_nano=5)),
        ({"TraceId": "not looked at", "unknown": {"members": [1]}, "name": "a"}, Span(name="a")),
        ({"kind": "SPAN_KIND_CLIENT"}, Span(kind=Span.SPAN_KIND_CLIENT)),
        ({"kind": "client"}, Span(kind=Span.SPAN_KIND_CLIENT)),
        ({"kind": "nothing known"}, Span()),
        ({"kind": "3"}, Span(kind=Span.SPAN_KIND_CLIENT)),
        ({"kind": 2.0}, Span(kind=Span.SPAN_KIND_SERVER)),
        ({"kind": None}, Span()),
        ({"kind": 99}, Span(kind=99)),  # type: ignore[arg-type]  # an open enum
        ({"kind": -1}, Span(kind=-1)),  # type: ignore[arg-type]  # an open enum
        ({"status": {"code": "STATUS_CODE_ERROR"}}, Span(status=Status(code=Status.STATUS_CODE_ERROR))),
        ({"status": {"code": 7, "message": "m"}}, Span(status=Status(code=7, message="m"))),  # type: ignore[arg-type]
        ({"status": {}}, Span(status=Status())),
        ({"status": None}, Span()),
        ({"startTimeUnixNano": "1700000000000000001"}, Span(start_time_unix_nano=1_700_000_000_000_000_001)),
        ({"startTimeUnixNano": 1_700_000_000_000_000_001}, Span(start_time_unix_nano=1_700_000_000_000_000_001)),
        ({"startTimeUnixNano": 1.5e18}, Span(start_time_unix_nano=1_500_000_000_000_000_000)),
        ({"startTimeUnixNano": "1.5e18"}, Span(start_time_unix_nano=1_500_000_000_000_000_000)),
        ({"startTimeUnixNano": None}, Span()),
        ({"startTimeUnixNano": 9, "endTimeUnixNano": 1}, Span(start_time_unix_nano=9, end_time_unix_nano=1)),
        ({"flags": 257}, Span(flags=257)),
        ({"flags": 4294967295}, Span(flags=4294967295)),
        ({"links": [{"traceId": "", "spanId": ""}]}, Span(links=[Span.Link()])),
        ({"events": [{"timeUnixNano": "7", "name": "n"}, None]}, Span(events=[Span.Event(time_unix_nano=7, name="n")])),
        ({"attributes": None, "events": None, "links": None}, Span()),
    ],
)
def test_spans_as_real_senders_write_them(span: dict[str, Any], expected: Span) -> None:
    assert read(json.dumps(document(span)).encode()) == request(expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"stringValue": "a"}, AnyValue(string_value="a")),
        ({"string_value": "a"}, AnyValue(string_value="a")),
        ({"stringValue": 5}, AnyValue(string_value="5")),
        ({"stringValue": False}, AnyValue(string_value="false")),
        ({"boolValue": False}, AnyValue(bool_value=False)),
        ({"boolValue": "true"}, AnyValue(bool_value=True)),
        ({"boolValue": "perhaps"}, AnyValue(string_value="perhaps")),
        ({"intValue": 5}, AnyValue(int_value=5)),
        ({"intValue": "5"}, AnyValue(int_value=5)),
        ({"intValue": "-9223372036854775808"}, AnyValue(int_value=-(2**63))),
        ({"intValue": 1.0}, AnyValue(int_value=1)),
        ({"intValue": "1.0"}, AnyValue(int_value=1)),
        ({"intValue": 1.5}, AnyValue(double_value=1.5)),
        ({"intValue": 1e21}, AnyValue(double_value=1e21)),
        ({"intValue": 9223372036854775808}, AnyValue(double_value=2.0**63)),
        ({"intValue": "9223372036854775808"}, AnyValue(double_value=2.0**63)),
        ({"intValue": True}, AnyValue(bool_value=True)),
        ({"intValue": "many"}, AnyValue(string_value="many")),
        ({"doubleValue": 1}, AnyValue(double_value=1)),
        ({"doubleValue": "1.5"}, AnyValue(double_value=1.5)),
        ({"doubleValue": "-Infinity"}, AnyValue(double_value=float("-inf"))),
        ({"doubleValue": None}, AnyValue()),
        ({"doubleValue": "fast"}, AnyValue(string_value="fast")),
        ({"bytesValue": "+/8="}, AnyValue(bytes_value=b"\xfb\xff")),
        ({"bytesValue": "-_8"}, AnyValue(bytes_value=b"\xfb\xff")),
        ({"bytesValue": "!!"}, AnyValue(string_value="!!")),
        ({"stringValue": "a", "intValue": "5"}, AnyValue(int_value=5)),
        ({"stringValue": "a", "intValue": None}, AnyValue(string_value="a")),
        ({"stringValueStrindex": 3}, AnyValue()),
        ({}, AnyValue()),
        ("bare", AnyValue(string_value="bare")),
        (7, AnyValue(int_value=7)),
        ({"arrayValue": {}}, AnyValue(array_value=ArrayValue())),
        (
            {"arrayValue": {"values": [{"intValue": 1}, None, {}]}},
            AnyValue(array_value=ArrayValue(values=[AnyValue(int_value=1), AnyValue(), AnyValue()])),
        ),
        (
            {"kvlistValue": {"values": [{"key": "k", "value": {"boolValue": True}}, {"key": "empty"}]}},
            AnyValue(
                kvlist_value=KeyValueList(
                    values=[KeyValue(key="k", value=AnyValue(bool_value=True)), KeyValue(key="empty")]
                )
            ),
        ),
    ],
)
def test_attribute_values_as_real_senders_write_them(value: Any, expected: AnyValue) -> None:
    body = json.dumps(document({"attributes": [{"key": "k", "value": value}]})).encode()
    assert read(body) == request(Span(attributes=[KeyValue(key="k", value=expected)]))


def test_attributes_keep_duplicates_and_empty_keys() -> None:
    attributes = [{"key": "", "value": {"stringValue": "a"}}, {"key": "b"}, {"key": "b", "value": None}, {}]
    assert read(json.dumps(document({"attributes": attributes})).encode()) == request(
        Span(
            attributes=[
                KeyValue(key="", value=AnyValue(string_value="a")),
                KeyValue(key="b"),
                KeyValue(key="b"),
                KeyValue(),
            ]
        )
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{}", ExportTraceServiceRequest()),
        (b'{"resourceSpans": null}', ExportTraceServiceRequest()),
        (b'{"resourceSpans": [null, {"scopeSpans": [{"spans": [null]}]}]}', request()),
        (b'\xef\xbb\xbf{"resourceSpans": []}', ExportTraceServiceRequest()),
        (
            b'{"resourceSpans": [{"resource": {"schemaUrl": "inside, as JavaScript does"}}]}',
            ExportTraceServiceRequest(resource_spans=[{"resource": {}}]),  # type: ignore[list-item]
        ),
        (
            b'{"resourceSpans": [{"instrumentationLibrarySpans": [{"instrumentationLibrary": {"name": "old"}}]}]}',
            ExportTraceServiceRequest(
                resource_spans=[{"scope_spans": [{"scope": {"name": "old"}}]}]  # type: ignore[list-item]
            ),
        ),
        (rb'{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"cut \ud83d"}]}]}]}', request(Span(name="cut \ufffd"))),
        (
            rb'{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"\\ud83d \ude00"}]}]}]}',
            request(Span(name="\\ud83d \ufffd")),
        ),
        (
            rb'{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"\ud83d\ude00\ud83d"}]}]}]}',
            request(Span(name="\U0001f600\ufffd")),
        ),
        (b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"caf\xe9"}]}]}]}', request(Span(name="caf\ufffd"))),
        (
            b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"first","name":"last"}]}]}]}',
            request(Span(name="last")),
        ),
    ],
)
def test_odd_bodies(body: bytes, expected: ExportTraceServiceRequest) -> None:
    assert read(body) == expected


@pytest.mark.parametrize("written", ['"NaN"', "NaN"])
def test_not_a_number(written: str) -> None:
    body = json.dumps(document({"attributes": [{"key": "k", "value": {"doubleValue": "here"}}]}))
    (attribute,) = read(body.replace('"here"', written).encode()).resource_spans[0].scope_spans[0].spans[0].attributes
    assert repr(attribute.value.double_value) == "nan"


SPAN_PLACE = "OTLP JSON is not valid: resourceSpans[0].scopeSpans[0].spans[0]"


@pytest.mark.parametrize(
    ("span", "reason"),
    [
        ({"traceId": "abc"}, '.traceId: expected 32 hex digits, found "abc"'),
        ({"traceId": "zz" * 16}, f'.traceId: expected 32 hex digits, found "{"zz" * 16}"'),
        ({"traceId": "ab " * 10 + "ab"}, f'.traceId: expected 32 hex digits, found "{"ab " * 10}ab"'),
        ({"traceId": 5}, ".traceId: expected 32 hex digits, found 5"),
        ({"spanId": "00" * 9}, f'.spanId: expected 16 hex digits, found "{"00" * 9}"'),
        ({"links": [{}, {"spanId": "0"}]}, '.links[1].spanId: expected 16 hex digits, found "0"'),
        ({"name": 5}, ".name: expected text, found 5"),
        ({"startTimeUnixNano": ""}, '.startTimeUnixNano: expected a whole number, found ""'),
        ({"startTimeUnixNano": -1}, ".startTimeUnixNano: -1 is out of range"),
        ({"endTimeUnixNano": 2**64 - 1 + 2**12}, ".endTimeUnixNano: 1.8446744073709556e+19 is out of range"),
        ({"endTimeUnixNano": 1.5}, ".endTimeUnixNano: expected a whole number, found 1.5"),
        ({"flags": 4294967296}, ".flags: 4294967296 is out of range"),
        ({"droppedAttributesCount": -1}, ".droppedAttributesCount: -1 is out of range"),
        ({"kind": []}, ".kind: expected a whole number, found an array"),
        ({"status": "ERROR"}, '.status: expected an object, found "ERROR"'),
        ({"attributes": {"a": 1}}, ".attributes: expected an array, found an object"),
        ({"attributes": ["a"]}, '.attributes[0]: expected an object with key and value, found "a"'),
        ({"attributes": [{"key": 1}]}, ".attributes[0].key: expected text, found 1"),
        (
            {"attributes": [{"key": "k", "value": {"stringValue": {}}}]},
            ".attributes[0].value.stringValue: expected a single value, found an object",
        ),
        (
            {"attributes": [{"key": "k", "value": {"arrayValue": {"values": [{}, []]}}}]},
            ".attributes[0].value.arrayValue.values[1]: expected a single value, found an array",
        ),
        (
            {"events": [{"attributes": [{"key": "k", "value": {"kvlistValue": []}}]}]},
            ".events[0].attributes[0].value.kvlistValue: expected an object with values, found an array",
        ),
    ],
)
def test_a_wrong_span_refuses_the_request_and_names_the_place(span: dict[str, Any], reason: str) -> None:
    assert refusal(document(span)) == SPAN_PLACE + reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not valid JSON: "),
        (b"{", "not valid JSON: "),
        (b'{"resourceSpans": []} trailing', "not valid JSON: "),
        (b"{}{}", "not valid JSON: "),
        (b"[" * 100_000 + b"]" * 100_000, "not valid JSON: "),
        (b"null", "OTLP JSON is not valid: expected an object, found null"),
        (b"[]", "OTLP JSON is not valid: expected an object, found an array"),
        (b'"x"', 'OTLP JSON is not valid: expected an object, found "x"'),
        (b'{"resourceSpans": {}}', "OTLP JSON is not valid: resourceSpans: expected an array, found an object"),
        (b'{"resourceSpans": [5]}', "OTLP JSON is not valid: resourceSpans[0]: expected an object, found 5"),
    ],
)
def test_a_wrong_body_is_refused(body: bytes, reason: str) -> None:
    assert refusal(body).startswith(reason)


@pytest.mark.parametrize(("wrap", "levels"), [(in_array, 46), (in_map, 31)])
def test_values_nest_as_deep_as_protobuf_readers_follow(wrap: Callable[[Any], Any], levels: int) -> None:
    def body(levels: int) -> bytes:
        attributes = [{"key": "k", "value": nested(levels, wrap)}]
        return json.dumps(document({"events": [{"attributes": attributes}]})).encode()

    assert b"innermost" in read(body(levels)).SerializeToString()
    assert refusal(body(levels + 1)).endswith("values are nested too deep")


def test_bad_spans_are_left_out_where_the_caller_is_told() -> None:
    written = to_document(small_request(1))
    spans = written["resourceSpans"][0]["scopeSpans"][0]["spans"]
    spans.insert(0, {"traceId": "abc"})
    spans.append({"events": [{"timeUnixNano": "noon"}]})
    bad: list[str] = []
    kept = request_from_json(json.dumps(written).encode(), bad.append)
    assert ExportTraceServiceRequest.FromString(kept) == small_request(1)
    assert bad == [
        'spans[0].traceId: expected 32 hex digits, found "abc"',
        'spans[2].events[0].timeUnixNano: expected a whole number, found "noon"',
    ]
