"""What the escalation did since the process started."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class DeliveryStatistics:
    """Deliveries of one notifier: events taken, attempts that failed, events refused for good."""

    delivered: int = 0
    failed: int = 0
    refused: int = 0


@dataclass(slots=True)
class WatchStatistics:
    """What the watch did.

    Attributes:
        judgements: how often it judged.
        judging_s: how long that took altogether.
        events: recorded events, by rule and state.
        findings: of the last judgement, by pass and severity.
    """

    judgements: int = 0
    judging_s: float = 0.0
    events: Counter[tuple[str, str]] = field(default_factory=Counter)
    findings: Counter[tuple[str, str]] = field(default_factory=Counter)
