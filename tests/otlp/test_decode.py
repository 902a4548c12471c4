"""Both decoders give the same columns for whatever protobuf accepts, and one bad request does not touch the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from span_requests import request, span

from tracelens.otlp.decode import decode_requests, span_count
from tracelens.otlp.reference import SCHEMA, read_batch

from .trace_requests import REQUESTS, small_request

if TYPE_CHECKING:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

GOOD = small_request(1).SerializeToString()


def encoded(field: int, payload: bytes) -> bytes:
    """Return a length-delimited field."""
    length, size = b"", len(payload)
    while size > 127:
        length += bytes([size & 127 | 128])
        size >>= 7
    return bytes([field << 3 | 2]) + length + bytes([size]) + payload


def in_a_span(payload: bytes) -> bytes:
    return encoded(1, encoded(2, encoded(2, payload)))


@settings(max_examples=80, deadline=None)
@given(st.lists(REQUESTS, max_size=3))
def test_both_decoders_give_equal_columns(requests: list[ExportTraceServiceRequest]) -> None:
    bodies = [message.SerializeToString() for message in requests]
    decoded = decode_requests(bodies)
    assert decoded.refused == {}
    assert decoded.batch.schema.equals(SCHEMA)
    assert decoded.batch.equals(read_batch(bodies))


@settings(max_examples=150, deadline=None)
@given(REQUESTS, st.data())
def test_damaged_requests_are_refused_or_read_as_protobuf_reads_them(
    message: ExportTraceServiceRequest, data: st.DataObject
) -> None:
    body = bytearray(message.SerializeToString())
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, max(0, len(body) - 1)))
        body[position : position + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    decoded = decode_requests([bytes(body), GOOD])
    survivors = [bytes(body), GOOD] if not decoded.refused else [GOOD]
    assert set(decoded.refused) <= {0}
    assert decoded.batch.equals(read_batch(survivors))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\xff\xff", "Wire format was corrupt"),
        (GOOD[:-1], "Wire format was corrupt"),
        (b'{"resourceSpans":[]}', "Wire format was corrupt"),
        (in_a_span(encoded(5, b"\xff")), "bad UTF-8"),
        (encoded(1, encoded(1, b"\xff")), "Wire format was corrupt"),  # a resource
        (encoded(1, encoded(2, encoded(1, b"\xff"))), "Wire format was corrupt"),  # a scope
        (in_a_span(encoded(9, encoded(2, encoded(5, b"\x0a\x7f")))), "Wire format was corrupt"),  # an array
        (in_a_span(b"\x2b\x34"), "Wire format was corrupt"),  # a group that another field's tag closes
        (in_a_span(b"\x2b" * 1_000_000), "Wire format was corrupt"),  # would overflow the stack
        (request(span(1, trace_id=b"12345678")), "a trace_id has 8 bytes, not 16"),
        (request(span(1, span_id=b"123456789")), "a span_id has 9 bytes, not 8"),
        (request(span(1, parent_span_id=b"1")), "a parent_span_id has 1 bytes, not 8"),
        (request(span(1, links=[Span.Link(trace_id=b"1")])), "a link's trace_id has 1 bytes, not 16"),
        (request(span(1), span(2, links=[Span.Link(span_id=b"12")])), "a link's span_id has 2 bytes, not 8"),
    ],
)
def test_a_bad_request_is_refused_alone(body: bytes, reason: str) -> None:
    others = [request(span(2)), GOOD, request(span(3), span(4))]
    decoded = decode_requests([others[0], body, others[1], body, others[2]])
    assert set(decoded.refused) == {1, 3}
    assert all(found.endswith(reason) for found in decoded.refused.values())
    assert decoded.batch.equals(read_batch(others))
    assert span_count(decoded.batch) == 4


@settings(max_examples=30, deadline=None)
@example([])
@example([b""])
@given(st.lists(st.sampled_from([b"", b"\xff", GOOD, b"\x0a\x00", b"\x0a\x02\x12\x00", request()]), max_size=6))
def test_requests_without_spans_are_rows_too(bodies: list[bytes]) -> None:
    decoded = decode_requests(bodies)
    assert list(decoded.refused) == [position for position, body in enumerate(bodies) if body == b"\xff"]
    assert decoded.batch.num_rows == len(bodies) - len(decoded.refused)
    assert span_count(decoded.batch) == bodies.count(GOOD)


def test_absent_and_zero_ids_are_no_error() -> None:
    body = request(Span(), span(1, trace_id=bytes(16), span_id=bytes(8), parent_span_id=bytes(8)))
    assert decode_requests([body]).refused == {}
