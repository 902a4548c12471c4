"""A group of requests of either signal, decoded as far as it takes to know that they can be stored.

Of most trace requests the compiled core says so, and reads them when they are stored. The others, and all where the
core is not there, are decoded to one Arrow batch; metrics are decoded request by request.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING

import pyarrow as pa

from tracelens.errors import InvalidRequestError
from tracelens.native.library import library, span_counts
from tracelens.otlp.decode import decode_requests, span_count
from tracelens.otlp.metrics import DecodedMetrics, decode_metrics
from tracelens.otlp.signals import Signal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracelens.otlp.requests import Request


@dataclass(frozen=True, slots=True)
class DecodedGroup:
    """Requests that can be stored, in the order: plain, decoded, metrics.

    Attributes:
        plain: serialised trace requests that the compiled core reads.
        plain_spans: how many spans each of them holds.
        decoded: the other trace requests, a row each, as `otlp.decode.decode_requests` returns it.
        metrics: the metrics requests.
    """

    plain: tuple[bytes, ...]
    plain_spans: tuple[int, ...]
    decoded: pa.RecordBatch
    metrics: tuple[DecodedMetrics, ...]

    @classmethod
    def joined(cls, groups: Sequence[DecodedGroup]) -> DecodedGroup:
        """Return the requests of several groups as one, in that order again."""
        decoded = [group.decoded for group in groups if group.decoded.num_rows]
        return cls(
            plain=tuple(chain.from_iterable(group.plain for group in groups)),
            plain_spans=tuple(chain.from_iterable(group.plain_spans for group in groups)),
            decoded=pa.concat_batches(decoded) if decoded else _nothing_decoded(),
            metrics=tuple(chain.from_iterable(group.metrics for group in groups)),
        )

    def __len__(self) -> int:
        """Return how many requests it holds."""
        return sum(self.sizes)

    @property
    def sizes(self) -> tuple[int, int, int]:
        """How many requests are plain, decoded, metrics."""
        return len(self.plain), int(self.decoded.num_rows), len(self.metrics)

    @property
    def spans(self) -> int:
        """How many spans it holds."""
        return sum(self.plain_spans) + (span_count(self.decoded) if self.decoded.num_rows else 0)

    @property
    def decoded_bytes(self) -> int:
        """Memory of what is decoded, beside the serialised requests."""
        return int(self.decoded.nbytes) if self.decoded.num_rows else 0  # Arrow takes a while to count nothing

    @property
    def points(self) -> int:
        """How many data points it holds."""
        return sum(len(request.points) for request in self.metrics)

    def part(self, start: int, stop: int) -> DecodedGroup:
        """Return the requests from one position up to another."""
        plain, decoded, _ = self.sizes
        first = min(max(0, start - plain), decoded)
        last = min(max(0, stop - plain), decoded)
        before = plain + decoded
        return DecodedGroup(
            plain=self.plain[start:stop],
            plain_spans=self.plain_spans[start:stop],
            decoded=self.decoded.slice(first, last - first),
            metrics=self.metrics[max(0, start - before) : max(0, stop - before)],
        )


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
    core = library()
    counts = [-1] * len(traces)
    if core is not None:
        counts = span_counts(core, [requests[position].body for position in traces]).tolist()
    spans = {position: count for position, count in zip(traces, counts, strict=True) if count >= 0}
    others = [position for position in traces if position not in spans]
    decoded = decode_requests([requests[position].body for position in others]) if others else None
    refused = {others[position]: reason for position, reason in decoded.refused.items()} if decoded else {}
    metrics: list[DecodedMetrics] = []
    with_metrics: list[int] = []
    for position, request in enumerate(requests):
        if request.signal is Signal.METRICS:
            try:
                metrics.append(decode_metrics(request.body))
            except InvalidRequestError as error:
                refused[position] = str(error)
            else:
                with_metrics.append(position)
    group = DecodedGroup(
        plain=tuple(requests[position].body for position in spans),
        plain_spans=tuple(spans.values()),
        decoded=decoded.batch if decoded else _nothing_decoded(),
        metrics=tuple(metrics),
    )
    readable = (position for position in others if position not in refused)
    return Decoding(group, (*spans, *readable, *with_metrics), refused)


@cache
def _nothing_decoded() -> pa.RecordBatch:
    return decode_requests([]).batch
