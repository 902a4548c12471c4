"""Metrics that are sent are kept once and whole, survive a crash, and tell which database and which pool is short."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from hypothesis import given, settings
from metric_requests import as_metrics, at, cumulative, gauge, histogram, metrics_of, summary
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetricExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetricExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from otlp.metric_strategies import requests
from span_requests import as_traces, request, span

from tracelens.analysis import analyse
from tracelens.errors import InvalidRequestError
from tracelens.findings import Exemplar, Finding, Occurrences
from tracelens.ingest import Ingest, IngestStatistics, recover_journal, set_aside_folder, store_requests
from tracelens.journal import Journal
from tracelens.model import Scope
from tracelens.otlp.metrics import RefusedPoints, decode_metrics
from tracelens.receiver import GrpcReceiver, HttpServer, OtlpApp
from tracelens.report.json import finding_to_dict
from tracelens.report.json_reader import finding_from_dict
from tracelens.semconv.catalogue import Catalogue
from tracelens.semconv.metric_points import normalise_points
from tracelens.settings import DatabaseSettings, ReceiverSettings, Settings, StoreSettings
from tracelens.store.appended import AppendResult
from tracelens.store.retention import expire
from tracelens.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

NEVER = StoreSettings(flush_interval_s=3600, flush_rows=1_000_000)
ONE_POINT = metrics_of(gauge("g", [(1, 2.5, {"k": "v"})]), resource={"service.name": "orders"})


def rows(store: Store, statement: str) -> list[dict[str, Any]]:
    with store.reader() as reader:
        return reader.rows(statement)


class TestStoring:
    @given(request=requests(min_points=1))
    @settings(deadline=None, max_examples=10)
    def test_any_points_are_read_back(self, request: ExportMetricsServiceRequest) -> None:
        decoded = decode_metrics(request.SerializeToString())
        store = Store(None)
        tables = normalise_points([decoded], store.catalogue, 7)
        keys = ["series_id", "start_ns", "time_ns"]
        distinct = {tuple(row[key] for key in keys): row for row in reversed(tables.points.to_pylist())}
        outcome = store.append([], points=[tables])
        assert outcome == AppendResult(0, 0, len(distinct), len(tables.points) - len(distinct))
        found = rows(store, "from data_points")
        assert {tuple(row[key] for key in keys): row for row in found} == distinct
        series = rows(
            store, "select metric_name, unit, kind, temporality, explicit_bounds from metric_series order by series_id"
        )
        assert {repr(tuple(row.values())) for row in series} == {
            repr(
                (s.name, s.unit, s.kind, s.temporality, None if s.explicit_bounds is None else list(s.explicit_bounds))
            )
            for s in decoded.series
        }
        store.close()

    def test_what_came_before_adds_nothing(self) -> None:
        store = Store(None)
        other = metrics_of(
            gauge("g", [(1, 9.0, {"k": "v"}), (2, 3.5, {"k": "v"})]), resource={"service.name": "orders"}
        )
        assert store_requests(store, as_metrics([ONE_POINT, ONE_POINT]), pytest.fail) == AppendResult(0, 0, 1, 1)
        assert store_requests(store, as_metrics([other]), pytest.fail) == AppendResult(0, 0, 1, 1)
        assert rows(store, "select series_id, value from data_points order by time_ns") == [
            {"series_id": 0, "value": 2.5},
            {"series_id": 0, "value": 3.5},
        ]
        store.close()

    def test_exemplars_keep_their_traces(self) -> None:
        message = ExportMetricsServiceRequest.FromString(ONE_POINT)
        (point,) = message.resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points
        point.exemplars.add(time_unix_nano=at(1), as_double=4.5, trace_id=bytes(range(16)), span_id=bytes(range(8)))
        store = Store(None)
        for _ in range(2):
            store_requests(store, as_metrics([message.SerializeToString()]), pytest.fail)
        assert rows(
            store, "select series_id, value, trace_hex(trace_id) as t, span_hex(span_id) as s from data_point_exemplars"
        ) == [{"series_id": 0, "value": 4.5, "t": bytes(range(16)).hex(), "s": bytes(range(8)).hex()}]
        store.close()

    def test_a_store_goes_on_where_it_was_closed(self, tmp_path: Path) -> None:
        for value in (1.0, 2.0):
            store = Store(tmp_path / "s.duckdb")
            body = metrics_of(gauge("g", [(value, value, {})]), resource={"service.name": "orders"})
            store_requests(store, as_metrics([body]), pytest.fail)
            store.close()
        store = Store(tmp_path / "s.duckdb")
        assert rows(
            store,
            "select s.series_id, p.value from metric_series as s join data_points as p using (series_id) order by 2",
        ) == [
            {"series_id": 0, "value": 1.0},
            {"series_id": 0, "value": 2.0},
        ]
        store.close()

    def test_old_points_are_let_go_of(self, tmp_path: Path) -> None:
        store = Store(tmp_path / "s.duckdb")
        for number in range(1, 4):
            message = ExportMetricsServiceRequest.FromString(metrics_of(gauge("g", [(number, 1.0, {})])))
            (point,) = message.resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points
            point.exemplars.add(as_double=number, trace_id=bytes(range(16)))
            decoded = decode_metrics(message.SerializeToString())
            store.append([], points=[normalise_points([decoded], store.catalogue, number)])
        assert expire(store, before_ns=3, max_bytes=0) == 0
        assert rows(store, "select received_ns from data_points") == [{"received_ns": 3}]
        assert rows(store, "select value from data_point_exemplars") == [{"value": 3.0}]
        store.close()

    def test_a_defect_leaves_the_other_requests(self) -> None:
        store = Store(None)
        with store.reader() as reader:
            reader.run_script("create unique index one_of_each on data_points (value)")
        bodies = [metrics_of(gauge(name, [(1, value, {})])) for name, value in (("a", 1), ("b", 1), ("c", 2))]
        refused: list[str] = []
        records = [*as_traces([request(span(1))]), *as_metrics([bodies[0], b"\xff", *bodies[1:]])]
        assert store_requests(store, records, refused.append) == AppendResult(1, 0, 2)
        assert [reason.split(":")[0] for reason in refused] == [
            "not an ExportMetricsServiceRequest",
            "a defect of tracelens, please report it",
        ]
        assert len(rows(store, "from data_points")) == 2
        store.close()


@dataclass
class Running:
    """An ingest with a real store and a real journal."""

    db: Path
    settings: StoreSettings

    def open(self) -> Running:
        self.store = Store(self.db)
        self.journal = Journal(self.db.with_name(f"{self.db.name}.journal"), after=self.store.applied_sequence)
        aside = set_aside_folder(self.db)
        self.ingest = Ingest(self.store, self.journal, aside, self.settings, ReceiverSettings())
        return self

    def close(self) -> None:
        self.ingest.stop()
        self.journal.close()
        self.store.close()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    opened = Running(tmp_path / "s.duckdb", StoreSettings(flush_interval_s=0.001)).open()
    opened.ingest.start()
    yield opened
    opened.close()


class TestReceiving:
    def test_acknowledged_metrics_survive_a_crash(self, tmp_path: Path) -> None:
        crashed = Running(tmp_path / "s.duckdb", NEVER).open()
        crashed.ingest.start()
        kept = [crashed.ingest.submit_metrics(ONE_POINT), crashed.ingest.submit(request(span(1)))]
        assert [future.result() for future in kept] == [None, None]
        # What a killed process leaves: a journal that nobody applied. Its threads here never get to write.
        crashed.journal.close()
        crashed.store.close()
        store = Store(tmp_path / "s.duckdb")
        assert recover_journal(store, tmp_path / "s.duckdb") == 1
        assert rows(store, "select value from data_points") == [{"value": 2.5}]
        assert rows(store, "select name from spans") == [{"name": "span 1"}]
        assert store.applied_sequence == 2
        store.close()

    def test_stopping_stores_what_is_acknowledged(self, tmp_path: Path) -> None:
        ingest = Running(tmp_path / "s.duckdb", NEVER).open()
        ingest.ingest.start()
        bodies = [metrics_of(gauge("g", [(number, 1.0, {})])) for number in range(50)]
        waiting = [ingest.ingest.submit_metrics(body) for body in bodies]
        waiting += [ingest.ingest.submit(request(span(number))) for number in range(50)]
        ingest.ingest.stop()
        assert {future.result(timeout=0) for future in waiting} == {None}
        assert rows(ingest.store, "select count(*) as n from data_points") == [{"n": 50}]
        assert rows(ingest.store, "select count(*) as n from spans") == [{"n": 50}]
        ingest.close()

    def test_repeated_damaged_and_partly_refused_requests(self, running: Running) -> None:
        ingest = running.ingest
        partly = metrics_of(gauge("g", [(1, 1.0, {})]))
        message = ExportMetricsServiceRequest.FromString(partly)
        message.resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points.add(as_int=1)
        partly = message.SerializeToString()
        refused = RefusedPoints(1, "g: a data point has no time_unix_nano")
        assert [ingest.submit_metrics(partly).result() for _ in range(2)] == [refused, refused]
        assert ingest.submit_metrics(ONE_POINT).result() is None
        with pytest.raises(InvalidRequestError, match="not an ExportMetricsServiceRequest"):
            ingest.submit_metrics(b"\xff").result()
        ingest.stop()
        assert rows(running.store, "select count(*) as n from data_points") == [{"n": 2}]
        assert ingest.statistics == IngestStatistics(
            requests=3, points=2, refused_points=2 - 1, repeated_requests=1, refused_requests=1
        )

    def test_an_equal_body_of_the_other_signal_is_another_request(self, running: Running) -> None:
        empty = b"\x0a\x00"  # one resource without anything in it, of either signal
        assert running.ingest.submit(empty).result() is None
        assert running.ingest.submit_metrics(empty).result() is None
        assert running.ingest.statistics.repeated_requests == 0

    @pytest.mark.parametrize("transport", ["grpc", "grpc gzip", "http"])
    def test_the_sdk_s_exporters(self, running: Running, transport: str) -> None:
        server = (
            HttpServer("127.0.0.1:0", OtlpApp(running.ingest))
            if transport == "http"
            else GrpcReceiver("127.0.0.1:0", running.ingest)
        )
        server.start()
        provider = MeterProvider(
            metric_readers=[PeriodicExportingMetricReader(exporter(transport, server.port))],
            resource=Resource({"service.name": "orders"}),
            views=[View(instrument_name="spread", aggregation=ExponentialBucketHistogramAggregation())],
        )
        meter = provider.get_meter("test")
        meter.create_counter("requests", unit="{request}").add(3, {"route": "/a"})
        meter.create_up_down_counter("open").add(-2)
        meter.create_gauge("level").set(0.5)
        meter.create_histogram("latency", unit="s").record(0.2)
        meter.create_histogram("spread").record(7)
        assert provider.force_flush()
        provider.shutdown()
        server.stop(5)
        running.ingest.stop()
        found = rows(
            running.store,
            "select s.metric_name, s.kind, s.temporality, s.is_monotonic, max(p.value) as value, "
            "max(p.count) as count, max(p.sum) as sum, max(list_sum(p.bucket_counts)) as counted "
            "from metric_series as s join data_points as p using (series_id) group by all order by 1",
        )
        assert [tuple(row.values()) for row in found] == [
            ("latency", "histogram", "cumulative", None, None, 1, 0.2, 1),
            ("level", "gauge", None, None, 0.5, None, None, None),
            ("open", "sum", "cumulative", False, -2.0, None, None, None),
            ("requests", "sum", "cumulative", True, 3.0, None, None, None),
            ("spread", "exponential_histogram", "cumulative", None, None, 1, 7.0, 1),
        ]


def exporter(transport: str, port: int) -> MetricExporter:
    if transport == "http":
        return HttpMetricExporter(endpoint=f"http://127.0.0.1:{port}/v1/metrics")
    compression = grpc.Compression.Gzip if transport == "grpc gzip" else None
    return GrpcMetricExporter(endpoint=f"127.0.0.1:{port}", insecure=True, compression=compression)


MINUTE = 60
BUSY: list[tuple[float, float, dict[str, Any]]] = [(MINUTE * number, 0.95, {}) for number in range(6)]


def database_finding(
    *metrics: Metric, resource: dict[str, Any], spans: Sequence[Span] = (), hosts: tuple[str, ...] = ()
) -> Finding | None:
    found = findings([metrics_of(*metrics, resource=resource)], spans, Settings(databases=DatabaseSettings(hosts)))
    return next((finding for finding in found if finding.pass_name == "db_cpu"), None)


def findings(
    bodies: Iterable[bytes], spans: Sequence[Span] = (), configured: Settings | None = None
) -> tuple[Finding, ...]:
    store = Store(None)
    store_requests(store, [*as_metrics(bodies), *as_traces([request(*spans)])], pytest.fail)
    with store.reader() as reader:
        report = analyse(reader, configured or Settings(), Scope(pass_names=("db_cpu", "pool_wait")))
    store.close()
    return report.findings


def identified_by(
    resource: dict[str, Any], *, spans: Sequence[Span] = (), hosts: tuple[str, ...] = ()
) -> tuple[Any, str] | None:
    found = database_finding(gauge("system.cpu.utilization", BUSY), resource=resource, spans=spans, hosts=hosts)
    return (dict(found.evidence)["identified_by"], found.confidence) if found else None


def query(number: int, address: str, text: str = "SELECT 1 FROM orders", *, milliseconds: int = 10) -> list[Span]:
    """Return a request with one query, in the busy time."""
    entry = span(
        number,
        {"http.request.method": "GET", "http.route": "/orders"},
        kind=2,
        start_time_unix_nano=at(number),
        end_time_unix_nano=at(number + milliseconds / 1000),
    )
    call = span(
        number,
        {"db.system.name": "postgresql", "db.query.text": text, "server.address": address},
        kind=3,
        span_id=(1000 + number).to_bytes(8),
        parent_span_id=entry.span_id,
        start_time_unix_nano=entry.start_time_unix_nano,
        end_time_unix_nano=entry.end_time_unix_nano,
    )
    return [entry, call]


class TestDatabases:
    @pytest.mark.parametrize(
        ("resource", "expected"),
        [
            ({"host.name": "web-1"}, None),
            ({"host.name": "orders-db-exporter-1"}, None),
            ({"host.name": "web-1", "db.system.name": "mysql"}, ("its resource: db.system.name mysql", "certain")),
            ({"host.name": "pg-7.internal"}, ("its name: host.name pg-7.internal", "likely")),
            ({"host.name": "n1", "k8s.pod.name": "mysql-0"}, ("its name: k8s.pod.name mysql-0", "likely")),
            (
                {"host.id": "i-1", "container.image.name": "docker.io/postgres"},
                ("its name: container.image.name docker.io/postgres", "likely"),
            ),
        ],
    )
    def test_by_what_its_metrics_say(self, resource: dict[str, Any], expected: tuple[str, str] | None) -> None:
        assert identified_by(resource) == expected

    @pytest.mark.parametrize(
        ("resource", "address"),
        [
            ({"host.name": "n1"}, "N1"),
            ({"host.name": "n1"}, "n1.prod.internal"),
            ({"host.name": "n1.prod.internal"}, "n1"),
            ({"host.name": "n1", "host.ip": ["127.0.0.1", "10.0.0.7"]}, "10.0.0.7"),
            ({"host.name": "n1", "k8s.statefulset.name": "orders-store"}, "orders-store.shop.svc.cluster.local"),
            ({"host.name": "n1", "server.address": "127.0.0.1"}, "127.0.0.1"),
        ],
    )
    def test_by_the_calls_to_it(self, resource: dict[str, Any], address: str) -> None:
        expected = (f"the server.address of database calls: {address.lower()}", "certain")
        assert identified_by(resource, spans=query(90, address)) == expected

    @pytest.mark.parametrize(
        ("resource", "address"),
        [
            ({"host.name": "n1"}, "n2"),
            ({"host.name": "10"}, "10.0.0.7"),
            ({"host.name": "n1", "host.ip": ["127.0.0.1"]}, "127.0.0.1"),
        ],
    )
    def test_calls_to_others_make_no_database(self, resource: dict[str, Any], address: str) -> None:
        assert identified_by(resource, spans=query(90, address)) is None

    def test_by_the_configuration(self) -> None:
        expected = ("the configuration: databases.hosts N[0-9]", "certain")
        assert identified_by({"host.name": "n1"}, hosts=("x", "N[0-9]")) == expected
        assert identified_by({"host.name": "n12"}, hosts=("N[0-9]",)) is None

    def test_of_a_cloud(self) -> None:
        dimensions = {"Dimensions": {"DBInstanceIdentifier": "orders"}}
        metric = summary(
            "amazonaws.com/AWS/RDS/CPUUtilization", [(60 * number, 91.0, dimensions) for number in range(4)]
        )
        spans = query(90, "orders.c9akciq32.eu-west-1.rds.amazonaws.com")
        found = database_finding(metric, resource={"cloud.provider": "aws"}, spans=spans)
        assert found is not None
        evidence = dict(found.evidence)
        assert (found.service_name, found.subject) == ("orders", "orders")
        assert evidence["identified_by"] == "a CloudWatch metric of a database"
        assert (evidence["services"], evidence["mean_percent"]) == (("orders",), 91.0)


class TestSaturation:
    def test_the_finding_says_what_loads_the_host(self) -> None:
        spans = [
            *query(30, "n1", milliseconds=500),
            *query(70, "n1", "SELECT 1 FROM orders", milliseconds=400),
            *query(80, "n1", "SELECT 2 FROM users WHERE id = 7", milliseconds=700),
            *query(90, "n1", "SELECT 3 FROM a", milliseconds=20),
            *query(95, "n1", "SELECT 4 FROM b", milliseconds=10),
            *query(99, "elsewhere", "SELECT 5 FROM c", milliseconds=9000),
        ]
        samples: list[tuple[float, float, dict[str, Any]]] = [
            (0, 0.5, {}),
            (60, 0.6, {}),
            (120, 0.9, {}),
            (180, 1.0, {}),
            (240, 0.95, {}),
            (300, 0.3, {}),
        ]
        found = database_finding(gauge("system.cpu.utilization", samples), resource={"host.name": "n1"}, spans=spans)
        assert found is not None
        assert found.evidence == (
            ("host", "n1"),
            ("cpu_percent", 30.0),
            ("mean_percent", 95.0),
            ("max_percent", 100.0),
            ("samples", 3),
            ("over_s", 180.0),
            ("source", "system.cpu.utilization"),
            ("identified_by", "the server.address of database calls: n1"),
            ("db_system", "postgresql"),
            ("services", ("orders",)),
            ("top_queries", ("SELECT ? FROM orders", "SELECT ? FROM users WHERE id = ?", "SELECT ? FROM a")),
            ("query_totals_ms", (900.0, 700.0, 20.0)),
        )
        assert (found.severity, found.confidence, found.endpoint) == ("critical", "certain", "n1")
        assert found.message == "CPU of n1 was over the limit for 180 s: 95 % on average, 100 % at most"
        # Requests of the time over the limit, the one that used the database most in front.
        assert found.occurrences == Occurrences(requests=4, spans=4)
        assert found.exemplar == Exemplar((80).to_bytes(16).hex(), ((1080).to_bytes(8).hex(),))
        assert (found.first_seen_ns, found.last_seen_ns) == (at(60), at(240))
        assert found.advice.snippet is not None
        assert "pg_stat_statements" in found.advice.snippet.code

    def test_without_traces_it_stands_alone(self) -> None:
        found = database_finding(
            gauge("system.cpu.utilization", BUSY), resource={"host.name": "pg-1", "service.name": "pg"}
        )
        assert found is not None
        assert (found.service_name, found.subject, found.exemplar) == ("pg", "pg-1", Exemplar("", ()))
        assert found.occurrences == Occurrences(0, 0)
        assert finding_from_dict(finding_to_dict(found)) == found

    @pytest.mark.parametrize(
        "samples",
        [
            pytest.param([(60 * n, 0.79, {}) for n in range(9)], id="below the limit"),
            pytest.param([(n, 0.99, {}) for n in range(59)], id="not for a minute"),
            pytest.param([(0, 0.99, {}), (600, 0.99, {})], id="two samples"),
            pytest.param([(60 * n, 0.99 if n % 3 else 0.1, {}) for n in range(9)], id="never three in a row"),
            pytest.param([(3600 * n, 0.99, {}) for n in range(2)] + [(9000, 0.99, {})], id="too far apart"),
        ],
    )
    def test_a_peak_is_none(self, samples: list[tuple[float, float, dict[str, Any]]]) -> None:
        assert database_finding(gauge("system.cpu.utilization", samples), resource={"host.name": "pg-1"}) is None


def pool_finding(*metrics: Metric) -> Finding | None:
    found = findings([metrics_of(*metrics, resource={"service.name": "shop", "host.name": "web-1"})])
    assert {finding.pass_name for finding in found} <= {"pool_wait"}
    return found[0] if found else None


NEW = {"db.client.connection.pool.name": "orders"}
OLD = {"pool.name": "orders"}
MICROMETER = {"pool": "orders"}


class TestPools:
    @pytest.mark.parametrize(
        "metrics",
        [
            (
                gauge("db.client.connection.pending_requests", [(60, 0, NEW), (120, 7, NEW), (180, 2, NEW)]),
                gauge("db.client.connection.count", [(120, 10, NEW | {"db.client.connection.state": "used"})]),
                gauge("db.client.connection.max", [(120, 10, NEW)]),
            ),
            (
                cumulative(
                    "db.client.connections.pending_requests", [(120, 7, OLD), (180, 2, OLD)], is_monotonic=False
                ),
                cumulative("db.client.connections.usage", [(120, 10, OLD | {"state": "used"})], is_monotonic=False),
                cumulative("db.client.connections.max", [(120, 10, OLD)], is_monotonic=False),
            ),
            (
                gauge("hikaricp.connections.pending", [(120, 7, MICROMETER), (180, 2, MICROMETER)]),
                gauge("hikaricp.connections.active", [(120, 10, MICROMETER)]),
                gauge("hikaricp.connections.max", [(120, 10, MICROMETER)]),
            ),
        ],
        ids=["new names", "old names", "Micrometer"],
    )
    def test_requests_that_wait(self, metrics: Sequence[Metric]) -> None:
        found = pool_finding(*metrics)
        assert found is not None
        assert (found.severity, found.service_name, found.endpoint) == ("warning", "shop", "orders")
        assert found.message == "up to 7 requests waited for a connection at once, while 10 of 10 were in use"
        evidence = dict(found.evidence)
        assert [evidence[name] for name in ("pending", "pool_used", "pool_max", "concurrency", "seen_as")] == [
            7,
            10,
            10,
            17,
            "metrics",
        ]
        assert "holds at most 10 connections a process while 17" in found.advice.steps[1]
        assert (found.first_seen_ns, found.last_seen_ns) == (at(120), at(180))

    def test_requests_that_give_up(self) -> None:
        found = pool_finding(cumulative("db.client.connection.timeouts", [(60, 1, NEW), (120, 4, NEW)], "{timeout}"))
        assert found is not None
        assert (found.severity, found.message) == ("critical", "3 requests gave up waiting for a connection")

    @pytest.mark.parametrize(
        ("metric", "is_found"),
        [
            (histogram("db.client.connection.wait_time", [(60, 0, 0), (120, 10, 2.0)], attributes=NEW), True),
            (histogram("db.client.connections.wait_time", [(60, 0, 0), (120, 10, 2000)], "ms", OLD), True),
            (histogram("db.client.connections.wait_time", [(60, 0, 0), (120, 10, 20)], "ms", OLD), False),
            (histogram("db.client.connection.wait_time", [(60, 0, 0), (120, 2, 2.0)], attributes=NEW), False),
        ],
    )
    def test_long_waits(self, metric: Metric, is_found: bool) -> None:  # noqa: FBT001  (a parameter of the test)
        found = pool_finding(metric)
        assert (found and found.message) == (
            "requests waited for a connection, 200 ms on average" if is_found else None
        )

    def test_waits_that_go_counts(self) -> None:
        found = pool_finding(
            cumulative("go.sql.connections_wait_count", [(60, 5, {}), (120, 9, {})], ""),
            cumulative("go.sql.connections_wait_duration", [(60, 0, {}), (120, 2_000_000_000, {})], ""),
        )
        assert found is not None
        assert (found.subject, found.message) == ("shop", "requests waited for a connection, 500 ms on average")
        assert found.severity == "critical"

    def test_a_pool_that_is_large_enough(self) -> None:
        assert (
            pool_finding(
                gauge("db.client.connection.pending_requests", [(60, 0, NEW)]),
                gauge("db.client.connection.count", [(60, 9, NEW | {"db.client.connection.state": "used"})]),
                cumulative("db.client.connection.timeouts", [(60, 3, NEW), (120, 3, NEW)]),
            )
            is None
        )


def test_a_catalogue_gives_a_series_one_id() -> None:
    catalogue = Catalogue()
    tables = [normalise_points([decode_metrics(ONE_POINT)], catalogue, 1).points.to_pylist() for _ in range(2)]
    assert tables[0] == tables[1]
    assert catalogue.next_ids["metric_series"] == 1
