"""Trace files of every format to requests of traces and metrics, in memory that does not grow with the file.

Compression and format are seen from the content, never from the name:

    compression         gzip or zstd, by magic bytes                                    compression.py
    journal segment     by magic bytes                                                  framing.py
    JSON                text that begins with { or [: OTLP, Jaeger or Zipkin, one       json_stream.py,
                        document or a document a line                                   documents.py
    protobuf            one message, varint-delimited, or behind 4-byte lengths: the    framing.py,
                        framing whose messages are built like requests                  signals.py

Only what is not a document a line is held in memory whole, and of protobuf one message. Good parts are kept and bad
ones told of; a file without a good part is refused. So is a file of no bytes: whoever names it expects spans in it.
A file may hold traces and metrics together. A journal segment without records and a file that holds only logs are fine
and yield nothing.
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tracelens.errors import DamagedInputError, InvalidRequestError
from tracelens.otlp.compression import CHUNK_BYTES, ByteStream, decompressed, file_chunks
from tracelens.otlp.documents import requests_from_json_document
from tracelens.otlp.framing import FramingError, content, journal_frames
from tracelens.otlp.json_stream import BadText, Document, read_documents
from tracelens.otlp.json_values import load
from tracelens.otlp.requests import Request, request_of_record
from tracelens.otlp.signals import Signal, signal_of
from tracelens.otlp.sniffing import FRAMINGS, SNIFFED_BYTES, Format, is_trace_json, sniff

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import BinaryIO, TypeAlias

    from tracelens.otlp.framing import Frame
    from tracelens.otlp.json_values import JsonValue

STANDARD_INPUT: Final = "-"
MAX_DAMAGES: Final = 20
"""Damages of one file that are told one by one."""

_EXPECTED: Final = (
    "expected OTLP (JSON or protobuf), Jaeger JSON, Zipkin v2 JSON or a journal segment, plain, .gz or .zst"
)


@dataclass(frozen=True, slots=True)
class Damage:
    """A part of a trace file that could not be read, while others could.

    Attributes:
        source: name of the file.
        where: place in its decompressed content, "line 7" or "byte 1234".
        reason: one clause.
    """

    source: str
    where: str
    reason: str


_Part: TypeAlias = "Request | Damage | None"
"""A request, a damage, or None for a part that is good but holds neither spans nor metrics."""


def expand_paths(paths: Sequence[str]) -> list[str]:
    """Return the files to read: a directory stands for every trace file under it, in the order of their paths.

    Files and directories whose name begins with a dot are left out, and so are files that are no trace files.

    Raises:
        DamagedInputError: a path does not exist, or a directory cannot be read or holds no trace file.
    """
    files: list[str] = []
    for path in paths:
        if path == STANDARD_INPUT or not os.path.isdir(path):  # noqa: PTH112  (a path stays as the user wrote it)
            if path != STANDARD_INPUT and not os.path.exists(path):  # noqa: PTH110
                raise DamagedInputError(f"{path} does not exist: check the path")
            files.append(path)
            continue
        below = sorted(_files_under(path))
        found = [file for file in below if _is_trace_file(file)]
        if not found:
            raise DamagedInputError(f"{path} holds no trace file among its {len(below)} files: {_EXPECTED}")
        files += found
    return files


def read_requests(
    source: str | bytes | BinaryIO, *, name: str | None = None, on_damage: Callable[[Damage], None]
) -> Iterator[Request]:
    """Yield the requests of a file, none of them empty.

    Args:
        source: a path, "-" for standard input, the content itself, or an open binary file, which stays open.
        name: what to call the source in messages, where its path does not say.
        on_damage: told of each part that cannot be read, and after `MAX_DAMAGES` of how many more there are.

    Raises:
        DamagedInputError: on the first iteration, where the source cannot be read, is empty or is no trace file; at the
            end, where nothing in it was good.
    """
    label = name or _name_of(source)
    with _opened(source, label) as file:
        faults: list[str] = []
        log = _DamageLog(label, on_damage)
        pending: Damage | None = None
        for part in _parts(file, label, faults):
            if pending is not None:
                log.add(pending)
                pending = None
            if isinstance(part, Damage):
                pending = part
            else:
                log.mark_good()
                if part is not None and part.body:
                    yield part
        if faults:  # the reason why the last part is cut off, where it is
            log.add(Damage(label, pending.where if pending else "the end", faults[0]))
        elif pending is not None:
            log.add(pending)
        log.finish()


class _DamageLog:
    """Tells of damages once something good was found, and not of more than `MAX_DAMAGES` one by one."""

    def __init__(self, label: str, on_damage: Callable[[Damage], None]) -> None:
        self._label = label
        self._on_damage = on_damage
        self._untold: list[Damage] = []
        self._count = 0
        self._is_good = False

    def add(self, damage: Damage) -> None:
        self._count += 1
        if self._count <= MAX_DAMAGES:
            self._untold.append(damage)
            self._tell()

    def mark_good(self) -> None:
        if not self._is_good:
            self._is_good = True
            self._tell()

    def finish(self) -> None:
        if self._untold:
            first = self._untold[0]
            raise DamagedInputError(
                f"{self._label} has no readable part: at {first.where}, {first.reason}; {_EXPECTED}"
            )
        if self._count > MAX_DAMAGES:
            more = self._count - MAX_DAMAGES
            self._on_damage(Damage(self._label, "further on", f"{more} more parts could not be read"))

    def _tell(self) -> None:
        if self._is_good:
            for damage in self._untold:
                self._on_damage(damage)
            self._untold.clear()


def _parts(file: BinaryIO, label: str, faults: list[str]) -> Iterator[_Part]:
    chunks, is_compressed = decompressed(file_chunks(file, faults.append), faults.append)
    head = chunks.peek(SNIFFED_BYTES)
    if not head.strip() or not head.strip(b"\0"):
        raise DamagedInputError(f"{label} {f'has no content: {faults[0]}' if faults else 'is empty'}; {_EXPECTED}")
    found = sniff(chunks)
    if found is None:
        reason = f" ({faults[0]})" if faults else ""
        raise DamagedInputError(f"{label} is not a trace file, or is cut off in its first message{reason}; {_EXPECTED}")
    stream = io.BufferedReader(ByteStream(chunks.take()), CHUNK_BYTES)
    if found is Format.JSON:
        yield from _json_parts(read_documents(stream, head, is_whole=chunks.is_whole), label)
    else:
        yield from _protobuf_parts(stream, found, label, "byte {} uncompressed" if is_compressed else "byte {}")


def _json_parts(documents: Iterator[Document | BadText], label: str) -> Iterator[_Part]:
    for document in documents:
        where = f"line {document.line}"
        if isinstance(document, BadText):
            yield Damage(label, where, document.reason)
        else:
            yield from _document_parts(document.value, label, where)


def _protobuf_parts(stream: BinaryIO, found: Format, label: str, where: str) -> Iterator[_Part]:
    is_journal = found is Format.JOURNAL
    if is_journal:
        yield None
    try:
        for frame in journal_frames(stream) if is_journal else FRAMINGS[found](stream):
            if is_journal:
                yield request_of_record(frame.payload)  # its digest is right: it is what a receiver took for a request
            elif frame.payload:
                yield from _frame_parts(frame, label, where.format(frame.offset))
    except FramingError as error:
        yield Damage(label, where.format(error.offset), error.reason)


def _frame_parts(frame: Frame, label: str, where: str) -> Iterator[_Part]:
    try:
        message = content(frame.payload)
        if message.startswith(b"{"):  # the file exporter's JSON, compressed message by message
            yield from _document_parts(load(message), label, where)
            return
    except (ValueError, InvalidRequestError) as error:
        yield Damage(label, where, str(error))
        return
    signal = signal_of(message)
    if signal is Signal.NONE:
        yield Damage(label, where, "the message does not parse as a trace request")
    else:
        yield Request(signal, message) if signal in {Signal.TRACES, Signal.METRICS} else None


def _document_parts(document: JsonValue, label: str, where: str) -> Iterator[_Part]:
    bad: list[str] = []
    is_empty = True
    for request in requests_from_json_document(document, bad.append):
        is_empty = False
        yield request
    for reason in bad:
        yield Damage(label, where, reason)
    if is_empty and not bad:
        yield None


def _name_of(source: str | bytes | BinaryIO) -> str:
    if source == STANDARD_INPUT:
        return "standard input"
    if isinstance(source, str):
        return source
    return "the given bytes" if isinstance(source, bytes) else str(getattr(source, "name", "the given stream"))


@contextmanager
def _opened(source: str | bytes | BinaryIO, label: str) -> Iterator[BinaryIO]:
    if isinstance(source, bytes):
        yield io.BytesIO(source)
    elif source == STANDARD_INPUT:
        yield sys.stdin.buffer
    elif isinstance(source, str):
        with _open(source, label) as file:
            yield file
    else:
        yield source


def _open(path: str, label: str) -> BinaryIO:
    try:
        return Path(path).open("rb", buffering=0)
    except OSError as error:
        raise DamagedInputError(f"{label} cannot be read: {error.strerror or error}") from None


def _files_under(directory: str) -> Iterator[str]:
    def fail(error: OSError) -> None:
        raise DamagedInputError(f"{error.filename} cannot be read: {error.strerror or error}")

    for folder, folders, names in os.walk(directory, onerror=fail):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = os.path.join(folder, name)  # noqa: PTH118  (a path stays as the user wrote it)
            # Opening a pipe or a socket would wait for its other end.
            if not name.startswith(".") and Path(path).is_file():
                yield path


def _is_trace_file(path: str) -> bool:
    """Say whether a file that was found, not named, is to be read: it is one, or one that is damaged."""
    faults: list[str] = []
    try:
        with Path(path).open("rb", buffering=0) as file:
            chunks, _ = decompressed(file_chunks(file, faults.append), faults.append)
            found = sniff(chunks)
            is_trace = is_trace_json(chunks) if found is Format.JSON else found is not None
            return is_trace or bool(faults)
    except OSError:
        return True
