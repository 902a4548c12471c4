"""Values that do not stand in the configuration file: it names the environment variable or the file that holds them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tracelens.errors import UsageError
from tracelens.settings.reading import read_table, require_known

if TYPE_CHECKING:
    from pathlib import Path

_SOURCES: Final = ("env", "file")


@dataclass(frozen=True, slots=True)
class Secret:
    """Where a secret is. It is read when it is needed, so that commands which do not need it run without it.

    Attributes:
        place: the setting's name, for messages.
        env: the environment variable that holds it, or "".
        file: the file that holds it, or None.
    """

    place: str
    env: str = ""
    file: Path | None = None

    def read(self) -> str:
        """Return the secret without the blanks around it.

        Raises:
            UsageError: the variable is not set, the file cannot be read, or there is nothing in it.
        """
        return self.read_lines()[0]

    def read_lines(self) -> list[str]:
        """Return every line that is not blank, at least one: old and new secrets are both good during a change.

        Raises:
            UsageError: as `read`.
        """
        lines = [line.strip() for line in self._text().splitlines() if line.strip()]
        if not lines:
            raise UsageError(f"{self.place}: {self.file or self.env} is empty; put the secret there")
        return lines

    def _text(self) -> str:
        if self.file is None:
            if self.env not in os.environ:
                raise UsageError(f"{self.place}: the environment variable {self.env} is not set; set it")
            return os.environ[self.env]
        try:
            return self.file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise UsageError(f"{self.place}: {self.file} cannot be read: {reason}; correct its path") from error


def read_secret(value: Any, where: str, folder: Path) -> Secret:
    """Return the secret that a TOML value names, `{ env = "NAME" }` or `{ file = "path" }` relative to the folder.

    Raises:
        ValueError: it is something else.
    """
    if isinstance(value, str):
        raise ValueError(f'{where} must not stand in the file: write {{ env = "NAME" }} or {{ file = "path" }}')  # noqa: TRY004  (a bad value like others)
    entries = read_table(value, where)
    for name in entries:
        require_known(name, _SOURCES, f"setting {where}.{name}")
    if len(entries) != 1 or not all(isinstance(entry, str) and entry for entry in entries.values()):
        raise ValueError(f'{where} must name one place: {{ env = "NAME" }} or {{ file = "path" }}')
    if "file" in entries:
        return Secret(where, file=folder / entries["file"])
    return Secret(where, env=entries["env"])
