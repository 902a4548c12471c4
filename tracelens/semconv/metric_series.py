"""Series as rows of the store, each stored once with what it measures."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import xxhash
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope, KeyValueList
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from tracelens.semconv.any_value import attribute_texts
from tracelens.semconv.metric_names import Measure, SeriesNames, measure_of
from tracelens.semconv.span_columns import ATTRIBUTE_LIST

if TYPE_CHECKING:
    from tracelens.otlp.metrics import Series

SERIES_SCHEMA: Final = pa.schema(
    [
        ("series_id", pa.int32()),
        ("digest", pa.binary()),
        ("resource_id", pa.int32()),
        ("scope_id", pa.int32()),
        ("metric_name", pa.string()),
        ("unit", pa.string()),
        ("kind", pa.string()),
        ("temporality", pa.string()),
        ("is_monotonic", pa.bool_()),
        ("explicit_bounds", pa.list_(pa.float64())),
        ("attributes", ATTRIBUTE_LIST),
        ("name", pa.string()),
        ("preference", pa.int32()),
        ("scale", pa.float64()),
        ("state", pa.string()),
        ("cpu", pa.string()),
        ("part", pa.string()),
        ("pool", pa.string()),
        ("host", pa.string()),
        ("host_names", pa.list_(pa.string())),
        ("database_sign", pa.string()),
        ("db_system", pa.string()),
    ]
)


def series_digest(series: Series, resource_id: int, scope_id: int) -> bytes:
    """Return what a series is known by."""
    state = xxhash.xxh3_128(struct.pack("<ii", resource_id, scope_id))
    for text in (series.name, series.unit, series.kind, series.temporality or "", str(series.is_monotonic)):
        encoded = text.encode()
        state.update(struct.pack("<I", len(encoded)) + encoded)
    bounds = series.explicit_bounds
    state.update(b"-" if bounds is None else struct.pack(f"<I{len(bounds)}d", len(bounds), *bounds))
    state.update(series.attributes)
    return bytes(state.digest())


def series_row(series: Series, resource_id: int, scope_id: int) -> tuple[Any, ...]:
    """Return a series as a row of SERIES_SCHEMA, without its id and digest."""
    attributes = attribute_texts(KeyValueList.FromString(series.attributes).values)
    resource = dict(attribute_texts(Resource.FromString(series.resource).attributes))
    scope_name = InstrumentationScope.FromString(series.scope).name
    names = SeriesNames(series.name, series.unit, series.kind, scope_name)
    measure = measure_of(names, dict(attributes), resource)
    return (
        *(resource_id, scope_id, series.name, series.unit, series.kind, series.temporality, series.is_monotonic),
        *(series.explicit_bounds, attributes),
        *((None,) * len(Measure._fields) if measure is None else measure),
    )
