"""Content encodings of HTTP requests, decompressed piece by piece so that a small bomb cannot fill the memory."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final, Protocol

import zstandard

from tracelens.errors import InvalidRequestError
from tracelens.receiver.admission import TooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable

IDENTITY: Final = "identity"
ENCODINGS: Final = ("gzip", "deflate", "zstd")
"""OTLP names gzip only; the Python exporter also offers deflate, the Collector zstd."""

_ALIASES: Final = {"x-gzip": "gzip", "zlib": "deflate"}
"""Names of the same streams: what HTTP calls deflate has always been zlib's, and the Collector can send that name."""

# A stream gives all that it can for what it is fed: at most 1032 bytes for one in deflate, 128 KiB for 4 in zstd.
# So these pieces become 4 MiB and 8 MiB at most, which is how far the limit can be overshot.
_DEFLATE_PIECE_BYTES: Final = 4096
_ZSTD_PIECE_BYTES: Final = 256
_ZSTD_WINDOW_BYTES: Final = 8 << 20
"""The window that RFC 9659 lets a sender of HTTP content use."""


class _Stream(Protocol):
    """One compressed stream; a body may have several, one behind the other."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


def content_encoding(header: str) -> str:
    """Return the canonical name of a Content-Encoding header's value, `identity` for an empty one.

    Raises:
        InvalidRequestError: an encoding that is not supported, or several.
    """
    name = header.strip().lower() or IDENTITY
    name = _ALIASES.get(name, name)
    if name != IDENTITY and name not in ENCODINGS:
        raise InvalidRequestError(f"unsupported Content-Encoding {header!r}: use {', '.join(ENCODINGS)} or none")
    return name


def decompress(body: bytes, encoding: str, limit_bytes: int) -> bytes:
    """Return the body without its encoding, which is one of `ENCODINGS`.

    Raises:
        InvalidRequestError: the body is damaged, incomplete, or not in this encoding.
        TooLargeError: it is larger than the limit once decompressed.
    """
    new_stream, piece_bytes = _streams(encoding)
    stream = new_stream()
    pieces: list[bytes] = []
    size = 0
    try:
        for start in range(0, len(body), piece_bytes):
            rest = body[start : start + piece_bytes]
            while rest:
                if stream.eof:
                    stream = new_stream()
                piece = stream.decompress(rest)
                rest = stream.unused_data
                size += len(piece)
                if size > limit_bytes:
                    raise TooLargeError(f"the body is larger than {limit_bytes} bytes once decompressed")
                pieces.append(piece)
    except (zlib.error, zstandard.ZstdError) as error:
        raise InvalidRequestError(f"the body is not valid {encoding}: {error}") from error
    if not stream.eof:
        raise InvalidRequestError(f"the body is not valid {encoding}: its end is missing")
    return b"".join(pieces)


def _streams(encoding: str) -> tuple[Callable[[], _Stream], int]:
    """Return what starts a stream of this encoding, and how many bytes to feed it at a time."""
    if encoding == "zstd":
        return zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES).decompressobj, _ZSTD_PIECE_BYTES
    header = zlib.MAX_WBITS | 16 if encoding == "gzip" else zlib.MAX_WBITS
    return lambda: zlib.decompressobj(header), _DEFLATE_PIECE_BYTES
