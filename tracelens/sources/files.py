"""Trace files to ask: read into a store in memory. And trace files into any store."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from tracelens.errors import DamagedInputError
from tracelens.ingest import store_requests
from tracelens.otlp.files import STANDARD_INPUT, Damage, expand_paths, read_requests
from tracelens.sources.source import StoreSource
from tracelens.store.appended import AppendResult
from tracelens.store.database import StoreLimits
from tracelens.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tracelens.settings import Settings

_TELL_EVERY_S: Final = 0.2

# DuckDB works on 122,880 rows with one thread; to hand small work from one to the other costs a fifth of an analysis.
_BYTES_FOR_ONE_THREAD: Final = 4 * 1024 * 1024

_T = TypeVar("_T")


@contextmanager
def open_files(
    paths: Sequence[str | os.PathLike[str] | bytes],
    settings: Settings,
    on_damage: Callable[[str], None],
    progress: Callable[[str], None] | None = None,
) -> Iterator[StoreSource]:
    """Read trace files into a store in memory.

    Args:
        paths: files, directories, "-" for standard input, or contents.
        settings: for the analysis.
        on_damage: told of every part of a file that could not be read, in a line.
        progress: told what is being done.

    Raises:
        DamagedInputError: none of the files could be read.
    """
    store = Store(None, StoreLimits(memory=settings.store.memory_limit, threads=_threads(paths)))
    try:
        load_files(store, paths, on_damage, progress)
        yield StoreSource(store, settings, progress)
    finally:
        store.close()


def load_files(
    store: Store,
    paths: Sequence[str | os.PathLike[str] | bytes],
    on_damage: Callable[[str], None],
    progress: Callable[[str], None] | None = None,
) -> AppendResult:
    """Store the spans and metrics of trace files; return how many were new. Arguments and errors as in `open_files`."""
    stored = AppendResult(0, 0)
    unreadable: list[DamagedInputError] = []
    contents: list[str | bytes] = []
    for path in paths:
        contents += [path] if isinstance(path, bytes) else expand_paths([os.fspath(path)])
    for number, content in enumerate(contents, start=1):
        name = _name(content, number)
        doing = f"reading {name} ({number} of {len(contents)})"

        def refuse(reason: str, name: str = name) -> None:
            on_damage(f"{name}: a request was left out: {reason}")

        requests = read_requests(content, name=name, on_damage=told_to(on_damage))
        try:
            stored += store_requests(store, counted(requests, doing, progress), refuse)
        except DamagedInputError as error:
            unreadable.append(error)
    if unreadable and len(unreadable) == len(contents):
        for refusal in unreadable[1:]:
            on_damage(str(refusal))
        raise unreadable[0]
    for refusal in unreadable:
        on_damage(str(refusal))
    return stored


def told_to(on_damage: Callable[[str], None]) -> Callable[[Damage], None]:
    """Return what tells of a damage in a line."""
    return lambda damage: on_damage(f"{damage.source}: {damage.where}: {damage.reason}")


def counted(requests: Iterable[_T], doing: str, progress: Callable[[str], None] | None) -> Iterator[_T]:
    """Pass requests on, and tell now and then how many they are."""
    if progress is None:
        yield from requests
        return
    progress(doing)
    told = time.monotonic()
    for number, request in enumerate(requests, start=1):
        if time.monotonic() - told > _TELL_EVERY_S:
            progress(f"{doing}: {number:,} requests")
            told = time.monotonic()
        yield request


def _threads(paths: Sequence[str | os.PathLike[str] | bytes]) -> int | None:
    """Return how many threads are worth their while for trace files; None where all are."""
    left = _BYTES_FOR_ONE_THREAD
    for path in paths:
        if isinstance(path, bytes):
            left -= len(path)
        else:
            try:
                left -= sum(Path(content).stat().st_size for content in expand_paths([os.fspath(path)]))
            except (OSError, DamagedInputError):  # standard input, of which nobody knows, or what `load_files` refuses
                return None
        if left < 0:
            return None
    return 1


def _name(content: str | bytes, number: int) -> str:
    if isinstance(content, bytes):
        return f"input {number}"
    return "standard input" if content == STANDARD_INPUT else content
