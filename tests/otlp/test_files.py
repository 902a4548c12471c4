"""A trace file of any format, whole or damaged, gives back what is good in it."""

from __future__ import annotations

import gzip
import io
import json
import os
import struct
import sys
import tracemalloc
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import xxhash
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans

from tracelens.errors import DamagedInputError
from tracelens.journal import Journal
from tracelens.otlp.files import MAX_DAMAGES, Damage, expand_paths, read_requests
from tracelens.otlp.framing import JOURNAL_HEADER, JOURNAL_MAGIC, JOURNAL_RECORD

from .trace_requests import REQUESTS, merged, small_request, to_document, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hypothesis.strategies import DataObject

Request = ExportTraceServiceRequest


def varint(payload: bytes) -> bytes:
    length, prefix = len(payload), b""
    while length > 0x7F:
        prefix += bytes([length & 0x7F | 0x80])
        length >>= 7
    return prefix + bytes([length]) + payload


def fixed(payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + payload


def zstd(payload: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(payload)


def record(payload: bytes) -> bytes:
    return JOURNAL_RECORD.pack(len(payload), xxhash.xxh3_128_digest(payload)) + payload


def as_varint(requests: Sequence[Request]) -> list[bytes]:
    return [varint(request.SerializeToString()) for request in requests]


def as_fixed(requests: Sequence[Request]) -> list[bytes]:
    return [fixed(request.SerializeToString()) for request in requests]


def as_fixed_zstd(requests: Sequence[Request]) -> list[bytes]:
    return [fixed(zstd(request.SerializeToString())) for request in requests]


def as_fixed_zstd_json(requests: Sequence[Request]) -> list[bytes]:
    return [fixed(zstd(to_json(request))) for request in requests]


def as_single(requests: Sequence[Request]) -> list[bytes]:
    return [request.SerializeToString() for request in requests]


def as_lines(requests: Sequence[Request]) -> list[bytes]:
    return [to_json(request) + b"\n" for request in requests]


def as_pretty_documents(requests: Sequence[Request]) -> list[bytes]:
    return [json.dumps(to_document(request), indent=2).encode() + b"\n" for request in requests]


def as_journal(requests: Sequence[Request]) -> list[bytes]:
    header = JOURNAL_HEADER.pack(JOURNAL_MAGIC, 1)
    return [header, *(record(request.SerializeToString()) for request in requests)]


FORMATS = [
    as_varint,
    as_fixed,
    as_fixed_zstd,
    as_fixed_zstd_json,
    as_single,
    as_lines,
    as_pretty_documents,
    as_journal,
]
COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "gzip members": lambda body: gzip.compress(body[:7]) + gzip.compress(body[7:]),
    "zstd": zstd,
    "zstd frames": lambda body: zstd(body[:7]) + b"\x50\x2a\x4d\x18\x02\0\0\0--" + zstd(body[7:]),
    "both": lambda body: zstd(gzip.compress(body)),
}
every_format = pytest.mark.parametrize("write", FORMATS)


def read(source: Any, name: str | None = "file") -> tuple[list[bytes], list[Damage]]:
    damages: list[Damage] = []
    return list(read_requests(source, name=name, on_damage=damages.append)), damages


def refusal(source: Any, name: str | None = "file") -> str:
    with pytest.raises(DamagedInputError) as refused:
        read(source, name)
    text = str(refused.value)
    assert "\n" not in text
    return text


def usual_requests(count: int) -> list[Request]:
    return [small_request(number) for number in range(1, count + 1)]


def serialised(requests: Sequence[Request]) -> list[bytes]:
    return [request.SerializeToString() for request in requests]


METRICS = ExportMetricsServiceRequest(
    resource_metrics=[
        {  # type: ignore[list-item]
            "scope_metrics": [
                {
                    "metrics": [
                        {
                            "name": "sixteen_letters_",
                            "description": "8letters",
                            "gauge": {"data_points": [{"time_unix_nano": 1_700_000_000_000_000_000, "as_double": 0.5}]},
                        }
                    ]
                }
            ]
        }
    ]
)
LOGS = ExportLogsServiceRequest(
    resource_logs=[
        {  # type: ignore[list-item]
            "scope_logs": [{"log_records": [{"time_unix_nano": 1_700_000_000_000_000_000, "trace_id": bytes(16)}]}]
        }
    ]
)


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


class TestFormats:
    @every_format
    @given(requests=st.lists(REQUESTS, min_size=1, max_size=3), data=st.data())
    @settings(deadline=None, max_examples=25)
    def test_any_requests_read_back(self, write: Any, requests: list[Request], data: DataObject) -> None:
        compress = COMPRESSIONS[data.draw(st.sampled_from(sorted(COMPRESSIONS)))]
        found, damages = read(compress(b"".join(write(requests))))
        assert merged(found) == merged(requests)
        assert damages == []

    @pytest.mark.parametrize("write", [as_varint, as_fixed, as_single])
    @pytest.mark.parametrize("length", [10, 32, 40, 91, 93, 123, 125, 127, 128, 266, 16_384])
    def test_lengths_that_look_like_another_format(self, write: Any, length: int) -> None:
        # 10 is the tag of field 1, 32 a blank, 40 begins zstd's magic, 91 and 123 open JSON.
        for outer in (2, 3, 4):  # bytes of the message before its resource spans
            url = "u" * (length - 2 - outer)
            request = Request(resource_spans=[ResourceSpans(schema_url=url)])
            requests = [request, *usual_requests(1)]
            assert merged(read(b"".join(write(requests)))[0]) == merged(requests)

    @pytest.mark.parametrize("write", [as_varint, as_fixed, as_fixed_zstd, as_single, as_lines, as_journal])
    def test_a_first_message_larger_than_what_is_sniffed(self, write: Any) -> None:
        requests = [small_request(1, name="n" * 3_000_000), small_request(2)]
        found, damages = read(b"".join(write(requests)))
        assert merged(found) == merged(requests)
        assert damages == []

    def test_a_large_single_message_is_read_in_slices(self) -> None:
        requests = [small_request(number, name="n" * 1_000_000) for number in range(10)]
        found, _ = read(b"".join(as_single(requests)))
        assert [len(Request.FromString(request).resource_spans) for request in found] == [5, 5]
        assert merged(found) == merged(requests)

    def test_a_journal_written_by_the_journal(self, tmp_path: Path) -> None:
        payloads = serialised(usual_requests(5))
        journal = Journal(tmp_path / "journal")
        journal.append(payloads[:2])
        journal.append(payloads[2:])
        journal.close()
        (segment,) = expand_paths([str(tmp_path)])
        assert read(segment, None) == (payloads, [])

    def test_a_journal_without_records_is_empty(self) -> None:
        assert read(as_journal([])[0]) == ([], [])

    @pytest.mark.parametrize("body", [b"{}", b"[]", b'{"resourceSpans":[]}', b"{}\n{}\n"])
    def test_documents_without_spans_are_empty(self, body: bytes) -> None:
        assert read(body) == ([], [])

    def test_empty_messages_are_skipped(self) -> None:
        assert read(b"\0" + as_varint(usual_requests(1))[0] + b"\0") == (serialised(usual_requests(1)), [])

    @pytest.mark.parametrize(
        "wrap",
        [
            lambda document: [document],
            lambda document: {"batches": document["resourceSpans"]},
            lambda document: {"trace": document},
            lambda document: {"result": document},
        ],
    )
    def test_otlp_as_query_interfaces_wrap_it(self, wrap: Any) -> None:
        (request,) = usual_requests(1)
        assert read(json.dumps(wrap(to_document(request))).encode()) == (serialised([request]), [])

    @pytest.mark.parametrize("frame", [varint, fixed])
    def test_messages_of_other_signals_are_skipped(self, frame: Any) -> None:
        first, second = serialised(usual_requests(2))
        messages = [METRICS.SerializeToString(), first, LOGS.SerializeToString(), second]
        assert read(b"".join(map(frame, messages))) == ([first, second], [])

    def test_lines_of_other_signals_are_skipped(self) -> None:
        first, second = as_lines(usual_requests(2))
        body = b'{"resourceMetrics":[]}\n' + first + b'{"resourceLogs":[{}]}\n' + second
        assert read(body) == (serialised(usual_requests(2)), [])

    @pytest.mark.parametrize("other", [METRICS, LOGS])
    def test_a_file_of_another_signal_is_empty(self, other: Any) -> None:
        assert read(varint(other.SerializeToString()) * 3) == ([], [])


class TestSources:
    def test_a_path_a_stream_bytes_and_standard_input_are_the_same(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        requests = usual_requests(3)
        body = gzip.compress(b"".join(as_varint(requests)))
        path = tmp_path / "a name that says nothing"
        path.write_bytes(body)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(body)))
        with path.open("rb") as stream:
            for source in (str(path), "-", body, stream):
                assert read(source, None) == (serialised(requests), [])
            assert not stream.closed

    def test_a_pipe_is_read(self) -> None:
        receiving, sending = os.pipe()
        os.write(sending, b"".join(as_lines(usual_requests(2))))
        os.close(sending)
        with os.fdopen(receiving, "rb", buffering=0) as stream:
            assert read(stream) == (serialised(usual_requests(2)), [])

    @pytest.mark.parametrize(
        ("write", "compression"),
        [(as_varint, "gzip"), (as_fixed, "zstd"), (as_fixed_zstd, "plain"), (as_lines, "plain"), (as_journal, "plain")],
    )
    def test_memory_does_not_grow_with_the_file(self, write: Any, compression: str, tmp_path: Path) -> None:
        request = small_request(1, name="n" * 250_000)
        path = tmp_path / "large"
        path.write_bytes(COMPRESSIONS[compression](b"".join(write([request] * 200))))
        tracemalloc.start()
        count = sum(1 for _ in read_requests(str(path), on_damage=pytest.fail))
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert count == 200
        assert peak_bytes < 12_000_000  # of 50 MB

    @pytest.mark.parametrize("source", ["missing", "."])
    def test_what_cannot_be_opened_is_refused(
        self, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert refusal(source, None).startswith(f"{source} cannot be read: ")

    @pytest.mark.parametrize("body", [b"", b" \n", gzip.compress(b""), zstd(b"")])
    def test_an_empty_file_is_refused(self, body: bytes) -> None:
        assert refusal(body).startswith("file is empty; expected OTLP")

    @pytest.mark.parametrize(
        "body",
        [
            b"# A read me\n\nNothing else.\n",
            b"DUCK" + bytes(range(256)) * 100,
            b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
            b"\n\n\n",
            bytes(2_000_000),
            b"\xff" * 2_000_000,
            varint(b"\x08\x01") * 50,
            as_fixed(usual_requests(1))[0][:40],
        ],
    )
    def test_what_is_no_trace_file_is_refused(self, body: bytes) -> None:
        assert refusal(body).startswith(("file is not a trace file", "file is empty"))

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            (b'{"name": "package"}', "file has no readable part: at line 1, it is no trace data"),
            (b'[{"name": "package"}]\n[5]', "file has no readable part: at line 1, it is no trace data"),
            (b'{"data": {"resultType": "matrix"}}', "file has no readable part: at line 1, it is no trace data"),
            (b'{"resourceSpans": [', "file has no readable part: at line 1, not valid JSON: "),
            (b'{"resourceSpans": 5}', "file has no readable part: at line 1, OTLP JSON is not valid: resourceSpans: "),
            (b"[" * 5_000, "file has no readable part: at line 1, not valid JSON: "),
            (b"[" * 5_000 + b"]" * 5_000, "file has no readable part: at line 1, "),
            (as_journal(usual_requests(1))[0][:3], "file is not a trace file"),
        ],
    )
    def test_a_file_without_a_good_part_is_refused(self, body: bytes, reason: str) -> None:
        assert refusal(body).startswith(reason)
        assert read(b"\n".join((as_lines(usual_requests(1))[0], body)))[0] == serialised(usual_requests(1))


class TestDamage:
    @every_format
    def test_cut_off_anywhere_every_whole_message_is_read(self, write: Any) -> None:
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
    def test_a_compressed_file_cut_off_anywhere_is_told_of_once(self, write: Any, compression: str) -> None:
        requests = usual_requests(8)
        body = COMPRESSIONS[compression](b"".join(write(requests)))
        for length in range(1, len(body)):
            try:
                found, damages = read(body[:length])
            except DamagedInputError:
                continue
            assert merged(found) == merged(requests[: len(found)])
            assert len(damages) <= 1

    def test_a_cut_off_gzip_gives_back_what_it_held(self) -> None:
        requests = usual_requests(2_000)
        body = gzip.compress(b"".join(as_varint(requests)))
        found, damages = read(body[: len(body) // 2])
        assert found == serialised(requests[: len(found)])
        assert len(found) > 800
        (damage,) = damages
        assert damage.where.endswith(" uncompressed")
        assert damage.reason == "the gzip data is cut off"

    def test_a_gzip_with_a_wrong_checksum_is_told_of_and_read(self) -> None:
        requests = usual_requests(5)
        body = bytearray(gzip.compress(b"".join(as_varint(requests))))
        body[-5] ^= 0xFF
        found, (damage,) = read(bytes(body))
        assert found == serialised(requests)
        assert damage.where == "the end"
        assert damage.reason.startswith("the gzip data is damaged: ")

    @every_format
    @given(data=st.data())
    @settings(deadline=None, max_examples=40)
    def test_flipped_bytes_never_break_the_reader(self, write: Any, data: DataObject) -> None:
        compress = COMPRESSIONS[data.draw(st.sampled_from(sorted(COMPRESSIONS)))]
        body = bytearray(compress(b"".join(write(usual_requests(4)))))
        for position in data.draw(st.lists(st.integers(0, len(body) - 1), min_size=1, max_size=4)):
            body[position] ^= data.draw(st.integers(1, 255))
        try:
            found, _ = read(bytes(body))
        except DamagedInputError:
            return
        for request in found:
            Request.FromString(request)

    @given(st.binary(max_size=300))
    @example(b"\x1f\x8b")
    @example(b"\x28\xb5\x2f\xfd")
    @example(b"\x0a\x00")
    @settings(deadline=None)
    def test_random_bytes_never_break_the_reader(self, body: bytes) -> None:
        try:
            found, _ = read(body)
        except DamagedInputError:
            return
        for request in found:
            Request.FromString(request)

    @given(_DOCUMENTS)
    @settings(deadline=None, max_examples=200)
    def test_random_documents_never_break_the_reader(self, document: Any) -> None:
        try:
            found, _ = read(json.dumps(document).encode())
        except DamagedInputError:
            return
        for request in found:
            Request.FromString(request)

    @pytest.mark.parametrize("frame", [varint, fixed])
    @pytest.mark.parametrize("position", [0, 1, 2])
    def test_a_corrupt_message_leaves_the_others(self, frame: Any, position: int) -> None:
        payloads = serialised(usual_requests(2))
        bad = bytearray(payloads[0])
        bad[-1] = bad[-20] = 0xFF
        frames = [frame(payload) for payload in payloads]
        frames.insert(position, frame(bytes(bad)))
        offset = sum(map(len, frames[:position]))
        reason = "the message does not parse as a trace request"
        assert read(b"".join(frames)) == (payloads, [Damage("file", f"byte {offset}", reason)])

    def test_a_corrupt_compressed_message_leaves_the_others(self) -> None:
        frames = as_fixed_zstd(usual_requests(3))
        frames[1] = fixed(zstd(b"something")[:-1])
        found, damages = read(b"".join(frames))
        assert found == serialised([small_request(1), small_request(3)])
        assert damages == [Damage("file", f"byte {len(frames[0])}", "the zstd data is cut off")]

    def test_a_frame_that_announces_too_much_ends_the_file(self) -> None:
        body = b"".join(as_fixed(usual_requests(2)))
        reason = "a message of 4294967295 bytes is announced, which is more than any request has"
        damage = Damage("file", f"byte {len(body)}", reason)
        assert read(body + b"\xff\xff\xff\xff" + body) == (serialised(usual_requests(2)), [damage])

    def test_a_journal_record_with_a_wrong_digest_ends_the_segment(self) -> None:
        header, first, second, third = as_journal(usual_requests(3))
        second = second[:-1] + bytes([second[-1] ^ 1])
        damage = Damage("file", f"byte {len(header + first)}", "the record does not match its digest")
        assert read(header + first + second + third) == (serialised(usual_requests(1)), [damage])

    def test_a_bad_line_leaves_the_others(self) -> None:
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
    def test_lines_whose_first_is_damaged_are_still_lines(self, padding: int) -> None:
        requests = usual_requests(400)
        lines = as_lines(requests)
        lines[0] = lines[0][200:]
        found, damages = read(b"".join(lines) + b" " * padding * 100)
        assert merged(found) == merged(requests[1:])
        assert [damage.where for damage in damages] == ["line 1"]

    @pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
    @pytest.mark.parametrize("separator", [b"", b"\n", b"\r\n\r\n", b"\n\0\0\0"])
    def test_documents_one_after_the_other(self, mark: bytes, separator: bytes) -> None:
        pretty = [piece.strip() for piece in as_pretty_documents(usual_requests(3))]
        compact = [piece.strip() for piece in as_lines(usual_requests(3))]
        for pieces in (pretty, compact):
            assert read(mark + separator.join(pieces)) == (serialised(usual_requests(3)), [])

    def test_an_array_that_is_cut_off_gives_back_its_whole_elements(self) -> None:
        documents = [piece.strip() for piece in as_lines(usual_requests(3))]
        body = b"[\n" + b",\n".join(documents)
        found, damages = read(body[:-20])
        assert merged(found) == merged(usual_requests(2))
        assert [damage.where for damage in damages] == ["line 1", "line 4"]

    def test_a_bad_span_leaves_its_document(self) -> None:
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

    def test_many_damages_are_summarised(self) -> None:
        line = as_lines(usual_requests(1))[0]
        found, damages = read(line + b"{\n" * (MAX_DAMAGES + 7) + line)
        assert found == serialised(usual_requests(1)) * 2
        assert [damage.where for damage in damages[:-1]] == [f"line {number + 2}" for number in range(MAX_DAMAGES)]
        assert damages[-1] == Damage("file", "further on", "7 more parts could not be read")


class TestExpandPaths:
    def test_a_directory_stands_for_the_trace_files_under_it(self, tmp_path: Path) -> None:
        lines, delimited = b"".join(as_lines(usual_requests(2))), b"".join(as_varint(usual_requests(2)))
        wanted = {
            "b.jsonl": lines,
            "a/deep/one.pb": delimited,
            "a/two.gz": gzip.compress(delimited),
            "a/cut.gz": gzip.compress(delimited)[:15],
            "a/cut.json": lines[:60],
            "zipkin.json": b'[{"traceId": "1", "id": "2"}]',
            "jaeger.json": b'{"data": [{"traceID": "1", "spans": []}]}',
            "large.json": b'{"resourceSpans": [' + b" " * 1_100_000 + b"]}",
        }
        unwanted = {
            "README.md": b"# Read me\n",
            "empty.json": b"",
            "labels.json": b'[{"file": "b.jsonl", "spans": 5}]',
            "package.json": b'{"name": "app"}',
            "large-labels.json": b'{"name": [' + b" " * 1_100_000 + b"]}",
            "a/app.js": b"const express = require('express')\n",
            "notes.md.gz": gzip.compress(b"# Notes\n"),
            ".hidden.jsonl": lines,
            ".git/one.pb": delimited,
        }
        for name, body in (wanted | unwanted).items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
        os.mkfifo(tmp_path / "pipe")
        (tmp_path / "dangling").symlink_to("nowhere")
        assert expand_paths([str(tmp_path)]) == sorted(str(tmp_path / name) for name in wanted)

    def test_named_files_stay_as_they_are_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        Path("README.md").write_bytes(b"# Read me\n")
        assert expand_paths(["-", "./README.md", "README.md"]) == ["-", "./README.md", "README.md"]

    def test_a_missing_path_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(DamagedInputError, match=r"/nowhere does not exist: check the path$"):
            expand_paths([f"{tmp_path}/nowhere"])

    def test_a_directory_without_trace_files_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "README.md").write_bytes(b"# Read me\n")
        with pytest.raises(DamagedInputError, match=r"holds no trace file among its 1 files: expected"):
            expand_paths([str(tmp_path)])
