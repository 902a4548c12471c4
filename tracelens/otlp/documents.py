"""JSON documents to requests, whichever of the JSON formats a document is in.

OTLP        {"resourceSpans": […]} and {"resourceMetrics": […]}; also {"batches": […]} and {"trace": {…}} as Grafana
            Tempo answers, and {"result": {…}} as Jaeger's newer API does
Jaeger      {"data": [trace, …]}, a trace {"spans": […], "processes": {…}}, a span {"traceID", "operationName"}
Zipkin      a span {"traceId", "id"}
and lists of all these, and lists of lists.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from tracelens.errors import InvalidRequestError
from tracelens.otlp.jaeger import request_from_trace
from tracelens.otlp.json import request_from_document
from tracelens.otlp.json_values import Fault, JsonValue, elements
from tracelens.otlp.metrics_json import metrics_request_from_document
from tracelens.otlp.requests import Request
from tracelens.otlp.signals import Signal
from tracelens.otlp.zipkin import requests_from_spans

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracelens.otlp.json_messages import OnBadRecord


class Kind(Enum):
    """What a JSON document is, as far as its outer members say."""

    OTLP = auto()
    OTLP_METRICS = auto()
    TEMPO_BATCHES = auto()
    WRAPPED = auto()
    JAEGER_TRACES = auto()
    JAEGER_TRACE = auto()
    JAEGER_SPAN = auto()
    ZIPKIN_SPAN = auto()
    OTHER_SIGNAL = auto()
    LIST = auto()
    NO_TRACE_DATA = auto()


_OTHER_SIGNALS: Final = frozenset(
    {
        *("resourceLogs", "resourceProfiles"),
        *("resource_logs", "resource_profiles"),
    }
)
_WRAPPERS: Final = ("trace", "result")
_OTLP: Final = {
    Signal.TRACES: ("resourceSpans", request_from_document),
    Signal.METRICS: ("resourceMetrics", metrics_request_from_document),
}
"""The member that holds a signal's resources, and what reads a document of it."""
_MAX_DEPTH: Final = 4
"""Lists and wrappers around what holds spans."""


def kind_of(document: JsonValue, depth: int = 0) -> Kind:
    """Return what the document is. A list is what its first element is, or an empty answer."""
    if depth > _MAX_DEPTH:
        return Kind.NO_TRACE_DATA
    if isinstance(document, list):
        first = next((element for element in document if element is not None), None)
        is_traces = first is None or kind_of(first, depth + 1) is not Kind.NO_TRACE_DATA
        return Kind.LIST if is_traces else Kind.NO_TRACE_DATA
    return _kind_of_object(document, depth) if isinstance(document, dict) else Kind.NO_TRACE_DATA


def requests_from_json_document(document: JsonValue, on_bad: OnBadRecord, depth: int = 0) -> Iterator[Request]:
    """Yield a document's spans and metrics as serialised requests; for another signal, none.

    Args:
        document: parsed JSON.
        on_bad: told of each part that cannot be read: its place and what is wrong. The rest is kept.
        depth: how many lists and wrappers the document is in already.
    """
    try:
        yield from (request for request in _requests(document, on_bad, depth) if request.body)
    except (Fault, InvalidRequestError) as error:
        on_bad(str(error))


def _kind_of_object(document: dict[str, JsonValue], depth: int) -> Kind:
    kind = Kind.NO_TRACE_DATA
    if not document or not document.keys().isdisjoint(("resourceSpans", "resource_spans")):
        kind = Kind.OTLP
    elif not document.keys().isdisjoint(("resourceMetrics", "resource_metrics")):
        kind = Kind.OTLP_METRICS
    elif not _OTHER_SIGNALS.isdisjoint(document):
        kind = Kind.OTHER_SIGNAL
    elif isinstance(batches := document.get("batches"), list):
        is_tempo = all(isinstance(batch, dict) and "resource" in batch for batch in batches)
        kind = Kind.TEMPO_BATCHES if is_tempo else kind
    elif isinstance(document.get("spans"), list) and not document.keys().isdisjoint(("processes", "traceID")):
        kind = Kind.JAEGER_TRACE
    elif "data" in document:
        traces = document["data"]
        is_jaeger = traces is None or (isinstance(traces, list) and all(_is_jaeger_trace(trace) for trace in traces))
        kind = Kind.JAEGER_TRACES if is_jaeger else kind
    elif "traceID" in document and "operationName" in document:
        kind = Kind.JAEGER_SPAN
    elif "traceId" in document and "id" in document:
        kind = Kind.ZIPKIN_SPAN
    elif any(kind_of(document.get(name), depth + 1) is Kind.OTLP for name in _WRAPPERS):
        kind = Kind.WRAPPED
    return kind


def _is_jaeger_trace(trace: JsonValue) -> bool:
    return isinstance(trace, dict) and "spans" in trace


def _requests(document: JsonValue, on_bad: OnBadRecord, depth: int) -> Iterator[Request]:
    kind = kind_of(document, depth)
    if isinstance(document, list) and kind is Kind.LIST:
        yield from _requests_of_list(document, on_bad, depth)
    elif isinstance(document, dict) and kind is not Kind.NO_TRACE_DATA:
        yield from _requests_of_object(document, kind, on_bad, depth)
    else:
        on_bad("it is no trace data")


def _requests_of_object(
    document: dict[str, JsonValue], kind: Kind, on_bad: OnBadRecord, depth: int
) -> Iterator[Request]:
    match kind:
        case Kind.OTLP:
            yield from _otlp_requests(document, Signal.TRACES, on_bad)
        case Kind.OTLP_METRICS:
            yield from _otlp_requests(document, Signal.METRICS, on_bad)
        case Kind.TEMPO_BATCHES:
            yield from _otlp_requests({"resourceSpans": document["batches"]}, Signal.TRACES, on_bad)
        case Kind.WRAPPED:
            for name in filter(document.__contains__, _WRAPPERS):
                yield from requests_from_json_document(document[name], on_bad, depth + 1)
        case Kind.JAEGER_TRACES:
            yield from _requests_of_list(elements(document["data"] or []), on_bad, depth)
        case Kind.JAEGER_TRACE:
            yield Request(Signal.TRACES, request_from_trace(document, on_bad))
        case Kind.JAEGER_SPAN | Kind.ZIPKIN_SPAN:
            yield from _requests_of_list([document], on_bad, depth)


def _requests_of_list(documents: list[JsonValue], on_bad: OnBadRecord, depth: int) -> Iterator[Request]:
    """Read spans that stand in one list together: each may be needed to understand the others."""
    kinds = {kind_of(document, depth + 1) for document in documents if document is not None}
    if Kind.ZIPKIN_SPAN in kinds:
        yield from (Request(Signal.TRACES, body) for body in requests_from_spans(documents, on_bad))
    elif Kind.JAEGER_SPAN in kinds:
        yield Request(Signal.TRACES, request_from_trace({"spans": documents}, on_bad))
    else:
        for position, document in enumerate(documents):
            if document is not None:
                yield from requests_from_json_document(document, _within(position, on_bad), depth + 1)


def _within(position: int, on_bad: OnBadRecord) -> OnBadRecord:
    return lambda place: on_bad(f"[{position}]: {place}")


def _otlp_requests(document: dict[str, JsonValue], signal: Signal, on_bad: OnBadRecord) -> Iterator[Request]:
    """Read an OTLP document as one request; where that fails, each of its resources by itself."""
    bad_records: list[str] = []
    member, read = _OTLP[signal]
    try:
        body = read(document, bad_records.append)
    except InvalidRequestError as error:
        resources = document.get(member)
        if not isinstance(resources, list) or len(resources) < 2:  # noqa: PLR2004  (nothing to separate)
            on_bad(str(error))
            return
        for alone in resources:
            yield from _otlp_requests({member: [alone]}, signal, on_bad)
    else:
        for place in bad_records:
            on_bad(place)
        yield Request(signal, body)
