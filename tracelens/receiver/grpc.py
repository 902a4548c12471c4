"""OTLP over gRPC.

The handlers take the raw bytes of a message: grpcio's own deserialising would answer damaged ones with INTERNAL, and
parsing each request into objects is what the fast path avoids.

No limit of concurrent calls is set: grpcio answers calls above `maximum_concurrent_rpcs` with RESOURCE_EXHAUSTED, on
which exporters drop the data, and resets a burst of streams above `max_concurrent_streams`. Calls wait for a thread
with their messages held back by flow control, and the intake says UNAVAILABLE when it has enough.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import grpc

from tracelens.errors import InvalidRequestError, ServerError
from tracelens.receiver.address import Address, listen, parse_address
from tracelens.receiver.admission import (
    ANSWER_TIMEOUT_S,
    DEFAULT_MAX_REQUEST_BYTES,
    Intake,
    UnauthenticatedError,
)
from tracelens.receiver.credentials import MISSING, Credentials
from tracelens.receiver.encoding import Encoding
from tracelens.receiver.forwarding import as_warning, only_passed_on, raw_request
from tracelens.receiver.signals import KEPT, SIGNALS, TRACES, Signal, decline, metrics_response, response_class
from tracelens.receiver.statistics import ReceiverStatistics, RequestKind
from tracelens.receiver.status import outcome, retry_info, status_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.rpc.status_pb2 import Status

    from tracelens.receiver.forwarding import Forwarding
    from tracelens.receiver.tls import ServerTls

DEFAULT_WORKERS: Final = 32
"""Threads, each of which waits for one request's turn at the disk: so many requests share one synchronisation."""

_PING_INTERVAL_MS: Final = 5_000
"""Shortest interval of keep-alive pings that is tolerated; grpcio's own 5 min makes it drop eager clients."""
_STATUS_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}


class GrpcReceiver:
    """A gRPC server for the three OTLP services.

    Args:
        address: `host:port`, port 0 for any free one.
        intake: keeps the traces.
        max_request_bytes: limit of a message once decompressed.
        workers: threads.
        statistics: counts the answers.
        forwarding: passes every request on as well.
        credentials: who may send; everybody by default.
        tls: the certificate to listen with.

    Raises:
        UsageError: the address is not one.
    """

    def __init__(
        self,
        address: str,
        intake: Intake,
        *,
        max_request_bytes: int = DEFAULT_MAX_REQUEST_BYTES,
        workers: int = DEFAULT_WORKERS,
        statistics: ReceiverStatistics | None = None,
        forwarding: Forwarding | None = None,
        credentials: Credentials | None = None,
        tls: ServerTls | None = None,
    ) -> None:
        self._address = parse_address(address, "--grpc")
        self._intake = intake
        self._statistics = statistics or ReceiverStatistics()
        self._forwarding = forwarding
        self._credentials = credentials or Credentials()
        self._tls = tls
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="grpc")
        self._server = grpc.server(
            self._pool,
            options=[
                ("grpc.max_receive_message_length", max_request_bytes),
                ("grpc.http2.min_ping_interval_without_data_ms", _PING_INTERVAL_MS),
                ("grpc.so_reuseport", 0),
            ],
        )
        self._server.add_generic_rpc_handlers([_service(signal, self._export(signal)) for signal in SIGNALS])

    @property
    def address(self) -> str:
        """The `host:port` it listens on, with the port that was found for 0 once started."""
        return str(self._address)

    @property
    def port(self) -> int:
        """The port it listens on, once started."""
        return self._address.port

    def start(self) -> None:
        """Listen and answer requests.

        Raises:
            ServerError: the address cannot be listened on.
        """
        # grpcio tells why it cannot listen only in its own log, so the address is tried first.
        for probe in listen(self._address, "--grpc"):
            probe.close()
        try:
            port = self._add_port()
        except RuntimeError as error:
            raise ServerError(f"{self._address} cannot be listened on: choose another with --grpc") from error
        self._address = Address(self._address.host, port)
        self._server.start()

    def _add_port(self) -> int:
        if self._tls is None:
            return int(self._server.add_insecure_port(str(self._address)))
        client_ca = self._tls.client_ca.read_bytes() if self._tls.client_ca else None
        pair = (self._tls.key.read_bytes(), self._tls.certificate.read_bytes())
        trusted = grpc.ssl_server_credentials([pair], client_ca, require_client_auth=client_ca is not None)
        return int(self._server.add_secure_port(str(self._address), trusted))

    def stop(self, grace_s: float) -> None:
        """Take no more requests, answer those that have arrived, and return after the grace time at the latest."""
        self._server.stop(grace_s).wait()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _export(self, signal: Signal) -> Callable[[bytes, grpc.ServicerContext], bytes]:
        def export(body: bytes, context: grpc.ServicerContext) -> bytes:
            begun = time.perf_counter()
            try:
                headers = {name: value for name, value in context.invocation_metadata() if isinstance(value, str)}
                answer = self._answer(signal, body, headers)
            except Exception as error:  # noqa: BLE001 - logged by status_of; grpcio would answer UNKNOWN and data is lost
                status = status_of(error)
                self._statistics.count(RequestKind("grpc", signal.name, outcome(status.code)), len(body))
                _refuse(context, status)
            self._statistics.count(RequestKind("grpc", signal.name, "ok"), len(body))
            self._statistics.acknowledge("grpc", time.perf_counter() - begun)
            return answer

        return export

    def _answer(self, signal: Signal, body: bytes, headers: dict[str, str]) -> bytes:
        if not self._credentials.admit(headers):
            raise UnauthenticatedError(MISSING)
        if self._forwarding is None or not body:
            return self._kept(signal, body)
        # Ours comes first: whatever becomes of it, a request that is sent again is then known.
        answer = b""
        if signal in KEPT:
            try:
                answer = self._kept(signal, body)
            except InvalidRequestError as error:
                answer = only_passed_on(signal, error).SerializeToString()
        request = raw_request(signal, Encoding.PROTOBUF, body, headers, self._forwarding)
        self._forwarding.submit(request).result(ANSWER_TIMEOUT_S)
        return as_warning(signal, response_class(signal).FromString(answer)).SerializeToString() if answer else b""

    def _kept(self, signal: Signal, body: bytes) -> bytes:
        if signal not in KEPT:
            return decline(body, Encoding.PROTOBUF).SerializeToString()
        if not body:
            return b""
        submit = self._intake.submit if signal is TRACES else self._intake.submit_metrics
        refused = submit(body).result(ANSWER_TIMEOUT_S)
        return metrics_response(refused).SerializeToString() if refused else b""


def _service(signal: Signal, export: Callable[[bytes, grpc.ServicerContext], bytes]) -> grpc.GenericRpcHandler:
    return grpc.method_handlers_generic_handler(signal.service, {"Export": grpc.unary_unary_rpc_method_handler(export)})


def _refuse(context: grpc.ServicerContext, status: Status) -> None:
    """End the call with this status. Does not return.

    Go and Java read the details from `grpc-status-details-bin`, the Python exporter reads its delay from
    `google.rpc.retryinfo-bin`.
    """
    trailers = [("grpc-status-details-bin", status.SerializeToString())]
    if delay := retry_info(status):
        trailers.append(("google.rpc.retryinfo-bin", delay.SerializeToString()))
    context.set_trailing_metadata(trailers)
    context.abort(_STATUS_CODES[status.code], status.message)
