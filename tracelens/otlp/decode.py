"""OTLP trace requests, as bytes, to one Arrow batch: a row per request, nested as the wire is.

`ptars` reads the wire format straight into Arrow, so no Python object exists per span; `reference.py`
holds the same function on protobuf objects, the oracle of the differential test and the fallback.

What is refused here is refused before the sender is answered, so everything that could fail later is
checked now: the wire format, UTF-8, the lengths of ids. Protobuf checks each request first, in 0.35 microseconds a
span. ptars alone is no judge: it accepts a group that another field's end tag closes, and one in which groups are
nested 100,000 deep overflows the stack and ends the process.

An attribute whose value comes twice, which no exporter sends, has the last; protobuf would merge the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest as FullRequest

from proto_stubs.otlp_trace_slim_pb2 import DESCRIPTOR, ExportTraceServiceRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

TRACE_ID_BYTES: Final = 16
SPAN_ID_BYTES: Final = 8


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
    reasons = [_defect(body) for body in bodies]
    try:
        batch = _read_batch()(_readable(bodies, reasons))
    except ValueError:
        reasons = [reason or _decoder_defect(body) for body, reason in zip(bodies, reasons, strict=True)]
        batch = _read_batch()(_readable(bodies, reasons))
    found = _find_invalid(span_levels(batch))
    if found:
        kept = [position for position, reason in enumerate(reasons) if reason is None]
        for row, reason in found.items():
            reasons[kept[row]] = reason
        batch = batch.filter(pa.array([row not in found for row in range(len(kept))]))
    return DecodedRequests(batch, {position: reason for position, reason in enumerate(reasons) if reason is not None})


def _readable(bodies: Sequence[bytes], reasons: Sequence[str | None]) -> list[bytes]:
    return [body for body, reason in zip(bodies, reasons, strict=True) if reason is None]


def _defect(body: bytes) -> str | None:
    """Return why a body is no request, None where it is one."""
    try:
        FullRequest.FromString(body)
    except DecodeError as error:
        return f"not an ExportTraceServiceRequest: {error}"
    return None


def _decoder_defect(body: bytes) -> str | None:
    """Return why ptars does not read a body, None where it does."""
    try:
        _read_batch()([body])
    except ValueError as error:
        return f"not an ExportTraceServiceRequest: {error}"
    return None


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
    resource_of_scope = levels.resource_of_scope.to_numpy()
    scope_of_span = levels.scope_of_span.to_numpy()
    request_of_resource = levels.request_of_resource.to_numpy()

    def refuse(resources: NDArray[np.int64], reason: str) -> None:
        for request in np.unique(request_of_resource[resources]).tolist():
            invalid.setdefault(request, reason)

    def refuse_ids(ids: pa.BinaryArray, span_of_id: NDArray[np.int64] | None, length: int, what: str) -> None:
        # In numpy: pyarrow looks for an optional package whenever it meets a Python number, which takes 0.1 ms.
        lengths = pc.binary_length(ids).to_numpy()
        wrong = np.flatnonzero((lengths != length) & (lengths != 0))
        if len(wrong):
            spans = wrong if span_of_id is None else span_of_id[wrong]
            reason = f"a {what} has {lengths[wrong[0]]} bytes, not {length}"
            refuse(resource_of_scope[scope_of_span[spans]], reason)

    spans = levels.spans
    refuse_ids(spans.field("trace_id"), None, TRACE_ID_BYTES, "trace_id")
    refuse_ids(spans.field("span_id"), None, SPAN_ID_BYTES, "span_id")
    refuse_ids(spans.field("parent_span_id"), None, SPAN_ID_BYTES, "parent_span_id")
    links = spans.field("links")
    flat_links = links.flatten()
    if len(flat_links):
        span_of_link = pc.list_parent_indices(links).to_numpy()
        refuse_ids(flat_links.field("trace_id"), span_of_link, TRACE_ID_BYTES, "link's trace_id")
        refuse_ids(flat_links.field("span_id"), span_of_link, SPAN_ID_BYTES, "link's span_id")
    return invalid
