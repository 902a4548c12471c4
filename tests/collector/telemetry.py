"""What an instrumented service sends, with the exporters of the OpenTelemetry SDK; and what of it the store holds."""

from __future__ import annotations

import time
import urllib.request
from typing import TYPE_CHECKING, Any, Final

import grpc
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from prometheus_client.parser import text_string_to_metric_families

from tracelens.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from collectors import Collector
    from opentelemetry.sdk.trace import ReadableSpan
    from processes import ServerProcess

RESOURCE = Resource({"service.name": "orders"})
Ids = list[tuple[str, str]]

_DEADLINE_S: Final = 60.0
_PAUSE_S: Final = 0.05


def recorded(traces: int, spans: int = 5, *, failed: bool = False) -> Sequence[ReadableSpan]:
    """Record traces of so many spans each, the first of which is the others' parent, and has failed or not."""
    memory = InMemorySpanExporter()
    provider = TracerProvider(resource=RESOURCE)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracer = provider.get_tracer("test", "1.0")
    for trace in range(traces):
        with tracer.start_as_current_span(f"GET /orders/{trace}") as entry:
            if failed:
                entry.set_status(StatusCode.ERROR)
            for query in range(1, spans):
                with tracer.start_as_current_span("SELECT", attributes={"db.query.text": f"SELECT {query}"}):
                    pass
    provider.shutdown()
    return memory.get_finished_spans()


def ids_of(spans: Iterable[ReadableSpan]) -> Ids:
    """Return trace and span ids in hex, in their order."""
    contexts = [span.get_span_context() for span in spans]
    return sorted((f"{each.trace_id:032x}", f"{each.span_id:016x}") for each in contexts if each)


def ids_received(spans: Iterable[dict[str, Any]]) -> Ids:
    """Return the same of spans in OTLP's JSON; a span that is there twice counts twice."""
    return sorted((span["traceId"], span["spanId"]) for span in spans)


def ids_stored(db: Path) -> Ids:
    """Return the same of a store that no process holds."""
    store = Store(db)
    with store.reader() as reader:
        rows = reader.rows("select trace_id, span_id from spans")
    store.close()
    return sorted((row["trace_id"].hex, f"{row['span_id']:016x}") for row in rows)


def send(collector: Collector | ServerProcess, spans: Sequence[ReadableSpan], transport: str = "grpc") -> None:
    """Export spans as a service does, whose exporter is configured for this transport."""
    exporter = _exporter(collector, transport)
    assert exporter.export(spans) is SpanExportResult.SUCCESS
    exporter.shutdown()


def _exporter(collector: Collector | ServerProcess, transport: str) -> SpanExporter:
    if transport == "grpc":
        return GrpcSpanExporter(endpoint=collector.grpc, insecure=True, compression=grpc.Compression.Gzip)
    return HttpSpanExporter(endpoint=f"{collector.http}/v1/traces", compression=Compression.Gzip)


def taken(server: ServerProcess, sample: str, **labels: str) -> float:
    """Return what a counter of a server stands at: it counts from the server's start."""
    with urllib.request.urlopen(f"{server.ui}/metrics", timeout=60) as page:  # noqa: S310  (our own server)
        families = text_string_to_metric_families(page.read().decode())
    found = [each for family in families for each in family.samples if each.name == sample]
    return sum(each.value for each in found if labels.items() <= each.labels.items())


def spans_taken(server: ServerProcess) -> float:
    """Return how many spans a server has acknowledged since its start; once it has ended, they are stored."""
    return taken(server, "tracelens_ingest_spans_total")


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something holds that another process brings about; fail where it never does."""
    end = time.monotonic() + _DEADLINE_S
    while not holds():
        assert time.monotonic() < end, "it did not come to hold"
        time.sleep(_PAUSE_S)


def send_measurements(collector: Collector, count: int) -> None:
    """Export so many counters, each with one data point."""
    reader = PeriodicExportingMetricReader(GrpcMetricExporter(endpoint=collector.grpc, insecure=True))
    provider = MeterProvider([reader], resource=RESOURCE)
    meter = provider.get_meter("test", "1.0")
    for number in range(count):
        meter.create_counter(f"orders.{number}").add(number)
    provider.shutdown()


def send_logs(collector: Collector, count: int) -> None:
    """Export so many log records."""
    provider = LoggerProvider(resource=RESOURCE)
    provider.add_log_record_processor(BatchLogRecordProcessor(GrpcLogExporter(endpoint=collector.grpc, insecure=True)))
    logger = provider.get_logger("test", "1.0")
    for number in range(count):
        logger.emit(LogRecord(body=f"order {number}"))
    provider.shutdown()


def points_stored(db: Path) -> list[tuple[str, int]]:
    """Return names and values of the data points in a store that no process holds."""
    store = Store(db)
    with store.reader() as reader:
        rows = reader.rows("select metric_name, int_value from data_points join metric_series using (series_id)")
    store.close()
    return sorted((row["metric_name"], row["int_value"]) for row in rows)
