"""The SQL dialects that advice is written in, read from dialects.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

NOT_SQL: Final = frozenset(
    {
        "aws.dynamodb", "azure.cosmosdb", "cassandra", "cosmosdb", "couchbase", "couchdb", "dynamodb", "elasticsearch",
        "geode", "hbase", "influxdb", "memcached", "mongodb", "neo4j", "opensearch", "redis",
    }
)  # fmt: skip
"""Values of `db.system.name` for which no SQL is written."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """One SQL dialect; dialects.toml describes the fields."""

    title: str
    systems: tuple[str, ...]
    sqlglot: str
    marker: str
    create_index: str
    explain: str
    explain_hint: str
    any_array: bool = False
    row_values: bool = False
    partial: bool = False
    expression_key: str = ""


@cache
def dialects() -> tuple[Dialect, ...]:
    """Return the dialects; the last one is generic SQL."""
    entries = tomllib.loads(files(__package__).joinpath("dialects.toml").read_text("utf-8"))["dialects"]
    return tuple(Dialect(**{**entry, "systems": tuple(entry["systems"])}) for entry in entries)


def dialect_of(db_system: str | None) -> Dialect | None:
    """Return the dialect of a database system: generic SQL for an unknown one, None for one without SQL."""
    system = (db_system or "").lower()
    if system in NOT_SQL:
        return None
    return next((dialect for dialect in dialects() if system in dialect.systems), dialects()[-1])
