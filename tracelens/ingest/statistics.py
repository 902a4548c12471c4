"""What ingest counts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class IngestStatistics:
    """Counters since the start; only ever increased, each by one thread.

    Attributes:
        requests: acknowledged requests.
        spans: acknowledged spans, repeated requests apart.
        points: acknowledged data points of metrics, repeated requests apart.
        refused_points: data points that were left out of acknowledged requests, because they mean nothing.
        repeated_requests: those of the acknowledged that had been before, byte for byte.
        refused_requests: requests that can never succeed.
        duplicate_spans: acknowledged spans that the store already held.
        duplicate_points: acknowledged data points that the store already held.
        set_aside_requests: acknowledged requests that met a defect and were written to a file beside the journal.
    """

    requests: int = 0
    spans: int = 0
    points: int = 0
    refused_points: int = 0
    repeated_requests: int = 0
    refused_requests: int = 0
    duplicate_spans: int = 0
    duplicate_points: int = 0
    set_aside_requests: int = 0
