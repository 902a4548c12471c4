"""The exporters of the OpenTelemetry SDK for Python, as services use them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tracelens.errors import OverloadedError
from tracelens.receiver import ReceiverStatistics, RequestKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keeping_intake import KeepingIntake

RESOURCE = Resource({"service.name": "orders"})


def recorded_spans() -> Sequence[ReadableSpan]:
    memory = InMemorySpanExporter()
    provider = TracerProvider(resource=RESOURCE)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracer = provider.get_tracer("test", "1.0")
    with tracer.start_as_current_span("GET /orders") as parent:
        parent.set_attributes({"http.route": "/orders", "ids": [1, 2], "ratio": 0.5, "ok": True})
        with tracer.start_as_current_span("select") as child:
            child.add_event("fetched", {"rows": 3})
    provider.shutdown()
    return memory.get_finished_spans()


def span_exporter(transport: str, grpc_target: str, http_url: str) -> SpanExporter:
    match transport:
        case "grpc":
            return GrpcSpanExporter(endpoint=grpc_target, insecure=True)
        case "grpc gzip":
            return GrpcSpanExporter(endpoint=grpc_target, insecure=True, compression=grpc.Compression.Gzip)
        case "http":
            return HttpSpanExporter(endpoint=f"{http_url}/v1/traces", compression=Compression.NoCompression)
        case "http gzip":
            return HttpSpanExporter(endpoint=f"{http_url}/v1/traces", compression=Compression.Gzip)
        case _:
            return HttpSpanExporter(endpoint=f"{http_url}/v1/traces", compression=Compression.Deflate)


@pytest.mark.parametrize("transport", ["grpc", "grpc gzip", "http", "http gzip", "http deflate"])
def test_spans_arrive_as_encoded(grpc_target: str, http_url: str, intake: KeepingIntake, transport: str) -> None:
    spans = recorded_spans()
    exporter = span_exporter(transport, grpc_target, http_url)
    assert exporter.export(spans) is SpanExportResult.SUCCESS
    exporter.shutdown()
    assert intake.kept == [encode_spans(spans).SerializeToString()]


@pytest.mark.parametrize("transport", ["grpc", "http"])
def test_exporters_send_again_what_could_not_be_kept(
    grpc_target: str, http_url: str, intake: KeepingIntake, transport: str
) -> None:
    intake.errors.append(OverloadedError("full", 0.01))
    spans = recorded_spans()
    exporter = span_exporter(transport, grpc_target, http_url)
    assert exporter.export(spans) is SpanExportResult.SUCCESS
    exporter.shutdown()
    assert intake.kept == [encode_spans(spans).SerializeToString()]


def test_a_batch_processor_of_several_requests(grpc_target: str, intake: KeepingIntake) -> None:
    provider = TracerProvider(resource=RESOURCE)
    exporter = GrpcSpanExporter(endpoint=grpc_target, insecure=True)
    provider.add_span_processor(BatchSpanProcessor(exporter, max_export_batch_size=50, max_queue_size=1000))
    tracer = provider.get_tracer("test")
    for _ in range(500):
        tracer.start_span("work").end()
    provider.shutdown()
    assert len(intake.kept) == 10


@pytest.mark.parametrize("transport", ["grpc", "http"])
def test_metrics_are_kept_and_logs_do_not_fail(
    grpc_target: str, http_url: str, intake: KeepingIntake, statistics: ReceiverStatistics, transport: str
) -> None:
    kinds = [RequestKind(transport, signal, "ok") for signal in ("metrics", "logs")]
    before = statistics.totals()
    over_grpc = transport == "grpc"
    reader = PeriodicExportingMetricReader(
        GrpcMetricExporter(endpoint=grpc_target, insecure=True)
        if over_grpc
        else HttpMetricExporter(endpoint=f"{http_url}/v1/metrics")
    )
    metrics = MeterProvider(metric_readers=[reader], resource=RESOURCE)
    metrics.get_meter("test").create_counter("requests").add(1)
    assert metrics.force_flush()
    metrics.shutdown()

    logs = LoggerProvider(resource=RESOURCE)
    logs.add_log_record_processor(
        BatchLogRecordProcessor(
            GrpcLogExporter(endpoint=grpc_target, insecure=True)
            if over_grpc
            else HttpLogExporter(endpoint=f"{http_url}/v1/logs")
        )
    )
    logs.get_logger("test").emit(body="hello")
    assert logs.force_flush()
    logs.shutdown()

    after = statistics.totals()
    answered = [after[kind].requests - (before[kind].requests if kind in before else 0) for kind in kinds]
    assert answered[0] >= 1  # the reader exports once more when it is shut down
    assert answered[1] == 1
    assert intake.kept == []
    names = {
        metric.name
        for body in intake.kept_metrics
        for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    assert names == {"requests"}
