"""OTLP over HTTP: POST /v1/traces, /v1/metrics and /v1/logs in protobuf or JSON, and GET /healthz.

Every refusal carries a `google.rpc.Status` in the request's encoding, JSON where its Content-Type names none.
A refused body is read to its end and thrown away by the server, since exporters read the answer only after sending.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import CancelledError
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, TypeVar

from google.rpc.code_pb2 import (
    INVALID_ARGUMENT,
    OK,
    RESOURCE_EXHAUSTED,
    UNAUTHENTICATED,
    UNAVAILABLE,
    UNIMPLEMENTED,
)
from google.rpc.status_pb2 import Status

from tracelens.errors import InvalidRequestError
from tracelens.otlp.json import request_from_json
from tracelens.otlp.metrics import RefusedPoints
from tracelens.otlp.metrics_json import metrics_request_from_json
from tracelens.receiver.admission import ANSWER_TIMEOUT_S, DEFAULT_MAX_REQUEST_BYTES, ByteBudget, Intake, TooLargeError
from tracelens.receiver.asgi import Answer, SenderGoneError, read_body
from tracelens.receiver.compression import ENCODINGS, IDENTITY, content_encoding, decompress
from tracelens.receiver.cors import Cors
from tracelens.receiver.credentials import MISSING, Credentials
from tracelens.receiver.encoding import Encoding
from tracelens.receiver.forwarding import as_warning, only_passed_on, raw_request
from tracelens.receiver.signals import (
    KEPT,
    METRICS,
    SIGNALS,
    RefusedSpans,
    Signal,
    decline,
    metrics_response,
    response_class,
)
from tracelens.receiver.statistics import ReceiverStatistics, RequestKind
from tracelens.receiver.status import outcome, retry_after_header, retry_info, shortened, status_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future

    from google.protobuf.message import Message

    from tracelens.receiver.asgi import Headers, Receive, Scope, Send
    from tracelens.receiver.forwarding import Forwarding
    from tracelens.receiver.signals import Response

_T = TypeVar("_T")

_SIGNALS_BY_PATH: Final = {signal.path: signal for signal in SIGNALS}
_HTTP_STATUS: Final = {
    INVALID_ARGUMENT: HTTPStatus.BAD_REQUEST,
    RESOURCE_EXHAUSTED: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""By code of the Status; every other code is 500."""
_BODIES_IN_BUDGET: Final = 4
_WRONG_PATH: Final = (
    "nothing is received at {path!r}: send to /v1/traces, /v1/metrics or /v1/logs; exporters add that to "
    "OTEL_EXPORTER_OTLP_ENDPOINT but not to OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
)


class _RefusedError(Exception):
    """A request that HTTP's own rules refuse."""

    def __init__(self, http_status: HTTPStatus, code: int, message: str, headers: Headers | None = None) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.status = Status(code=code, message=shortened(message))
        self.headers = headers


@dataclass(slots=True)
class _Request:
    """A request being answered. `size_bytes` and `read_at`, a clock's seconds, are set once its body is known."""

    method: str
    path: str
    headers: dict[str, str]
    signal: Signal | None
    encoding: Encoding | None
    size_bytes: int = 0
    read_at: float = 0.0

    @classmethod
    def of(cls, scope: Scope) -> _Request:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        signal = _SIGNALS_BY_PATH.get(scope["path"])
        return cls(scope["method"], scope["path"], headers, signal, Encoding.of(headers.get("content-type", "")))


class OtlpApp:
    """An ASGI application that receives OTLP. Paths that it does not know are answered with 404.

    Args:
        intake: keeps the traces.
        max_request_bytes: limit of a body, as sent and once decompressed.
        allowed_origins: web pages that may send from a browser, see `Cors`; none by default.
        healthy: what GET /healthz reports, without blocking.
        statistics: counts the answers.
        body_timeout_s: a body that takes longer to arrive is refused, to be sent again.
        forwarding: passes every request on as well.
        credentials: who may send; everybody by default.
    """

    def __init__(
        self,
        intake: Intake,
        *,
        max_request_bytes: int = DEFAULT_MAX_REQUEST_BYTES,
        allowed_origins: Iterable[str] = (),
        healthy: Callable[[], bool] = lambda: True,
        statistics: ReceiverStatistics | None = None,
        body_timeout_s: float = ANSWER_TIMEOUT_S,
        forwarding: Forwarding | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        self._intake = intake
        self._max_request_bytes = max_request_bytes
        self._budget = ByteBudget(_BODIES_IN_BUDGET * max_request_bytes)
        self._cors = Cors(allowed_origins)
        self._healthy = healthy
        self._statistics = statistics or ReceiverStatistics()
        self._body_timeout_s = body_timeout_s
        self._forwarding = forwarding
        self._credentials = credentials or Credentials()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise NotImplementedError(f"no {scope['type']} connections are served")
        request = _Request.of(scope)
        if request.path == "/healthz":
            answer = self._health(request)
        elif request.signal and request.method == "OPTIONS" and (headers := self._cors.preflight(request.headers)):
            answer = Answer(HTTPStatus.NO_CONTENT, b"", headers)
        else:
            try:
                answer = await self._exported(request, receive)
            except SenderGoneError:
                return
        await answer.send(send)

    def _health(self, request: _Request) -> Answer:
        if request.method not in {"GET", "HEAD"}:
            return Answer(HTTPStatus.METHOD_NOT_ALLOWED, b"", [(b"allow", b"GET, HEAD")])
        healthy = self._healthy()
        status = HTTPStatus.OK if healthy else HTTPStatus.SERVICE_UNAVAILABLE
        content = b"healthy\n" if healthy else b"unhealthy\n"
        return Answer(status, content, [(b"content-type", b"text/plain; charset=utf-8")])

    async def _exported(self, request: _Request, receive: Receive) -> Answer:
        """Answer an export, or say why not; nothing but SenderGoneError gets out."""
        try:
            response = await self._export(request, receive)
        except SenderGoneError:
            raise
        except _RefusedError as refusal:
            return self._refused(request, refusal.http_status, refusal.status, refusal.headers)
        except asyncio.CancelledError:
            # The server stops and has waited long enough. Its own answer would be 500, on which the data is dropped.
            return self._refused(request, HTTPStatus.SERVICE_UNAVAILABLE, status_of(CancelledError()))
        except Exception as error:  # noqa: BLE001 - logged by status_of; one bad request must not stop the server
            status = status_of(error)
            return self._refused(request, _HTTP_STATUS.get(status.code, HTTPStatus.INTERNAL_SERVER_ERROR), status)
        self._statistics.acknowledge("http", time.perf_counter() - request.read_at)
        return self._answered(request, HTTPStatus.OK, response, OK)

    async def _export(self, request: _Request, receive: Receive) -> Response:
        """Take one request in and return the response to it."""
        signal, encoding, compression = _accepted(request)
        if not self._credentials.admit(request.headers):
            raise _RefusedError(HTTPStatus.UNAUTHORIZED, UNAUTHENTICATED, MISSING, self._credentials.challenges)
        limit_bytes = self._max_request_bytes
        if int(request.headers.get("content-length", 0)) > limit_bytes:
            raise TooLargeError(f"the body is larger than {limit_bytes} bytes")
        body = await read_body(receive, self._budget, limit_bytes=limit_bytes, timeout_s=self._body_timeout_s)
        request.read_at = time.perf_counter()
        # Whatever takes time in proportion to the body runs on another thread, beside the event loop.
        if compression != IDENTITY:
            body = await asyncio.to_thread(decompress, body, compression, limit_bytes)
        request.size_bytes = len(body)
        if self._forwarding is None or not body:
            return await self._kept(signal, encoding, body)
        # Ours comes first: whatever becomes of it, a request that is sent again is then known.
        response = response_class(signal)()
        if signal in KEPT:
            try:
                response = as_warning(signal, await self._kept(signal, encoding, body))
            except InvalidRequestError as error:
                response = only_passed_on(signal, error)
        await self._done(
            self._forwarding.submit(raw_request(signal, encoding, body, request.headers, self._forwarding))
        )
        return response

    async def _kept(self, signal: Signal, encoding: Encoding, body: bytes) -> Response:
        """Give a request to the intake, or decline it."""
        if signal not in KEPT:
            return await asyncio.to_thread(decline, body, encoding)
        if signal is METRICS:
            return await self._kept_metrics(encoding, body)
        refused = RefusedSpans()
        if encoding is Encoding.JSON:
            body = await asyncio.to_thread(request_from_json, body, refused.add)
        if body:
            await self._done(self._intake.submit(body))
        return refused.response()

    async def _kept_metrics(self, encoding: Encoding, body: bytes) -> Response:
        bad: list[str] = []
        if encoding is Encoding.JSON:
            body = await asyncio.to_thread(metrics_request_from_json, body, bad.append)
        refused = RefusedPoints(len(bad), bad[0]) if bad else RefusedPoints()
        if body:
            kept = await self._done(self._intake.submit_metrics(body))
            refused += kept or RefusedPoints()
        return metrics_response(refused)

    async def _done(self, kept: Future[_T]) -> _T:
        """Wait for what was submitted, and return what came of it."""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                # Shielded, since cancelling the request must not cancel what the intake is about to set.
                return await asyncio.shield(asyncio.wrap_future(kept))
        except asyncio.CancelledError:
            if kept.cancelled():
                kept.result()  # raises the error of a request that the intake gave up
            raise

    def _refused(
        self, request: _Request, http_status: HTTPStatus, status: Status, headers: Headers | None = None
    ) -> Answer:
        answer = self._answered(request, http_status, status, status.code)
        answer.headers.extend(headers or [])
        if delay := retry_info(status):
            answer.headers.append((b"retry-after", retry_after_header(delay)))
        if "expect" in request.headers:
            answer.headers.append((b"connection", b"close"))  # whether the body follows is the sender's choice
        return answer

    def _answered(self, request: _Request, http_status: HTTPStatus, message: Message, code: int) -> Answer:
        if request.signal:
            self._statistics.count(RequestKind("http", request.signal.name, outcome(code)), request.size_bytes)
        encoding = request.encoding or Encoding.JSON
        headers = [(b"content-type", encoding.value.encode()), *self._cors.headers(request.headers)]
        return Answer(http_status, encoding.encode(message), headers)


def _accepted(request: _Request) -> tuple[Signal, Encoding, str]:
    """Return what the request's head says about its body: signal, encoding and compression."""
    if request.signal is None:
        raise _RefusedError(HTTPStatus.NOT_FOUND, UNIMPLEMENTED, _WRONG_PATH.format(path=request.path))
    if request.method != "POST":
        message = f"{request.method} is not supported here: use POST"
        raise _RefusedError(HTTPStatus.METHOD_NOT_ALLOWED, UNIMPLEMENTED, message, [(b"allow", b"POST")])
    if request.encoding is None:
        supported = " or ".join(encoding.value for encoding in Encoding)
        message = f"unsupported Content-Type {request.headers.get('content-type', '')!r}: use {supported}"
        raise _RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, INVALID_ARGUMENT, message)
    try:
        compression = content_encoding(request.headers.get("content-encoding", ""))
    except InvalidRequestError as error:
        accepted = [(b"accept-encoding", ", ".join(ENCODINGS).encode())]
        raise _RefusedError(HTTPStatus.BAD_REQUEST, INVALID_ARGUMENT, str(error), accepted) from error
    return request.signal, request.encoding, compression
