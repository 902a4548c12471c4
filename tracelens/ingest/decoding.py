"""A group of requests of either signal, decoded: its spans in one batch, its metrics request by request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracelens.errors import InvalidRequestError
from tracelens.otlp.decode import decode_requests, span_count
from tracelens.otlp.metrics import DecodedMetrics, decode_metrics
from tracelens.otlp.signals import Signal

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from tracelens.otlp.requests import Request


@dataclass(frozen=True, slots=True)
class DecodedGroup:
    """Requests that can be stored.

    Attributes:
        traces: a row per trace request, as `otlp.decode.decode_requests` returns it.
        metrics: the metrics requests.
    """

    traces: pa.RecordBatch
    metrics: tuple[DecodedMetrics, ...] = ()

    def __len__(self) -> int:
        """Return how many requests it holds: those of traces come first."""
        return int(self.traces.num_rows) + len(self.metrics)

    @property
    def spans(self) -> int:
        """How many spans it holds."""
        return span_count(self.traces)

    @property
    def points(self) -> int:
        """How many data points it holds."""
        return sum(len(request.points) for request in self.metrics)

    def part(self, start: int, stop: int) -> DecodedGroup:
        """Return the requests from one position up to another."""
        rows = self.traces.num_rows
        first = min(start, rows)
        traces = self.traces.slice(first, min(stop, rows) - first)
        return DecodedGroup(traces, self.metrics[max(0, start - rows) : max(0, stop - rows)])


@dataclass(frozen=True, slots=True)
class Decoding:
    """What became of a group of requests.

    Attributes:
        group: those that can be stored.
        kept: the position of each of them in what was given.
        refused: position of every other to the reason, one clause.
    """

    group: DecodedGroup
    kept: tuple[int, ...]
    refused: dict[int, str]


def decode_group(requests: Sequence[Request]) -> Decoding:
    """Decode requests; a bad one does not touch the others."""
    traces = [position for position, request in enumerate(requests) if request.signal is Signal.TRACES]
    decoded = decode_requests([requests[position].body for position in traces])
    refused = {traces[position]: reason for position, reason in decoded.refused.items()}
    kept = [position for position in traces if position not in refused]
    metrics: list[DecodedMetrics] = []
    for position, request in enumerate(requests):
        if request.signal is Signal.METRICS:
            try:
                metrics.append(decode_metrics(request.body))
            except InvalidRequestError as error:
                refused[position] = str(error)
            else:
                kept.append(position)
    return Decoding(DecodedGroup(decoded.batch, tuple(metrics)), tuple(kept), refused)
