"""Prints each event as one line of JSON on standard output.

This is what `tracelens serve` does where no notifier is configured. Once nobody reads the output any more, events are
given up here; they stay in the store, where `tracelens events` shows them.
"""

from __future__ import annotations

import errno
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tracelens.errors import DeliveryError
from tracelens.escalation.events import event_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracelens.escalation.wording import Event
    from tracelens.settings.notifying import NotifierSettings

EXAMPLE: Final = """\
[[notifiers]]
name = "console"
kind = "stdout"
min_severity = "warning"
"""

_ONE_AT_A_TIME: Final = threading.Lock()


@dataclass(frozen=True, slots=True)
class Options:
    """It needs nothing."""


class Channel:
    """Writes lines whole, whoever else writes."""

    def __init__(self, notifier: NotifierSettings, _options: Options) -> None:
        self._name = notifier.name

    @property
    def target(self) -> str:
        """Where it delivers to."""
        return "standard output"

    def check(self) -> None:
        """Check nothing: what reads the output may come and go."""

    def deliver(self, events: Sequence[Event]) -> None:
        """Write the events.

        Raises:
            DeliveryError: they cannot be written.
        """
        lines = "".join(event_line(event) + "\n" for event in events)
        try:
            with _ONE_AT_A_TIME:
                _write(lines.encode("utf-8", "backslashreplace"))
        except (OSError, ValueError, AttributeError) as error:
            gone = not isinstance(error, OSError) or error.errno in {errno.EPIPE, errno.EBADF}
            reason = "nobody reads it" if gone else error.strerror  # type: ignore[union-attr]  # an OSError else
            raise DeliveryError(
                f"notifier {self._name}: standard output cannot be written: {reason}; see `tracelens events`",
                is_final=gone,
            ) from error


def _write(data: bytes) -> None:
    """Write past the buffer: what stays in it after a failure would fail again when the interpreter ends."""
    sys.stdout.flush()
    buffer: Any = sys.stdout.buffer
    raw = getattr(buffer, "raw", buffer)
    view = memoryview(data)
    while view:
        view = view[raw.write(view) or 0 :]
