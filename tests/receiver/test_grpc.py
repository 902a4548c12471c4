"""The gRPC receiver, seen from a raw channel: bytes out, bytes or a status back."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keeping_intake import trace_request, trace_request_of_size
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsPartialSuccess,
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsPartialSuccess,
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tracelens.errors import InvalidRequestError, OverloadedError, StoreError
from tracelens.receiver import GrpcReceiver, ReceiverStatistics, RequestKind, RequestTotals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keeping_intake import KeepingIntake

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
METRICS = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
UNKEPT = "tracelens keeps traces and metrics only: switch off this exporter, or send logs elsewhere"
LIMIT_BYTES = 10_000


def export(
    channel: grpc.Channel, body: bytes, method: str = TRACES, compression: grpc.Compression | None = None
) -> bytes:
    answer: bytes = channel.unary_unary(method)(body, compression=compression, timeout=10)
    return answer


def refusal(channel: grpc.Channel, body: bytes, method: str = TRACES) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as raised:
        export(channel, body, method)
    return raised.value


def test_a_request_is_kept_as_it_was_sent(channel: grpc.Channel, intake: KeepingIntake) -> None:
    assert export(channel, trace_request(1)) == b""
    assert export(channel, trace_request(2, spans=3)) == b""
    assert intake.kept == [trace_request(1), trace_request(2, spans=3)]


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_compressed_requests(channel: grpc.Channel, intake: KeepingIntake, compression: grpc.Compression) -> None:
    assert export(channel, trace_request(1, spans=100), compression=compression) == b""
    assert intake.kept == [trace_request(1, spans=100)]


@pytest.mark.parametrize("method", [TRACES, METRICS, LOGS])
def test_a_request_without_telemetry_succeeds(channel: grpc.Channel, intake: KeepingIntake, method: str) -> None:
    assert export(channel, b"", method) == b""
    assert intake.kept == []


@pytest.mark.parametrize("method", [TRACES, METRICS, LOGS])
def test_what_does_not_parse_is_refused_for_good(channel: grpc.Channel, intake: KeepingIntake, method: str) -> None:
    error = refusal(channel, b"1234", method)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    status = rpc_status.from_call(error)
    request = BadRequest()
    assert [detail.Unpack(request) for detail in status.details] == [True]
    assert request == BadRequest(
        field_violations=[BadRequest.FieldViolation(field="body", description=error.details())]
    )
    assert intake.kept == []


@pytest.mark.parametrize("at_once", [True, False])
def test_overload_asks_for_a_short_delay_in_both_trailers(
    channel: grpc.Channel, intake: KeepingIntake, *, at_once: bool
) -> None:
    (intake.submit_errors if at_once else intake.errors).append(OverloadedError("the queues are full", 1.5))
    error = refusal(channel, trace_request())
    assert (error.code(), error.details()) == (grpc.StatusCode.UNAVAILABLE, "the queues are full")
    trailers = {name: value for name, value in error.trailing_metadata() if name.endswith("-bin")}
    assert sorted(trailers) == ["google.rpc.retryinfo-bin", "grpc-status-details-bin"]
    info = RetryInfo.FromString(trailers["google.rpc.retryinfo-bin"])
    assert info.retry_delay.ToNanoseconds() == 1_500_000_000
    status = Status.FromString(trailers["grpc-status-details-bin"])
    unpacked = RetryInfo()
    assert [detail.Unpack(unpacked) for detail in status.details] == [True]
    assert (status.code, status.message, unpacked) == (14, "the queues are full", info)
    assert export(channel, trace_request()) == b""


@pytest.mark.parametrize(
    ("error", "code", "details"),
    [
        (StoreError("the disk is full"), grpc.StatusCode.UNAVAILABLE, "the disk is full"),
        (OSError("bad sector"), grpc.StatusCode.UNAVAILABLE, "the request could not be stored"),
        (MemoryError(), grpc.StatusCode.UNAVAILABLE, "the request could not be stored"),
        (TimeoutError(), grpc.StatusCode.UNAVAILABLE, "the request was not stored in time"),
        (RuntimeError("secret"), grpc.StatusCode.INTERNAL, "internal error: see the log of tracelens"),
        (InvalidRequestError("x" * 5000), grpc.StatusCode.INVALID_ARGUMENT, "x" * 1000),
        (InvalidRequestError("π" * 5000), grpc.StatusCode.INVALID_ARGUMENT, "π" * 500),
        (InvalidRequestError("\ud800"), grpc.StatusCode.INVALID_ARGUMENT, "?"),
    ],
    ids=repr,
)
def test_each_error_has_its_code(
    channel: grpc.Channel, intake: KeepingIntake, error: Exception, code: grpc.StatusCode, details: str
) -> None:
    intake.errors.append(error)
    answer = refusal(channel, trace_request())
    assert (answer.code(), answer.details()) == (code, details)
    assert rpc_status.from_call(answer).message == details


class AbandoningIntake:
    """Gives up every request, as an intake does that is shut down with work in its queue."""

    def submit(self, body: bytes) -> Future[None]:
        assert body == trace_request()
        future: Future[None] = Future()
        future.cancel()
        return future


def test_a_request_that_the_intake_gives_up_is_to_be_sent_again() -> None:
    receiver = GrpcReceiver("127.0.0.1:0", AbandoningIntake())
    receiver.start()
    with grpc.insecure_channel(receiver.address) as channel:
        error = refusal(channel, trace_request())
    receiver.stop(5)
    assert (error.code(), error.details()) == (grpc.StatusCode.UNAVAILABLE, "the receiver is shutting down")


def metrics_request() -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    metrics = request.resource_metrics.add().scope_metrics.add().metrics
    metrics.add(name="a").gauge.data_points.add(as_int=1, time_unix_nano=1)
    for value in range(3):
        metrics.add(name="b").sum.data_points.add(as_int=value, time_unix_nano=value)
    metrics.add(name="c").histogram.data_points.add(count=1, time_unix_nano=1)
    metrics.add(name="d").exponential_histogram.data_points.add(count=1, time_unix_nano=1)
    metrics.add(name="e").summary.data_points.add(count=1)
    metrics.add(name="without data")
    return request


def test_metrics_are_kept_and_answered_with_what_is_not(channel: grpc.Channel, intake: KeepingIntake) -> None:
    body = metrics_request().SerializeToString()
    answer = ExportMetricsServiceResponse.FromString(export(channel, body, METRICS))
    text = "data points were refused, the first of them for this: b: a data point has no time_unix_nano"
    partial = ExportMetricsPartialSuccess(rejected_data_points=2, error_message=text)
    assert answer == ExportMetricsServiceResponse(partial_success=partial)
    assert intake.kept_metrics == [body]


def test_logs_are_answered_with_what_was_not_kept(channel: grpc.Channel) -> None:
    request = ExportLogsServiceRequest()
    for _ in range(2):
        request.resource_logs.add().scope_logs.add().log_records.add(severity_text="INFO")
    answer = ExportLogsServiceResponse.FromString(export(channel, request.SerializeToString(), LOGS))
    partial = ExportLogsPartialSuccess(rejected_log_records=2, error_message=UNKEPT)
    assert answer == ExportLogsServiceResponse(partial_success=partial)


@pytest.mark.parametrize(
    "method",
    [
        "/opentelemetry.proto.collector.trace.v1.TraceService/Import",
        "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export",
    ],
)
def test_other_methods_are_not_implemented(channel: grpc.Channel, method: str) -> None:
    assert refusal(channel, b"", method).code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.fixture(scope="module")
def small_target(shared_intake: KeepingIntake) -> Iterator[str]:
    receiver = GrpcReceiver("127.0.0.1:0", shared_intake, max_request_bytes=LIMIT_BYTES)
    receiver.start()
    yield receiver.address
    receiver.stop(5)


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_the_size_limit_is_exact_and_refuses_for_good(
    small_target: str, intake: KeepingIntake, compression: grpc.Compression
) -> None:
    fitting = trace_request_of_size(LIMIT_BYTES)
    with grpc.insecure_channel(small_target, compression=compression) as channel:
        assert export(channel, fitting) == b""
        error = refusal(channel, trace_request_of_size(LIMIT_BYTES + 1))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert [name for name, _ in error.trailing_metadata() or () if name.endswith("-bin")] == []
    assert intake.kept == [fitting]


def test_more_than_grpcs_own_four_mebibytes_by_default(channel: grpc.Channel, intake: KeepingIntake) -> None:
    body = trace_request_of_size(5 << 20)
    assert export(channel, body) == b""
    assert intake.kept == [body]


def test_many_calls_at_once_on_one_connection(channel: grpc.Channel, intake: KeepingIntake) -> None:
    intake.gate.clear()
    bodies = [trace_request(number) for number in range(1, 301)]
    calls = [channel.unary_unary(TRACES).future(body, timeout=20) for body in bodies]
    intake.gate.set()
    assert [call.result() for call in calls] == [b""] * 300
    assert sorted(intake.kept) == sorted(bodies)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(method=st.sampled_from([TRACES, METRICS, LOGS]), body=st.binary(max_size=200))
def test_noise_is_answered_or_refused(channel: grpc.Channel, method: str, body: bytes) -> None:
    try:
        ExportTraceServiceResponse.FromString(export(channel, body, method))
    except grpc.RpcError as error:
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT  # noqa: PT017


def test_answers_are_counted(shared_intake: KeepingIntake) -> None:
    statistics = ReceiverStatistics()
    shared_intake.reset()
    receiver = GrpcReceiver("127.0.0.1:0", shared_intake, statistics=statistics)
    receiver.start()
    with grpc.insecure_channel(receiver.address) as channel:
        export(channel, trace_request())
        export(channel, trace_request())
        shared_intake.errors.append(OverloadedError("full"))
        refusal(channel, trace_request())
        refusal(channel, b"1234", METRICS)
    receiver.stop(5)
    size = len(trace_request())
    assert statistics.totals() == {
        RequestKind("grpc", "traces", "ok"): RequestTotals(2, 2 * size),
        RequestKind("grpc", "traces", "unavailable"): RequestTotals(1, size),
        RequestKind("grpc", "metrics", "invalid_argument"): RequestTotals(1, 4),
    }
