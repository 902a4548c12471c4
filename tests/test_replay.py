"""`tracelens replay`: trace files into a store, into the server that holds it, and to any OTLP endpoint."""

from __future__ import annotations

import json
import socket
from concurrent.futures import Future
from typing import TYPE_CHECKING

import pytest
from google.rpc.code_pb2 import INVALID_ARGUMENT
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)
from processes import Done, command
from traffic import n_plus_one, request_of

from tracelens.errors import InvalidRequestError, OverloadedError
from tracelens.receiver import GrpcReceiver, HttpServer, OtlpApp
from tracelens.receiver.admission import ByteBudget
from tracelens.receiver.asgi import Answer, read_body

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from processes import ServerProcess

    from tracelens.receiver.asgi import Receive, Scope, Send


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Return two trace files of a request each."""
    paths = [tmp_path / "one.pb", tmp_path / "two.pb"]
    for number, path in enumerate(paths, start=1):
        path.write_bytes(request_of(n_plus_one(number)))
    return paths


def traces_in(db: Path) -> int:
    return int(command("report", "--db", db, "--format", "json").json()["summary"]["traces"])


def test_doing_it_twice_changes_nothing(tmp_path: Path, files: list[Path]) -> None:
    db = tmp_path / "new" / "s.duckdb"
    assert command("replay", "--db", db, *files) == Done(0, f"20 new spans in {db}\n".encode(), "")
    assert command("replay", "--db", db, *files) == Done(0, f"0 new spans in {db}\n".encode(), "")
    assert traces_in(db) == 2
    assert [path.name for path in db.parent.iterdir()] == ["s.duckdb"]


def test_a_store_that_is_served(start_server: Callable[..., ServerProcess], files: list[Path]) -> None:
    server = start_server()
    for _ in range(2):
        done = command("replay", "--db", server.db, *files)
        assert done == Done(0, f"2 requests sent to {server.http}\n".encode(), "")
    assert command("replay", "--to", f"grpc://{server.grpc}", files[0]).output.startswith(b"1 requests sent")
    assert traces_in(server.db) == 2
    assert server.end() == (0, "", "")
    assert traces_in(server.db) == 2


def test_damage_costs_only_what_is_damaged(tmp_path: Path, files: list[Path]) -> None:
    damaged = tmp_path / "damaged.jsonl"
    span = {"traceId": "1" * 32, "spanId": "2" * 16, "name": "a", "startTimeUnixNano": "1", "endTimeUnixNano": "2"}
    good = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})
    damaged.write_text(f"{good}\n{good[:50]}\n")
    (tmp_path / "empty").touch()
    done = command("replay", "--db", tmp_path / "s.duckdb", *files, damaged, tmp_path / "empty")
    assert (done.code, done.output) == (3, f"21 new spans in {tmp_path}/s.duckdb\n".encode())
    first, second = done.errors.splitlines()
    assert first.startswith(f"tracelens: {damaged}: line 2: ")
    assert second.startswith(f"tracelens: {tmp_path}/empty is empty; expected ")


class Intake:
    """Keeps requests; fails the first ones with the errors it is given."""

    def __init__(self) -> None:
        self.kept: list[bytes] = []
        self.errors: list[Exception] = []

    def submit(self, body: bytes) -> Future[None]:
        future: Future[None] = Future()
        if self.errors:
            future.set_exception(self.errors.pop(0))
        else:
            self.kept.append(body)
            future.set_result(None)
        return future


@pytest.fixture(params=["http", "grpc"])
def endpoint(request: pytest.FixtureRequest) -> Iterator[tuple[str, Intake]]:
    """Return an endpoint's URL, and what it received."""
    intake = Intake()
    receiver = (
        HttpServer("127.0.0.1:0", OtlpApp(intake)) if request.param == "http" else GrpcReceiver("127.0.0.1:0", intake)
    )
    receiver.start()
    yield f"{request.param}://{receiver.address}", intake
    receiver.stop(1)


def test_any_endpoint(endpoint: tuple[str, Intake], files: list[Path]) -> None:
    url, intake = endpoint
    intake.errors.append(OverloadedError("full", 0.01))
    assert command("replay", "--to", url, *files) == Done(0, f"2 requests sent to {url}\n".encode(), "")
    assert intake.kept == [path.read_bytes() for path in files]


def test_a_refusal_is_passed_on(endpoint: tuple[str, Intake], files: list[Path]) -> None:
    url, intake = endpoint
    intake.errors.append(InvalidRequestError("no spans of this kind"))
    done = command("replay", "--to", url, *files)
    assert (done.code, done.output) == (4, b"")
    assert done.errors.startswith(f"tracelens: {url}: refused a request")
    assert ": no spans of this kind; check the address and what it accepts" in done.errors
    assert done.errors.count("\n") == 1


def answering(answer: Answer) -> HttpServer:
    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await read_body(receive, ByteBudget(1 << 20), limit_bytes=1 << 20, timeout_s=60)
        await answer.send(send)

    server = HttpServer("127.0.0.1:0", app)
    server.start()
    return server


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (
            Answer(400, Status(code=INVALID_ARGUMENT, message="too\nold").SerializeToString(), []),
            4,
            "{url}: refused a request with status 400: too old; check the address and what it accepts",
        ),
        (
            Answer(404, b"<html>not here</html>", []),
            4,
            "{url}: refused a request with status 404: <html>not here</html>; check the address and what it accepts",
        ),
        (Answer(200, b"<html>hello</html>", []), 4, "{url}: the answer is not OTLP; check the address that --to names"),
        (
            Answer(
                200,
                ExportTraceServiceResponse(
                    partial_success=ExportTracePartialSuccess(rejected_spans=3, error_message="too old")
                ).SerializeToString(),
                [],
            ),
            3,
            "{path}: {url} rejected 3 spans: too old",
        ),
    ],
)
def test_what_other_programs_answer(files: list[Path], answer: Answer, code: int, said: str) -> None:
    server = answering(answer)
    url = f"http://{server.address}"
    done = command("replay", "--to", url, files[0])
    server.stop(1)
    assert (done.code, done.errors) == (code, f"tracelens: {said.format(url=url, path=files[0])}\n")


@pytest.mark.parametrize("url", ["ftp://a:1", "127.0.0.1:4318", "http://", "http://a:b", "http://a:99999", "grpc://a"])
def test_urls_that_are_none(files: list[Path], url: str) -> None:
    said = f"tracelens: --to {url}: not an OTLP endpoint; write http://host:4318 or grpc://host:4317\n"
    assert command("replay", "--to", url, files[0]) == Done(2, b"", said)


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_nobody_listens(files: list[Path], scheme: str) -> None:
    with socket.socket() as unheard:  # bound, so that nobody else takes the port, and not listening
        unheard.bind(("127.0.0.1", 0))
        url = f"{scheme}://127.0.0.1:{unheard.getsockname()[1]}"
        done = command("replay", "--to", url, files[0])
    assert (done.code, done.output) == (4, b"")
    assert done.errors.startswith(f"tracelens: {url}: cannot be reached: ")
    assert done.errors.endswith("Connection refused; is it running?\n")
    assert done.errors.count("\n") == 1
