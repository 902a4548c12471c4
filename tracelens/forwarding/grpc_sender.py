"""Sends requests over OTLP/gRPC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import grpc
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status

import tracelens
from tracelens.errors import InvalidRequestError
from tracelens.forwarding.conversion import to_protobuf
from tracelens.forwarding.destination import read_pem_files
from tracelens.forwarding.outcome import Delivered, Outcome, Refused, TryAgain, TurnedAway
from tracelens.receiver.encoding import Encoding
from tracelens.receiver.signals import SIGNALS, rejected_records, response_class
from tracelens.receiver.status import retry_info

if TYPE_CHECKING:
    from google.rpc.error_details_pb2 import RetryInfo

    from tracelens.forwarding.destination import Destination
    from tracelens.forwarding.headers import OwnHeaders
    from tracelens.receiver.forwarding import RawRequest
    from tracelens.settings.forwarding import ForwardSettings

_RETRIED: Final = frozenset(
    {
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
"""As OTLP's table has it; RESOURCE_EXHAUSTED is added where it comes with a delay."""
_TURNED_AWAY: Final = frozenset(
    {
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)
"""Not retryable for OTLP, whose clients have the request alone; it is not the request that is wrong."""
_COMPRESSIONS: Final = {"none": grpc.Compression.NoCompression, "gzip": grpc.Compression.Gzip}
_FIRST_RECONNECT_MS: Final = 100


class GrpcSender:
    """A sender over gRPC.

    Args:
        destination: where to.
        settings: compression, time-out and certificates.
        headers: metadata sent with every request; read again when they are not accepted.

    Raises:
        UsageError: a certificate cannot be used.
    """

    def __init__(self, destination: Destination, settings: ForwardSettings, headers: OwnHeaders) -> None:
        self._timeout_s = settings.timeout_s
        self._headers = headers
        longest_ms = round(settings.retry_max_interval_s * 1000)
        options = [
            ("grpc.max_send_message_length", -1),
            ("grpc.primary_user_agent", f"tracelens/{tracelens.__version__}"),
            ("grpc.enable_http_proxy", 0),
            ("grpc.use_local_subchannel_pool", 1),  # else every thread's channel shares one connection
            # Attempts are ours to space: a channel that waits two minutes, as it does on its own, would fail them all.
            ("grpc.initial_reconnect_backoff_ms", min(_FIRST_RECONNECT_MS, longest_ms)),
            ("grpc.min_reconnect_backoff_ms", min(_FIRST_RECONNECT_MS, longest_ms)),
            ("grpc.max_reconnect_backoff_ms", longest_ms),
        ]
        if destination.is_secure:
            trusted = grpc.ssl_channel_credentials(*read_pem_files(settings))
            self._channel = grpc.secure_channel(destination.target, trusted, options)
        else:
            self._channel = grpc.insecure_channel(destination.target, options)
        self._compression = _COMPRESSIONS[settings.compression]
        self._exports = {signal: self._channel.unary_unary(f"/{signal.service}/Export") for signal in SIGNALS}

    def send(self, request: RawRequest) -> Outcome:
        """Send one request and wait for its answer."""
        body = request.body
        if request.encoding is Encoding.JSON:
            try:
                body = to_protobuf(request.signal, body)
            except InvalidRequestError as error:
                return Refused("not sent", str(error))
        try:
            answer = self._exports[request.signal](
                body,
                timeout=self._timeout_s,
                metadata=tuple((self._headers.values | dict(request.headers)).items()),
                compression=self._compression,
            )
        except grpc.RpcError as error:
            outcome = _failed(error)
            if isinstance(outcome, TurnedAway):
                self._headers.read_again()
            return outcome
        response = response_class(request.signal)()
        try:
            response.ParseFromString(answer)
        except DecodeError:
            return Delivered()
        return Delivered(rejected_records(response), response.partial_success.error_message)

    def close(self) -> None:
        """Let go of the connection."""
        self._channel.close()


def _failed(error: grpc.RpcError) -> Outcome:
    code, reason = error.code(), error.details() or "no reason given"
    delay = _asked_delay(error)
    asked_s = None if delay is None else max(0.0, delay.retry_delay.ToNanoseconds() / 1e9)
    if code in _RETRIED or (code is grpc.StatusCode.RESOURCE_EXHAUSTED and delay is not None):
        return TryAgain(f"{code.name} {reason}", asked_s)
    if code in _TURNED_AWAY:
        return TurnedAway(code.name, reason, asked_s)
    return Refused(code.name, reason)


def _asked_delay(error: grpc.RpcError) -> RetryInfo | None:
    for name, value in error.trailing_metadata() or ():
        if name == "grpc-status-details-bin":
            try:
                return retry_info(Status.FromString(value))
            except DecodeError:
                return None
    return None
