"""A next hop that lets nobody in, or is not what the address names: that is corrected while requests wait."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from answering import grpc_answering
from next_hop import LIMIT_S, Tray, front, next_hop
from otlp_clients import post

from tracelens.receiver import HttpServer
from tracelens.receiver.asgi import Answer
from tracelens.receiver.credentials import Credentials
from tracelens.settings.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tracelens.forwarding import Forwarder
    from tracelens.receiver.asgi import Receive, Scope, Send

each_transport = pytest.mark.parametrize("hop_speaks", ["grpc", "http"])

BODIES = [b"\x0a\x03\x7a\x01" + bytes([number]) for number in range(4)]
"""Each a request of any signal: an empty resource with an unknown field."""


def told(caplog: pytest.LogCaptureFixture, text: str) -> int:
    return sum(text in record.getMessage() for record in caplog.records)


class Failures:
    """Lets a test wait for failed attempts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, forwarder: Forwarder) -> None:
        self._count = forwarder.statistics.count_failed
        self._seen = threading.Semaphore(0)
        monkeypatch.setattr(forwarder.statistics, "count_failed", self._notice)

    def _notice(self, signal: str) -> None:
        self._count(signal)
        self._seen.release()

    def wait(self, count: int) -> None:
        """Wait for so many from now on."""
        while self._seen.acquire(blocking=False):
            pass
        for _ in range(count):
            assert self._seen.acquire(timeout=LIMIT_S)


@each_transport
def test_a_wrong_token_is_replaced_while_requests_wait(
    tmp_path: Path, hop_speaks: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    token, accepted = tmp_path / "token", tmp_path / "accepted"
    token.write_text("Bearer old\n")
    accepted.write_text("new\n")
    credentials = Credentials([("bearer", Secret("receiver.credentials.bearer", file=accepted))])
    headers = (("authorization", Secret("forward.headers.authorization", file=token)),)
    with (
        next_hop(hop_speaks, credentials=credentials) as hop,
        front(tmp_path / "queue", hop.url, headers=headers) as relay,
    ):
        failures = Failures(monkeypatch, relay.forwarder)
        for body in BODIES:
            assert post(relay, "traces", body).status_code == 200
        failures.wait(3)
        assert relay.forwarder.failing is not None
        assert relay.forwarder.queued_requests == len(BODIES)
        token.unlink()
        failures.wait(6)  # two threads try; the attempt that each has under way may have read the file before
        replacement = tmp_path / "replacement"
        replacement.write_text("Bearer new\n")
        replacement.replace(token)
        assert hop.tray.bodies(len(BODIES)) == [("traces", body) for body in BODIES]
        relay.forwarder.stop(LIMIT_S)
        assert relay.forwarder.failing is None
        assert (relay.forwarder.queued_requests, relay.forwarder.statistics.refused) == (0, {})
    assert told(caplog, "takes nothing now and is tried again: ") == 1
    assert told(caplog, f"{token} cannot be read") == 1
    assert told(caplog, "answers again") == 1


@each_transport
def test_requests_wait_for_an_address_to_become_right(
    tmp_path: Path, hop_speaks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with next_hop("http") as wrong, front(tmp_path, wrong.url + "/nowhere") as relay:
        failures = Failures(monkeypatch, relay.forwarder)
        assert post(relay, "traces", BODIES[0]).status_code == 200
        failures.wait(2)
        assert relay.forwarder.failing is not None
        assert relay.forwarder.statistics.refused == {}
    with next_hop(hop_speaks) as hop, front(tmp_path, hop.url):
        assert hop.tray.bodies(1) == [("traces", BODIES[0])]


@contextmanager
def traces_alone(hop_speaks: str, taken: threading.Semaphore) -> Iterator[str]:
    """Serve a next hop that has a place for traces and for nothing else; yield its URL."""
    if hop_speaks == "grpc":
        with grpc_answering(lambda _context: taken.release() or b"") as url:  # type: ignore[func-returns-value]  # for its effect
            yield url
        return

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        is_known = scope["path"] == "/v1/traces"
        if is_known:
            taken.release()
        await Answer(200 if is_known else 404, b"", []).send(send)

    server = HttpServer("127.0.0.1:0", answer)
    server.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.stop(1)


@each_transport
def test_a_signal_that_the_next_hop_has_no_place_for_does_not_hold_up_the_others(
    tmp_path: Path, hop_speaks: str, caplog: pytest.LogCaptureFixture
) -> None:
    taken = threading.Semaphore(0)
    with traces_alone(hop_speaks, taken) as url, front(tmp_path, url, concurrency=1) as relay:
        for signal in ("logs", "logs", "metrics", "traces", "logs"):
            assert post(relay, signal, BODIES[0]).status_code == 200
        relay.forwarder.stop(LIMIT_S)
        statistics = relay.forwarder.statistics
        assert (relay.forwarder.queued_requests, relay.forwarder.failing) == (0, None)
        assert statistics.refused == {"logs": 3, "metrics": 1}
        assert (statistics.sent, statistics.failed) == ({"traces": 1}, {})
    assert told(caplog, "refuses logs for good") == told(caplog, "refuses metrics for good") == 1


@each_transport
def test_a_sender_s_own_credentials_are_not_waited_for(tmp_path: Path, hop_speaks: str) -> None:
    accepted = tmp_path / "accepted"
    accepted.write_text("right\n")
    credentials = Credentials([("bearer", Secret("receiver.credentials.bearer", file=accepted))])
    tray = Tray()
    with (
        next_hop(hop_speaks, tray, credentials=credentials) as hop,
        front(tmp_path / "queue", hop.url, pass_headers=("authorization",), concurrency=1) as relay,
    ):
        for body, token in zip(BODIES, ("wrong", "right", "wrong", "right"), strict=True):
            assert post(relay, "traces", body, headers={"authorization": f"Bearer {token}"}).status_code == 200
        assert tray.bodies(2) == [("traces", BODIES[1]), ("traces", BODIES[3])]
        relay.forwarder.stop(LIMIT_S)
        assert relay.forwarder.statistics.refused == {"traces": 2}
        assert relay.forwarder.statistics.failed == {}
