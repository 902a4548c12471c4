"""JSON text to parsed documents: one document, one a line, or any number one after the other.

Lines are read one by one, so a file of lines may be of any size. Everything else is read whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import orjson

from tracelens.otlp.json_values import BYTE_ORDER_MARK, LENIENT_DECODER, JsonValue, mend

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

_BLANK: Final = b" \t\r\n\0"
"""NUL too: a machine that loses power leaves blocks of them in a file that was being written."""
_GAP: Final = re.compile(r"[\s\0,]*")
"""Between documents. A comma too: elements of an array that was cut off are found by themselves."""
_NEXT_DOCUMENT: Final = re.compile(r"^[\[{]", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed document and the line it begins in, counted from 1."""

    line: int
    value: JsonValue


@dataclass(frozen=True, slots=True)
class BadText:
    """What begins in this line is no JSON."""

    line: int
    reason: str


def read_documents(stream: BinaryIO, head: bytes, *, is_whole: bool) -> Iterator[Document | BadText]:
    """Parse a stream of JSON.

    Args:
        stream: all of it.
        head: its first bytes, which tell how it is built.
        is_whole: there is no more than the head.
    """
    if _is_lines(head, is_whole=is_whole):
        for number, line in enumerate(stream, 1):
            yield from _documents_in(line.strip(_BLANK), number)
    else:
        yield from _documents_in(stream.read(), 1)


def _is_lines(head: bytes, *, is_whole: bool) -> bool:
    """Say whether each line is a document. Where that is open, it is not: then all is read, which takes memory only."""
    lines = head.removeprefix(BYTE_ORDER_MARK).split(b"\n")
    if not is_whole:
        lines.pop()
        if not lines:  # one long line, document or the first of many
            return True
    lines = [line for line in lines if line.strip(_BLANK)]
    if lines and _is_document(lines[0]):
        return True
    # The first line may be damaged. Within a document no two lines in a row are documents: a comma parts them.
    return not is_whole and any(_is_document(first) and _is_document(second) for first, second in pairwise(lines))


def _is_document(line: bytes) -> bool:
    try:
        return isinstance(orjson.loads(line), dict | list)
    except orjson.JSONDecodeError:
        return False


def _documents_in(body: bytes, line: int) -> Iterator[Document | BadText]:
    if not body:
        return
    try:
        yield Document(line, orjson.loads(body))
    except orjson.JSONDecodeError:
        yield from _separate_documents(mend(body), line)


def _separate_documents(text: str, line: int) -> Iterator[Document | BadText]:
    """Parse documents that follow one another; behind a damaged one go on where a line begins with a bracket."""
    position = counted = 0
    while True:
        position = _GAP.match(text, position).end()  # type: ignore[union-attr]  # it matches nothing too
        if position == len(text):
            return
        line += text.count("\n", counted, position)
        counted = position
        try:
            value, end = LENIENT_DECODER.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            reason = _reason(error)
        else:
            if isinstance(value, dict | list):
                yield Document(line, value)
                position = end
                continue
            reason = "it is no trace data"  # the remains of a document whose beginning is lost
        yield BadText(line, reason)
        found = _NEXT_DOCUMENT.search(text, position + 1)
        if found is None:
            return
        position = found.start()


def _reason(error: ValueError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "not valid JSON: nested too deep"
    return f"not valid JSON: {getattr(error, 'msg', error)}"
