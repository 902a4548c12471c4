"""Decoded metrics to rows of the store."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from tracelens.semconv.metric_series import series_digest, series_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tracelens.otlp.metrics import DecodedMetrics, PointExemplar, Series
    from tracelens.semconv.catalogue import Catalogue

POINTS_SCHEMA: Final = pa.schema(
    [
        ("series_id", pa.int32()),
        ("start_ns", pa.int64()),
        ("time_ns", pa.int64()),
        ("value", pa.float64()),
        ("int_value", pa.int64()),
        ("count", pa.int64()),
        ("sum", pa.float64()),
        ("min", pa.float64()),
        ("max", pa.float64()),
        ("bucket_counts", pa.list_(pa.int64())),
        ("bucket_offset", pa.int32()),
        ("negative_counts", pa.list_(pa.int64())),
        ("negative_offset", pa.int32()),
        ("scale", pa.int32()),
        ("zero_count", pa.int64()),
        ("zero_threshold", pa.float64()),
        ("quantiles", pa.list_(pa.float64())),
        ("quantile_values", pa.list_(pa.float64())),
        ("received_ns", pa.int64()),
    ]
)
EXEMPLARS_SCHEMA: Final = pa.schema(
    [
        ("series_id", pa.int32()),
        ("time_ns", pa.int64()),
        ("value", pa.float64()),
        ("trace_id", pa.uuid()),
        ("span_id", pa.uint64()),
        ("received_ns", pa.int64()),
    ]
)


@dataclass(frozen=True, slots=True)
class PointTables:
    """Rows for the store.

    Attributes:
        points: typed as POINTS_SCHEMA, in the order of arrival.
        exemplars: typed as EXEMPLARS_SCHEMA.
        owners: the position of each exemplar's point in `points`.
    """

    points: pa.Table
    exemplars: pa.Table
    owners: NDArray[np.int64]


def normalise_points(requests: Sequence[DecodedMetrics], catalogue: Catalogue, received_ns: int) -> PointTables:
    """Return the rows of decoded requests.

    Args:
        requests: as `otlp.metrics.decode_metrics` returns them.
        catalogue: gives ids to resources, scopes and series, and keeps the new rows of its own relations.
        received_ns: when they were received, nanoseconds since 1970.
    """
    series = [entry for request in requests for entry in request.series]
    ids = _series_ids(series, catalogue)
    first_series = np.cumsum([0, *(len(request.series) for request in requests)])
    first_point = np.cumsum([0, *(len(request.points) for request in requests)])
    points = [point for request in requests for point in request.points]
    offsets = np.repeat(first_series[:-1], np.diff(first_point))
    columns = list(zip(*points, strict=True)) or [()] * (len(POINTS_SCHEMA) - 1)
    series_of_point = ids[np.array(columns[0], dtype=np.int64) + offsets]
    arrays = [pa.array(series_of_point, pa.int32())]
    arrays += [pa.array(column, type_) for column, type_ in zip(columns[1:], POINTS_SCHEMA.types[1:-1], strict=True)]
    arrays.append(pa.array(np.full(len(points), received_ns, dtype=np.int64)))
    exemplars = [entry for request in requests for entry in request.exemplars]
    starts = np.repeat(first_point[:-1], [len(request.exemplars) for request in requests])
    owners = np.array([entry.point for entry in exemplars], dtype=np.int64) + starts
    return PointTables(
        pa.Table.from_arrays(arrays, schema=POINTS_SCHEMA),
        _exemplars(exemplars, series_of_point[owners], received_ns),
        owners,
    )


def _series_ids(series: Sequence[Series], catalogue: Catalogue) -> NDArray[np.int32]:
    resources = catalogue.resource_ids(pa.array([entry.resource for entry in series], pa.binary())).tolist()
    scopes = catalogue.scope_ids(pa.array([entry.scope for entry in series], pa.binary())).tolist()
    described = [
        (series_digest(*identity), partial(series_row, *identity))
        for identity in zip(series, resources, scopes, strict=True)
    ]
    return catalogue.series_ids(described)


def _exemplars(exemplars: Sequence[PointExemplar], series_ids: NDArray[np.int32], received_ns: int) -> pa.Table:
    trace_ids = pa.array([entry.trace_id for entry in exemplars], pa.binary(16))
    arrays = [
        pa.array(series_ids, pa.int32()),
        pa.array([entry.time_ns for entry in exemplars], pa.int64()),
        pa.array([entry.value for entry in exemplars], pa.float64()),
        pa.ExtensionArray.from_storage(pa.uuid(), trace_ids),
        pa.array([int.from_bytes(entry.span_id) or None for entry in exemplars], pa.uint64()),
        pa.array(np.full(len(exemplars), received_ns, dtype=np.int64)),
    ]
    return pa.Table.from_arrays(arrays, schema=EXEMPLARS_SCHEMA)
