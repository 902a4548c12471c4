"""Trace files of every format, compressed in every way, for the tests of this folder."""

from __future__ import annotations

import gzip
import json
import struct
from typing import TYPE_CHECKING, Any

import pytest
import xxhash
import zstandard
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tracelens.errors import DamagedInputError
from tracelens.otlp.files import Damage, read_requests
from tracelens.otlp.framing import JOURNAL_HEADER, JOURNAL_MAGIC, JOURNAL_RECORD

from .trace_requests import small_request, to_document, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
EVERY_FORMAT = pytest.mark.parametrize("write", FORMATS)


def read(source: Any, name: str | None = "file") -> tuple[list[bytes], list[Damage]]:
    damages: list[Damage] = []
    return [request.body for request in read_requests(source, name=name, on_damage=damages.append)], damages


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
