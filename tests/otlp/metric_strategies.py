"""Generated metrics requests: every kind of metric, and every field that a point may have."""

from __future__ import annotations

from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Exemplar,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
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

TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
_TIME = st.integers(1, 2**63 - 1)
_START = st.integers(0, 2**63 - 1)
_COUNT = st.integers(0, 2**63 - 1)
_DOUBLE = st.floats(allow_nan=False)
_INT64 = st.integers(-(2**63), 2**63 - 1)
_INT32 = st.integers(-(2**31), 2**31 - 1)

_VALUES = st.one_of(
    st.builds(AnyValue, string_value=TEXT),
    st.builds(AnyValue, bool_value=st.booleans()),
    st.builds(AnyValue, int_value=_INT64),
    st.builds(AnyValue, double_value=_DOUBLE),
)
# Keys in order, each once: what a reader may put in another order is the same.
_ATTRIBUTES = st.dictionaries(TEXT, _VALUES, max_size=3).map(
    lambda pairs: [KeyValue(key=key, value=pairs[key]) for key in sorted(pairs)]
)
_EXEMPLARS = st.lists(
    st.builds(
        Exemplar,
        time_unix_nano=_START,
        as_double=_DOUBLE,
        trace_id=st.binary(min_size=16, max_size=16).filter(any),
        span_id=st.binary(min_size=8, max_size=8).filter(any),
    ),
    max_size=2,
)
_SHARED = {"start_time_unix_nano": _START, "time_unix_nano": _TIME, "attributes": _ATTRIBUTES}
_OPTIONAL = {"sum": st.none() | _DOUBLE, "min": st.none() | _DOUBLE, "max": st.none() | _DOUBLE}

_NUMBERS = st.builds(NumberDataPoint, **_SHARED, exemplars=_EXEMPLARS, as_double=_DOUBLE) | st.builds(
    NumberDataPoint, **_SHARED, exemplars=_EXEMPLARS, as_int=_INT64
)


@st.composite
def _histogram_points(draw: st.DrawFn) -> HistogramDataPoint:
    bounds = draw(st.lists(_DOUBLE, max_size=3, unique=True).map(sorted))
    counts = draw(st.just([]) | st.lists(_COUNT, min_size=len(bounds) + 1, max_size=len(bounds) + 1))
    fields = {name: draw(strategy) for name, strategy in (_SHARED | _OPTIONAL).items()}
    return HistogramDataPoint(
        **fields, count=draw(_COUNT), explicit_bounds=bounds, bucket_counts=counts, exemplars=draw(_EXEMPLARS)
    )


_BUCKETS = st.builds(ExponentialHistogramDataPoint.Buckets, offset=_INT32, bucket_counts=st.lists(_COUNT, max_size=3))
_EXPONENTIAL = st.builds(
    ExponentialHistogramDataPoint,
    **_SHARED,
    **_OPTIONAL,
    count=_COUNT,
    exemplars=_EXEMPLARS,
    scale=_INT32,
    zero_count=_COUNT,
    zero_threshold=_DOUBLE,
    positive=_BUCKETS,
    negative=_BUCKETS,
)
_SUMMARIES = st.builds(
    SummaryDataPoint,
    **_SHARED,
    count=_COUNT,
    sum=_DOUBLE,
    quantile_values=st.lists(
        st.builds(SummaryDataPoint.ValueAtQuantile, quantile=st.floats(0, 1), value=_DOUBLE), max_size=2
    ),
)
_TEMPORALITY = st.integers(0, 2)


def _points(points: st.SearchStrategy[object], min_size: int) -> st.SearchStrategy[list[object]]:
    return st.lists(points, min_size=min_size, max_size=3)


def metrics(min_points: int = 0) -> st.SearchStrategy[Metric]:
    """Metrics with at least so many points each."""
    named = {"name": TEXT, "unit": TEXT, "description": TEXT}
    return st.one_of(
        st.builds(Metric, **named, gauge=st.builds(Gauge, data_points=_points(_NUMBERS, min_points))),
        st.builds(
            Metric,
            **named,
            sum=st.builds(
                Sum,
                data_points=_points(_NUMBERS, min_points),
                aggregation_temporality=_TEMPORALITY,
                is_monotonic=st.booleans(),
            ),
        ),
        st.builds(
            Metric,
            **named,
            histogram=st.builds(
                Histogram, data_points=_points(_histogram_points(), min_points), aggregation_temporality=_TEMPORALITY
            ),
        ),
        st.builds(
            Metric,
            **named,
            exponential_histogram=st.builds(
                ExponentialHistogram,
                data_points=_points(_EXPONENTIAL, min_points),
                aggregation_temporality=_TEMPORALITY,
            ),
        ),
        st.builds(Metric, **named, summary=st.builds(Summary, data_points=_points(_SUMMARIES, min_points))),
    )


def requests(min_points: int = 0) -> st.SearchStrategy[ExportMetricsServiceRequest]:
    """Requests whose metrics have at least so many points each; where that is not 0 there is one."""
    least = 1 if min_points else 0
    scopes = st.builds(
        ScopeMetrics,
        scope=st.builds(InstrumentationScope, name=TEXT, version=TEXT, attributes=_ATTRIBUTES),
        metrics=st.lists(metrics(min_points), min_size=least, max_size=2),
    )
    resources = st.builds(
        ResourceMetrics,
        resource=st.builds(Resource, attributes=_ATTRIBUTES),
        scope_metrics=st.lists(scopes, min_size=least, max_size=2),
    )
    return st.builds(ExportMetricsServiceRequest, resource_metrics=st.lists(resources, min_size=least, max_size=2))
