"""Errors as `google.rpc.Status`, which both transports send.

The code decides what an exporter does with its data: UNAVAILABLE makes it send the request again, anything else here
makes it drop the request. So whatever might go well later is UNAVAILABLE, with a short delay.
"""

from __future__ import annotations

import logging
import math
from concurrent.futures import CancelledError
from typing import Final

from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.rpc.code_pb2 import (
    INTERNAL,
    INVALID_ARGUMENT,
    RESOURCE_EXHAUSTED,
    UNAUTHENTICATED,
    UNAVAILABLE,
    Code,
)
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status

from tracelens.errors import InvalidRequestError, OverloadedError, StoreError
from tracelens.receiver.admission import TooLargeError, UnauthenticatedError

MAX_MESSAGE_BYTES: Final = 1000
"""gRPC sends a message three times over, escaped, in headers that clients limit to 8 KiB."""

STORE_RETRY_AFTER_S: Final = 2.0
"""Delay asked for when the disk fails. The Python exporters drop a batch rather than wait beyond their 10 s in all."""

logger = logging.getLogger(__name__)


def status_of(error: BaseException) -> Status:
    """Return what to tell a sender whose request failed with this error. What nobody expected is logged."""
    match error:
        case OverloadedError():
            return unavailable(str(error), error.retry_after_s)
        case TooLargeError():
            return Status(code=RESOURCE_EXHAUSTED, message=shortened(str(error)))
        case UnauthenticatedError():
            return Status(code=UNAUTHENTICATED, message=str(error))
        case InvalidRequestError():
            return invalid(str(error))
        case StoreError():
            message = str(error)
        case TimeoutError():
            message = "the request was not stored in time"
        case CancelledError():
            message = "the receiver is shutting down"
        case OSError() | MemoryError():
            logger.error("a request could not be stored", exc_info=error)
            message = "the request could not be stored"
        case _:
            logger.error("a request failed", exc_info=error)
            return Status(code=INTERNAL, message="internal error: see the log of tracelens")
    return unavailable(message, STORE_RETRY_AFTER_S)


def invalid(message: str) -> Status:
    """Build the answer to a request that can never succeed."""
    text = shortened(message)
    violation = BadRequest.FieldViolation(field="body", description=text)
    return Status(code=INVALID_ARGUMENT, message=text, details=[_packed(BadRequest(field_violations=[violation]))])


def unavailable(message: str, retry_after_s: float) -> Status:
    """Build the answer to a request that should be sent again after this delay."""
    delay = Duration()
    delay.FromNanoseconds(round(retry_after_s * 1e9))
    return Status(code=UNAVAILABLE, message=shortened(message), details=[_packed(RetryInfo(retry_delay=delay))])


def retry_info(status: Status) -> RetryInfo | None:
    """Return the delay that a status asks for, where it does."""
    info = RetryInfo()
    return info if any(detail.Unpack(info) for detail in status.details) else None


def retry_after_header(info: RetryInfo) -> bytes:
    """Return the delay as HTTP's Retry-After: whole seconds, at least 1, since exporters take 0 for no delay at all."""
    return b"%d" % max(1, math.ceil(info.retry_delay.ToNanoseconds() / 1e9))


def outcome(code: int) -> str:
    """Return the name of a `google.rpc.Code` in lower case."""
    name: str = Code.Name(code)
    return name.lower()


def shortened(message: str) -> str:
    """Return what can be sent of a message: its first bytes, as valid UTF-8."""
    return message.encode(errors="replace")[:MAX_MESSAGE_BYTES].decode(errors="ignore")


def _packed(detail: BadRequest | RetryInfo) -> Any:
    packed = Any()
    packed.Pack(detail)
    return packed
