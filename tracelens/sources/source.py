"""What can be asked for a report and for events, and a store of this process as such."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from tracelens.analysis import analyse
from tracelens.waivers import waive

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracelens.findings import Report
    from tracelens.model import Scope
    from tracelens.settings import Settings
    from tracelens.store.store import Store


class Source(Protocol):
    """Something that can be asked for a report and for escalation events."""

    def report(self, scope: Scope) -> Report:
        """Analyse the scope.

        Raises:
            TracelensError: see `analysis.analyse`, or the source cannot be reached.
        """
        ...

    def events(self, after: int) -> list[tuple[int, dict[str, Any]]]:
        """Return escalation events numbered above `after`, with their numbers, in order."""
        ...


class StoreSource:
    """A store that this process has open.

    Args:
        store: what is asked.
        settings: for the analysis.
        progress: told what is being done.
    """

    def __init__(self, store: Store, settings: Settings, progress: Callable[[str], None] | None = None) -> None:
        self._store = store
        self._settings = settings
        self._progress = progress

    def report(self, scope: Scope) -> Report:
        """Analyse the scope."""
        with self._store.reader() as reader:
            report = analyse(reader, self._settings, scope, self._on_pass)
        return waive(report, self._settings.waivers, datetime.now(UTC).date())

    def events(self, after: int) -> list[tuple[int, dict[str, Any]]]:
        """Return escalation events numbered above `after`."""
        from tracelens.escalation.outbox import events_after  # noqa: PLC0415  (a report needs nothing of escalation)

        with self._store.reader() as reader:
            return events_after(reader, after)

    def _on_pass(self, name: str) -> None:
        if self._progress:
            self._progress(f"analysing: {name}")
