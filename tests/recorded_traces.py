"""Recordings from sample_traces/, and what is done to them to show what nobody recorded: each is one small change."""

from __future__ import annotations

import gzip
import hashlib
import io
from collections import defaultdict
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.proto import parse_length_prefixed
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

import tracelens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    from tracelens.findings import Finding, Report

SAMPLES: Final = Path(__file__).resolve().parents[1] / "sample_traces"


class Recording:
    """The spans of one recording, all in one message; every change returns a new recording."""

    def __init__(self, message: ExportTraceServiceRequest) -> None:
        self.message = message

    @classmethod
    def of(cls, name: str) -> Recording:
        """Read `sample_traces/<name>.otlp.pb.gz`."""
        message = ExportTraceServiceRequest()
        content = io.BytesIO(gzip.decompress((SAMPLES / f"{name}.otlp.pb.gz").read_bytes()))
        while (request := parse_length_prefixed(ExportTraceServiceRequest, content)) is not None:
            message.MergeFrom(request)
        return cls(message)

    def spans(self) -> Iterator[Span]:
        """Return every span, as it is in the message."""
        for resource in self.message.resource_spans:
            for scope in resource.scope_spans:
                yield from scope.spans

    def changed(self, change: Callable[[Span], None]) -> Recording:
        """Return the recording with a change made to each span."""
        copy = self._copy()
        for span in copy.spans():
            change(span)
        return copy

    def only(self, keeps: Callable[[Span], bool]) -> Recording:
        """Return the recording without the spans that are not kept."""
        copy = self._copy()
        for resource in copy.message.resource_spans:
            for scope in resource.scope_spans:
                kept = [span for span in scope.spans if keeps(span)]
                del scope.spans[:]
                scope.spans.extend(kept)
        return copy

    def sampled(self, weight: int) -> Recording:
        """Return what a sampler that keeps one trace in `weight` writes into the trace state of those it keeps."""
        return self.changed(lambda span: setattr(span, "trace_state", trace_state(weight)))

    def times(self, count: int) -> Recording:
        """Return the recording this many times over: the same requests, under new ids."""
        message = ExportTraceServiceRequest()
        for number in range(count):
            message.MergeFrom(self.changed(lambda span, number=number: _rename(span, number)).message)  # type: ignore[misc]
        return Recording(message)

    def named(self, prefix: str, number: int) -> Recording:
        """Return the recording with services named `<prefix>/<service>`, under ids of its own."""
        copy = self.changed(lambda span: _rename(span, number))
        for resource in copy.message.resource_spans:
            for entry in resource.resource.attributes:
                if entry.key == "service.name":
                    entry.value.string_value = f"{prefix}/{entry.value.string_value}"
        return copy

    def __add__(self, other: Recording) -> Recording:
        message = self._copy().message
        message.MergeFrom(other.message)
        return Recording(message)

    def report(self) -> Report:
        """Return the analysis."""
        return tracelens.analyze(self.message.SerializeToString())

    def findings(self) -> tuple[Finding, ...]:
        """Return the findings of the analysis."""
        return self.report().findings

    def pruned(self, *group_by: str, minimum: int = 5) -> Recording:
        """Return what the Collector's span pruning processor makes of the recording.

        As its documentation says: leaf spans of one name, status and parent's name, and with equal values of the
        attributes that match `group_by`, become one summary from the first start to the last end, with the
        attributes of the longest. Their parents follow where all their children went and there are two or more.
        """
        copy = self._copy()
        by_trace: dict[bytes, list[Span]] = defaultdict(list)
        for span in copy.spans():
            by_trace[span.trace_id].append(span)
        gone: set[tuple[bytes, bytes]] = set()
        for spans in by_trace.values():
            gone |= _prune(spans, group_by, minimum)
        return copy.only(lambda span: (span.trace_id, span.span_id) not in gone)

    def _copy(self) -> Recording:
        message = ExportTraceServiceRequest()
        message.CopyFrom(self.message)
        return Recording(message)


def trace_state(weight: int) -> str:
    """Return the trace state of a trace that stands for `weight` traces."""
    rejected = (1 << 56) - round((1 << 56) / weight)
    return f"ot=th:{rejected:014x}".rstrip("0") if rejected else "ot=th:0"


def attribute(span: Span, *names: str) -> Any:
    """Return the value of the first attribute that the span has; None where it has none of them."""
    for name in names:
        for entry in span.attributes:
            if entry.key == name:
                return getattr(entry.value, entry.value.WhichOneof("value") or "string_value")
    return None


def set_attributes(span: Span, **values: str | int) -> None:
    """Set attributes, whose names are given with `__` for each dot."""
    for name, value in values.items():
        key = name.replace("__", ".")
        for entry in [entry for entry in span.attributes if entry.key == key]:
            span.attributes.remove(entry)
        span.attributes.append(KeyValue(key=key, value=_any_value(value)))


def _any_value(value: str | int) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    return AnyValue(int_value=value) if isinstance(value, int) else AnyValue(string_value=value)


def _rename(span: Span, number: int) -> None:
    if number:
        span.trace_id = _other_id(span.trace_id, number)
        span.span_id = _other_id(span.span_id, number)
        span.parent_span_id = _other_id(span.parent_span_id, number)
        for link in span.links:
            link.trace_id = _other_id(link.trace_id, number)
            link.span_id = _other_id(link.span_id, number)


def _other_id(identity: bytes, number: int) -> bytes:
    return identity and hashlib.blake2b(identity + number.to_bytes(2), digest_size=len(identity)).digest()


def _duration(span: Span) -> int:
    return span.end_time_unix_nano - span.start_time_unix_nano


def _prune(spans: list[Span], group_by: tuple[str, ...], minimum: int) -> set[tuple[bytes, bytes]]:
    """Turn one span of each group into its summary and return the ids of the others."""
    by_id = {span.span_id: span for span in spans}
    children: dict[bytes, list[Span]] = defaultdict(list)
    for span in spans:
        children[span.parent_span_id].append(span)

    def group_key(span: Span) -> tuple[object, ...]:
        parent = by_id.get(span.parent_span_id)
        values = sorted(
            (entry.key, entry.value.SerializeToString())
            for entry in span.attributes
            if any(fnmatch(entry.key, pattern) for pattern in group_by)
        )
        return (span.name, span.status.code, parent.name if parent else None, *values)

    leaves = [span for span in spans if not children[span.span_id] and span.parent_span_id in by_id]
    groups = [group for group in _grouped(leaves, group_key) if len(group) >= minimum]
    folded = {span.span_id for group in groups for span in group}
    parents = [
        span
        for span in spans
        if span.parent_span_id in by_id
        and children[span.span_id]
        and all(child.span_id in folded for child in children[span.span_id])
    ]
    groups += [group for group in _grouped(parents, lambda span: (span.name, span.status.code)) if len(group) > 1]
    kept_for = {span.span_id: group[0].span_id for group in groups for span in group}
    for group in groups:
        _summarise(group, kept_for)
    return {(span.trace_id, span.span_id) for group in groups for span in group[1:]}


def _grouped(spans: list[Span], key: Callable[[Span], tuple[object, ...]]) -> list[list[Span]]:
    groups: dict[tuple[object, ...], list[Span]] = defaultdict(list)
    for span in sorted(spans, key=lambda span: span.start_time_unix_nano):
        groups[key(span)].append(span)
    return list(groups.values())


def _summarise(group: list[Span], kept_for: dict[bytes, bytes]) -> None:
    summary, longest = group[0], max(group, key=_duration)
    durations = [_duration(span) for span in group]
    start = min(span.start_time_unix_nano for span in group)
    end = max(span.end_time_unix_nano for span in group)
    attributes = list(longest.attributes)
    summary.start_time_unix_nano, summary.end_time_unix_nano = start, end
    summary.parent_span_id = kept_for.get(summary.parent_span_id, summary.parent_span_id)
    del summary.attributes[:]
    summary.attributes.extend(attributes)
    set_attributes(
        summary,
        aggregation__is_summary=True,
        aggregation__span_count=len(group),
        aggregation__duration_min_ns=min(durations),
        aggregation__duration_max_ns=max(durations),
        aggregation__duration_avg_ns=sum(durations) // len(group),
        aggregation__duration_total_ns=sum(durations),
    )
