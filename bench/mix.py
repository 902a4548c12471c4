"""Traces without end, the same for the same seed, gathered into requests as the exporters of several processes do."""

from __future__ import annotations

import random
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status
from services import REPLICAS, SERVICES, Value, pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

SPANS_PER_REQUEST: Final = 512
"""What the SDKs' batch processors send at once."""

MS: Final = 1_000_000

_TRACES_PER_SECOND: Final = 1_000
_BETWEEN_SPANS_NS: Final = 40_000


@dataclass(slots=True)
class Trace:
    """One trace in the making.

    Args:
        rng: of everything random in it.
        start_ns: when its first span begins.
    """

    rng: random.Random
    start_ns: int
    trace_id: bytes = b""
    spans: list[tuple[str, int, Span]] = field(default_factory=list)
    _now_ns: int = 0
    _open: list[Span] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.trace_id = self.rng.randbytes(16)
        self._now_ns = self.start_ns

    @contextmanager
    def span(
        self, service: str, scope: int, name: str, kind: Span.SpanKind.ValueType, attributes: Mapping[str, Value]
    ) -> Iterator[Span]:
        """Add a span that lasts as long as what happens in the block; spans added there are its children."""
        span = Span(
            trace_id=self.trace_id,
            span_id=self.rng.randbytes(8),
            parent_span_id=self._open[-1].span_id if self._open else b"",
            flags=0x101,
            name=name,
            kind=kind,
            attributes=pairs(attributes),
            status=Status(),
        )
        self._now_ns += self.rng.randrange(_BETWEEN_SPANS_NS)
        span.start_time_unix_nano = self._now_ns
        self._open.append(span)
        yield span
        self._open.pop()
        self._now_ns += self.rng.randrange(_BETWEEN_SPANS_NS)
        span.end_time_unix_nano = self._now_ns
        # Exporters send a span when it has ended: children before their parents.
        self.spans.append((service, scope, span))

    def work(self, typical_ms: float, spread: float = 0.5) -> None:
        """Let time pass: log-normally distributed, as durations are; exactly so long where the spread is 0."""
        self._now_ns += round(typical_ms * 1e6 * (self.rng.lognormvariate(0, spread) if spread else 1))


@dataclass(slots=True)
class Mix:
    """Makes traces one after the other; each process's spans gather until they fill a request.

    Args:
        seed: of everything in the traces but their times.
        start_ns: when the first trace begins.
    """

    seed: int
    start_ns: int
    _rng: random.Random = field(init=False)
    _gathering: dict[tuple[str, int], list[tuple[int, Span]]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)

    def add(self, scenario: Callable[[Trace], None]) -> int:
        """Add one trace; return how many spans it has."""
        self.start_ns += round(self._rng.expovariate(_TRACES_PER_SECOND) * 1e9)
        trace = Trace(self._rng, self.start_ns)
        scenario(trace)
        replica = self._rng.randrange(REPLICAS)
        for service, scope, span in trace.spans:
            self._gathering[service, replica].append((scope, span))
        return len(trace.spans)

    def take(self, at_least: int) -> Iterator[bytes]:
        """Yield the requests of those processes that have gathered so many spans."""
        for (service, replica), spans in self._gathering.items():
            while len(spans) >= at_least:
                yield _request(service, replica, spans[:SPANS_PER_REQUEST])
                del spans[:SPANS_PER_REQUEST]

    def requests(self, scenarios: Mapping[Callable[[Trace], None], float]) -> Iterator[bytes]:
        """Yield serialised requests of `SPANS_PER_REQUEST` spans each, for ever.

        Args:
            scenarios: each with its share of the traces.
        """
        functions, shares = list(scenarios), list(scenarios.values())
        while True:
            self.add(self._rng.choices(functions, shares)[0])
            yield from self.take(SPANS_PER_REQUEST)

    def complete_requests(self, scenarios: Mapping[Callable[[Trace], None], float], spans: int) -> Iterator[bytes]:
        """Yield serialised requests with about so many spans in all, every span of every trace among them."""
        functions, shares = list(scenarios), list(scenarios.values())
        added = 0
        while added < spans:
            added += self.add(self._rng.choices(functions, shares)[0])
            yield from self.take(SPANS_PER_REQUEST)
        yield from self.take(1)


def _request(service: str, replica: int, spans: Sequence[tuple[int, Span]]) -> bytes:
    process = SERVICES[service][replica]
    by_scope: dict[int, list[Span]] = defaultdict(list)
    for scope, span in spans:
        by_scope[scope].append(span)
    scoped = [ScopeSpans(scope=process.scopes[scope], spans=group) for scope, group in by_scope.items()]
    return ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(resource=process.resource, scope_spans=scoped)]
    ).SerializeToString()
