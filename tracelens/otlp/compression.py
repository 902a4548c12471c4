"""Files as streams of decompressed bytes. The compression is seen from the first bytes, never from the name.

What a damaged file still yields is all yielded: a fault is told and ends the stream, it does not raise, because an
exception inside a buffered reader would lose what the buffer had gathered.
"""

from __future__ import annotations

import io
import zlib
from itertools import chain
from typing import TYPE_CHECKING, Final

import zstandard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import BinaryIO

    from _typeshed import WriteableBuffer

CHUNK_BYTES: Final = 1 << 20

ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"

_GZIP_MAGIC: Final = b"\x1f\x8b"
_ZSTD_SKIPPABLE: Final = b"\x2a\x4d\x18"
"""Bytes 1 to 3 of a frame without content, which some zstd writers begin a file with; byte 0 is 0x50 to 0x5f."""
_ZSTD_STEP_BYTES: Final = 128
"""zstd gives all output of an input at once, up to 32,000 times its size: small steps keep that small."""
_LAYERS: Final = 2


class ByteStream(io.RawIOBase):
    """A readable stream over chunks of bytes."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        super().__init__()
        self._chunks = iter(chunks)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Say that this stream can be read."""
        return True

    def readinto(self, target: WriteableBuffer) -> int:
        """Fill the target as far as the next chunk goes; 0 is the end."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        view = memoryview(target)
        count = min(len(view), len(self._rest))
        view[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


class PeekableChunks:
    """Chunks whose beginning can be looked at before they are read."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self.head = b""
        self.is_whole = False

    def peek(self, size_bytes: int) -> bytes:
        """Return at least that many of the first bytes, or all there are; `is_whole` says that these are all."""
        pieces = [self.head]
        missing = size_bytes - len(self.head)
        while missing > 0 and not self.is_whole:
            chunk = next(self._chunks, None)
            if chunk is None:
                self.is_whole = True
            else:
                pieces.append(chunk)
                missing -= len(chunk)
        self.head = b"".join(pieces)
        return self.head

    def take(self) -> Iterator[bytes]:
        """Return all chunks, those that were looked at first."""
        return chain([self.head], self._chunks) if self.head else self._chunks


def decompressed(chunks: Iterator[bytes], on_fault: Callable[[str], None]) -> tuple[PeekableChunks, bool]:
    """Return the content of a file, and whether it was compressed.

    Args:
        chunks: the file as it is.
        on_fault: told why the content ends before its time.
    """
    is_compressed = False
    for _ in range(_LAYERS):
        peekable = PeekableChunks(chunks)
        head = peekable.peek(len(ZSTD_MAGIC))
        if head.startswith(_GZIP_MAGIC):
            chunks = _gunzip(peekable.take(), on_fault)
        elif head.startswith(ZSTD_MAGIC) or (head[1:4] == _ZSTD_SKIPPABLE and head[0] >> 4 == 5):  # noqa: PLR2004
            chunks = _unzstd(peekable.take(), on_fault)
        else:
            return peekable, is_compressed
        is_compressed = True
    return PeekableChunks(chunks), is_compressed


def file_chunks(file: BinaryIO, on_fault: Callable[[str], None]) -> Iterator[bytes]:
    """Yield a file's content."""
    try:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
    except OSError as error:
        on_fault(f"cannot be read any further: {error.strerror or error}")


def decompress_message(payload: bytes, limit_bytes: int) -> bytes:
    """Return the content of one zstd frame.

    Raises:
        ValueError: it is damaged, or larger than the limit.
    """
    faults: list[str] = []
    pieces, size = [], 0
    for piece in _unzstd(iter([payload]), faults.append):
        pieces.append(piece)
        size += len(piece)
        if size > limit_bytes:
            raise ValueError(f"the message is larger than {limit_bytes >> 20} MiB")
    if faults:
        raise ValueError(faults[0])
    return b"".join(pieces)


def _gunzip(chunks: Iterator[bytes], on_fault: Callable[[str], None]) -> Iterator[bytes]:
    member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    for chunk in chunks:
        pending = chunk
        while pending:
            if member.eof:
                pending = pending.lstrip(b"\0")  # tapes and some writers pad with zeros
                if not pending:
                    break
                member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
            before = member.copy()
            try:
                content = member.decompress(pending, CHUNK_BYTES)
            except zlib.error as error:
                yield from _up_to_the_fault(before, pending)
                on_fault(f"the gzip data is damaged: {error}")
                return
            if content:
                yield content
            pending = member.unused_data if member.eof else member.unconsumed_tail
    if not member.eof:
        if content := member.flush():
            yield content
        on_fault("the gzip data is cut off")


def _up_to_the_fault(member: zlib._Decompress, damaged: bytes) -> Iterator[bytes]:
    """Yield what zlib decoded before it met the fault, which it does not return with the error."""
    for position in range(len(damaged)):
        try:
            piece = member.decompress(damaged[position : position + 1])
        except zlib.error:
            return
        if piece:
            yield piece


def _unzstd(chunks: Iterable[bytes], on_fault: Callable[[str], None]) -> Iterator[bytes]:
    decompressor = zstandard.ZstdDecompressor()
    frame = decompressor.decompressobj()
    for chunk in chunks:
        for start in range(0, len(chunk), _ZSTD_STEP_BYTES):
            pending = chunk[start : start + _ZSTD_STEP_BYTES]
            while pending:
                if frame.eof:
                    frame = decompressor.decompressobj()
                try:
                    content = frame.decompress(pending)
                except zstandard.ZstdError as error:
                    on_fault(f"the zstd data is damaged: {str(error).removeprefix('zstd decompressor error: ')}")
                    return
                if content:
                    yield content
                pending = frame.unused_data if frame.eof else b""
    if not frame.eof:
        on_fault("the zstd data is cut off")
