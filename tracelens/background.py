"""Work that goes on beside everything else, on a thread of its own, until it is stopped."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import Final

# What is under way can take longer than whoever stops the server should wait: it is of no use to anybody any more.
_STOP_S: Final = 3.0


class Background(ABC):
    """Something that runs in the background.

    Subclasses wait on `_woken` or `_stopping`, and begin nothing more once `_stopping` is set.

    Args:
        name: of the thread.
    """

    def __init__(self, name: str) -> None:
        # Set from the start: the last process may have left something to do.
        self._woken = threading.Event()
        self._woken.set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def is_idle(self) -> bool:
        """Whether it has not been started, or has ended."""
        return not self._thread.is_alive()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """There may be something to do."""
        self._woken.set()

    def stop(self) -> None:
        """Begin nothing more, and return when what is under way is finished, after a moment in any case."""
        self._stopping.set()
        self._woken.set()
        if self._thread.ident is not None:
            self._thread.join(_STOP_S)

    @abstractmethod
    def _run(self) -> None: ...
