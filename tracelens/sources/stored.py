"""A store to ask: its file, or the server that holds it."""

from __future__ import annotations

import logging
import os
import time
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from tracelens.errors import StoreBusyError, StoreError
from tracelens.ingest import recover_journal
from tracelens.report.json_reader import report_from_dict
from tracelens.sources.server_address import ask, running_server
from tracelens.sources.source import StoreSource
from tracelens.store.database import StoreLimits
from tracelens.store.store import Store
from tracelens.waivers import waive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tracelens.findings import Report
    from tracelens.model import Scope
    from tracelens.settings import Settings
    from tracelens.sources.server_address import ServerAddress
    from tracelens.sources.source import Source

_log = logging.getLogger(__name__)

# Another command has the store only as long as its report takes; a server that starts is soon to be asked.
_BUSY_WAIT_S: Final = 3.0
_BUSY_PAUSE_S: Final = 0.05


class ServerSource:
    """A running `tracelens serve`, asked over its UI port."""

    def __init__(
        self, address: ServerAddress, settings: Settings, progress: Callable[[str], None] | None = None
    ) -> None:
        self._address = address
        self._settings = settings
        self._progress = progress

    def report(self, scope: Scope) -> Report:
        """Have the server analyse the scope, with this process's thresholds, objectives and databases."""
        if self._progress:
            self._progress(f"the server at {self._address.ui} is analysing")
        settings = {
            "thresholds": self._settings.thresholds,
            "objectives": [asdict(objective) for objective in self._settings.objectives],
            "databases": asdict(self._settings.databases),
        }
        answer = ask(self._address.ui, "/api/report", {"scope": asdict(scope), "settings": settings})
        return waive(report_from_dict(answer), self._settings.waivers, datetime.now(UTC).date())

    def events(self, after: int) -> list[tuple[int, dict[str, Any]]]:
        """Return escalation events numbered above `after`."""
        answer = ask(self._address.ui, f"/api/events?after={after}")
        return [(entry["number"], entry["event"]) for entry in answer["events"]]


def open_store(db: Path, settings: Settings) -> Store:
    """Open the store's file to write, and make it where there is none. Waits a moment for a command that has it.

    Raises:
        StoreBusyError: a server or another command holds it; the text says which server.
        StoreError: it cannot be opened or made.
    """
    # DuckDB keeps its write-ahead log beside the name it is given, so that must always be the file's own.
    found = db.resolve()
    try:
        found.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"{db}: its folder cannot be made: {error.strerror}; make it yourself, or choose another store with --db"
        ) from error
    if not os.access(found if found.exists() else found.parent, os.W_OK) or not os.access(found.parent, os.W_OK):
        raise StoreError(
            f"{db}: no permission to write it or its folder; run as its owner, or choose another store with --db"
        )
    end = time.monotonic() + _BUSY_WAIT_S
    while True:
        try:
            return Store(found, StoreLimits(memory=settings.store.memory_limit))
        except StoreBusyError as error:
            server = running_server(db)
            if server is not None:
                raise StoreBusyError(
                    f"{db}: `tracelens serve` (process {server.pid}, {server.ui}) holds this store; "
                    "stop it or choose another with --db"
                ) from error
            if time.monotonic() > end:
                raise
        time.sleep(_BUSY_PAUSE_S)


@contextmanager
def open_source(db: Path, settings: Settings, progress: Callable[[str], None] | None = None) -> Iterator[Source]:
    """Open the store for reading, through the server that holds it where one runs.

    Raises:
        StoreError: there is no store, or it cannot be read.
    """
    server = running_server(db)
    if server is not None:
        yield ServerSource(server, settings, progress)
        return
    if not db.exists():
        raise StoreError(
            f"{db}: no such store; start `tracelens serve`, name a trace file, or choose another store with --db"
        )
    try:
        store = open_store(db, settings)
    except StoreBusyError:
        server = running_server(db)  # it was starting
        if server is None:
            raise
        yield ServerSource(server, settings, progress)
        return
    try:
        _recover(store, db)
        yield StoreSource(store, settings, progress)
    finally:
        store.close()


def _recover(store: Store, db: Path) -> None:
    """Store what a server that was killed had acknowledged. Where that fails, what is stored can still be read."""
    try:
        recover_journal(store, db)
    except StoreError as error:
        _log.warning("spans that were acknowledged are still in the journal and left out here: %s", error)
