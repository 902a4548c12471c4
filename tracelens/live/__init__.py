"""Live analysis: the report of a window that moves, at the cost of what is new in it."""

from tracelens.live.analysis import LiveAnalysis

__all__ = ["LiveAnalysis"]
