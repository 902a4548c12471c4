"""An OTLP metrics request to rows: the series it tells of, and their data points.

Metrics are few beside spans, so protobuf objects do. As with spans, what could not be stored is refused here, before
the sender is answered; a single point that means nothing is left out and counted, and the others are kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValueList
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, DataPointFlags

from tracelens.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from opentelemetry.proto.common.v1.common_pb2 import KeyValue
    from opentelemetry.proto.metrics.v1.metrics_pb2 import (
        Exemplar,
        ExponentialHistogramDataPoint,
        HistogramDataPoint,
        Metric,
        NumberDataPoint,
        SummaryDataPoint,
    )

    Point: TypeAlias = NumberDataPoint | HistogramDataPoint | ExponentialHistogramDataPoint | SummaryDataPoint

_TRACE_ID_BYTES: Final = 16
_SPAN_ID_BYTES: Final = 8
_INT64_MAX: Final = 2**63 - 1
_TEMPORALITIES: Final = {
    AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA: "delta",
    AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE: "cumulative",
}


class Series(NamedTuple):
    """What the points of one series share; equal series are one.

    Attributes:
        resource: the serialised Resource.
        scope: the serialised InstrumentationScope.
        name: of the metric.
        unit: of the metric, as sent.
        kind: gauge, sum, histogram, exponential_histogram or summary.
        temporality: delta or cumulative; None where the kind has none or the sender did not say.
        is_monotonic: of a sum; None for other kinds.
        explicit_bounds: of a histogram's buckets; None for other kinds.
        attributes: the points' attributes as a serialised KeyValueList, in the order of their keys.
    """

    resource: bytes
    scope: bytes
    name: str
    unit: str
    kind: str
    temporality: str | None
    is_monotonic: bool | None
    explicit_bounds: tuple[float, ...] | None
    attributes: bytes


class DataPoint(NamedTuple):
    """One point; what its kind does not have is None.

    Attributes:
        series: position in `DecodedMetrics.series`.
        start_ns: of the time that it covers, 0 where the sender did not say.
        time_ns: of the measurement, or the end of that time.
        value: of a gauge or sum, a double.
        int_value: the same where the sender gave a whole number.
        total_count, sum, min, max: of a histogram or summary.
        bucket_counts: of a histogram: between and beyond the explicit bounds, or from `bucket_offset` on.
        bucket_offset, negative_counts, negative_offset, scale, zero_count, zero_threshold: of an exponential histogram.
        quantiles: of a summary, from 0 to 1.
        quantile_values: their values.
    """

    series: int
    start_ns: int
    time_ns: int
    value: float | None = None
    int_value: int | None = None
    total_count: int | None = None
    sum: float | None = None
    min: float | None = None
    max: float | None = None
    bucket_counts: list[int] | None = None
    bucket_offset: int | None = None
    negative_counts: list[int] | None = None
    negative_offset: int | None = None
    scale: int | None = None
    zero_count: int | None = None
    zero_threshold: float | None = None
    quantiles: list[float] | None = None
    quantile_values: list[float] | None = None


class PointExemplar(NamedTuple):
    """A measurement that went into a point, and the trace in which it was made.

    Attributes:
        point: position in `DecodedMetrics.points`.
        time_ns: of the measurement.
        value: what was measured.
        trace_id: 16 bytes.
        span_id: 8 bytes; empty where only the trace is known.
    """

    point: int
    time_ns: int
    value: float
    trace_id: bytes
    span_id: bytes


@dataclass(frozen=True, slots=True)
class RefusedPoints:
    """Data points that were left out of a request: how many, and why the first was; 0 and "" where all are kept."""

    count: int = 0
    reason: str = ""

    def __bool__(self) -> bool:
        return self.count > 0

    def __add__(self, other: RefusedPoints) -> RefusedPoints:
        return RefusedPoints(self.count + other.count, self.reason or other.reason)


@dataclass(frozen=True, slots=True)
class DecodedMetrics:
    """One request after decoding. Exemplars without a trace are left out, and points that say "no value"."""

    series: tuple[Series, ...]
    points: tuple[DataPoint, ...]
    exemplars: tuple[PointExemplar, ...]
    refused: RefusedPoints


class _RefusedPointError(Exception):
    """A point that cannot mean anything, and why."""


def decode_metrics(body: bytes) -> DecodedMetrics:
    """Decode a serialised `ExportMetricsServiceRequest`.

    Raises:
        InvalidRequestError: it is none.
    """
    try:
        request = ExportMetricsServiceRequest.FromString(body)
    except DecodeError as error:
        raise InvalidRequestError(f"not an ExportMetricsServiceRequest: {error}") from error
    series: dict[Series, int] = {}
    points: list[DataPoint] = []
    exemplars: list[PointExemplar] = []
    refused = RefusedPoints()
    for resource, scope, metric in _metrics(request):
        kind = metric.WhichOneof("data")
        if kind is None:
            continue
        form = getattr(metric, kind)
        shared = (
            *(resource, scope, metric.name, metric.unit, kind),
            None if kind in {"gauge", "summary"} else _TEMPORALITIES.get(form.aggregation_temporality),
            form.is_monotonic if kind == "sum" else None,
        )
        read = _READ[kind]
        for point in form.data_points:
            if point.flags & DataPointFlags.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK:
                continue
            try:
                bounds = _bounds(point) if kind == "histogram" else None
                identity = Series(*shared, bounds, _attributes(point.attributes))
                number = series.get(identity, len(series))
                points.append(read(number, _time(point), point))
                series[identity] = number
            except _RefusedPointError as error:
                refused += RefusedPoints(1, f"{metric.name}: {error}")
            else:
                if kind != "summary":
                    exemplars += _exemplars(len(points) - 1, point.exemplars)
    return DecodedMetrics(tuple(series), tuple(points), tuple(exemplars), refused)


def _metrics(request: ExportMetricsServiceRequest) -> Iterator[tuple[bytes, bytes, Metric]]:
    for above in request.resource_metrics:
        resource = above.resource.SerializeToString()
        for below in above.scope_metrics:
            scope = below.scope.SerializeToString()
            for metric in below.metrics:
                yield resource, scope, metric


def _attributes(attributes: Iterable[KeyValue]) -> bytes:
    """Return attributes such that the same ones in another order are the same bytes."""
    ordered = sorted(attributes, key=lambda attribute: attribute.key)
    serialised: bytes = KeyValueList(values=ordered).SerializeToString(deterministic=True)
    return serialised


def _time(point: Point) -> tuple[int, int]:
    """Return start and time of a point as signed integers; those past the year 2262 become its last."""
    if not point.time_unix_nano:
        raise _RefusedPointError("a data point has no time_unix_nano")
    return min(point.start_time_unix_nano, _INT64_MAX), min(point.time_unix_nano, _INT64_MAX)


def _bounds(point: HistogramDataPoint) -> tuple[float, ...]:
    bounds = tuple(point.explicit_bounds)
    if any(not lower < upper for lower, upper in pairwise(bounds)) or any(map(math.isnan, bounds)):
        raise _RefusedPointError("a histogram's bounds do not increase")
    if len(point.bucket_counts) not in {0, len(bounds) + 1}:
        raise _RefusedPointError(f"a histogram has {len(point.bucket_counts)} buckets for {len(bounds)} bounds")
    return bounds


def _number(series: int, times: tuple[int, int], point: NumberDataPoint) -> DataPoint:
    match point.WhichOneof("value"):
        case "as_int":
            return DataPoint(series, *times, value=float(point.as_int), int_value=point.as_int)
        case "as_double":
            return DataPoint(series, *times, value=point.as_double)
    raise _RefusedPointError("a data point has no value")


def _totals(point: HistogramDataPoint | ExponentialHistogramDataPoint) -> dict[str, Any]:
    return {
        "total_count": min(point.count, _INT64_MAX),
        **{name: getattr(point, name) if point.HasField(name) else None for name in ("sum", "min", "max")},
    }


def _histogram(series: int, times: tuple[int, int], point: HistogramDataPoint) -> DataPoint:
    return DataPoint(series, *times, **_totals(point), bucket_counts=_counts(point.bucket_counts))


def _exponential(series: int, times: tuple[int, int], point: ExponentialHistogramDataPoint) -> DataPoint:
    return DataPoint(
        series,
        *times,
        **_totals(point),
        bucket_counts=_counts(point.positive.bucket_counts),
        bucket_offset=point.positive.offset,
        negative_counts=_counts(point.negative.bucket_counts),
        negative_offset=point.negative.offset,
        scale=point.scale,
        zero_count=min(point.zero_count, _INT64_MAX),
        zero_threshold=point.zero_threshold,
    )


def _summary(series: int, times: tuple[int, int], point: SummaryDataPoint) -> DataPoint:
    return DataPoint(
        series,
        *times,
        total_count=min(point.count, _INT64_MAX),
        sum=point.sum,
        quantiles=[entry.quantile for entry in point.quantile_values],
        quantile_values=[entry.value for entry in point.quantile_values],
    )


_READ: Final[dict[str, Any]] = {
    "gauge": _number,
    "sum": _number,
    "histogram": _histogram,
    "exponential_histogram": _exponential,
    "summary": _summary,
}


def _counts(counts: Iterable[int]) -> list[int]:
    return [min(count, _INT64_MAX) for count in counts]


def _exemplars(point: int, exemplars: Iterable[Exemplar]) -> Iterator[PointExemplar]:
    for exemplar in exemplars:
        if len(exemplar.trace_id) == _TRACE_ID_BYTES and any(exemplar.trace_id):
            span_id = exemplar.span_id if len(exemplar.span_id) == _SPAN_ID_BYTES else b""
            value = exemplar.as_int if exemplar.WhichOneof("value") == "as_int" else exemplar.as_double
            time_ns = min(exemplar.time_unix_nano, _INT64_MAX)
            yield PointExemplar(point, time_ns, float(value), exemplar.trace_id, span_id)
