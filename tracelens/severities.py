"""How bad things can be, on the one scale that everything uses. Apart, so that naming them loads nothing."""

from __future__ import annotations

from typing import Final

SEVERITIES: Final = ("info", "warning", "critical")
"""From the mildest to the worst; a severity's rank is its index."""

FINDING_SEVERITIES: Final = (*SEVERITIES, "never")
"""From which severity on findings count: `--fail-on` and `escalation.finding_severity`."""
