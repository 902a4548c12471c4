"""Metrics requests decode to what protobuf objects say, in every encoding, and are told from traces in every file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.json_format import MessageToDict, MessageToJson
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValueList
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Exemplar,
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    SummaryDataPoint,
)

from tracelens.errors import InvalidRequestError
from tracelens.journal import Journal
from tracelens.otlp.files import read_requests
from tracelens.otlp.metrics import DataPoint, DecodedMetrics, PointExemplar, RefusedPoints, Series, decode_metrics
from tracelens.otlp.metrics_json import metrics_request_from_json
from tracelens.otlp.requests import Request, request_of_record
from tracelens.otlp.signals import Signal, signal_of

from .metric_strategies import requests
from .trace_files import as_lines, fixed, varint, zstd
from .trace_requests import REQUESTS, small_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

POINTS = {
    "gauge": NumberDataPoint,
    "sum": NumberDataPoint,
    "histogram": HistogramDataPoint,
    "exponential_histogram": ExponentialHistogramDataPoint,
    "summary": SummaryDataPoint,
}
TEMPORALITIES = {None: 0, "delta": 1, "cumulative": 2}

# The example of the specification, with ids in hex and 64-bit numbers as text.
EXAMPLE = {
    "resourceMetrics": [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "orders"}}]},
            "scopeMetrics": [
                {
                    "scope": {"name": "meter", "version": "1"},
                    "metrics": [
                        {
                            "name": "my.counter",
                            "unit": "1",
                            "sum": {
                                "aggregationTemporality": 1,
                                "isMonotonic": True,
                                "dataPoints": [
                                    {
                                        "asDouble": 5,
                                        "startTimeUnixNano": "1544712660300000000",
                                        "timeUnixNano": "1544712661300000000",
                                        "exemplars": [
                                            {
                                                "timeUnixNano": "1544712661000000000",
                                                "asInt": "2",
                                                "traceId": "5B8EFFF798038103D269B633813FC60C",
                                                "spanId": "eee19b7ec3c1b174",
                                            }
                                        ],
                                    }
                                ],
                            },
                        },
                        {
                            "name": "my.histogram",
                            "histogram": {
                                "aggregationTemporality": "AGGREGATION_TEMPORALITY_CUMULATIVE",
                                "dataPoints": [
                                    {
                                        "timeUnixNano": 1544712661300000000,
                                        "count": "2",
                                        "sum": "NaN",
                                        "bucketCounts": [1, "1"],
                                        "explicitBounds": [1],
                                    }
                                ],
                            },
                        },
                    ],
                }
            ],
        }
    ]
}


def points_of(request: ExportMetricsServiceRequest) -> Iterator[tuple[tuple[Any, ...], Any, list[Exemplar]]]:
    """Yield what identifies the series of each point, the point without what the series says, and its exemplars."""
    for above in request.resource_metrics:
        for below in above.scope_metrics:
            for metric in below.metrics:
                kind = metric.WhichOneof("data")
                if kind is None:
                    continue
                form = getattr(metric, kind)
                for point in form.data_points:
                    bare = POINTS[kind].FromString(point.SerializeToString())
                    identity = (
                        *(above.resource.SerializeToString(), below.scope.SerializeToString()),
                        *(metric.name, metric.unit, kind),
                        getattr(form, "aggregation_temporality", 0),
                        form.is_monotonic if kind == "sum" else None,
                        tuple(point.explicit_bounds) if kind == "histogram" else None,
                        KeyValueList(values=point.attributes).SerializeToString(),
                    )
                    exemplars = [] if kind == "summary" else list(bare.exemplars)
                    for field in ("attributes", "exemplars", "explicit_bounds"):
                        if field in bare.DESCRIPTOR.fields_by_name:
                            bare.ClearField(field)
                    yield identity, bare, exemplars


def rebuilt(decoded: DecodedMetrics) -> Iterator[tuple[tuple[Any, ...], Any, list[Exemplar]]]:
    """Yield the same from decoded rows."""
    exemplars: dict[int, list[Exemplar]] = {}
    for entry in decoded.exemplars:
        exemplars.setdefault(entry.point, []).append(
            Exemplar(
                time_unix_nano=entry.time_ns, as_double=entry.value, trace_id=entry.trace_id, span_id=entry.span_id
            )
        )
    for position, point in enumerate(decoded.points):
        series = decoded.series[point.series]
        identity = series._replace(temporality=TEMPORALITIES[series.temporality])  # type: ignore[arg-type]
        yield tuple(identity), message_of(point, series), exemplars.get(position, [])


def message_of(point: DataPoint, series: Series) -> Any:
    times = {"start_time_unix_nano": point.start_ns, "time_unix_nano": point.time_ns}
    totals = {"count": point.total_count, "sum": point.sum}
    extremes = {"min": point.min, "max": point.max}
    match series.kind:
        case "gauge" | "sum":
            if point.int_value is not None:
                assert point.value == float(point.int_value)
                return NumberDataPoint(**times, as_int=point.int_value)
            return NumberDataPoint(**times, as_double=point.value)
        case "histogram":
            return HistogramDataPoint(**times, **totals, **extremes, bucket_counts=point.bucket_counts)
        case "summary":
            assert point.quantiles is not None
            assert point.quantile_values is not None
            pairs = zip(point.quantiles, point.quantile_values, strict=True)
            values = [SummaryDataPoint.ValueAtQuantile(quantile=quantile, value=value) for quantile, value in pairs]
            return SummaryDataPoint(**times, **totals, quantile_values=values)
    buckets = ExponentialHistogramDataPoint.Buckets
    return ExponentialHistogramDataPoint(
        **times,
        **totals,
        **extremes,
        scale=point.scale,
        zero_count=point.zero_count,
        zero_threshold=point.zero_threshold,
        positive=buckets(offset=point.bucket_offset, bucket_counts=point.bucket_counts),
        negative=buckets(offset=point.negative_offset, bucket_counts=point.negative_counts),
    )


class TestDecoding:
    @given(request=requests())
    @settings(deadline=None, max_examples=60)
    def test_any_request_decodes_to_what_it_says(self, request: ExportMetricsServiceRequest) -> None:
        decoded = decode_metrics(request.SerializeToString())
        expected = list(points_of(request))
        assert list(rebuilt(decoded)) == expected
        assert list(decoded.series) == list(dict.fromkeys(decoded.series))
        assert decoded.refused == RefusedPoints()

    @given(request=requests())
    @settings(deadline=None, max_examples=40)
    def test_json_says_the_same(self, request: ExportMetricsServiceRequest) -> None:
        """Also as the protobuf library writes it: ids in base64 and enums by name."""
        read = metrics_request_from_json(MessageToJson(request).encode())
        assert ExportMetricsServiceRequest.FromString(read) == request

    def test_the_specification_s_example(self) -> None:
        decoded = decode_metrics(metrics_request_from_json(json.dumps(EXAMPLE).encode()))
        counter, spread = decoded.series
        assert (counter.name, counter.kind, counter.temporality, counter.is_monotonic) == (
            "my.counter",
            "sum",
            "delta",
            True,
        )
        assert (spread.temporality, spread.is_monotonic, spread.explicit_bounds) == ("cumulative", None, (1.0,))
        first, second = decoded.points
        assert first == DataPoint(0, 1544712660300000000, 1544712661300000000, value=5.0)
        assert (second.total_count, second.bucket_counts, str(second.sum)) == (2, [1, 1], "nan")
        trace_id = bytes.fromhex("5b8efff798038103d269b633813fc60c")
        span_id = bytes.fromhex("eee19b7ec3c1b174")
        assert decoded.exemplars == (PointExemplar(0, 1544712661000000000, 2.0, trace_id, span_id),)

    def test_points_that_mean_nothing_are_counted_and_the_others_kept(self) -> None:
        request = ExportMetricsServiceRequest()
        metrics = request.resource_metrics.add().scope_metrics.add().metrics
        gauge = metrics.add(name="g").gauge.data_points
        gauge.add(time_unix_nano=1)
        gauge.add(as_int=1)
        gauge.add(as_int=1, time_unix_nano=1)
        gauge.add(time_unix_nano=2, flags=1)  # "no value": nothing was measured, and nothing is missing
        histogram = metrics.add(name="h").histogram.data_points
        histogram.add(time_unix_nano=1, explicit_bounds=[1, 2], bucket_counts=[1, 2])
        histogram.add(time_unix_nano=1, explicit_bounds=[2, 1], bucket_counts=[1, 2, 3])
        histogram.add(time_unix_nano=1, explicit_bounds=[1, float("nan")])
        metrics.add(name="without data")
        decoded = decode_metrics(request.SerializeToString())
        assert decoded.points == (DataPoint(0, 0, 1, value=1.0, int_value=1),)
        assert decoded.refused == RefusedPoints(5, "g: a data point has no value")
        assert [series.name for series in decoded.series] == ["g"]

    def test_equal_series_are_one_whatever_the_order_of_their_attributes(self) -> None:
        request = ExportMetricsServiceRequest()
        points = request.resource_metrics.add().scope_metrics.add().metrics.add(name="g").gauge.data_points
        for order in (("a", "b"), ("b", "a")):
            point = points.add(as_int=1, time_unix_nano=len(points) + 1)
            for key in order:
                point.attributes.add(key=key).value.string_value = key
        decoded = decode_metrics(request.SerializeToString())
        assert len(decoded.series) == 1
        assert [point.series for point in decoded.points] == [0, 0]

    @given(body=st.binary(max_size=40))
    def test_bytes_are_refused_or_decoded(self, body: bytes) -> None:
        try:
            ExportMetricsServiceRequest.FromString(body)
        except Exception:  # noqa: BLE001  (whatever protobuf says)
            with pytest.raises(InvalidRequestError, match=r"^not an ExportMetricsServiceRequest: "):
                decode_metrics(body)
        else:
            decode_metrics(body)

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            (b"[]", "expected an object, found an array"),
            (b'{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":5}]}]}]}', "metrics[0].name: expected text"),
            (b'{"resourceMetrics":1}', "resourceMetrics: expected an array, found 1"),
        ],
    )
    def test_json_that_is_built_differently_is_refused(self, body: bytes, reason: str) -> None:
        with pytest.raises(InvalidRequestError, match="OTLP JSON is not valid") as refused:
            metrics_request_from_json(body)
        assert reason in str(refused.value)

    def test_a_bad_point_in_json_leaves_the_others(self) -> None:
        points = [{"timeUnixNano": "1", "asDouble": "x"}, {"timeUnixNano": "2", "asDouble": "-Infinity"}]
        body = json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"gauge": {"dataPoints": points}}]}]}]})
        bad: list[str] = []
        decoded = decode_metrics(metrics_request_from_json(body.encode(), bad.append))
        assert decoded.points == (DataPoint(0, 0, 2, value=float("-inf")),)
        assert bad == ['data_points[0].asDouble: expected a number, found "x"']


class TestSignals:
    @given(request=requests(min_points=1))
    @settings(deadline=None, max_examples=60)
    def test_metrics_are_known_for_metrics(self, request: ExportMetricsServiceRequest) -> None:
        assert signal_of(request.SerializeToString()) is Signal.METRICS

    @given(request=REQUESTS)
    @settings(deadline=None, max_examples=60)
    def test_traces_are_known_for_traces(self, request: Any) -> None:
        spans = [span for above in request.resource_spans for scope in above.scope_spans for span in scope.spans]
        if all(span.start_time_unix_nano for span in spans):
            assert signal_of(request.SerializeToString()) is Signal.TRACES

    @given(names=st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20), min_size=1, max_size=3))
    def test_metrics_without_points_are_none_that_lose_anything(self, names: list[str]) -> None:
        request = ExportMetricsServiceRequest()
        scope = request.resource_metrics.add().scope_metrics.add()
        scope.metrics.extend(Metric(name=name, unit="s") for name in names)
        assert signal_of(request.SerializeToString()) in {Signal.METRICS, Signal.TRACES}

    @given(request=requests(min_points=1))
    @settings(deadline=None, max_examples=20)
    def test_a_record_of_the_journal_keeps_its_signal(self, request: ExportMetricsServiceRequest) -> None:
        metrics = Request(Signal.METRICS, request.SerializeToString())
        traces = Request(Signal.TRACES, small_request(1).SerializeToString())
        assert [request_of_record(each.record()) for each in (metrics, traces)] == [metrics, traces]


def single_or(body: bytes) -> bytes:
    """Return a message as it is: several of one signal, one after the other, are one."""
    return body


FRAMES = {"varint": varint, "fixed": fixed, "zstd frames": lambda body: fixed(zstd(body)), "single": single_or}


class TestFiles:
    @pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
    @given(
        bodies=st.lists(
            requests(min_points=1).map(lambda request: (Signal.METRICS, request.SerializeToString()))
            | st.integers(1, 9).map(lambda number: (Signal.TRACES, small_request(number).SerializeToString())),
            min_size=1,
            max_size=4,
        )
    )
    @settings(deadline=None, max_examples=40)
    def test_traces_and_metrics_in_one_file(
        self, frame: Callable[[bytes], bytes], bodies: list[tuple[Signal, bytes]]
    ) -> None:
        if frame is single_or:
            bodies = [pair for pair in bodies if pair[0] is bodies[0][0]]  # one message is of one signal
        damages: list[Any] = []
        found = list(read_requests(b"".join(frame(body) for _, body in bodies), on_damage=damages.append))
        assert damages == []
        if frame is single_or:
            assert {request.signal for request in found} == {bodies[0][0]}
            assert b"".join(request.body for request in found) == b"".join(body for _, body in bodies)
        else:
            assert found == [Request(*pair) for pair in bodies]

    def test_lines_of_traces_and_metrics(self) -> None:
        (traces,) = as_lines([small_request(1)])
        found = list(read_requests(traces + json.dumps(EXAMPLE).encode() + b"\n" + traces, on_damage=pytest.fail))
        assert [request.signal for request in found] == [Signal.TRACES, Signal.METRICS, Signal.TRACES]
        read = ExportMetricsServiceRequest.FromString(found[1].body)
        assert MessageToDict(read)["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]["name"] == "my.counter"

    def test_one_resource_that_is_built_differently_leaves_the_others(self) -> None:
        document = {"resourceMetrics": [{"scopeMetrics": 5}, *EXAMPLE["resourceMetrics"]]}
        damages: list[Any] = []
        (found,) = read_requests(json.dumps(document).encode(), name="m.json", on_damage=damages.append)
        assert len(decode_metrics(found.body).points) == 2
        assert [damage.where for damage in damages] == ["line 1"]

    def test_a_journal_segment_holds_both(self, tmp_path: Path) -> None:
        metrics = Request(Signal.METRICS, metrics_request_from_json(json.dumps(EXAMPLE).encode()))
        traces = Request(Signal.TRACES, small_request(1).SerializeToString())
        journal = Journal(tmp_path / "journal")
        journal.append([traces.record(), metrics.record()])
        journal.close()
        (segment,) = (tmp_path / "journal").glob("*.segment")
        assert list(read_requests(str(segment), on_damage=pytest.fail)) == [traces, metrics]
