"""Stopping: what was acknowledged has reached the intake, what was not can be sent again, nothing comes after."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import grpc
import httpx
import pytest
from keeping_intake import KeepingIntake, trace_request

from tracelens.receiver import GrpcReceiver, HttpServer, OtlpApp

if TYPE_CHECKING:
    from collections.abc import Iterator

METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
PROTOBUF = {"content-type": "application/x-protobuf"}


@pytest.fixture
def own_intake() -> Iterator[KeepingIntake]:
    intake = KeepingIntake()
    yield intake
    intake.close()


def test_everything_acknowledged_while_stopping_has_been_kept(own_intake: KeepingIntake) -> None:
    receiver = GrpcReceiver("127.0.0.1:0", own_intake, workers=8)
    server = HttpServer("127.0.0.1:0", OtlpApp(own_intake))
    receiver.start()
    server.start()

    def send_over_grpc(first: int) -> list[bytes]:
        acknowledged = []
        with grpc.insecure_channel(receiver.address) as channel:
            export = channel.unary_unary(METHOD)
            for number in range(first, first + 1_000_000):
                try:
                    assert export(trace_request(number), timeout=10) == b""
                except grpc.RpcError as error:
                    assert error.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}  # noqa: PT017
                    break
                acknowledged.append(trace_request(number))
        return acknowledged

    def send_over_http(first: int) -> list[bytes]:
        acknowledged = []
        with httpx.Client(base_url=f"http://{server.address}") as client:
            for number in range(first, first + 1_000_000):
                try:
                    response = client.post("/v1/traces", content=trace_request(number), headers=PROTOBUF)
                except httpx.TransportError:
                    break
                assert response.status_code == 200
                acknowledged.append(trace_request(number))
        return acknowledged

    with ThreadPoolExecutor() as pool:
        senders = [pool.submit(send_over_grpc, index * 1_000_000 + 1) for index in range(3)]
        senders += [pool.submit(send_over_http, index * 1_000_000 + 1) for index in range(3, 6)]
        for _ in range(300):
            own_intake.waiting.acquire()
        server.stop(5)
        receiver.stop(5)
        kept = list(own_intake.kept)
        acknowledged = [body for sender in senders for body in sender.result()]
    assert len(acknowledged) > 100
    assert len(set(acknowledged)) == len(acknowledged)
    assert set(acknowledged) <= set(kept)
    assert own_intake.kept == kept


def test_grpc_answers_what_is_under_way(own_intake: KeepingIntake) -> None:
    receiver = GrpcReceiver("127.0.0.1:0", own_intake)
    receiver.start()
    own_intake.gate.clear()
    with grpc.insecure_channel(receiver.address) as channel:
        call = channel.unary_unary(METHOD).future(trace_request(), timeout=20)
        own_intake.waiting.acquire()
        stopping = threading.Thread(target=receiver.stop, args=(10,))
        stopping.start()
        own_intake.gate.set()
        assert call.result() == b""
    stopping.join()
    assert own_intake.kept == [trace_request()]


def test_http_answers_what_is_under_way(own_intake: KeepingIntake) -> None:
    server = HttpServer("127.0.0.1:0", OtlpApp(own_intake))
    server.start()
    own_intake.gate.clear()
    with httpx.Client(base_url=f"http://{server.address}") as client, ThreadPoolExecutor() as pool:
        response = pool.submit(client.post, "/v1/traces", content=trace_request(), headers=PROTOBUF)
        own_intake.waiting.acquire()
        stopping = pool.submit(server.stop, 10)
        own_intake.gate.set()
        assert response.result().status_code == 200
        stopping.result()
    assert own_intake.kept == [trace_request()]


def test_after_the_grace_time_senders_are_told_to_try_again(own_intake: KeepingIntake) -> None:
    receiver = GrpcReceiver("127.0.0.1:0", own_intake)
    server = HttpServer("127.0.0.1:0", OtlpApp(own_intake))
    receiver.start()
    server.start()
    own_intake.gate.clear()
    with (
        grpc.insecure_channel(receiver.address) as channel,
        httpx.Client(base_url=f"http://{server.address}") as client,
        ThreadPoolExecutor() as pool,
    ):
        call = channel.unary_unary(METHOD).future(trace_request(1), timeout=20)
        posted = pool.submit(client.post, "/v1/traces", content=trace_request(2), headers=PROTOBUF)
        own_intake.waiting.acquire()
        own_intake.waiting.acquire()
        server.stop(0)
        receiver.stop(0)
        assert call.exception().code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
        response = posted.result()
    assert (response.status_code, response.headers["retry-after"]) == (503, "2")
    own_intake.gate.set()
    own_intake.submit(trace_request(3)).result(timeout=10)
    assert sorted(own_intake.kept) == [trace_request(number) for number in (1, 2, 3)]  # the intake was left alone


def test_a_stopped_server_listens_no_more(own_intake: KeepingIntake) -> None:
    server = HttpServer("127.0.0.1:0", OtlpApp(own_intake))
    server.start()
    server.stop(1)
    again = HttpServer(server.address, OtlpApp(own_intake))
    again.start()
    assert again.address == server.address
    again.stop(1)
