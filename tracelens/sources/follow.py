"""Escalation events as they happen, whichever process holds the store, and while servers come and go."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from tracelens.errors import ServerError, StoreBusyError
from tracelens.sources.server_address import running_server
from tracelens.sources.stored import ServerSource, open_source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tracelens.settings import Settings

_PAUSE_S: Final = 0.5


def follow_events(db: Path, settings: Settings) -> Iterator[dict[str, Any]]:
    """Yield the store's escalation events, then each new one within about half a second, without end.

    Only a server makes events. While none runs, the store's file is opened again only after it has changed, so that a
    server that starts finds it free.

    Raises:
        StoreError: there is no store, or it cannot be read; only before the first event.
    """
    with open_source(db, settings) as source:
        events = source.events(0)
    after, seen = 0, tuple[int, ...]()
    while True:
        for number, event in events:
            after = number
            yield event
        time.sleep(_PAUSE_S)
        events, seen = _events_since(db, settings, after, seen)


def _events_since(
    db: Path, settings: Settings, after: int, seen: tuple[int, ...]
) -> tuple[list[tuple[int, dict[str, Any]]], tuple[int, ...]]:
    """Return the events after a number, and the file's state that they reflect."""
    try:
        server = running_server(db)
        if server is not None:
            return ServerSource(server, settings).events(after), seen
        state = _state(db)
        if state == seen or not db.exists():
            return [], seen
        with open_source(db, settings) as source:
            events = source.events(after)
        return events, _state(db)
    except (ServerError, StoreBusyError):  # one is just starting or ending
        return [], seen


def _state(db: Path) -> tuple[int, ...]:
    found = db.resolve()
    states: list[int] = []
    for path in (found, found.with_name(found.name + ".wal")):
        try:
            stat = path.stat()
        except OSError:
            states.append(0)
        else:
            states += [stat.st_ino, stat.st_size, stat.st_mtime_ns]
    return tuple(states)
