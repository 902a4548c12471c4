"""What a server says of itself to Prometheus."""

from tracelens.self_metrics.figures import FIGURES, Figure
from tracelens.self_metrics.page import SelfMetrics
from tracelens.self_metrics.readings import Observed

__all__ = ["FIGURES", "Figure", "Observed", "SelfMetrics"]
