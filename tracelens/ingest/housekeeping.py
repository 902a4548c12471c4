"""Keeps the store within its age and size while `serve` runs."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from tracelens.background import Background
from tracelens.errors import StoreError
from tracelens.store.retention import expire

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracelens.settings import StoreSettings
    from tracelens.store.store import Store

_log = logging.getLogger(__name__)

_INTERVAL_S: Final = 60.0
_NS_PER_S: Final = 1_000_000_000


class Housekeeper(Background):
    """Lets go of the oldest spans once a minute, on a thread of its own.

    Args:
        store: what is to be kept within its limits.
        settings: the limits.
        on_expired: called after spans went.

    Attributes:
        expired_spans: how many went since the start.
    """

    def __init__(self, store: Store, settings: StoreSettings, *, on_expired: Callable[[], None] | None = None) -> None:
        super().__init__("housekeeping")
        self.expired_spans = 0
        self._store = store
        self._settings = settings
        self._on_expired = on_expired

    def clean(self, now_ns: int) -> None:
        """Let go of what is too old or too much now.

        Raises:
            StoreError: the store cannot be read or written.
        """
        keep_s = self._settings.keep_s
        before_ns = now_ns - round(keep_s * _NS_PER_S) if keep_s else None
        expired = expire(self._store, before_ns=before_ns, max_bytes=self._settings.max_bytes)
        if expired:
            self.expired_spans += expired
            _log.warning("let go of the %s oldest spans, by store.keep_s and store.max_size", f"{expired:,}")
            if self._on_expired:
                self._on_expired()

    def _run(self) -> None:
        while True:
            try:
                self.clean(time.time_ns())
            except StoreError as error:
                _log.error("cannot let go of old spans: %s", error)
            if self._stopping.wait(_INTERVAL_S):
                return
