"""A request to pass on, as a record of the queue.

record: u32 big-endian length of the head · head, a JSON object · the request's bytes
head:   {"signal": "traces", "encoding": "application/x-protobuf", "headers": {"x-scope-orgid": "a"}}
"""

from __future__ import annotations

import struct
from typing import Final

import orjson

from tracelens.receiver.encoding import Encoding
from tracelens.receiver.forwarding import RawRequest
from tracelens.receiver.signals import SIGNALS

_LENGTH: Final = struct.Struct(">I")
_SIGNALS_BY_NAME: Final = {signal.name: signal for signal in SIGNALS}


def to_record(request: RawRequest) -> bytes:
    """Return the record of a request."""
    head = orjson.dumps(
        {"signal": request.signal.name, "encoding": request.encoding.value, "headers": dict(request.headers)}
    )
    return b"".join((_LENGTH.pack(len(head)), head, request.body))


def from_record(record: bytes) -> RawRequest:
    """Return the request of a record.

    Raises:
        ValueError: the record was written by something else.
    """
    try:
        (length,) = _LENGTH.unpack_from(record)
        begin = _LENGTH.size + length
        head = orjson.loads(record[_LENGTH.size : begin])
        signal = _SIGNALS_BY_NAME[head["signal"]]
        return RawRequest(signal, Encoding(head["encoding"]), tuple(head["headers"].items()), record[begin:])
    except (struct.error, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a record of the forward queue: {error}") from error
