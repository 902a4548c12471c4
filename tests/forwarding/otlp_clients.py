"""Requests of every signal, from the SDK's exporters and from raw clients."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import grpc
import httpx
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from next_hop import Front

RESOURCE = Resource({"service.name": "orders"})

SPAN = {
    "traceId": "0af7651916cd43dd8448eb211c80319c",
    "spanId": "b7ad6b7169203331",
    "name": "GET /orders",
    "kind": 2,
    "startTimeUnixNano": "1700000000000000000",
    "endTimeUnixNano": "1700000000005000000",
}
EXEMPLAR = {"traceId": SPAN["traceId"], "spanId": SPAN["spanId"], "timeUnixNano": "1700000000000000000", "asInt": "7"}
POINT = {"timeUnixNano": 1700000000000000000, "asInt": "7", "exemplars": [EXEMPLAR]}
METRIC = {"name": "requests", "sum": {"aggregationTemporality": 2, "isMonotonic": True, "dataPoints": [POINT]}}
RECORD = {
    "traceId": SPAN["traceId"],
    "spanId": SPAN["spanId"],
    "timeUnixNano": "1700000000000000000",
    "severityNumber": 9,
    "body": {"stringValue": "hello"},
    "attributes": [{"key": "traceId", "value": {"stringValue": SPAN["traceId"]}}],
}


def json_document(signal: str) -> dict[str, Any]:
    """Return a request in OTLP JSON."""
    match signal:
        case "traces":
            return {"resourceSpans": [{"scopeSpans": [{"spans": [SPAN]}]}]}
        case "metrics":
            return {"resourceMetrics": [{"scopeMetrics": [{"metrics": [METRIC]}]}]}
        case _:
            return {"resourceLogs": [{"scopeLogs": [{"logRecords": [RECORD]}]}]}


def json_body(signal: str) -> bytes:
    """Return it as no encoder of ours would write it."""
    return json.dumps(json_document(signal), indent=3).encode() + b"\n\n"


def export_everything(front: Front, transport: str) -> list[tuple[str, bytes]]:
    """Export a span, a metric and a log record with the SDK's exporters; return signal and bytes of each."""
    memory = InMemorySpanExporter()
    tracing = TracerProvider(resource=RESOURCE)
    tracing.add_span_processor(SimpleSpanProcessor(memory))
    with tracing.get_tracer("test").start_as_current_span("GET /orders") as span:
        span.set_attributes({"ids": [1, 2], "ratio": 0.5})
    spans = memory.get_finished_spans()

    reader = InMemoryMetricReader()
    measuring = MeterProvider(metric_readers=[reader], resource=RESOURCE)
    measuring.get_meter("test").create_histogram("wait").record(0.25)
    metrics = reader.get_metrics_data()
    assert metrics is not None

    kept = InMemoryLogRecordExporter()
    logging = LoggerProvider(resource=RESOURCE)
    logging.add_log_record_processor(SimpleLogRecordProcessor(kept))
    logging.get_logger("test").emit(body="hello")
    logs = kept.get_finished_logs()

    if transport == "grpc":
        exporters: tuple[Any, Any, Any] = (
            GrpcSpanExporter(endpoint=front.grpc, insecure=True),
            GrpcMetricExporter(endpoint=front.grpc, insecure=True),
            GrpcLogExporter(endpoint=front.grpc, insecure=True),
        )
    else:
        exporters = (
            HttpSpanExporter(endpoint=f"{front.http}/v1/traces"),
            HttpMetricExporter(endpoint=f"{front.http}/v1/metrics"),
            HttpLogExporter(endpoint=f"{front.http}/v1/logs"),
        )
    for exporter, telemetry in zip(exporters, (spans, metrics, logs), strict=True):
        assert exporter.export(telemetry).name == "SUCCESS"
        exporter.shutdown()
    return sorted(
        [
            ("traces", encode_spans(spans).SerializeToString()),
            ("metrics", encode_metrics(metrics).SerializeToString()),
            ("logs", encode_logs(logs).SerializeToString()),
        ]
    )


def post(
    front: Front,
    signal: str,
    body: bytes,
    *,
    content_type: str = "application/x-protobuf",
    headers: Mapping[str, str | bytes] | None = None,
) -> httpx.Response:
    """Send a request over HTTP."""
    return httpx.post(
        f"{front.http}/v1/{signal}",
        content=body,
        headers=_encoded({"content-type": content_type, **(headers or {})}),
        timeout=30,
    )


def _encoded(headers: Mapping[str, str | bytes]) -> dict[bytes, bytes]:
    return {name.encode(): value if isinstance(value, bytes) else value.encode() for name, value in headers.items()}


def call(front: Front, service: str, body: bytes, metadata: tuple[tuple[str, str], ...] = ()) -> bytes:
    """Send a request over gRPC."""
    with grpc.insecure_channel(front.grpc) as channel:
        answer: bytes = channel.unary_unary(f"/{service}/Export")(body, metadata=metadata, timeout=30)
        return answer
