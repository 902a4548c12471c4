"""Decoded requests to rows of the store: one row per span, whatever conventions its sender follows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tracelens.otlp.decode import SPAN_ID_BYTES, TRACE_ID_BYTES, span_levels
from tracelens.semconv.attribute_table import attribute_table
from tracelens.semconv.row_order import by_trace, in_order
from tracelens.semconv.span_attributes import SpanAttributes
from tracelens.semconv.span_columns import SPANS_SCHEMA

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tracelens.otlp.decode import SpanLevels
    from tracelens.semconv.catalogue import Catalogue

# In trace state: `ot=th:<hex>`, the consistent sampling threshold (right-padded to 56 bits), and its predecessor
# `ot=p:<n>`, which kept one trace in 2^n.
_SAMPLING_THRESHOLD: Final = re.compile(r"(?:^|,)\s*ot=(?:[^,]*;)?th:([0-9a-f]{1,14})\s*(?:[;,]|$)")
_SAMPLING_POWER: Final = re.compile(r"(?:^|,)\s*ot=(?:[^,]*;)?p:([0-9]{1,2})\s*(?:[;,]|$)")
_THRESHOLD_DIGITS: Final = 14
_THRESHOLD_SPACE: Final = 1 << 56
_NEVER_SAMPLED_POWER: Final = 63
# Nobody keeps fewer than one in a billion, and sums of weights stay in bounds whatever a trace state claims.
_HEAVIEST: Final = 1e9

_SERVER_KIND: Final = 2


@dataclass(frozen=True, slots=True)
class SpanDetails:
    """Rows of `span_events` or `span_links`.

    Attributes:
        rows: in the order of arrival.
        owners: the position of each row's span in `SpanTables.spans`.
    """

    rows: pa.Table
    owners: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SpanTables:
    """Rows for the store.

    Attributes:
        spans: typed as SPANS_SCHEMA. The spans of a trace are together, traces and their spans in the order of arrival:
            an id that is repeated costs the store next to nothing, so a span takes 11 bytes less.
        events: `span_events`, None where there are none.
        links: `span_links`, None where there are none.
        repeated: the positions of spans that came before in this table, None where nobody has looked.
    """

    spans: pa.Table
    events: SpanDetails | None
    links: SpanDetails | None
    repeated: NDArray[np.int64] | None = None


def normalise(batch: pa.RecordBatch, catalogue: Catalogue, received_ns: int) -> SpanTables:
    """Return the rows of a decoded batch.

    Args:
        batch: as `otlp.decode.decode_requests` returns it, or a slice of that.
        catalogue: gives ids to what spans share, and keeps the new rows of its own relations.
        received_ns: when the batch was received, nanoseconds since 1970.
    """
    levels = span_levels(batch)
    columns = span_columns(levels, catalogue)
    columns["query_text_id"] = catalogue.query_text_ids(
        columns["query_text"], columns["db_system"], columns["db_operation"]
    )
    columns["received_ns"] = pa.array(np.full(len(levels.spans), received_ns, dtype=np.int64))
    order = by_trace(columns["trace_id"])
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return SpanTables(
        spans=pa.Table.from_arrays(
            in_order([columns[name] for name in SPANS_SCHEMA.names], order), schema=SPANS_SCHEMA
        ),
        events=_events(levels.spans, columns, place),
        links=_links(levels.spans, columns, place),
    )


def span_columns(levels: SpanLevels, catalogue: Catalogue) -> dict[str, pa.Array]:
    """Return the columns of SPANS_SCHEMA for spans in the order of arrival.

    Without `query_text_id` and `received_ns`; with `query_text`, the text itself.
    """
    spans = levels.spans
    scope_of_span = levels.scope_of_span.to_numpy()
    resource_of_scope = levels.resource_of_scope.to_numpy()
    start = _as_int64(spans.field("start_time_unix_nano"))
    kind = _small(spans.field("kind"))
    status = spans.field("status")
    trace_state = _null_if_empty(spans.field("trace_state"))
    columns: dict[str, pa.Array] = {
        "trace_id": _trace_ids(spans.field("trace_id")),
        "span_id": pa.array(_span_ids(spans.field("span_id"))),
        "parent_span_id": _parent_ids(spans.field("parent_span_id")),
        "start_ns": pa.array(start),
        "duration_ns": pa.array(_as_int64(spans.field("end_time_unix_nano")) - start),
        "name": spans.field("name"),
        "kind": pa.array(kind),
        "status_code": pa.array(_small(status.field("code").fill_null(0))),
        "status_message": _null_if_empty(status.field("message")),
        "resource_id": pa.array(catalogue.resource_ids(levels.resources)[resource_of_scope][scope_of_span]),
        "scope_id": pa.array(catalogue.scope_ids(levels.scopes)[scope_of_span]),
        "trace_state": trace_state,
        "weight": _weights(trace_state),
    }
    attributes = SpanAttributes(spans.field("attributes"), kind == _SERVER_KIND)
    table = attribute_table()
    for column in table.columns:
        is_text = column.column == "query_text"
        type_ = pa.string() if is_text else SPANS_SCHEMA.field(column.column).type
        columns[column.column] = attributes.claim(column, type_)
    columns["parameter_hash"] = attributes.parameter_hashes(table)
    columns["attributes"] = attributes.rest(shared_first=True)
    _split_query(columns)
    return columns


def _split_query(columns: dict[str, pa.Array]) -> None:
    """Move the query out of paths that carry it: old conventions had both in one attribute, and some still do."""
    path = columns["url_path"]
    if path.null_count == len(path) or not pc.any(pc.match_substring(path, "?")).as_py():
        return
    parts = pc.extract_regex(path, r"^(?P<path>[^?]*)\?(?P<query>(?s:.*))$")
    query = pc.if_else(pc.equal(parts.field("query"), ""), None, parts.field("query"))
    columns["url_path"] = pc.coalesce(pc.if_else(parts.is_valid(), parts.field("path"), None), path)
    columns["url_query"] = pc.coalesce(columns["url_query"], pc.if_else(parts.is_valid(), query, None))


def _trace_ids(ids: pa.BinaryArray) -> pa.ExtensionArray:
    """Return trace ids as UUIDs; an empty id becomes the zero id."""
    packed = pa.py_buffer(_packed(ids, TRACE_ID_BYTES))
    storage = pa.FixedSizeBinaryArray.from_buffers(pa.binary(TRACE_ID_BYTES), len(ids), [None, packed])
    return pa.ExtensionArray.from_storage(pa.uuid(), storage)


def _packed(ids: pa.BinaryArray, width: int) -> NDArray[np.uint8]:
    """Return ids of `width` bytes or none as one block, empty ones as zeros."""
    present = np.asarray(pc.binary_length(ids)) > 0
    block = np.zeros((len(ids), width), dtype=np.uint8)
    offsets = np.frombuffer(ids.buffers()[1], dtype=np.int32)[ids.offset : ids.offset + len(ids) + 1]
    if len(ids) and present.any():
        data = np.frombuffer(ids.buffers()[2], dtype=np.uint8)[offsets[0] : offsets[-1]]
        block[present] = data.reshape(-1, width)
    return block.reshape(-1)


def _span_ids(ids: pa.BinaryArray) -> NDArray[np.uint64]:
    return _packed(ids, SPAN_ID_BYTES).view(">u8").astype(np.uint64)


def _parent_ids(ids: pa.BinaryArray) -> pa.UInt64Array:
    parents = _span_ids(ids)
    return pa.array(parents, mask=parents == 0)


def _as_int64(times: pa.UInt64Array) -> NDArray[np.int64]:
    """Return times as signed nanoseconds; those past the year 2262 become its last."""
    nanoseconds: NDArray[np.uint64] = times.to_numpy()
    return np.minimum(nanoseconds, np.uint64(np.iinfo(np.int64).max)).astype(np.int64)


def _small(codes: pa.Int32Array) -> NDArray[np.uint8]:
    """Return enum values as bytes; those that do not fit, and are of no OTLP version yet, become 0, unspecified."""
    values = codes.to_numpy(zero_copy_only=False)
    return np.where((values >= 0) & (values <= np.iinfo(np.uint8).max), values, 0).astype(np.uint8)


def _null_if_empty(texts: pa.StringArray) -> pa.StringArray:
    if texts.null_count == 0 and texts.nbytes and pc.max(pc.binary_length(texts)).as_py() == 0:
        return pa.nulls(len(texts), pa.string())
    return pc.if_else(pc.equal(texts, ""), None, texts)


def _weights(trace_state: pa.StringArray) -> pa.FloatArray:
    """Return how many spans each stands for, by its trace state."""
    if trace_state.null_count == len(trace_state):
        return pa.array(np.ones(len(trace_state), dtype=np.float32))
    encoded = trace_state.fill_null("").dictionary_encode()
    weights = np.array([sampling_weight(state) for state in encoded.dictionary.to_pylist()], dtype=np.float32)
    return pa.array(weights[encoded.indices.to_numpy()])


def sampling_weight(trace_state: str) -> float:
    """Return how many traces one sampled trace stands for; 1 where the trace state does not tell."""
    threshold = _SAMPLING_THRESHOLD.search(trace_state)
    if threshold:
        kept = _THRESHOLD_SPACE - int(threshold[1].ljust(_THRESHOLD_DIGITS, "0"), 16)
        return min(_THRESHOLD_SPACE / kept, _HEAVIEST)
    power = _SAMPLING_POWER.search(trace_state)
    if power and int(power[1]) < _NEVER_SAMPLED_POWER:
        return min(float(1 << int(power[1])), _HEAVIEST)
    return 1.0


def _events(spans: pa.StructArray, columns: dict[str, pa.Array], place: NDArray[np.int64]) -> SpanDetails | None:
    lists = spans.field("events")
    events = lists.flatten()
    if not len(events):
        return None
    return _details(
        lists,
        columns,
        place,
        {
            "time_ns": pa.array(_as_int64(events.field("time_unix_nano"))),
            "name": events.field("name"),
            "attributes": SpanAttributes(events.field("attributes")).rest(),
        },
    )


def _links(spans: pa.StructArray, columns: dict[str, pa.Array], place: NDArray[np.int64]) -> SpanDetails | None:
    lists = spans.field("links")
    links = lists.flatten()
    if not len(links):
        return None
    return _details(
        lists,
        columns,
        place,
        {
            "linked_trace_id": _trace_ids(links.field("trace_id")),
            "linked_span_id": pa.array(_span_ids(links.field("span_id"))),
            "trace_state": _null_if_empty(links.field("trace_state")),
            "attributes": SpanAttributes(links.field("attributes")).rest(),
        },
    )


def _details(
    lists: pa.ListArray, columns: dict[str, pa.Array], place: NDArray[np.int64], own: dict[str, pa.Array]
) -> SpanDetails:
    owners = pc.list_parent_indices(lists)
    ids = {name: columns[name].take(owners) for name in ("trace_id", "span_id")}
    return SpanDetails(pa.table(ids | own), place[owners.to_numpy()])
