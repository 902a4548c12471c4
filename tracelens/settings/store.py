"""`[store]`: what the store may use, and for how long it keeps spans."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tracelens.settings.reading import parse_size_bytes, read_section


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """What the store may use.

    Attributes:
        memory_limit: of DuckDB, as it writes sizes.
        flush_interval_s: how long an acknowledged span may wait before reports see it; twice as long while so many
            arrive that half a row group waits.
        flush_rows: spans that are written at once without waiting; one DuckDB row group by default.
        keep_s: spans received longer ago are let go of, by `serve`; 0 keeps them for ever.
        max_size: the oldest are let go of when the store holds more, a size such as "50GiB"; empty for no limit.
    """

    memory_limit: str = "2GiB"
    flush_interval_s: float = 1.0
    flush_rows: int = 122_880
    keep_s: float = 30 * 86_400.0
    max_size: str = ""

    @property
    def max_bytes(self) -> int:
        """The limit of the store's size in bytes, 0 for none."""
        return parse_size_bytes(self.max_size) if self.max_size else 0


def parse_store(section: Any) -> StoreSettings:
    """Return the settings of the `[store]` table.

    Raises:
        ValueError: it holds a setting that does not exist or fit.
    """
    settings = read_section(StoreSettings, section, "store")
    for name, size in (("memory_limit", settings.memory_limit), ("max_size", settings.max_size or "0B")):
        try:
            parse_size_bytes(size)
        except ValueError as error:
            raise ValueError(f"store.{name} {error}") from error
    return settings
