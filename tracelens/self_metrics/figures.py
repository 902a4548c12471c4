"""The list of a server's metrics: the page is made from it, and docs/metrics.md."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import tracelens
from tracelens.self_metrics import readings

if TYPE_CHECKING:
    from tracelens.self_metrics.readings import Read

_PREFIX: Final = "tracelens_"


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric.

    Attributes:
        name: without the prefix, and without the `_total` that a counter's samples carry.
        kind: counter, gauge or histogram.
        help: what it counts.
        labels: names of its labels.
        read: returns its values now.
    """

    name: str
    kind: str
    help: str
    labels: tuple[str, ...]
    read: Read

    @property
    def family_name(self) -> str:
        """The name with the prefix."""
        return _PREFIX + self.name

    @property
    def sample_name(self) -> str:
        """The name under which Prometheus finds it."""
        return self.family_name + ("_total" if self.kind == "counter" else "")


def _figure(kind: str, name: str, text: str, read: Read, *labels: str) -> Figure:
    return Figure(name, kind, text, labels, read)


_OF_REQUEST: Final = ("transport", "signal", "outcome")

FIGURES: Final = (
    _figure(
        "gauge",
        "build_info",
        "Always 1; its labels say what runs.",
        lambda _: [((tracelens.__version__, platform.python_version()), 1)],
        *("version", "python"),
    ),
    _figure(
        "counter", "receiver_requests", "OTLP requests answered; outcome is the code.", readings.requests, *_OF_REQUEST
    ),
    _figure(
        "counter",
        "receiver_request_bytes",
        "Bytes of their bodies, decompressed.",
        readings.request_bytes,
        *_OF_REQUEST,
    ),
    _figure(
        "histogram",
        "receiver_answer_seconds",
        "How long senders waited for success, from their whole request to the answer.",
        readings.answer_times,
        "transport",
    ),
    _figure(
        "counter",
        "ingest_spans",
        "Spans acknowledged, repeated requests apart.",
        readings.one(lambda seen: seen.ingest.statistics.spans),
    ),
    _figure(
        "counter",
        "ingest_duplicate_spans",
        "Acknowledged spans that the store already held.",
        readings.one(lambda seen: seen.ingest.statistics.duplicate_spans),
    ),
    _figure(
        "counter",
        "ingest_points",
        "Data points of metrics acknowledged, repeated requests apart.",
        readings.one(lambda seen: seen.ingest.statistics.points),
    ),
    _figure(
        "counter",
        "ingest_duplicate_points",
        "Acknowledged data points that the store already held.",
        readings.one(lambda seen: seen.ingest.statistics.duplicate_points),
    ),
    _figure(
        "counter",
        "ingest_refused_points",
        "Data points of acknowledged requests that are not kept, because they mean nothing.",
        readings.one(lambda seen: seen.ingest.statistics.refused_points),
    ),
    _figure(
        "counter",
        "ingest_repeated_requests",
        "Requests that came again byte for byte.",
        readings.one(lambda seen: seen.ingest.statistics.repeated_requests),
    ),
    _figure(
        "counter",
        "ingest_refused_requests",
        "Requests that did not decode.",
        readings.one(lambda seen: seen.ingest.statistics.refused_requests),
    ),
    _figure(
        "counter",
        "ingest_set_aside_requests",
        "Acknowledged requests that met a defect and were set aside in a file.",
        readings.one(lambda seen: seen.ingest.statistics.set_aside_requests),
    ),
    _figure(
        "gauge",
        "ingest_pending_bytes",
        "Bytes that wait for the journal or the store; receiver.max_pending_bytes is their limit.",
        readings.one(lambda seen: seen.ingest.pending_bytes),
    ),
    _figure(
        "gauge",
        "ingest_waiting_spans",
        "Acknowledged spans that the store does not have yet.",
        readings.one(lambda seen: seen.ingest.waiting_spans),
    ),
    _figure(
        "gauge",
        "ingest_lag_seconds",
        "How long the oldest of them has been waiting.",
        readings.one(lambda seen: seen.ingest.lag_s),
    ),
    _figure(
        "gauge",
        "ingest_healthy",
        "1 while journal and store can be written, else 0.",
        readings.one(lambda seen: seen.ingest.failure is None),
    ),
    _figure("gauge", "journal_bytes", "Size of the journal.", readings.one(lambda seen: sum(readings.segments(seen)))),
    _figure("gauge", "journal_segments", "Its files.", readings.one(lambda seen: len(readings.segments(seen)))),
    _figure(
        "gauge",
        "journal_unapplied_requests",
        "Requests in the journal that the store does not have yet.",
        readings.one(lambda seen: max(0, seen.journal.last_sequence - seen.store.applied_sequence)),
    ),
    _figure(
        "gauge", "store_bytes", "Size of the store's file and its write-ahead log.", readings.one(readings.store_bytes)
    ),
    _figure("gauge", "store_spans", "Spans in the store, as DuckDB estimates them.", readings.store_spans),
    _figure(
        "counter",
        "store_expired_spans",
        "Spans that were let go of, by store.keep_s and store.max_size.",
        readings.one(lambda seen: seen.housekeeper.expired_spans),
    ),
    _figure(
        "counter",
        "analyses",
        "Analyses of what was received lately.",
        readings.one(lambda seen: seen.watch.judgements),
    ),
    _figure(
        "counter",
        "analysis_seconds",
        "Time that they took.",
        readings.one(lambda seen: seen.watch.judging_s),
    ),
    _figure(
        "gauge",
        "findings",
        "Findings of the last of them.",
        lambda seen: dict(seen.watch.findings).items(),
        *("pass", "severity"),
    ),
    _figure(
        "counter",
        "escalation_events",
        "Escalation events recorded.",
        lambda seen: dict(seen.watch.events).items(),
        *("rule", "state"),
    ),
    _figure(
        "counter",
        "notifier_deliveries",
        "Events delivered, attempts that failed and are repeated, events refused for good.",
        readings.deliveries,
        *("notifier", "outcome"),
    ),
    _figure(
        "gauge",
        "forward_up",
        "1 while the next hop takes requests, else 0.",
        readings.forwarder(lambda forwarder: forwarder.failing is None),
    ),
    _figure(
        "gauge",
        "forward_queue_requests",
        "Requests that the next hop does not have yet.",
        readings.forwarder(lambda forwarder: forwarder.queued_requests),
    ),
    _figure(
        "gauge",
        "forward_queue_bytes",
        "Their size; forward.max_queue_bytes is its limit.",
        readings.forwarder(lambda forwarder: forwarder.queued_bytes),
    ),
    _figure(
        "counter",
        "forward_sent_requests",
        "Requests that the next hop took.",
        readings.forwarded(lambda statistics: statistics.sent),
        "signal",
    ),
    _figure(
        "counter",
        "forward_sent_bytes",
        "Their bytes before compression.",
        readings.forwarded(lambda statistics: statistics.sent_bytes),
        "signal",
    ),
    _figure(
        "counter",
        "forward_failed_attempts",
        "Attempts that failed and are repeated.",
        readings.forwarded(lambda statistics: statistics.failed),
        "signal",
    ),
    _figure(
        "counter",
        "forward_refused_requests",
        "Requests that the next hop refused for good.",
        readings.forwarded(lambda statistics: statistics.refused),
        "signal",
    ),
    _figure(
        "counter",
        "forward_rejected_records",
        "Records that the next hop rejected of requests that it took.",
        readings.forwarded(lambda statistics: statistics.rejected),
        "signal",
    ),
    _figure(
        "counter",
        "forward_dropped_requests",
        "Requests that were not passed on: reason is queue_full, expired, damaged (on disk) or defect.",
        readings.dropped,
        *("signal", "reason"),
    ),
)
