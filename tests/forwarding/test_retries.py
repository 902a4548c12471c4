"""What happens while the next hop is away, overloaded, or of another opinion."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from answering import answering, grpc_answering
from google.protobuf.any_pb2 import Any as PackedAny
from google.rpc.code_pb2 import RESOURCE_EXHAUSTED
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from next_hop import LIMIT_S, Tray, front, held_port, next_hop
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from otlp_clients import RESOURCE, call, post

from tracelens.errors import InvalidRequestError, OverloadedError
from tracelens.forwarding.backoff import Backoff
from tracelens.receiver.admission import TooLargeError
from tracelens.receiver.asgi import Answer
from tracelens.receiver.signals import TRACES
from tracelens.retry_after import retry_after_s
from tracelens.settings import ForwardSettings

if TYPE_CHECKING:
    from pathlib import Path

    from next_hop import Front

    from tracelens.receiver.asgi import Headers

each_transport = pytest.mark.parametrize("hop_speaks", ["grpc", "http"])


def request(number: int, size: int = 1) -> bytes:
    """Return bytes that are a request of any signal: an empty resource with unknown fields."""
    return b"\x0a" + bytes([size + 3]) + b"\x7a" + bytes([size + 1, number]) + b"x" * size


def send(relay: Front, *numbers: int) -> None:
    for number in numbers:
        assert call(relay, TRACES.service, request(number)) == b""


def traces(*numbers: int) -> list[tuple[str, bytes]]:
    return [("traces", request(number)) for number in numbers]


@each_transport
def test_a_next_hop_that_is_away_and_comes(tmp_path: Path, hop_speaks: str) -> None:
    with ExitStack() as opened:
        away = opened.enter_context(ExitStack())
        port = away.enter_context(held_port())
        relay = opened.enter_context(front(tmp_path, f"{hop_speaks}://127.0.0.1:{port}"))
        send(relay, *range(20))
        assert relay.forwarder.queued_requests == 20
        away.close()
        hop = opened.enter_context(next_hop(hop_speaks, port=port))
        assert hop.tray.bodies(20) == traces(*range(20))
        assert relay.forwarder.statistics.failed["traces"] >= 2
        relay.forwarder.stop(LIMIT_S)
        assert relay.forwarder.queued_requests == relay.forwarder.queued_bytes == 0
        assert len(hop.tray.requests) == 20


@each_transport
def test_what_waits_is_sent_by_the_next_process(tmp_path: Path, hop_speaks: str) -> None:
    with held_port() as port, front(tmp_path, f"{hop_speaks}://127.0.0.1:{port}") as relay:
        send(relay, 1, 2, 3)
    with next_hop(hop_speaks) as hop, front(tmp_path, hop.url) as relay:
        send(relay, 4)
        assert hop.tray.bodies(4) == traces(1, 2, 3, 4)
        relay.forwarder.stop(LIMIT_S)
        assert relay.forwarder.queued_requests == 0
    with next_hop(hop_speaks) as hop, front(tmp_path, hop.url) as relay:
        send(relay, 5)
        assert hop.tray.bodies(1) == traces(5)


@each_transport
def test_what_is_under_way_when_the_process_ends_is_sent_again(tmp_path: Path, hop_speaks: str) -> None:
    tray = Tray()
    tray.gate.clear()
    with next_hop(hop_speaks, tray) as hop, front(tmp_path, hop.url) as relay:
        send(relay, 1, 2)
        tray.wait_arrived(2)
        relay.forwarder.stop(0)
    with next_hop(hop_speaks) as hop, front(tmp_path, hop.url):
        assert hop.tray.bodies(2) == traces(1, 2)


@each_transport
def test_overload_is_tried_again(tmp_path: Path, hop_speaks: str) -> None:
    with next_hop(hop_speaks) as hop, front(tmp_path, hop.url, concurrency=1) as relay:
        hop.tray.errors = [OverloadedError("full", 0.01), OverloadedError("full", 0.01)]
        send(relay, 1)
        assert hop.tray.bodies(1) == traces(1)
        relay.forwarder.stop(LIMIT_S)
        assert relay.forwarder.statistics.failed == {"traces": 2}
        assert relay.forwarder.statistics.sent == {"traces": 1}
        assert relay.forwarder.statistics.sent_bytes == {"traces": len(request(1))}


@each_transport
@pytest.mark.parametrize("error", [InvalidRequestError("bad"), TooLargeError("large")])
def test_final_refusals_are_dropped_and_told_once(
    tmp_path: Path, hop_speaks: str, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    with next_hop(hop_speaks) as hop, front(tmp_path, hop.url) as relay:
        hop.tray.errors = [error, error, error]
        send(relay, 1, 2, 3)
        hop.tray.wait_arrived(3)
        send(relay, 4)
        assert hop.tray.bodies(1) == traces(4)
        relay.forwarder.stop(LIMIT_S)
        assert relay.forwarder.statistics.refused == {"traces": 3}
        assert relay.forwarder.statistics.failed == {}
        assert relay.forwarder.queued_requests == 0
    told = [record.getMessage() for record in caplog.records if "for good" in record.message]
    assert len(told) == 1
    assert str(error) in told[0]


def test_a_partial_success_is_counted_and_not_repeated(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = 3
    answer.partial_success.error_message = "three are too old"
    for encoded, content_type in (
        (answer.SerializeToString(), b"application/x-protobuf"),
        (b'{"partialSuccess":{"rejectedSpans":"3","errorMessage":"three are too old"}}', b"application/json"),
    ):
        caplog.clear()
        with (
            answering(Answer(200, encoded, [(b"content-type", content_type)])) as hop,
            front(tmp_path, hop.url) as relay,
        ):
            send(relay, 1)
            hop.wait(1)
            relay.forwarder.stop(LIMIT_S)
            assert relay.forwarder.statistics.sent == {"traces": 1}
            assert relay.forwarder.statistics.rejected == {"traces": 3}
        assert len([record for record in caplog.records if "three are too old" in record.getMessage()]) == 1


def test_a_partial_success_over_grpc(tmp_path: Path) -> None:
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = 2
    with grpc_answering(lambda _context: answer.SerializeToString()) as url, front(tmp_path, url) as relay:
        send(relay, 1)
        relay.forwarder.stop(LIMIT_S)
        assert relay.forwarder.statistics.rejected == {"traces": 2}


@pytest.mark.parametrize("status", [401, 403, 404, 429, 502, 503, 504])
def test_the_statuses_that_are_tried_again(tmp_path: Path, status: int) -> None:
    # The other signals are asked for too where everything may be turned away.
    again = [Answer(status, b"later", [])] * (3 if status in {401, 403, 404} else 1)
    with answering(*again, Answer(200, b"", [])) as hop, front(tmp_path, hop.url) as relay:
        send(relay, 1)
        hop.wait(len(again) + 1)
        relay.forwarder.stop(LIMIT_S)
        assert relay.forwarder.statistics.failed == {"traces": 1}
        assert relay.forwarder.statistics.sent == {"traces": 1}


@pytest.mark.parametrize("status", [301, 400, 405, 413, 500, 501])
def test_the_statuses_that_are_not(tmp_path: Path, status: int) -> None:
    with answering(Answer(status, b"no", []), Answer(200, b"", [])) as hop, front(tmp_path, hop.url) as relay:
        send(relay, 1, 2)
        hop.wait(2)
        relay.forwarder.stop(LIMIT_S)
        assert relay.forwarder.statistics.refused == {"traces": 1}
        assert relay.forwarder.statistics.sent == {"traces": 1}


RETRIED_CODES = {"CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"}
RETRIED_CODES |= {"UNAUTHENTICATED", "PERMISSION_DENIED", "UNIMPLEMENTED"}


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code.name != "OK"], ids=lambda code: code.name)
def test_grpc_codes(tmp_path: Path, code: grpc.StatusCode) -> None:
    answered = threading.Semaphore(0)
    first = [True]

    def answer(context: grpc.ServicerContext) -> bytes:
        answered.release()
        if first:
            first.clear()
            context.abort(code, "because")
        return b""

    with grpc_answering(answer) as url, front(tmp_path, url, concurrency=1) as relay:
        send(relay, 1, 2)
        for _ in range(3 if code.name in RETRIED_CODES else 2):
            assert answered.acquire(timeout=LIMIT_S)
        relay.forwarder.stop(LIMIT_S)
        statistics = relay.forwarder.statistics
        if code.name in RETRIED_CODES:
            assert (statistics.failed, statistics.refused, statistics.sent) == ({"traces": 1}, {}, {"traces": 2})
        else:
            assert (statistics.failed, statistics.refused, statistics.sent) == ({}, {"traces": 1}, {"traces": 1})


def test_requests_too_many_are_tried_again_where_a_delay_is_given(tmp_path: Path) -> None:
    # RESOURCE_EXHAUSTED with RetryInfo, as OTLP has it for a server that is able to say when.
    delay = RetryInfo()
    delay.retry_delay.FromMilliseconds(10)
    detail = PackedAny()
    detail.Pack(delay)
    status = Status(code=RESOURCE_EXHAUSTED, message="slowly", details=[detail])
    first = [True]

    def answer(context: grpc.ServicerContext) -> bytes:
        if first:
            first.clear()
            context.set_trailing_metadata([("grpc-status-details-bin", status.SerializeToString())])
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "slowly")
        return b""

    with grpc_answering(answer) as url, front(tmp_path, url) as relay:
        send(relay, 1)
        relay.forwarder.stop(LIMIT_S)
        assert relay.forwarder.statistics.failed == {"traces": 1}
        assert relay.forwarder.statistics.sent == {"traces": 1}


def test_pauses_grow_up_to_the_longest_and_obey_the_next_hop() -> None:
    backoff = Backoff(ForwardSettings(retry_initial_s=1, retry_max_interval_s=3))
    pauses = [backoff.next_pause_s(None) for _ in range(20)]
    bounds = [1.0, 1.5, 2.25] + [3.0] * 17
    assert all(
        pause is not None and 0.5 * bound <= pause <= 1.5 * bound for pause, bound in zip(pauses, bounds, strict=True)
    )
    assert len(set(pauses)) == 20
    assert backoff.next_pause_s(60.0) == 60.0


def test_a_request_is_given_up_when_its_time_is_up(tmp_path: Path) -> None:
    assert Backoff(ForwardSettings(retry_initial_s=2, retry_max_elapsed_s=0.5)).next_pause_s(None) is None
    with held_port() as port, front(tmp_path, f"http://127.0.0.1:{port}", retry_max_elapsed_s=0.001) as relay:
        send(relay, 1)
        relay.forwarder._queue.wait_empty(LIMIT_S)
        assert relay.forwarder.statistics.dropped == {("traces", "expired"): 1}


@pytest.mark.parametrize(
    ("header", "bounds"),
    [
        ("2", (2, 2)),
        ("0", (0, 0)),
        ("-3", (0, 0)),
        (lambda: formatdate(4_102_444_800, usegmt=True), (1e8, 1e10)),
        (lambda: formatdate(0, usegmt=True), (0, 0)),
        ("soon", None),
        ("inf", None),
    ],
)
def test_retry_after(header: Any, bounds: tuple[float, float] | None) -> None:
    seconds = retry_after_s(header() if callable(header) else header)
    assert (seconds is None) == (bounds is None)
    assert bounds is None or (seconds is not None and bounds[0] <= seconds <= bounds[1])


@each_transport
def test_a_full_queue_refuses_and_loses_nothing(tmp_path: Path, hop_speaks: str) -> None:
    tray = Tray()
    tray.gate.clear()
    with next_hop(hop_speaks, tray) as hop, front(tmp_path, hop.url, max_queue_requests=3) as relay:
        send(relay, 1, 2, 3)
        with pytest.raises(grpc.RpcError) as refused:
            send(relay, 4)
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        answer = post(relay, "traces", request(4))
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        tray.gate.set()
        tray.wait_for(3)
        relay.forwarder._queue.wait_empty(LIMIT_S)
        send(relay, 4)
        assert tray.bodies(4) == traces(1, 2, 3, 4)
        assert relay.forwarder.statistics.dropped == {}


def test_a_queue_is_full_by_bytes_too_but_never_for_a_single_request(tmp_path: Path) -> None:
    tray = Tray()
    tray.gate.clear()
    with next_hop("http", tray) as hop, front(tmp_path, hop.url, max_queue_bytes=10) as relay:
        send(relay, 1)
        with pytest.raises(grpc.RpcError):
            send(relay, 2)
        tray.gate.set()
        assert tray.bodies(1) == traces(1)


def test_a_full_queue_that_drops(tmp_path: Path) -> None:
    tray = Tray()
    tray.gate.clear()
    with next_hop("http", tray) as hop, front(tmp_path, hop.url, max_queue_requests=2, when_full="drop") as relay:
        send(relay, 1, 2, 3, 4)
        assert relay.forwarder.statistics.dropped == {("traces", "queue_full"): 2}
        tray.gate.set()
        assert tray.bodies(2) == traces(1, 2)
        relay.forwarder.stop(LIMIT_S)
        assert len(tray.requests) == 2


def test_exporters_come_again_to_a_full_queue(tmp_path: Path) -> None:
    tray = Tray()
    tray.gate.clear()
    with next_hop("grpc", tray) as hop, front(tmp_path, hop.url, max_queue_requests=1) as relay:
        send(relay, 1)
        provider = TracerProvider(resource=RESOURCE)
        provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint=relay.grpc, insecure=True)))
        exporting = threading.Thread(target=lambda: provider.get_tracer("test").start_span("work").end())
        exporting.start()
        tray.gate.set()
        exporting.join()
        provider.shutdown()
        assert len(tray.wait_for(2)) == 2


def test_a_connection_that_was_closed_while_idle_is_opened_again(tmp_path: Path) -> None:
    closing: Headers = [(b"connection", b"close")]
    with (
        answering(Answer(200, b"", []), Answer(200, b"", closing)) as hop,
        front(tmp_path, hop.url, concurrency=1) as relay,
    ):
        send(relay, 1, 2, 3)
        hop.wait(3)
        relay.forwarder.stop(LIMIT_S)
        assert relay.forwarder.statistics.failed == {}
        assert relay.forwarder.statistics.sent == {"traces": 3}
