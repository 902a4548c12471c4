"""What one append to the store did."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AppendResult:
    """How many spans one append stored and how many it already had; the same of metrics' data points."""

    stored: int
    duplicates: int
    points: int = 0
    duplicate_points: int = 0

    def __add__(self, other: AppendResult) -> AppendResult:
        return AppendResult(
            self.stored + other.stored,
            self.duplicates + other.duplicates,
            self.points + other.points,
            self.duplicate_points + other.duplicate_points,
        )
