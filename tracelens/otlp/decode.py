"""OTLP trace requests, as bytes, to one Arrow batch: a row per request, nested as the wire is.

`ptars` reads the wire format straight into Arrow, so no Python object exists per span; `reference.py`
holds the same function on protobuf objects, the oracle of the differential test and the fallback.

What is refused here is refused before the sender is answered, so everything that could fail later is
checked now: the wire format, UTF-8, the lengths of ids, resources and scopes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from proto_stubs.otlp_trace_slim_pb2 import DESCRIPTOR, ExportTraceServiceRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TRACE_ID_BYTES = 16
SPAN_ID_BYTES = 8


@dataclass(frozen=True, slots=True)
class DecodedRequests:
    """A group of requests after decoding.

    Attributes:
        batch: one row per request that decoded, in order; its only column is `resource_spans`.
        refused: position of a refused request in the group to the reason, one clause.
    """

    batch: pa.RecordBatch
    refused: dict[int, str]


@dataclass(frozen=True, slots=True)
class SpanLevels:
    """The levels of a decoded batch as flat Arrow arrays that share the batch's memory.

    Attributes:
        resources: binary, the serialised Resource of each ResourceSpans.
        scopes: binary, the serialised InstrumentationScope of each ScopeSpans.
        spans: struct, one element per span.
        resource_of_scope: int, the ResourceSpans that each ScopeSpans belongs to.
        scope_of_span: int, the ScopeSpans that each span belongs to.
        request_of_resource: int, the request that each ResourceSpans belongs to.
    """

    resources: pa.BinaryArray
    scopes: pa.BinaryArray
    spans: pa.StructArray
    resource_of_scope: pa.Array
    scope_of_span: pa.Array
    request_of_resource: pa.Array


@cache
def _read_batch() -> Callable[[list[bytes]], pa.RecordBatch]:
    """Return the batch decoder: ptars, or the reference where its wheel does not load."""
    try:
        import ptars  # noqa: PLC0415  (optional at run time: a platform without its wheel uses the reference)
    except ImportError:
        from tracelens.otlp.reference import read_batch  # noqa: PLC0415

        return read_batch
    pool = ptars.HandlerPool([DESCRIPTOR])
    decoder: Callable[[list[bytes]], pa.RecordBatch] = pool.get_for_message(
        ExportTraceServiceRequest.DESCRIPTOR
    ).list_to_record_batch
    return decoder


def decode_requests(bodies: Sequence[bytes]) -> DecodedRequests:
    """Decode a group of serialised `ExportTraceServiceRequest` messages.

    One bad request does not touch the others: it is left out and named in `refused`.
    """
    kept, refused = list(range(len(bodies))), dict[int, str]()
    try:
        batch = _read_batch()(list(bodies))
    except ValueError:
        for position, body in enumerate(bodies):
            try:
                _read_batch()([body])
            except ValueError as error:
                refused[position] = f"not an ExportTraceServiceRequest: {error}"
        kept = [position for position in kept if position not in refused]
        batch = _read_batch()([bodies[position] for position in kept])
    found = _find_invalid(span_levels(batch))
    if found:
        refused |= {kept[row]: reason for row, reason in found.items()}
        batch = batch.filter(pa.array([row not in found for row in range(len(kept))]))
    return DecodedRequests(batch, dict(sorted(refused.items())))


def span_levels(batch: pa.RecordBatch) -> SpanLevels:
    """Return the levels of a batch; no data is copied, except where a filter left gaps."""
    resource_spans = batch.column(0)
    flat_resources = resource_spans.flatten()
    scope_spans = flat_resources.field("scope_spans")
    flat_scopes = scope_spans.flatten()
    spans = flat_scopes.field("spans")
    return SpanLevels(
        resources=flat_resources.field("resource"),
        scopes=flat_scopes.field("scope"),
        spans=spans.flatten(),
        resource_of_scope=pc.list_parent_indices(scope_spans),
        scope_of_span=pc.list_parent_indices(spans),
        request_of_resource=pc.list_parent_indices(resource_spans),
    )


def span_count(batch: pa.RecordBatch) -> int:
    """Return how many spans a decoded batch holds."""
    return len(batch.column(0).flatten().field("scope_spans").flatten().field("spans").flatten())


def _find_invalid(levels: SpanLevels) -> dict[int, str]:
    """Return the requests that decode but cannot be kept, with the reason."""
    invalid = dict[int, str]()

    def refuse(resource_positions: pa.Array, reason: str) -> None:
        for request in pc.unique(levels.request_of_resource.take(resource_positions)).to_pylist():
            invalid.setdefault(request, reason)

    def refuse_ids(ids: pa.BinaryArray, owners: pa.Array | None, length: int, what: str) -> None:
        lengths = pc.binary_length(ids)
        wrong = pc.indices_nonzero(pc.and_(pc.not_equal(lengths, length), pc.not_equal(lengths, 0)))
        if len(wrong):
            spans = wrong if owners is None else owners.take(wrong)
            found = lengths[wrong[0].as_py()].as_py()
            refuse(
                levels.resource_of_scope.take(levels.scope_of_span.take(spans)),
                f"a {what} has {found} bytes, not {length}",
            )

    spans = levels.spans
    refuse_ids(spans.field("trace_id"), None, TRACE_ID_BYTES, "trace_id")
    refuse_ids(spans.field("span_id"), None, SPAN_ID_BYTES, "span_id")
    refuse_ids(spans.field("parent_span_id"), None, SPAN_ID_BYTES, "parent_span_id")
    links = spans.field("links")
    flat_links = links.flatten()
    if len(flat_links):
        owners = pc.list_parent_indices(links)
        refuse_ids(flat_links.field("trace_id"), owners, TRACE_ID_BYTES, "link's trace_id")
        refuse_ids(flat_links.field("span_id"), owners, SPAN_ID_BYTES, "link's span_id")
    for position in _unreadable(Resource, levels.resources):
        refuse(pa.array([position], pa.int64()), "a resource does not decode")
    for position in _unreadable(InstrumentationScope, levels.scopes):
        refuse(levels.resource_of_scope.take(pa.array([position], pa.int64())), "a scope does not decode")
    return invalid


def _unreadable(message: Any, serialised: pa.BinaryArray) -> list[int]:
    """Return the positions whose bytes do not parse; equal bytes are parsed once."""
    encoded = serialised.dictionary_encode()
    bad = set[int]()
    for code, value in enumerate(encoded.dictionary.to_pylist()):
        try:
            message.FromString(value)
        except DecodeError:
            bad.add(code)
    return [position for position, code in enumerate(encoded.indices.to_pylist()) if code in bad] if bad else []
