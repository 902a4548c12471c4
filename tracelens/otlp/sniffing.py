"""What format a file has, by its first bytes."""

from __future__ import annotations

import io
import re
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from tracelens.otlp.compression import ZSTD_MAGIC
from tracelens.otlp.documents import Kind, kind_of
from tracelens.otlp.framing import (
    JOURNAL_MAGIC,
    MAX_MESSAGE_BYTES,
    CutOffError,
    FramingError,
    ReadFrames,
    fixed_frames,
    single_frames,
    varint_frames,
)
from tracelens.otlp.json_stream import Document, read_documents
from tracelens.otlp.signals import is_enveloped

if TYPE_CHECKING:
    from tracelens.otlp.compression import PeekableChunks

SNIFFED_BYTES: Final = 1 << 20


class Format(Enum):
    """How the content of a file is built."""

    JOURNAL = auto()
    JSON = auto()
    SINGLE = auto()
    FIXED = auto()
    VARINT = auto()


FRAMINGS: Final[dict[Format, ReadFrames]] = {
    # In this order where a file reads equally well as several. Short messages behind fixed lengths do as varint too:
    # the zeros of a length are empty messages then.
    Format.SINGLE: single_frames,
    Format.FIXED: fixed_frames,
    Format.VARINT: varint_frames,
}

_OPENING: Final = re.compile(rb"\A(?:\xef\xbb\xbf)?[\s\0]*[\[{]")
_CONTROL_CHARACTER: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
"""Not in JSON, but in any message that holds spans: the tag of their scope is 0x12."""
_LATER_LINE: Final = re.compile(rb'^(?:\{"resource_?(?:[sS]pans|[mM]etrics)"|\[\{"traceId")', re.MULTILINE)
"""The first whole line of a file whose beginning was cut away."""
_TRACE_MEMBER: Final = re.compile(rb'"(?:resource_?[sS]pans|traceI[dD]|resource_?(?:[mM]etrics|[lL]ogs))"\s*:')


def sniff(chunks: PeekableChunks) -> Format | None:
    """Return the format of a file's decompressed content, None where it is no trace file."""
    head = chunks.peek(SNIFFED_BYTES)
    if head.startswith(JOURNAL_MAGIC):
        return Format.JOURNAL
    is_opened = _OPENING.match(head) is not None
    if is_opened and not _CONTROL_CHARACTER.search(head):
        return Format.JSON
    framing = _framing(chunks)
    if framing is not None:
        return framing
    return Format.JSON if is_opened or _LATER_LINE.search(head) else None


def is_trace_json(chunks: PeekableChunks) -> bool:
    """Say whether JSON holds traces: by its documents, or, large or damaged, by the members that its text names."""
    head = chunks.peek(SNIFFED_BYTES)
    names_traces = _TRACE_MEMBER.search(head) is not None
    if not chunks.is_whole:
        return names_traces
    return any(
        kind_of(document.value) is not Kind.NO_TRACE_DATA if isinstance(document, Document) else names_traces
        for document in read_documents(io.BytesIO(head), head, is_whole=True)
    )


def _framing(chunks: PeekableChunks) -> Format | None:
    """Return the framing under which most of the first bytes are requests; look further until one is whole."""
    size = SNIFFED_BYTES
    while True:
        head = chunks.peek(size)
        trials = {framing: _try(read_frames, head) for framing, read_frames in FRAMINGS.items()}
        best = max(trials, key=lambda framing: trials[framing][0])
        if trials[best][0]:
            return best
        if chunks.is_whole or size > MAX_MESSAGE_BYTES or not any(is_open for _, is_open in trials.values()):
            return None
        size *= 4


def _try(read_frames: ReadFrames, head: bytes) -> tuple[int, bool]:
    """Return how many bytes are requests under this framing, and whether the first frame reaches past the head."""
    request_bytes = 0
    try:
        for frame in read_frames(io.BytesIO(head)):
            if frame.payload.startswith(ZSTD_MAGIC) or is_enveloped(frame.payload):
                request_bytes += len(frame.payload)
    except CutOffError as error:
        return request_bytes, error.offset == 0
    except FramingError:
        pass
    return request_bytes, False
