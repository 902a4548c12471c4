"""Where a report's spans come from: trace files, the store's file, or the server that holds it. The reader need not know."""

from __future__ import annotations

import json
import logging
import os
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from tracelens.analysis import Scope, analyse
from tracelens.errors import DamagedInputError, ServerError, StoreBusyError, StoreError, TracelensError, UsageError
from tracelens.escalation.events import events_after
from tracelens.ingest import store_requests
from tracelens.otlp.files import Damage, expand_paths, read_requests
from tracelens.report.json_reader import report_from_dict
from tracelens.store.database import StoreLimits
from tracelens.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tracelens.findings import Report
    from tracelens.settings import Settings

_log = logging.getLogger(__name__)

_ANSWER_TIMEOUT_S: Final = 600.0
_PROBE_TIMEOUT_S: Final = 5.0


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
    """A store that this process has open."""

    def __init__(self, store: Store, settings: Settings, on_pass: Callable[[str], None] | None = None) -> None:
        self._store = store
        self._settings = settings
        self._on_pass = on_pass

    def report(self, scope: Scope) -> Report:
        """Analyse the scope."""
        with self._store.reader() as reader:
            return analyse(reader, self._settings, scope, self._on_pass)

    def events(self, after: int) -> list[tuple[int, dict[str, Any]]]:
        """Return escalation events numbered above `after`."""
        with self._store.reader() as reader:
            return events_after(reader, after)


class ServerSource:
    """A running `tracelens serve`, asked over its UI port."""

    def __init__(self, base_url: str, settings: Settings) -> None:
        self._base_url = base_url
        self._settings = settings

    def report(self, scope: Scope) -> Report:
        """Have the server analyse the scope, with this process's thresholds and objectives."""
        settings = {
            "thresholds": self._settings.thresholds,
            "objectives": [asdict(objective) for objective in self._settings.objectives],
        }
        return report_from_dict(self._ask("/api/report", {"scope": asdict(scope), "settings": settings}))

    def events(self, after: int) -> list[tuple[int, dict[str, Any]]]:
        """Return escalation events numbered above `after`."""
        answer = self._ask(f"/api/events?after={after}", None)
        return [(entry["number"], entry["event"]) for entry in answer["events"]]

    def _ask(self, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310  (our own server's address)
            self._base_url + path, data=data, headers={"content-type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=_ANSWER_TIMEOUT_S) as response:  # noqa: S310
                answer: dict[str, Any] = json.load(response)
                return answer
        except urllib.error.HTTPError as error:
            detail = _error_text(error)
            raise (UsageError if error.code == 400 else ServerError)(detail) from error  # noqa: PLR2004
        except (OSError, ValueError) as error:
            raise ServerError(f"{self._base_url}: the tracelens server does not answer: {error}") from error


def _error_text(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["error"])
    except (ValueError, KeyError, TypeError, OSError):
        return f"{error.url}: the tracelens server answered {error.code}"


def address_file(db: Path) -> Path:
    """Return where a server leaves its addresses, beside the store's file that it holds."""
    return db.with_name(db.name + ".server.json")


def running_server(db: Path) -> dict[str, str] | None:
    """Return the addresses of the server that holds this store, None where none runs."""
    try:
        addresses: dict[str, str] = json.loads(address_file(db).read_text(encoding="utf-8"))
        with urllib.request.urlopen(addresses["ui"] + "/healthz", timeout=_PROBE_TIMEOUT_S):  # noqa: S310
            return addresses
    except urllib.error.HTTPError:  # it answers, if only that it is not well
        return addresses
    except (OSError, ValueError, KeyError):
        return None


@contextmanager
def open_source(db: Path, settings: Settings, on_pass: Callable[[str], None] | None = None) -> Iterator[Source]:
    """Open the store for reading, through the server that holds it where one runs.

    Raises:
        StoreError: there is no store, or it cannot be read.
    """
    addresses = running_server(db)
    if addresses is not None:
        yield ServerSource(addresses["ui"], settings)
        return
    if not db.exists():
        raise StoreError(f"{db}: no such store; start `tracelens serve`, name a trace file, or choose another with --db")
    try:
        store = Store(db, StoreLimits(memory=settings.store.memory_limit))
    except StoreBusyError:
        addresses = running_server(db)  # it may have been starting
        if addresses is None:
            raise
        yield ServerSource(addresses["ui"], settings)
        return
    try:
        yield StoreSource(store, settings, on_pass)
    finally:
        store.close()


@contextmanager
def open_files(
    paths: Sequence[str | os.PathLike[str] | bytes],
    settings: Settings,
    on_damage: Callable[[str], None],
    on_file: Callable[[str, int, int], None] | None = None,
) -> Iterator[StoreSource]:
    """Read trace files into a store in memory.

    Args:
        paths: files, directories, "-" for standard input, or contents.
        settings: for the analysis.
        on_damage: told of every part of a file that could not be read, in a line.
        on_file: called with each file's name, its number from 1, and how many there are, before it is read.

    Raises:
        DamagedInputError: none of the files could be read.
    """
    store = Store(None, StoreLimits(memory=settings.store.memory_limit))
    try:
        load_files(store, paths, on_damage, on_file)
        yield StoreSource(store, settings)
    finally:
        store.close()


def load_files(
    store: Store,
    paths: Sequence[str | os.PathLike[str] | bytes],
    on_damage: Callable[[str], None],
    on_file: Callable[[str, int, int], None] | None = None,
) -> int:
    """Store the spans of trace files; return how many were new. Arguments and errors as in `open_files`."""
    stored = 0
    unreadable: list[TracelensError] = []
    contents: list[str | bytes] = []
    for path in paths:
        contents += [path] if isinstance(path, bytes) else expand_paths([os.fspath(path)])
    for number, content in enumerate(contents, start=1):
        name = f"input {number}" if isinstance(content, bytes) else content
        if on_file:
            on_file(name, number, len(contents))

        def tell(damage: Damage) -> None:
            on_damage(f"{damage.source}: {damage.where}: {damage.reason}")

        def refuse(reason: str, name: str = name) -> None:
            on_damage(f"{name}: a request was left out: {reason}")

        try:
            stored += store_requests(store, read_requests(content, name=name, on_damage=tell), refuse)
        except DamagedInputError as error:
            unreadable.append(error)
            on_damage(str(error))
    if unreadable and len(unreadable) == len(contents):
        raise unreadable[0]
    return stored
