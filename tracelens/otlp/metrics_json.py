"""OTLP JSON metrics to protobuf bytes; as lenient as `json.py` is with traces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from tracelens.errors import InvalidRequestError
from tracelens.otlp.json_messages import (
    COMMON,
    RESOURCE,
    SCOPE,
    attributes,
    child,
    children,
    enum,
    fill_message,
    flag,
    identifier,
    measure,
    measures,
    number,
    numbers,
    spellings,
    words,
)
from tracelens.otlp.json_values import Fault, JsonValue, load

if TYPE_CHECKING:
    from tracelens.otlp.json_messages import OnBadRecord


def metrics_request_from_json(body: bytes, on_bad_point: OnBadRecord | None = None) -> bytes:
    """Return an OTLP JSON metrics request as a serialised `ExportMetricsServiceRequest`.

    Args:
        body: one JSON object, UTF-8.
        on_bad_point: told of each data point that cannot be read; the others are kept. Without it one bad point
            refuses the request.

    Raises:
        InvalidRequestError: not JSON, or not a metrics request; names the place.
    """
    return metrics_request_from_document(load(body), on_bad_point)


def metrics_request_from_document(document: JsonValue, on_bad_point: OnBadRecord | None = None) -> bytes:
    """Do what `metrics_request_from_json` does for a body that is parsed already."""
    request = ExportMetricsServiceRequest()
    try:
        fill_message(request, document, _REQUEST, on_bad_point)
    except Fault as fault:
        raise InvalidRequestError(f"OTLP JSON is not valid: {fault}") from None
    return request.SerializeToString()


_EXEMPLAR: Final = spellings(
    filtered_attributes=attributes("filtered_attributes"),
    time_unix_nano=number("time_unix_nano"),
    as_double=measure("as_double"),
    as_int=number("as_int"),
    trace_id=identifier("trace_id", 16),
    span_id=identifier("span_id", 8),
)
_POINT: Final = {
    "start_time_unix_nano": number("start_time_unix_nano"),
    "time_unix_nano": number("time_unix_nano"),
    "attributes": COMMON["attributes"],
    "flags": number("flags"),
}
_EXEMPLARS: Final = {"exemplars": children("exemplars", _EXEMPLAR)}
_NUMBER: Final = spellings(**_POINT, **_EXEMPLARS, as_double=measure("as_double"), as_int=number("as_int"))
_TOTALS: Final = {"count": number("count"), "sum": measure("sum")}
_EXTREMES: Final = {"min": measure("min"), "max": measure("max")}
_HISTOGRAM: Final = spellings(
    **_POINT,
    **_EXEMPLARS,
    **_TOTALS,
    **_EXTREMES,
    bucket_counts=numbers("bucket_counts"),
    explicit_bounds=measures("explicit_bounds"),
)
_BUCKETS: Final = spellings(offset=number("offset"), bucket_counts=numbers("bucket_counts"))
_EXPONENTIAL: Final = spellings(
    **_POINT,
    **_EXEMPLARS,
    **_TOTALS,
    **_EXTREMES,
    scale=number("scale"),
    zero_count=number("zero_count"),
    zero_threshold=measure("zero_threshold"),
    positive=child("positive", _BUCKETS),
    negative=child("negative", _BUCKETS),
)
_QUANTILE: Final = spellings(quantile=measure("quantile"), value=measure("value"))
_SUMMARY: Final = spellings(**_POINT, **_TOTALS, quantile_values=children("quantile_values", _QUANTILE))

_TEMPORALITY: Final = {
    "aggregation_temporality": enum(
        "aggregation_temporality", "AGGREGATION_TEMPORALITY_", ("UNSPECIFIED", "DELTA", "CUMULATIVE")
    )
}
_METRIC: Final = spellings(
    name=words("name"),
    description=words("description"),
    unit=words("unit"),
    gauge=child("gauge", spellings(data_points=children("data_points", _NUMBER, may_drop=True))),
    sum=child(
        "sum",
        spellings(
            data_points=children("data_points", _NUMBER, may_drop=True),
            is_monotonic=flag("is_monotonic"),
            **_TEMPORALITY,
        ),
    ),
    histogram=child(
        "histogram", spellings(data_points=children("data_points", _HISTOGRAM, may_drop=True), **_TEMPORALITY)
    ),
    exponential_histogram=child(
        "exponential_histogram",
        spellings(data_points=children("data_points", _EXPONENTIAL, may_drop=True), **_TEMPORALITY),
    ),
    summary=child("summary", spellings(data_points=children("data_points", _SUMMARY, may_drop=True))),
)
_SCOPE_METRICS: Final = spellings(
    scope=child("scope", SCOPE),
    instrumentation_library=child("scope", SCOPE),  # the scope's name before OTLP 1.0
    metrics=children("metrics", _METRIC),
    schema_url=words("schema_url"),
)
_RESOURCE_METRICS: Final = spellings(
    resource=child("resource", RESOURCE),
    scope_metrics=children("scope_metrics", _SCOPE_METRICS),
    instrumentation_library_metrics=children("scope_metrics", _SCOPE_METRICS),
    schema_url=words("schema_url"),
)
_REQUEST: Final = spellings(resource_metrics=children("resource_metrics", _RESOURCE_METRICS))
