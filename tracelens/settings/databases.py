"""`[databases]`: which hosts are databases, where neither their metrics nor the calls to them tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tracelens.settings.reading import read_section, require_pattern


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """Hosts that are databases.

    Attributes:
        hosts: regular expressions, matched whole and in any case with the names of a host: `host.name`, its addresses,
            its pod, the id of a cloud instance.
    """

    hosts: tuple[str, ...] = ()


def parse_databases(section: Any) -> DatabaseSettings:
    """Return the settings of the `[databases]` table.

    Raises:
        ValueError: it holds a setting that does not exist or fit.
    """
    settings = read_section(DatabaseSettings, section, "databases")
    for pattern in settings.hosts:
        require_pattern(pattern, "databases.hosts")
    return settings
