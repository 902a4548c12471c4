"""GET /metrics: every figure as OpenMetrics or Prometheus text."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from tracelens.receiver.statistics import ANSWER_BOUNDS_S, AnswerTimes
from tracelens.self_metrics.figures import FIGURES, Figure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric

    from tracelens.self_metrics.readings import Observed


class SelfMetrics:
    """The metrics of one server, in a registry of their own.

    Args:
        observed: where the figures come from.
    """

    def __init__(self, observed: Observed) -> None:
        self._observed = observed
        self._registry: CollectorRegistry | None = None

    def page(self, accepted: str) -> tuple[bytes, str]:
        """Return the page and its media type: OpenMetrics, or Prometheus' own text, as the Accept header prefers.

        Asks the store, so it may block for a moment.
        """
        # Loaded when somebody asks: a server that nobody scrapes does without.
        from prometheus_client import CollectorRegistry, ProcessCollector  # noqa: PLC0415
        from prometheus_client.exposition import choose_encoder  # noqa: PLC0415

        if self._registry is None:
            registry = CollectorRegistry()
            registry.register(self)
            ProcessCollector(registry=registry)
            self._registry = registry
        encode, media_type = choose_encoder(accepted)
        return encode(self._registry), media_type

    def collect(self) -> Iterator[Metric]:
        """Yield every metric with its values now, as a registry asks of a collector."""
        return (_family(figure, self._observed) for figure in FIGURES)

    def describe(self) -> Iterable[Metric]:
        """Return nothing: a registry would otherwise collect everything to learn the names."""
        return ()


def _family(figure: Figure, observed: Observed) -> Metric:
    from prometheus_client.metrics_core import (  # noqa: PLC0415
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )

    if figure.kind == "histogram":
        histogram = HistogramMetricFamily(figure.family_name, figure.help, labels=figure.labels)
        bounds = [*map(str, ANSWER_BOUNDS_S), "+Inf"]
        for labels, times in figure.read(observed):
            if isinstance(times, AnswerTimes):
                histogram.add_metric(labels, list(zip(bounds, accumulate(times.counts), strict=True)), times.total_s)
        return histogram
    kind = CounterMetricFamily if figure.kind == "counter" else GaugeMetricFamily
    family = kind(figure.family_name, figure.help, labels=figure.labels)
    for labels, value in figure.read(observed):
        if not isinstance(value, AnswerTimes):
            family.add_metric(labels, value)
    return family
