"""Appends each event as one line of JSON to a file.

A line is on the disk when the delivery counts. The file is opened for every delivery, so it may be moved away or
removed at any time, as log rotation does; a new one is begun. Several processes may append to one file.
"""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tracelens.errors import DeliveryError
from tracelens.escalation.events import event_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tracelens.escalation.wording import Event
    from tracelens.settings.notifying import NotifierSettings

EXAMPLE: Final = """\
[[notifiers]]
name = "audit"
kind = "file"
path = "/var/log/tracelens/events.jsonl"
"""

_MODE: Final = 0o640


@dataclass(frozen=True, slots=True)
class Options:
    """Where the file is."""

    path: Path = field(metadata={"about": "The file. Its folder must exist."})


class Channel:
    """Appends lines that are either whole or not there."""

    def __init__(self, notifier: NotifierSettings, options: Options) -> None:
        self._name = notifier.name
        self._path = options.path

    @property
    def target(self) -> str:
        """Where it delivers to."""
        return str(self._path)

    def check(self) -> None:
        """Check that the file is or can be there.

        Raises:
            DeliveryError: it cannot.
        """
        place = self._path if self._path.exists() else self._path.parent
        if self._path.is_dir() or not place.exists() or not os.access(place, os.W_OK):
            reason = "it is a folder" if self._path.is_dir() else "no such folder" if not place.exists() else ""
            raise self._failure(reason or "no permission")

    def deliver(self, events: Sequence[Event]) -> None:
        """Append the events and wait until the disk has them.

        Raises:
            DeliveryError: they cannot be written; what was written of them is taken back.
        """
        lines = "".join(event_line(event) + "\n" for event in events).encode("utf-8", "backslashreplace")
        try:
            is_new = not self._path.exists()
            file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _MODE)
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
                _append(file, lines)
            finally:
                os.close(file)
            if is_new:
                _sync_folder(self._path.parent)
        except OSError as error:
            raise self._failure(error.strerror or str(error)) from error

    def _failure(self, reason: str) -> DeliveryError:
        return DeliveryError(f"notifier {self._name}: {self._path} cannot be written: {reason}; correct its path")


def _append(file: int, lines: bytes) -> None:
    size = os.fstat(file).st_size
    # What died while it wrote may have left half a line: it must not spoil ours.
    torn = size > 0 and os.pread(file, 1, size - 1) != b"\n"
    view = memoryview(b"\n" + lines if torn else lines)
    try:
        while view:
            view = view[os.write(file, view) :]
        os.fsync(file)
    except OSError:
        os.ftruncate(file, size)
        raise


def _sync_folder(folder: Path) -> None:
    """Have the disk know the new file's name too."""
    place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(place)
    finally:
        os.close(place)
