"""Metrics requests for the tests of decoding, storing and judging them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
    Summary,
    SummaryDataPoint,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from span_requests import START_NS, key_values

from tracelens.otlp.requests import Request
from tracelens.otlp.signals import Signal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

S = 1_000_000_000
DELTA, CUMULATIVE = 1, 2

Sample = tuple[float, float, dict[str, Any]]
"""Seconds after START_NS, value, attributes."""


def at(seconds: float) -> int:
    return START_NS + int(seconds * S)


def number(seconds: float, value: float, attributes: Mapping[str, Any], start: float | None = None) -> NumberDataPoint:
    return NumberDataPoint(
        time_unix_nano=at(seconds),
        start_time_unix_nano=0 if start is None else at(start),
        as_double=value,
        attributes=key_values(attributes),
    )


def gauge(name: str, samples: Iterable[Sample], unit: str = "1") -> Metric:
    return Metric(name=name, unit=unit, gauge=Gauge(data_points=[number(*sample) for sample in samples]))


def cumulative(
    name: str, samples: Iterable[Sample], unit: str = "s", start: float = 0, *, is_monotonic: bool = True
) -> Metric:
    points = [number(*sample, start) for sample in samples]
    form = Sum(data_points=points, aggregation_temporality=CUMULATIVE, is_monotonic=is_monotonic)  # type: ignore[arg-type]
    return Metric(name=name, unit=unit, sum=form)


def delta(name: str, samples: Iterable[Sample], interval: float, unit: str = "s") -> Metric:
    points = [number(*sample, sample[0] - interval) for sample in samples]
    form = Sum(data_points=points, aggregation_temporality=DELTA, is_monotonic=True)  # type: ignore[arg-type]
    return Metric(name=name, unit=unit, sum=form)


def histogram(
    name: str, totals: Iterable[tuple[float, int, float]], unit: str = "s", attributes: Mapping[str, Any] | None = None
) -> Metric:
    """Return a cumulative histogram of (seconds, count, sum)."""
    points = [
        HistogramDataPoint(
            time_unix_nano=at(seconds),
            start_time_unix_nano=START_NS,
            count=count,
            sum=total,
            bucket_counts=[0, count],
            explicit_bounds=[0.0],
            attributes=key_values(attributes or {}),
        )
        for seconds, count, total in totals
    ]
    form = Histogram(data_points=points, aggregation_temporality=CUMULATIVE)  # type: ignore[arg-type]
    return Metric(name=name, unit=unit, histogram=form)


def summary(name: str, samples: Iterable[Sample], unit: str = "Percent", count: int = 1) -> Metric:
    """Return a summary whose sum is the value times `count`, as CloudWatch's metric streams send it."""
    points = [
        SummaryDataPoint(
            time_unix_nano=at(seconds),
            count=count,
            sum=value * count,
            quantile_values=[
                SummaryDataPoint.ValueAtQuantile(quantile=0, value=value),
                SummaryDataPoint.ValueAtQuantile(quantile=1, value=value + 5),
            ],
            attributes=key_values(attributes),
        )
        for seconds, value, attributes in samples
    ]
    return Metric(name=name, unit=unit, summary=Summary(data_points=points))


def metrics_of(*metrics: Metric, resource: Mapping[str, Any] | None = None, scope: str = "test") -> bytes:
    """Return a serialised request with these metrics, of one resource and one scope."""
    request = ExportMetricsServiceRequest(
        resource_metrics=[
            ResourceMetrics(
                resource=Resource(attributes=key_values(resource or {})),
                scope_metrics=[ScopeMetrics(scope=InstrumentationScope(name=scope), metrics=metrics)],
            )
        ]
    )
    serialised: bytes = request.SerializeToString()
    return serialised


def as_metrics(bodies: Iterable[bytes]) -> list[Request]:
    """Return serialised metrics requests as what a file reader yields."""
    return [Request(Signal.METRICS, body) for body in bodies]
