"""A trace file of any format, from any source, gives back the requests that are in it."""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans

from tracelens.errors import DamagedInputError
from tracelens.journal import Journal
from tracelens.otlp.files import Damage, expand_paths, read_requests

from .trace_files import (
    COMPRESSIONS,
    EVERY_FORMAT,
    Request,
    as_fixed,
    as_fixed_zstd,
    as_journal,
    as_lines,
    as_single,
    as_varint,
    fixed,
    read,
    refusal,
    serialised,
    usual_requests,
    varint,
    zstd,
)
from .trace_requests import REQUESTS, merged, small_request, to_document

if TYPE_CHECKING:
    from hypothesis.strategies import DataObject

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


class TestFormats:
    @EVERY_FORMAT
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
    def test_metrics_are_read_among_traces_and_logs_are_skipped(self, frame: Any) -> None:
        first, second = serialised(usual_requests(2))
        metrics = METRICS.SerializeToString()
        messages = [metrics, first, LOGS.SerializeToString(), second]
        assert read(b"".join(map(frame, messages))) == ([metrics, first, second], [])

    def test_lines_of_logs_are_skipped(self) -> None:
        first, second = as_lines(usual_requests(2))
        body = b'{"resourceMetrics":[]}\n' + first + b'{"resourceLogs":[{}]}\n' + second
        assert read(body) == (serialised(usual_requests(2)), [])

    def test_a_file_of_logs_is_empty(self) -> None:
        assert read(varint(LOGS.SerializeToString()) * 3) == ([], [])


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
        damages: list[Damage] = []
        count = len([len(request.body) for request in read_requests(str(path), on_damage=damages.append)])
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert (count, damages) == (200, [])
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
