"""Receivers on free ports, shared by the tests of this folder; their intake is emptied before each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import httpx
import pytest
from keeping_intake import KeepingIntake

from tracelens.receiver import GrpcReceiver, HttpServer, OtlpApp, ReceiverStatistics

if TYPE_CHECKING:
    from collections.abc import Iterator

SMALL_LIMIT_BYTES = 10_000


@pytest.fixture(scope="session")
def shared_intake() -> Iterator[KeepingIntake]:
    intake = KeepingIntake()
    yield intake
    intake.close()


@pytest.fixture
def intake(shared_intake: KeepingIntake) -> KeepingIntake:
    shared_intake.reset()
    return shared_intake


@pytest.fixture(scope="session")
def statistics() -> ReceiverStatistics:
    return ReceiverStatistics()


@pytest.fixture(scope="session")
def http_url(shared_intake: KeepingIntake, statistics: ReceiverStatistics) -> Iterator[str]:
    server = HttpServer("127.0.0.1:0", OtlpApp(shared_intake, statistics=statistics))
    server.start()
    yield f"http://127.0.0.1:{server.port}"
    server.stop(5)


@pytest.fixture(scope="session")
def small_http_url(shared_intake: KeepingIntake) -> Iterator[str]:
    server = HttpServer("127.0.0.1:0", OtlpApp(shared_intake, max_request_bytes=SMALL_LIMIT_BYTES))
    server.start()
    yield f"http://127.0.0.1:{server.port}"
    server.stop(5)


@pytest.fixture
def http(http_url: str, intake: KeepingIntake) -> Iterator[httpx.Client]:
    assert intake.kept == []
    with httpx.Client(base_url=http_url) as client:
        yield client


@pytest.fixture
def small_http(small_http_url: str, intake: KeepingIntake) -> Iterator[httpx.Client]:
    assert intake.kept == []
    with httpx.Client(base_url=small_http_url) as client:
        yield client


@pytest.fixture(scope="session")
def grpc_target(shared_intake: KeepingIntake, statistics: ReceiverStatistics) -> Iterator[str]:
    receiver = GrpcReceiver("127.0.0.1:0", shared_intake, statistics=statistics)
    receiver.start()
    yield receiver.address
    receiver.stop(5)


@pytest.fixture
def channel(grpc_target: str, intake: KeepingIntake) -> Iterator[grpc.Channel]:
    assert intake.kept == []
    with grpc.insecure_channel(grpc_target) as channel:
        yield channel
