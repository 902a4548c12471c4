"""What a sender does for each Content-Encoding."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING

import zstandard

if TYPE_CHECKING:
    from collections.abc import Callable


def streamed_zstd(body: bytes) -> bytes:
    """Compress without writing the size into the frame, as the Collector does."""
    stream = zstandard.ZstdCompressor().compressobj()
    return stream.compress(body) + stream.flush()


COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": streamed_zstd,
}
