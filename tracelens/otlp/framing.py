"""How protobuf messages follow one another in a file.

    single          one message: its repeated field 1 is itself a sequence, read in slices
    varint          varint length · message, as protobuf libraries write delimited messages
    fixed           u32 big-endian length · message, as the Collector's file exporter writes them; with its
                    "classic" compression each message is a zstd frame of its own
    journal         b"TLJRNL01" · u64 big-endian sequence number of the first record · records
                    record: u32 big-endian length · 16 bytes xxh3_128 of the message · message

Every reader yields the whole frames and then raises `FramingError` where the rest is no frame.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import xxhash

from tracelens.otlp.compression import ZSTD_MAGIC, decompress_message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

JOURNAL_MAGIC: Final = b"TLJRNL01"
JOURNAL_HEADER: Final = struct.Struct(">8sQ")
"""Magic, sequence number of the first record."""
JOURNAL_RECORD: Final = struct.Struct(">I16s")
"""Length of the message in bytes, its xxh3_128."""

MAX_MESSAGE_BYTES: Final = 256 << 20
"""A longer frame is taken for damage: receivers refuse requests a quarter of this size."""

_FIXED_LENGTH: Final = struct.Struct(">I")
_MAX_VARINT_BYTES: Final = 5
_FIRST_FIELD: Final = b"\x0a"
"""Tag of field 1, length-delimited: the one field of a request."""
_SLICE_BYTES: Final = 4 << 20


class FramingError(Exception):
    """What follows is no frame: nothing behind it can be found any more."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(reason)
        self.offset = offset
        self.reason = reason


class CutOffError(FramingError):
    """The stream ends within a frame."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset, "the last message is cut off")


class Frame(NamedTuple):
    """One message as it lies in the file: the byte where its frame starts, and its payload."""

    offset: int
    payload: bytes


ReadFrames: TypeAlias = "Callable[[BinaryIO], Iterator[Frame]]"


def varint_frames(stream: BinaryIO) -> Iterator[Frame]:
    """Read varint-delimited messages."""
    offset = 0
    while (prefix := _read_varint(stream, offset)) is not None:
        yield Frame(offset, _read_payload(stream, prefix.value, offset))
        offset += len(prefix.written) + prefix.value


def fixed_frames(stream: BinaryIO) -> Iterator[Frame]:
    """Read messages behind 4-byte big-endian lengths."""
    offset = 0
    while prefix := stream.read(_FIXED_LENGTH.size):
        if len(prefix) < _FIXED_LENGTH.size:
            raise CutOffError(offset)
        (length,) = _FIXED_LENGTH.unpack(prefix)
        yield Frame(offset, _read_payload(stream, length, offset))
        offset += _FIXED_LENGTH.size + length


def single_frames(stream: BinaryIO) -> Iterator[Frame]:
    """Read one message as slices of its field 1, each of them a message too, of about 4 MiB."""
    start, pieces, size, fault = 0, list[bytes](), 0, None
    try:
        for offset, field in _first_fields(stream):
            if size >= _SLICE_BYTES:
                yield Frame(start, b"".join(pieces))
                start, pieces, size = offset, [], 0
            pieces.append(field)
            size += len(field)
    except FramingError as error:
        fault = error
    if pieces:
        yield Frame(start, b"".join(pieces))
    if fault is not None:
        raise fault


def journal_frames(stream: BinaryIO) -> Iterator[Frame]:
    """Read the messages of a journal segment up to the first record that is not whole."""
    offset = len(stream.read(JOURNAL_HEADER.size))
    if offset < JOURNAL_HEADER.size:
        raise FramingError(0, "the header of the journal segment is cut off")
    while header := stream.read(JOURNAL_RECORD.size):
        if len(header) < JOURNAL_RECORD.size:
            raise CutOffError(offset)
        length, digest = JOURNAL_RECORD.unpack(header)
        payload = _read_payload(stream, length, offset)
        if xxhash.xxh3_128_digest(payload) != digest:
            raise FramingError(offset, "the record does not match its digest")
        yield Frame(offset, payload)
        offset += JOURNAL_RECORD.size + length


def content(payload: bytes) -> bytes:
    """Return a payload without the compression of its own that it may have.

    Raises:
        ValueError: the compressed data is damaged.
    """
    return decompress_message(payload, MAX_MESSAGE_BYTES) if payload.startswith(ZSTD_MAGIC) else payload


def _first_fields(stream: BinaryIO) -> Iterator[Frame]:
    offset = 0
    while tag := stream.read(1):
        if tag != _FIRST_FIELD:
            raise FramingError(offset, "no resource spans begin here")
        prefix = _read_varint(stream, offset)
        if prefix is None:
            raise CutOffError(offset)
        field = b"".join((tag, prefix.written, _read_payload(stream, prefix.value, offset)))
        yield Frame(offset, field)
        offset += len(field)


def _read_payload(stream: BinaryIO, length: int, offset: int) -> bytes:
    if length > MAX_MESSAGE_BYTES:
        raise FramingError(offset, f"a message of {length} bytes is announced, which is more than any request has")
    payload = stream.read(length)
    if len(payload) < length:
        raise CutOffError(offset)
    return payload


class _Varint(NamedTuple):
    value: int
    written: bytes


def _read_varint(stream: BinaryIO, offset: int) -> _Varint | None:
    """Return the next varint, None at the end of the stream."""
    written = b""
    value = 0
    while byte := stream.read(1):
        value |= (byte[0] & 0x7F) << 7 * len(written)
        written += byte
        if byte[0] < 0x80:  # noqa: PLR2004  (the continuation bit)
            return _Varint(value, written)
        if len(written) == _MAX_VARINT_BYTES:
            raise FramingError(offset, "no message length begins here")
    if written:
        raise CutOffError(offset)
    return None
