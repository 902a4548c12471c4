"""Serialised requests made distinct without serialising them again: ids, times and numbers are changed in place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

# Tags of the fields as they are on the wire: field number and wire type, and the length of ids.
_TRACE_ID: Final = b"\x0a\x10"
_SPAN_ID: Final = b"\x12\x08"
_PARENT_ID: Final = b"\x22\x08"
_START: Final = b"\x39"
_END: Final = b"\x41"
_EVENT_TIME: Final = b"\x09"

_NEW_NUMBER: Final = re.compile(rb"(?<=[=:/ '(])9[0-9]{7}")
_NEW_NUMBERS: Final = 10_000_000
_FIRST_NEW_NUMBER: Final = 90_000_000
_PLACES: Final = 10 ** np.arange(7, -1, -1)


@dataclass(frozen=True, slots=True)
class Variation:
    """What one round of requests differs in. Relations between requests stay: a trace is changed alike in all of them.

    Attributes:
        trace_pattern: 16 bytes, which trace ids are combined with by exclusive or.
        span_pattern: 8 bytes, the same for span ids.
        shift_ns: how much later everything happens.
        number_step: what is added to the numbers that no trace had before.
    """

    trace_pattern: bytes
    span_pattern: bytes
    shift_ns: int
    number_step: int


class Template:
    """A serialised ExportTraceServiceRequest, and where in it is what has to differ.

    Attributes:
        spans: how many there are in it.
        span_ids: of each.
    """

    def __init__(self, body: bytes) -> None:
        self._body = np.frombuffer(body, dtype=np.uint8)
        spans = list(_spans(body))
        self.spans = len(spans)
        self.span_ids = np.array([int.from_bytes(span.span_id, "big") for span in spans], dtype=np.uint64)
        at: dict[bytes, list[int]] = {tag: [] for tag in (_TRACE_ID, _SPAN_ID, _PARENT_ID, _START, _END, _EVENT_TIME)}
        place = 0
        for span in spans:
            for tag, value in _fields(span):
                place = body.index(tag + value, place) + len(tag)
                at[tag].append(place)
        self._trace_at = _indices(at[_TRACE_ID], 16)
        self._span_at = _indices(at[_SPAN_ID] + at[_PARENT_ID], 8)
        self._time_at = _indices(at[_START] + at[_END] + at[_EVENT_TIME], 8)
        self._times = self._body[self._time_at].view("<u8")
        self._digit_at = _indices([match.start() for match in _NEW_NUMBER.finditer(body)], 8)
        self._numbers = (self._body[self._digit_at] - ord("0")).astype(np.int64) @ _PLACES - _FIRST_NEW_NUMBER

    def vary(self, variation: Variation) -> bytes:
        """Return the request as of this round."""
        body = self._body.copy()
        body[self._trace_at] ^= np.frombuffer(variation.trace_pattern, dtype=np.uint8)
        body[self._span_at] ^= np.frombuffer(variation.span_pattern, dtype=np.uint8)
        body[self._time_at] = (self._times + np.uint64(variation.shift_ns)).view(np.uint8)
        numbers = (self._numbers + variation.number_step) % _NEW_NUMBERS + _FIRST_NEW_NUMBER
        body[self._digit_at] = numbers[:, None] // _PLACES % 10 + ord("0")
        return body.tobytes()


def _spans(body: bytes) -> Iterator[Span]:
    for resource_spans in ExportTraceServiceRequest.FromString(body).resource_spans:
        for scope_spans in resource_spans.scope_spans:
            yield from scope_spans.spans


def _fields(span: Span) -> Iterator[tuple[bytes, bytes]]:
    """Yield what has to differ in a span, in the order in which it is serialised."""
    yield _TRACE_ID, span.trace_id
    yield _SPAN_ID, span.span_id
    if span.parent_span_id:
        yield _PARENT_ID, span.parent_span_id
    yield _START, span.start_time_unix_nano.to_bytes(8, "little")
    yield _END, span.end_time_unix_nano.to_bytes(8, "little")
    for event in span.events:
        yield _EVENT_TIME, event.time_unix_nano.to_bytes(8, "little")


def _indices(places: list[int], width: int) -> NDArray[np.int64]:
    """Return the position of each of the bytes that begin at these places."""
    return np.array(places, dtype=np.int64).reshape(-1, 1) + np.arange(width)
