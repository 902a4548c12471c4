"""Serialised requests to rows of the store by the compiled core.

The core reads every span and knows the shape of most: it has met their like. Of a new shape it gives an example, and
Python works out the shape as it would for any span: the core then repeats what Python said.
"""

from __future__ import annotations

import ctypes
import secrets
import weakref
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from tracelens.native.arrow import Buffers
from tracelens.native.library import Bytes, Collected, Role, Rows, Told, as_bytes
from tracelens.native.roles import PREFIXES, roles
from tracelens.otlp.decode import decode_requests, span_levels
from tracelens.semconv.any_value import message_to_text
from tracelens.semconv.catalogue import REMEMBERED_TEXTS
from tracelens.semconv.normalise import SpanDetails, SpanTables, sampling_weight, span_columns
from tracelens.semconv.span_columns import ROWS_SCHEMA
from tracelens.semconv.span_shapes import shapes_and_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracelens.native.library import Details, Example, Library
    from tracelens.semconv.catalogue import Catalogue

_ALL: Final = 2**32 - 1

_TOO_LARGE: Final = 2
_FAILURES: Final = {1: "out of memory", _TOO_LARGE: "a transaction's texts are longer than two gigabytes"}


class CoreError(Exception):
    """The core and Python do not say the same of a span, or memory is short: the batch is Python's to read."""


@dataclass(frozen=True, slots=True)
class ReadRequests:
    """What became of a batch of requests.

    Attributes:
        tables: rows of those that the core can read.
        odd: the positions of the others, which are Python's to read.
    """

    tables: SpanTables
    odd: tuple[int, ...]


class SpanReader:
    """Reads requests into rows, for one thread.

    Args:
        core: the compiled core.
        catalogue: gives ids to shapes and query texts.
    """

    def __init__(self, core: Library, catalogue: Catalogue) -> None:
        self._core = core
        self._catalogue = catalogue
        self._systems: dict[str, int] = {}
        # By signature: the database system and the operation, which a new query text is described with.
        self._queries: list[tuple[str, str | None]] = []
        self._known = _checked_pointer(core.open(secrets.randbits(64)))
        self._finalizer = weakref.finalize(self, core.close, self._known)
        for name, role in roles().items():
            _check(core.tell_name(self._known, _one(name.encode()), Role(*role)))
        for prefix in PREFIXES:
            _check(core.tell_prefix(self._known, _one(prefix.encode())))

    def remember_text(self, db_system: str, text: str, id_: int) -> None:
        """Tell the id of a query text that is stored."""
        _check(self._core.tell_text(self._known, self._system(db_system), _one(text.encode()), id_))

    def read(self, bodies: Sequence[bytes], received_ns: int) -> ReadRequests:
        """Return the rows of serialised requests which `span_counts` has found plain.

        Args:
            bodies: the requests.
            received_ns: when they were received, nanoseconds since 1970.

        Raises:
            CoreError: the core cannot read them now; no ids are given that are not kept.
        """
        found = Collected()
        batch = self._core.collect(self._known, as_bytes(bodies), len(bodies), ctypes.byref(found))
        if batch is None:
            self._queries.clear()
            raise CoreError(_FAILURES[1])
        owner = _Batch(self._core, batch, bodies)
        self._learn(owner, found)
        tables = self._rows(owner, found, received_ns)
        return ReadRequests(tables, tuple(self._core.odd(batch, number) for number in range(found.odd)))

    def _learn(self, batch: _Batch, found: Collected) -> None:
        """Work out the shapes that are new."""
        del self._queries[found.first_signature :]  # after the core has forgotten them
        if not found.examples:
            return
        try:
            examples = [self._core.example(batch.pointer, number) for number in range(found.examples)]
            for signature, shape in enumerate(self._described(examples), start=found.first_signature):
                shape_id, db_system, operation = shape
                self._core.tell_shape(self._known, signature, shape_id, self._system(db_system or ""))
                self._queries.append((db_system or "", operation))
        except BaseException:
            self._core.forget_signatures(self._known)
            self._queries.clear()
            raise

    def _described(self, examples: Sequence[Example]) -> Iterator[tuple[int, str | None, str | None]]:
        """Return the id of each example's shape, with the database system and the operation that it names."""
        decoded = decode_requests([_request_of(examples)])
        if decoded.refused:
            raise CoreError(f"Python refuses a span that the core has read: {decoded.refused}")
        columns = span_columns(span_levels(decoded.batch), self._catalogue)
        shape_ids, values = shapes_and_values(columns, self._catalogue)
        if values.value_lengths().to_pylist() != [example.values for example in examples]:
            raise CoreError("Python and the core find different values in a span")
        return zip(
            shape_ids.to_pylist(), columns["db_system"].to_pylist(), columns["db_operation"].to_pylist(), strict=True
        )

    def _rows(self, batch: _Batch, found: Collected, received_ns: int) -> SpanTables:
        core, catalogue = self._core, self._catalogue
        rendered = [core.unrendered(batch.pointer, number).copy() for number in range(found.rendered)]
        texts = [message_to_text(AnyValue.FromString(value)) for value in rendered]
        encoded = [(text or "").encode() for text in texts]
        ends = np.append(0, np.cumsum([len(text) for text in encoded], dtype=np.int64))
        _check(_TOO_LARGE * int(ends[-1] > np.iinfo(np.int32).max))
        offsets = ends.astype(np.int32)
        data = np.frombuffer(b"".join(encoded) or b"\0", dtype=np.uint8)
        nulls = np.array([text is None for text in texts], dtype=np.uint8)
        states = [core.state(batch.pointer, number).copy().decode() for number in range(found.states)]
        weights = np.array([sampling_weight(state) for state in states], dtype=np.float32)
        first_text_id = catalogue.next_ids["query_texts"]
        told = Told(offsets.ctypes.data, data.ctypes.data, nulls.ctypes.data, weights.ctypes.data, first_text_id)
        rows, buffers = Rows(), Buffers(batch)
        try:
            _check(core.emit(batch.pointer, ctypes.byref(told), ctypes.byref(rows)))
            self._add_texts(buffers, rows)
        except BaseException:
            core.forget_texts(self._known, _ALL)  # some have ids that nobody keeps
            raise
        columns = {
            "trace_id": buffers.uuids(rows.trace_ids),
            "span_id": buffers.numbers(rows.span_ids, pa.uint64()),
            "parent_span_id": buffers.fixed(rows.parents, pa.uint64()),
            "start_ns": buffers.numbers(rows.starts, pa.int64()),
            "duration_ns": buffers.numbers(rows.durations, pa.int64()),
            "span_shape_id": buffers.numbers(rows.shapes, pa.int32()),
            "weight": buffers.numbers(rows.weights, pa.float32()),
            "query_text_id": buffers.fixed(rows.text_ids, pa.int32()),
            "parameter_hash": buffers.fixed(rows.hashes, pa.int64()),
            "url_full": buffers.texts(rows.url_full),
            "url_path": buffers.texts(rows.url_path),
            "url_query": buffers.texts(rows.url_query),
            "span_values": buffers.lists(rows.value_offsets, buffers.texts(rows.values)),
            "received_ns": pa.array(np.full(found.spans, received_ns, dtype=np.int64)),
        }
        return SpanTables(
            spans=pa.Table.from_arrays([columns[name] for name in ROWS_SCHEMA.names], schema=ROWS_SCHEMA),
            events=_events(buffers, rows.events),
            links=_links(buffers, rows.links),
            repeated=buffers.numbers(rows.repeated, pa.int64()).to_numpy(),
        )

    def _add_texts(self, buffers: Buffers, rows: Rows) -> None:
        texts = buffers.texts(rows.new_texts)
        if len(texts):
            signatures = buffers.numbers(rows.new_text_signatures, pa.uint32()).to_pylist()[: len(texts)]
            queries = [self._queries[signature] for signature in signatures]
            systems = [db_system for db_system, _ in queries]
            self._catalogue.add_query_texts(texts, systems, pa.array([name for _, name in queries], pa.string()))
        if self._core.text_count(self._known) > REMEMBERED_TEXTS:
            least = max(0, self._catalogue.next_ids["query_texts"] - REMEMBERED_TEXTS // 2)
            _check(self._core.forget_texts(self._known, least))

    def _system(self, db_system: str) -> int:
        return self._systems.setdefault(db_system, len(self._systems))


class _Batch:
    """Owns the memory of a batch, and what that points to."""

    def __init__(self, core: Library, pointer: int, bodies: Sequence[bytes]) -> None:
        self.pointer = pointer
        self._bodies = bodies
        self._free = core.free

    def __del__(self) -> None:
        self._free(self.pointer)


def _events(buffers: Buffers, details: Details) -> SpanDetails | None:
    own = {"time_ns": buffers.numbers(details.times, pa.int64()), "name": buffers.texts(details.names)}
    return _details(buffers, details, own)


def _links(buffers: Buffers, details: Details) -> SpanDetails | None:
    states = buffers.texts(details.names)
    own = {
        "linked_trace_id": buffers.uuids(details.linked_trace_ids),
        "linked_span_id": buffers.numbers(details.linked_span_ids, pa.uint64()),
        "trace_state": pa.array([state or None for state in states.to_pylist()], pa.string()),
    }
    return _details(buffers, details, own)


def _details(buffers: Buffers, details: Details, own: dict[str, pa.Array]) -> SpanDetails | None:
    if not details.rows:
        return None
    ids = {
        "trace_id": buffers.uuids(details.trace_ids),
        "span_id": buffers.numbers(details.span_ids, pa.uint64()),
    }
    owners = buffers.numbers(details.owners, pa.int64()).to_numpy()
    return SpanDetails(pa.table(ids | own | {"attributes": buffers.attributes(details)}), owners)


def _request_of(examples: Sequence[Example]) -> bytes:
    """Return a request of these spans. What they share is in it once: a resource may be long, and its spans many."""
    request = bytearray()
    for resource, of_resource in _sharing(examples, "resource"):
        groups = bytearray()
        for scope, of_scope in _sharing(of_resource, "scope"):
            groups += _field(2, scope + b"".join(_field(2, example.span.copy()) for example in of_scope))
        request += _field(1, resource + groups)
    return bytes(request)


def _sharing(examples: Sequence[Example], name: str) -> Iterator[tuple[bytes, list[Example]]]:
    """Return the resource or scope that examples in a row have in common, serialised, with these examples."""

    def place(example: Example) -> tuple[int, int]:
        shared: Bytes = getattr(example, name)
        return shared.data, shared.length

    for _, group in groupby(examples, place):
        members = list(group)
        shared: Bytes = getattr(members[0], name)
        yield (_field(1, shared.copy()) if getattr(members[0], f"has_{name}") else b""), members


def _field(number: int, content: bytes) -> bytes:
    """Return a field of a protobuf message that holds bytes."""
    length, rest = bytearray(), len(content)
    while rest > 0x7F:  # noqa: PLR2004  (seven bits a byte)
        length.append(rest & 0x7F | 0x80)
        rest >>= 7
    length.append(rest)
    return bytes([number << 3 | 2]) + length + content


def _one(content: bytes) -> Bytes:
    return Bytes(ctypes.cast(ctypes.c_char_p(content), ctypes.c_void_p), len(content))


def _check(status: int) -> None:
    if status:
        raise CoreError(_FAILURES[status])


def _checked_pointer(pointer: Any) -> int:
    if pointer is None:
        raise CoreError(_FAILURES[1])
    return int(pointer)
