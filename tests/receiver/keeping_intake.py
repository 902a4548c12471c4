"""A small real intake: it parses requests with protobuf on a thread of its own, and keeps their bytes in memory."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeAlias

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tracelens.errors import InvalidRequestError
from tracelens.otlp.metrics import RefusedPoints, decode_metrics

Read: TypeAlias = Callable[[bytes], RefusedPoints | None]
Work: TypeAlias = tuple[bytes, Read, list[bytes], Future[RefusedPoints | None]]


class KeepingIntake:
    """Keeps what it is given, in order.

    Attributes:
        kept: the bodies.
        submit_errors: raised by the next calls of `submit`, one each.
        kept_metrics: the same of metrics.
        errors: raised by the futures of the next requests, one each.
        gate: while it is not set, requests wait.
        waiting: released once for each request that has arrived.
    """

    def __init__(self) -> None:
        self.gate = threading.Event()
        self._queue: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run)
        self.reset()
        self._thread.start()

    def reset(self) -> None:
        self.kept: list[bytes] = []
        self.kept_metrics: list[bytes] = []
        self.submit_errors: list[Exception] = []
        self.errors: list[Exception] = []
        self.waiting = threading.Semaphore(0)
        self.gate.set()

    def submit(self, body: bytes) -> Future[RefusedPoints | None]:
        return self._submit(body, _keep_traces, self.kept)

    def submit_metrics(self, body: bytes) -> Future[RefusedPoints | None]:
        return self._submit(body, _keep_metrics, self.kept_metrics)

    def _submit(self, body: bytes, read: Read, kept: list[bytes]) -> Future[RefusedPoints | None]:
        if self.submit_errors:
            raise self.submit_errors.pop(0)
        future: Future[RefusedPoints | None] = Future()
        self._queue.put((body, read, kept, future))
        self.waiting.release()
        return future

    def close(self) -> None:
        self.gate.set()
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while work := self._queue.get():
            body, read, kept, future = work
            self.gate.wait()
            if self.errors:
                future.set_exception(self.errors.pop(0))
                continue
            try:
                refused = read(body)
            except InvalidRequestError as error:
                future.set_exception(error)
            else:
                kept.append(body)
                future.set_result(refused)


def _keep_traces(body: bytes) -> None:
    try:
        ExportTraceServiceRequest.FromString(body)
    except DecodeError as error:
        raise InvalidRequestError(f"the body is not an OTLP trace request: {error}") from error


def _keep_metrics(body: bytes) -> RefusedPoints | None:
    return decode_metrics(body).refused or None


def trace_request(number: int = 1, spans: int = 1, name: str = "GET /users/{id}") -> bytes:
    """Build a request whose ids follow from its number."""
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    scope.spans.extend(
        Span(
            trace_id=number.to_bytes(16, "big"),
            span_id=(index + 1).to_bytes(8, "big"),
            name=name,
            start_time_unix_nano=1_700_000_000_000_000_000,
            end_time_unix_nano=1_700_000_000_005_000_000,
        )
        for index in range(spans)
    )
    body: bytes = request.SerializeToString()
    return body


def trace_request_of_size(size_bytes: int) -> bytes:
    """Build a request of exactly this many bytes, at least a few hundred."""
    excess = len(trace_request(name="x" * size_bytes)) - size_bytes
    body = trace_request(name="x" * (size_bytes - excess))
    assert len(body) == size_bytes
    return body
