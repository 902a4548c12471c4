"""Sends requests over OTLP/HTTP, on one connection that is kept alive."""

from __future__ import annotations

import gzip
import http.client
import ssl
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import zstandard
from google.protobuf.json_format import Parse, ParseError
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status

import tracelens
from tracelens.forwarding.destination import client_context
from tracelens.forwarding.outcome import Delivered, Outcome, Refused, TryAgain, TurnedAway
from tracelens.receiver.encoding import Encoding
from tracelens.receiver.signals import rejected_records, response_class
from tracelens.retry_after import retry_after_s

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from tracelens.forwarding.destination import Destination
    from tracelens.forwarding.headers import OwnHeaders
    from tracelens.receiver.forwarding import RawRequest
    from tracelens.settings.forwarding import ForwardSettings

_RETRIED: Final = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
_TURNED_AWAY: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND})
"""Not retryable for OTLP, whose clients have the request alone; it is not the request that is wrong."""
_SUCCESSES: Final = range(200, 300)
_MAX_ANSWER_BYTES: Final = 4 << 20
"""OTLP's limit of a response."""
_USER_AGENT: Final = {"user-agent": f"tracelens/{tracelens.__version__}"}
_SHOWN_CHARACTERS: Final = 300
# Levels above these cost several times the time for some per cent of the bytes.
_GZIP_LEVEL: Final = 5
_ZSTD_LEVEL: Final = 3


class HttpSender:
    """A sender over HTTP/1.1.

    Args:
        destination: where to.
        settings: compression and time-out.
        headers: sent with every request; read again when they are not accepted.

    Raises:
        UsageError: a certificate cannot be used.
    """

    def __init__(self, destination: Destination, settings: ForwardSettings, headers: OwnHeaders) -> None:
        self._destination = destination
        self._compression = settings.compression
        self._headers = headers
        where = (destination.host, destination.port)
        self._connection = (
            http.client.HTTPSConnection(*where, timeout=settings.timeout_s, context=client_context(settings))
            if destination.is_secure
            else http.client.HTTPConnection(*where, timeout=settings.timeout_s)
        )

    def send(self, request: RawRequest) -> Outcome:
        """Send one request and wait for its answer."""
        body, headers = self._compressed(request.body)
        headers |= _USER_AGENT | self._headers.values | dict(request.headers) | {"content-type": request.encoding.value}
        path = self._destination.path + request.signal.path
        is_kept_alive = self._connection.sock is not None
        try:
            return self._exchange(path, body, headers, request)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError) as error:
            self._connection.close()
            if not is_kept_alive:
                return TryAgain(_said(error))
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            return TryAgain(_said(error))
        # The next hop closed a connection that had been idle: that says nothing about the request.
        return self.send(request)

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def _exchange(self, path: str, body: bytes, headers: dict[str, str], request: RawRequest) -> Outcome:
        self._connection.request("POST", path, body, headers)
        response = self._connection.getresponse()
        answer = response.read(_MAX_ANSWER_BYTES)
        if not response.isclosed():  # there is more than an answer can be
            self._connection.close()
        if response.status in _SUCCESSES:
            return _delivered(answer, response.getheader("content-type", ""), request)
        reason = _reason(answer, response)
        asked_s = retry_after_s(response.getheader("retry-after"))
        if response.status in _RETRIED:
            return TryAgain(f"{response.status} {reason}", asked_s)
        if response.status in _TURNED_AWAY:
            self._headers.read_again()
            return TurnedAway(str(response.status), reason, asked_s)
        return Refused(str(response.status), reason)

    def _compressed(self, body: bytes) -> tuple[bytes, dict[str, str]]:
        match self._compression:
            case "gzip":
                return gzip.compress(body, _GZIP_LEVEL, mtime=0), {"content-encoding": "gzip"}
            case "zstd":
                return zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(body), {"content-encoding": "zstd"}
            case _:
                return body, {}


def _delivered(answer: bytes, content_type: str, request: RawRequest) -> Delivered:
    """Read the answer to a request that was taken. One that is not OTLP's says nothing more than that."""
    response = response_class(request.signal)()
    if not answer or not _read_message(answer, content_type, response):
        return Delivered()
    return Delivered(rejected_records(response), response.partial_success.error_message)


def _reason(answer: bytes, response: http.client.HTTPResponse) -> str:
    """Return what a refusal says: OTLP's own status, else where it points to, else the beginning of its text."""
    status = Status()
    text = status.message if _read_message(answer, response.getheader("content-type", ""), status) else ""
    text = text or response.getheader("location", "") or answer[:_SHOWN_CHARACTERS].decode("utf-8", "replace")
    return " ".join((text or response.reason).split())[:_SHOWN_CHARACTERS]


def _read_message(content: bytes, content_type: str, message: Message) -> bool:
    """Fill the message from an answer; say whether it is one."""
    try:
        match Encoding.of(content_type):
            case Encoding.PROTOBUF:
                message.ParseFromString(content)
            case Encoding.JSON:
                Parse(content, message, ignore_unknown_fields=True)
            case None:
                return False
    except (DecodeError, ParseError, UnicodeDecodeError):
        return False
    return True


def _said(error: OSError | http.client.HTTPException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
