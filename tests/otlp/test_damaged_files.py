"""A damaged trace file gives back what is good in it and says what is not."""

from __future__ import annotations

import gzip
import json
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from tracelens.errors import DamagedInputError
from tracelens.otlp.files import MAX_DAMAGES, Damage, read_requests
from tracelens.otlp.signals import Signal

from .trace_files import (
    COMPRESSIONS,
    EVERY_FORMAT,
    Request,
    as_fixed,
    as_fixed_zstd,
    as_journal,
    as_lines,
    as_pretty_documents,
    as_varint,
    fixed,
    read,
    serialised,
    usual_requests,
    varint,
    zstd,
)
from .trace_requests import merged, small_request, to_document

if TYPE_CHECKING:
    from hypothesis.strategies import DataObject

_NAMES = (
    *("resourceSpans", "resource", "scopeSpans", "scope", "spans", "attributes", "events", "links", "status", "code"),
    *("traceId", "spanId", "parentSpanId", "startTimeUnixNano", "name", "kind", "flags", "droppedAttributesCount"),
    *("key", "value", "stringValue", "intValue", "doubleValue", "boolValue", "bytesValue", "arrayValue", "kvlistValue"),
    *("values", "data", "batches", "trace", "processes", "p1", "processID", "process", "serviceName", "tags", "type"),
    *("traceID", "spanID", "operationName", "references", "refType", "startTime", "duration", "logs", "fields"),
    *("timestamp", "id", "parentId", "shared", "localEndpoint", "remoteEndpoint", "ipv4", "port", "annotations"),
)
_SCALARS = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3)),
    st.sampled_from(("p1", "a" * 16, "b" * 32, "CHILD_OF", "int64", "binary", "CLIENT", "1e400", "-5", "٣", 10**30)),
)
_MEMBERS = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=5),
    max_leaves=15,
)
_SPAN_LISTS = st.lists(st.dictionaries(st.sampled_from(_NAMES), _MEMBERS, max_size=8), min_size=1, max_size=2)
_DOCUMENTS = st.one_of(
    _MEMBERS,
    _SPAN_LISTS.map(lambda spans: {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}),
    _SPAN_LISTS.map(lambda spans: {"data": [{"traceID": "1", "spans": spans, "processes": {"p1": spans[0]}}]}),
    _SPAN_LISTS.map(lambda spans: [{"traceId": "1", "id": "2"} | span for span in spans]),
)


def assert_reads_only_requests(body: bytes) -> None:
    """Assert that what is read parses as a request of its signal: damaged spans may read as metrics."""
    try:
        found = list(read_requests(body, on_damage=lambda _: None))
    except DamagedInputError:
        return
    for request in found:
        kind = ExportMetricsServiceRequest if request.signal is Signal.METRICS else Request
        kind.FromString(request.body)


@EVERY_FORMAT
def test_cut_off_anywhere_every_whole_message_is_read(write: Any) -> None:
    requests = usual_requests(3)
    pieces = write(requests)
    body = b"".join(pieces)
    ends = list(accumulate(len(piece.rstrip(b"\n")) for piece in pieces))
    starts = [0, *accumulate(map(len, pieces))]
    if write in (as_lines, as_pretty_documents):  # a line feed belongs to neither document
        ends = [end + number for number, end in enumerate(ends)]
    if write is as_journal:
        ends = ends[1:]
    for length in range(len(body)):
        whole = sum(end <= length for end in ends)
        try:
            found, damages = read(body[:length])
        except DamagedInputError:
            assert whole == 0
            continue
        assert merged(found) == merged(requests[:whole])
        assert (damages == []) == (length in starts or length in ends)


@pytest.mark.parametrize("compression", ["gzip", "zstd", "gzip members", "zstd frames"])
@pytest.mark.parametrize("write", [as_varint, as_lines])
def test_a_compressed_file_cut_off_anywhere_is_told_of_once(write: Any, compression: str) -> None:
    requests = usual_requests(8)
    body = COMPRESSIONS[compression](b"".join(write(requests)))
    for length in range(1, len(body)):
        try:
            found, damages = read(body[:length])
        except DamagedInputError:
            continue
        assert merged(found) == merged(requests[: len(found)])
        assert len(damages) <= 1


def test_a_cut_off_gzip_gives_back_what_it_held() -> None:
    requests = usual_requests(2_000)
    body = gzip.compress(b"".join(as_varint(requests)))
    found, damages = read(body[: len(body) // 2])
    assert found == serialised(requests[: len(found)])
    assert len(found) > 800
    (damage,) = damages
    assert damage.where.endswith(" uncompressed")
    assert damage.reason == "the gzip data is cut off"


def test_a_gzip_with_a_wrong_checksum_is_told_of_and_read() -> None:
    requests = usual_requests(5)
    body = bytearray(gzip.compress(b"".join(as_varint(requests))))
    body[-5] ^= 0xFF
    found, (damage,) = read(bytes(body))
    assert found == serialised(requests)
    assert damage.where == "the end"
    assert damage.reason.startswith("the gzip data is damaged: ")


@EVERY_FORMAT
@given(data=st.data())
@settings(deadline=None, max_examples=40)
def test_flipped_bytes_never_break_the_reader(write: Any, data: DataObject) -> None:
    compress = COMPRESSIONS[data.draw(st.sampled_from(sorted(COMPRESSIONS)))]
    body = bytearray(compress(b"".join(write(usual_requests(4)))))
    for position in data.draw(st.lists(st.integers(0, len(body) - 1), min_size=1, max_size=4)):
        body[position] ^= data.draw(st.integers(1, 255))
    assert_reads_only_requests(bytes(body))


@given(st.binary(max_size=300))
@example(b"\x1f\x8b")
@example(b"\x28\xb5\x2f\xfd")
@example(b"\x0a\x00")
@settings(deadline=None)
def test_random_bytes_never_break_the_reader(body: bytes) -> None:
    assert_reads_only_requests(body)


@given(_DOCUMENTS)
@settings(deadline=None, max_examples=200)
def test_random_documents_never_break_the_reader(document: Any) -> None:
    assert_reads_only_requests(json.dumps(document).encode())


@pytest.mark.parametrize("frame", [varint, fixed])
@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_corrupt_message_leaves_the_others(frame: Any, position: int) -> None:
    payloads = serialised(usual_requests(2))
    bad = bytearray(payloads[0])
    bad[-1] = bad[-20] = 0xFF
    frames = [frame(payload) for payload in payloads]
    frames.insert(position, frame(bytes(bad)))
    offset = sum(map(len, frames[:position]))
    reason = "the message does not parse as a trace request"
    assert read(b"".join(frames)) == (payloads, [Damage("file", f"byte {offset}", reason)])


def test_a_corrupt_compressed_message_leaves_the_others() -> None:
    frames = as_fixed_zstd(usual_requests(3))
    frames[1] = fixed(zstd(b"something")[:-1])
    found, damages = read(b"".join(frames))
    assert found == serialised([small_request(1), small_request(3)])
    assert damages == [Damage("file", f"byte {len(frames[0])}", "the zstd data is cut off")]


def test_a_frame_that_announces_too_much_ends_the_file() -> None:
    body = b"".join(as_fixed(usual_requests(2)))
    reason = "a message of 4294967295 bytes is announced, which is more than any request has"
    damage = Damage("file", f"byte {len(body)}", reason)
    assert read(body + b"\xff\xff\xff\xff" + body) == (serialised(usual_requests(2)), [damage])


def test_a_journal_record_with_a_wrong_digest_ends_the_segment() -> None:
    header, first, second, third = as_journal(usual_requests(3))
    second = second[:-1] + bytes([second[-1] ^ 1])
    damage = Damage("file", f"byte {len(header + first)}", "the record does not match its digest")
    assert read(header + first + second + third) == (serialised(usual_requests(1)), [damage])


def test_a_bad_line_leaves_the_others() -> None:
    lines = as_lines(usual_requests(3))
    lines[1] = lines[1][:50] + b"\n"
    lines.insert(0, b"\0\0\0\n")
    lines.insert(2, b"5\n")
    found, damages = read(b"".join(lines))
    assert found == serialised([small_request(1), small_request(3)])
    assert [(damage.where, damage.reason.partition(":")[0]) for damage in damages] == [
        ("line 3", "it is no trace data"),
        ("line 4", "not valid JSON"),
    ]


@pytest.mark.parametrize("padding", [0, 30_000])
def test_lines_whose_first_is_damaged_are_still_lines(padding: int) -> None:
    requests = usual_requests(400)
    lines = as_lines(requests)
    lines[0] = lines[0][200:]
    found, damages = read(b"".join(lines) + b" " * padding * 100)
    assert merged(found) == merged(requests[1:])
    assert [damage.where for damage in damages] == ["line 1"]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("separator", [b"", b"\n", b"\r\n\r\n", b"\n\0\0\0"])
def test_documents_one_after_the_other(mark: bytes, separator: bytes) -> None:
    pretty = [piece.strip() for piece in as_pretty_documents(usual_requests(3))]
    compact = [piece.strip() for piece in as_lines(usual_requests(3))]
    for pieces in (pretty, compact):
        assert read(mark + separator.join(pieces)) == (serialised(usual_requests(3)), [])


def test_an_array_that_is_cut_off_gives_back_its_whole_elements() -> None:
    documents = [piece.strip() for piece in as_lines(usual_requests(3))]
    body = b"[\n" + b",\n".join(documents)
    found, damages = read(body[:-20])
    assert merged(found) == merged(usual_requests(2))
    assert [damage.where for damage in damages] == ["line 1", "line 4"]


def test_a_bad_span_leaves_its_document() -> None:
    first, second = (to_document(request)["resourceSpans"][0] for request in usual_requests(2))
    second["resource"] = 5
    spans = first["scopeSpans"][0]["spans"]
    spans.append({"traceId": "1"})
    found, damages = read(json.dumps({"resourceSpans": [first, second]}).encode())
    assert found == serialised(usual_requests(1))
    assert damages == [
        Damage("file", "line 1", 'spans[1].traceId: expected 32 hex digits, found "1"'),
        Damage("file", "line 1", "OTLP JSON is not valid: resourceSpans[0].resource: expected an object, found 5"),
    ]


def test_many_damages_are_summarised() -> None:
    line = as_lines(usual_requests(1))[0]
    found, damages = read(line + b"{\n" * (MAX_DAMAGES + 7) + line)
    assert found == serialised(usual_requests(1)) * 2
    assert [damage.where for damage in damages[:-1]] == [f"line {number + 2}" for number in range(MAX_DAMAGES)]
    assert damages[-1] == Damage("file", "further on", "7 more parts could not be read")
