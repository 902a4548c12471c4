"""What a receiver asks for with the header Retry-After."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def retry_after_s(header: str | None, longest_s: float = math.inf) -> float | None:
    """Return the seconds of a Retry-After header, which is a number of them or a date; None where it is neither.

    Args:
        header: its value, None where there is none.
        longest_s: what is asked beyond it counts as this.
    """
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            moment = parsedate_to_datetime(header)
        except ValueError:
            return None
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = (aware - datetime.now(UTC)).total_seconds()
    bounded = min(max(seconds, 0.0), longest_s)
    return bounded if math.isfinite(bounded) else None
