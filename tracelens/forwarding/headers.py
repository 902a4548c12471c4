"""The headers that the settings have sent with every request."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from tracelens.errors import UsageError
from tracelens.settings.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Sequence

_log = logging.getLogger(__name__)


class OwnHeaders:
    """Headers, of which some may be secrets in files that are replaced while we run.

    Args:
        configured: names in lower case, and their values or where those are.

    Attributes:
        values: by name, as they were read last; never changed in place.

    Raises:
        UsageError: a file or variable cannot be read, or holds what no header can.
    """

    def __init__(self, configured: Sequence[tuple[str, str | Secret]]) -> None:
        self._configured = configured
        self._guard = threading.Lock()
        self._trouble = ""
        self.values = self._read()

    def read_again(self) -> None:
        """Take what the files hold now; what they held last where they cannot be read, which is logged once."""
        with self._guard:
            try:
                self.values = self._read()
                self._trouble = ""
            except UsageError as error:
                if str(error) != self._trouble:
                    self._trouble = str(error)
                    _log.warning("%s; what was read before is sent on", error)

    def _read(self) -> dict[str, str]:
        return {name: _value(name, value) for name, value in self._configured}


def _value(name: str, value: str | Secret) -> str:
    text = value.read() if isinstance(value, Secret) else value
    if not text.isascii() or not text.isprintable():
        raise UsageError(f"forward.headers.{name}: a header's value is printable ASCII; correct what it is read from")
    return text
