"""A request and what it carries, and how the two lie in one record of the journal."""

from __future__ import annotations

from typing import Final, NamedTuple

from tracelens.otlp.signals import Signal

_METRICS_MARK: Final = b"\x01"
"""Before a metrics request in a journal record. No trace request begins so: it would be a field numbered 0, which every
reader of protobuf refuses. So the records of journals from before metrics were kept mean what they always meant."""


class Request(NamedTuple):
    """A serialised export request of one signal: an `ExportTraceServiceRequest` or an `ExportMetricsServiceRequest`."""

    signal: Signal
    body: bytes

    def record(self) -> bytes:
        """Return the request as the payload of a journal record."""
        return _METRICS_MARK + self.body if self.signal is Signal.METRICS else self.body


def request_of_record(payload: bytes) -> Request:
    """Return the request that a journal record holds."""
    if payload.startswith(_METRICS_MARK):
        return Request(Signal.METRICS, payload[len(_METRICS_MARK) :])
    return Request(Signal.TRACES, payload)
