"""What the HTTP receiver refuses: always a google.rpc.Status in the request's encoding, with the right code."""

from __future__ import annotations

import json
import selectors
import socket
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from compressors import COMPRESSORS
from google.protobuf.json_format import Parse
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from keeping_intake import trace_request, trace_request_of_size

from tracelens.errors import InvalidRequestError, OverloadedError, StoreError
from tracelens.receiver import HttpServer, OtlpApp

if TYPE_CHECKING:
    from keeping_intake import KeepingIntake

PROTOBUF = {"content-type": "application/x-protobuf"}
JSON = {"content-type": "application/json"}
SIGNAL_PATHS = ["/v1/traces", "/v1/metrics", "/v1/logs"]
LIMIT_BYTES = 10_000


def status_in(response: httpx.Response) -> Status:
    match response.headers["content-type"]:
        case "application/x-protobuf":
            return Status.FromString(response.content)
        case "application/json":
            status: Status = Parse(response.content, Status())
            return status
        case other:
            raise AssertionError(other)


@pytest.mark.parametrize("path", SIGNAL_PATHS)
@pytest.mark.parametrize(
    ("method", "headers", "http_status", "message"),
    [
        ("POST", {}, 415, "unsupported Content-Type '': use application/x-protobuf or application/json"),
        (
            "POST",
            {"content-type": "invalid"},
            415,
            "unsupported Content-Type 'invalid': use application/x-protobuf or application/json",
        ),
        ("PATCH", JSON, 405, "PATCH is not supported here: use POST"),
        ("GET", PROTOBUF, 405, "GET is not supported here: use POST"),
        (
            "OPTIONS",
            {"origin": "https://a.example", "access-control-request-method": "POST"},
            405,
            "OPTIONS is not supported here: use POST",
        ),
    ],
)
def test_requests_that_http_refuses(
    http: httpx.Client, path: str, method: str, *, headers: dict[str, str], http_status: int, message: str
) -> None:
    response = http.request(method, path, content=b"1234", headers=headers)
    assert response.status_code == http_status
    assert response.headers["content-type"] == headers.get("content-type", "application/json").replace(
        "invalid", "application/json"
    )
    assert status_in(response).message == message
    assert response.headers.get("allow") == ("POST" if http_status == 405 else None)
    assert not any(name.startswith("access-control") for name in response.headers)


@pytest.mark.parametrize("path", SIGNAL_PATHS)
@pytest.mark.parametrize("headers", [JSON, PROTOBUF])
def test_what_does_not_parse_is_refused_for_good(
    http: httpx.Client, intake: KeepingIntake, path: str, headers: dict[str, str]
) -> None:
    response = http.post(path, content=b"1234", headers=headers)
    assert (response.status_code, response.headers["content-type"]) == (400, headers["content-type"])
    status = status_in(response)
    details = BadRequest()
    assert [detail.Unpack(details) for detail in status.details] == [True]
    assert details == BadRequest(field_violations=[BadRequest.FieldViolation(field="body", description=status.message)])
    assert status.code == 3
    assert "retry-after" not in response.headers
    assert intake.kept == []


@pytest.mark.parametrize(
    "document",
    [
        "[]",
        '"x"',
        "null",
        '{"resourceLogs": {}}',
        '{"resourceLogs": [1]}',
        '{"resourceLogs": [{"scopeLogs": ""}]}',
        "[" * 5000,
    ],
)
def test_json_of_another_shape_is_refused(http: httpx.Client, document: str) -> None:
    response = http.post("/v1/logs", content=document, headers=JSON)
    assert (response.status_code, status_in(response).code) == (400, 3)


def test_a_status_in_json_is_proto3_json(http: httpx.Client, intake: KeepingIntake) -> None:
    intake.submit_errors += [OverloadedError("full", 1.25), InvalidRequestError("bad")]
    body = json.dumps({"resourceSpans": [{}]})
    assert http.post("/v1/traces", content=body, headers=JSON).json() == {
        "code": 14,
        "message": "full",
        "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.250s"}],
    }
    assert http.post("/v1/traces", content=body, headers=JSON).json() == {
        "code": 3,
        "message": "bad",
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.BadRequest",
                "fieldViolations": [{"field": "body", "description": "bad"}],
            }
        ],
    }


@pytest.mark.parametrize(
    ("error", "http_status", "message", "retry_after"),
    [
        (OverloadedError("full", 0.2), 503, "full", "1"),
        (OverloadedError("full", 1.2), 503, "full", "2"),
        (StoreError("the disk is full"), 503, "the disk is full", "2"),
        (OSError("bad sector"), 503, "the request could not be stored", "2"),
        (TimeoutError(), 503, "the request was not stored in time", "2"),
        (RuntimeError("secret"), 500, "internal error: see the log of tracelens", None),
    ],
    ids=repr,
)
@pytest.mark.parametrize("headers", [PROTOBUF, JSON], ids=["protobuf", "json"])
def test_each_error_has_its_status(
    http: httpx.Client,
    intake: KeepingIntake,
    *,
    headers: dict[str, str],
    error: Exception,
    http_status: int,
    message: str,
    retry_after: str | None,
) -> None:
    intake.errors.append(error)
    body = trace_request() if headers is PROTOBUF else b'{"resourceSpans": [{}]}'
    response = http.post("/v1/traces", content=body, headers=headers)
    assert (response.status_code, response.headers.get("retry-after")) == (http_status, retry_after)
    status = status_in(response)
    assert (status.code, status.message) == ({500: 13, 503: 14}[http_status], message)
    assert [detail.Is(RetryInfo.DESCRIPTOR) for detail in status.details] == [True] * (http_status == 503)
    assert http.post("/v1/traces", content=body, headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/", "/v1/traces/", "/v1development/profiles", "/%E2%98%83" + "x" * 5000])
def test_other_paths_say_where_to_send(http: httpx.Client, path: str) -> None:
    response = http.post(path, content=trace_request(), headers=PROTOBUF)
    assert response.status_code == 404
    message = status_in(response).message
    assert message.startswith("nothing is received at '/")
    assert len(message.encode()) <= 1000
    if len(path) < 100:
        assert message == (
            f"nothing is received at '{path}': send to /v1/traces, /v1/metrics or /v1/logs; exporters add that to "
            "OTEL_EXPORTER_OTLP_ENDPOINT but not to OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
        )


@pytest.mark.parametrize("headers", [PROTOBUF, JSON])
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd", "br", "gzip, gzip"])
def test_a_body_that_is_not_in_its_content_encoding(
    http: httpx.Client, intake: KeepingIntake, headers: dict[str, str], encoding: str
) -> None:
    response = http.post("/v1/traces", content=trace_request(), headers=headers | {"content-encoding": encoding})
    assert (response.status_code, status_in(response).code) == (400, 3)
    assert response.headers["content-type"] == headers["content-type"]
    assert intake.kept == []


def assert_too_large(response: httpx.Response, message: str) -> None:
    assert (response.status_code, response.headers["content-type"]) == (413, PROTOBUF["content-type"])
    assert status_in(response) == Status(code=8, message=message)
    assert "retry-after" not in response.headers


def test_the_size_limit_is_exact(small_http: httpx.Client, intake: KeepingIntake) -> None:
    fitting, larger = trace_request_of_size(LIMIT_BYTES), trace_request_of_size(LIMIT_BYTES + 1)
    assert small_http.post("/v1/traces", content=fitting, headers=PROTOBUF).status_code == 200
    for content in (larger, iter([larger])):  # with Content-Length, and in chunks
        response = small_http.post("/v1/traces", content=content, headers=PROTOBUF)
        assert_too_large(response, f"the body is larger than {LIMIT_BYTES} bytes")
    assert small_http.post("/v1/traces", content=iter([fitting]), headers=PROTOBUF).status_code == 200
    assert intake.kept == [fitting, fitting]


@pytest.mark.parametrize("encoding", sorted(COMPRESSORS))
def test_the_size_limit_is_exact_once_decompressed(
    small_http: httpx.Client, intake: KeepingIntake, encoding: str
) -> None:
    compress = COMPRESSORS[encoding]
    headers = PROTOBUF | {"content-encoding": encoding}
    fitting, larger = trace_request_of_size(LIMIT_BYTES), trace_request_of_size(LIMIT_BYTES + 1)
    assert small_http.post("/v1/traces", content=compress(fitting), headers=headers).status_code == 200
    for content in (larger, bytes(20_000_000)):
        response = small_http.post("/v1/traces", content=compress(content), headers=headers)
        if len(compress(content)) > LIMIT_BYTES:
            assert_too_large(response, f"the body is larger than {LIMIT_BYTES} bytes")
        else:
            assert_too_large(response, f"the body is larger than {LIMIT_BYTES} bytes once decompressed")
    assert intake.kept == [fitting]


def test_a_sender_of_far_too_much_can_read_the_answer(small_http: httpx.Client, intake: KeepingIntake) -> None:
    response = small_http.post("/v1/traces", content=bytes(5_000_000), headers=PROTOBUF)
    assert_too_large(response, f"the body is larger than {LIMIT_BYTES} bytes")
    assert small_http.post("/v1/traces", content=trace_request(), headers=PROTOBUF).status_code == 200
    assert intake.kept == [trace_request()]


class RawConnection:
    """One connection, written by hand."""

    def __init__(self, url: str) -> None:
        host, port = httpx.URL(url).host, httpx.URL(url).port
        assert port is not None
        self.socket = socket.create_connection((host, port), timeout=10)

    def send(self, body: bytes, **headers: Any) -> None:
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        head = "\r\n".join(["POST /v1/traces HTTP/1.1", "host: x", "content-type: application/x-protobuf", *lines])
        self.socket.sendall(head.encode() + b"\r\n\r\n" + body)

    def read_head(self) -> str:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = self.socket.recv(1)
            if not byte:
                break
            head += byte
        return head.decode()


def test_a_sender_that_waits_for_100_continue(small_http_url: str, intake: KeepingIntake) -> None:
    connection = RawConnection(small_http_url)
    connection.send(b"", expect="100-continue", content_length=len(trace_request()))
    assert connection.read_head() == "HTTP/1.1 100 Continue\r\n\r\n"
    connection.socket.sendall(trace_request())
    assert connection.read_head().startswith("HTTP/1.1 200 ")
    connection.socket.close()
    assert intake.kept == [trace_request()]


def test_a_sender_that_waits_for_100_continue_with_too_much(small_http_url: str) -> None:
    connection = RawConnection(small_http_url)
    connection.send(b"", expect="100-continue", content_length=LIMIT_BYTES + 1)
    head = connection.read_head()
    assert head.startswith("HTTP/1.1 413 ")
    assert "connection: close\r\n" in head
    connection.socket.close()


def test_a_sender_that_goes_away_leaves_nothing(http_url: str, http: httpx.Client, intake: KeepingIntake) -> None:
    connection = RawConnection(http_url)
    connection.send(trace_request()[:-1], content_length=len(trace_request()))
    connection.socket.close()
    assert http.post("/v1/traces", content=trace_request(2), headers=PROTOBUF).status_code == 200
    assert intake.kept == [trace_request(2)]


def test_a_body_that_stalls_is_to_be_sent_again(intake: KeepingIntake) -> None:
    server = HttpServer("127.0.0.1:0", OtlpApp(intake, body_timeout_s=0.05))
    server.start()
    connection = RawConnection(f"http://{server.address}")
    connection.send(b"\n", content_length=100)
    head = connection.read_head()
    connection.socket.close()
    server.stop(5)
    assert head.startswith("HTTP/1.1 503 ")
    assert "retry-after: 1\r\n" in head
    assert intake.kept == []


def test_bodies_that_arrive_at_once_share_a_budget(small_http_url: str, intake: KeepingIntake) -> None:
    body = trace_request_of_size(LIMIT_BYTES)
    connections = [RawConnection(small_http_url) for _ in range(5)]  # four bodies of the largest size fit
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            connection.send(body[:-5], content_length=len(body))
            selector.register(connection.socket, selectors.EVENT_READ, connection)
        [(key, _)] = selector.select(timeout=10)
    refused: RawConnection = key.data
    assert refused.read_head().startswith("HTTP/1.1 503 ")
    for connection in connections:
        if connection is not refused:
            connection.socket.sendall(body[-5:])
            assert connection.read_head().startswith("HTTP/1.1 200 ")
    for connection in connections:
        connection.socket.close()
    assert intake.kept == [body] * 4


PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "content-type,x-key"}


@pytest.mark.parametrize(
    ("allowed", "origin", "expected"),
    [
        (["https://shop.example"], "https://shop.example", True),
        (["https://shop.example"], "https://shopXexample", False),
        (["https://a.example", "https://*.example"], "https://shop.example", True),
        (["https://*.example"], "https://shop.example.net", False),
        (["*"], "https://any.where", True),
    ],
)
def test_browsers(intake: KeepingIntake, allowed: list[str], origin: str, *, expected: bool) -> None:
    server = HttpServer("127.0.0.1:0", OtlpApp(intake, allowed_origins=allowed))
    server.start()
    with httpx.Client(base_url=f"http://{server.address}", headers={"origin": origin}) as client:
        preflight = client.options("/v1/traces", headers=PREFLIGHT)
        posted = client.post("/v1/traces", content=b"{}", headers=JSON)
        refused = client.post("/v1/traces", content=b"x", headers=JSON)
    server.stop(5)
    assert (preflight.status_code, posted.status_code, refused.status_code) == (204 if expected else 405, 200, 400)
    readable = {"vary": "Origin", "access-control-allow-origin": origin, "access-control-allow-credentials": "true"}
    for response in (preflight, posted, refused):
        named = {name: value for name, value in response.headers.items() if name in readable}
        assert named == (readable if expected else {"vary": "Origin"})
    granted = {name: value for name, value in preflight.headers.items() if name not in {*readable, "date"}}
    if expected:
        assert granted == {
            "access-control-allow-methods": "POST",
            "access-control-allow-headers": "content-type,x-key",
            "access-control-max-age": "7200",
        }
