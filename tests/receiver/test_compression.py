"""Every content encoding is read back whole, refused where it is damaged, and stopped at the limit."""

from __future__ import annotations

import contextlib
import random

import pytest
import zstandard
from compressors import COMPRESSORS
from hypothesis import given, settings
from hypothesis import strategies as st

from tracelens.errors import InvalidRequestError
from tracelens.receiver import TooLargeError
from tracelens.receiver.compression import content_encoding, decompress

encodings = st.sampled_from(sorted(COMPRESSORS))
NOISE = random.Random(7).randbytes(300_000)  # noqa: S311


@settings(deadline=None)
@given(encodings, st.lists(st.binary(max_size=2000), min_size=1, max_size=3))
def test_one_or_several_streams_are_read_back(encoding: str, parts: list[bytes]) -> None:
    body = b"".join(COMPRESSORS[encoding](part) for part in parts)
    assert decompress(body, encoding, 6000) == b"".join(parts)


@pytest.mark.parametrize("encoding", sorted(COMPRESSORS))
def test_bodies_larger_than_the_pieces_they_are_fed_in(encoding: str) -> None:
    assert decompress(COMPRESSORS[encoding](NOISE), encoding, len(NOISE)) == NOISE


@settings(deadline=None)
@given(encodings, st.binary(max_size=300), st.data())
def test_a_body_cut_off_anywhere_is_refused(encoding: str, body: bytes, choice: st.DataObject) -> None:
    compressed = COMPRESSORS[encoding](body)
    size = choice.draw(st.integers(1, len(compressed) - 1), label="size")
    with pytest.raises(InvalidRequestError):
        decompress(compressed[:size], encoding, 1000)


@settings(deadline=None)
@given(encodings, st.binary(max_size=100))
def test_noise_is_refused_or_read_but_raises_nothing_else(encoding: str, body: bytes) -> None:
    with contextlib.suppress(InvalidRequestError):
        decompress(body, encoding, 1 << 20)


@pytest.mark.parametrize("encoding", sorted(COMPRESSORS))
def test_an_empty_body_is_not_a_stream(encoding: str) -> None:
    with pytest.raises(InvalidRequestError, match=f"the body is not valid {encoding}"):
        decompress(b"", encoding, 10)


@pytest.mark.parametrize("encoding", sorted(COMPRESSORS))
def test_the_limit_is_that_of_the_decompressed_size(encoding: str) -> None:
    compressed = COMPRESSORS[encoding](NOISE)
    with pytest.raises(TooLargeError, match="the body is larger than 299999 bytes once decompressed"):
        decompress(compressed, encoding, len(NOISE) - 1)


@pytest.mark.parametrize("encoding", sorted(COMPRESSORS))
def test_a_bomb_is_stopped(encoding: str) -> None:
    with pytest.raises(TooLargeError):
        decompress(COMPRESSORS[encoding](bytes(50_000_000)), encoding, 1_000_000)


def test_a_zstd_window_beyond_8_mib_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=24)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    body = stream.compress(NOISE) + stream.flush()
    with pytest.raises(InvalidRequestError, match="not valid zstd"):
        decompress(body, "zstd", len(NOISE))


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("", "identity"),
        ("identity", "identity"),
        ("GZIP", "gzip"),
        ("x-gzip", "gzip"),
        ("zlib", "deflate"),
        (" deflate ", "deflate"),
        ("zstd", "zstd"),
    ],
)
def test_names_of_encodings(header: str, name: str) -> None:
    assert content_encoding(header) == name


@pytest.mark.parametrize("header", ["br", "snappy", "gzip, gzip", "*"])
def test_other_encodings_are_refused(header: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"unsupported Content-Encoding .*: use gzip, deflate, zstd or none"):
        content_encoding(header)
