"""What the placeholders of advice stand for, and which conditions hold, for one finding.

A value is None where the facts do not give it; a passage that needs it is then passed over. Values that go into code
are plain identifiers, plain literals or SQL written by sqlglot: a name that is none of these is None.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Final, TypeGuard

from tracelens.advice import naming
from tracelens.advice.dialects import dialect_of
from tracelens.advice.indexes import qualified, sorted_by
from tracelens.advice.relations import constant_columns, relation_of
from tracelens.advice.routes import cache_prefix, collection_url, routes
from tracelens.advice.sql_values import SQL_PLACEHOLDERS, SqlValues
from tracelens.findings import whole_percent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tracelens.advice.facts import AdviceFacts
    from tracelens.findings import EvidenceValue

DEFAULT_TTL_S: Final = 60
"""The window in which a recurring read is found: what is read ten times in 60 s gains from 60 s already."""

DEFAULT_POOL_SIZE: Final = 20
"""The pool of the backend checklist."""

EVIDENCE: Final = (
    *("repeats", "hit_rate", "max_ms", "p95_ms", "objective_ms", "offset", "host", "concurrency"),
    *("pool_used", "pool_max", "observed_s"),
)
"""Evidence that passages may name, where the pass has it."""

_ASCENDING: Final = {
    "direction": "ASC", "direction_lower": "asc", "direction_title": "Asc", "direction_suffix": "",
    "minus": "", "sign": "1", "beyond": ">", "beyond_word": "gt", "beyond_typeorm": "MoreThan",
}  # fmt: skip
_DESCENDING: Final = {
    "direction": "DESC", "direction_lower": "desc", "direction_title": "Desc", "direction_suffix": "Descending",
    "minus": "-", "sign": "-1", "beyond": "<", "beyond_word": "lt", "beyond_typeorm": "LessThan",
}  # fmt: skip
"""How languages and ORMs spell the direction of an order, and the comparison that goes further along it."""

_MAX_POOL_SIZE: Final = 100
_USUAL_SCHEMAS: Final = frozenset({"public", "dbo"})
_LIMIT_SHOWN: Final = 10
_FOUR_DIGITS: Final = 9_999.5
_FIELDS_SHOWN: Final = 4
_SHOWN_LENGTH: Final = 160


class Values:
    """The placeholders and conditions of one finding."""

    def __init__(self, facts: AdviceFacts) -> None:
        self._facts = facts
        self._evidence: Mapping[str, EvidenceValue] = dict(facts.evidence)
        self._sort, self._descending = next(iter(sorted_by(facts)), ("id", False))
        self.relation = relation_of(facts)
        self.dialect = dialect_of(facts.db_system)
        self.statement = facts.subject.lstrip().partition(" ")[0].lower()
        self.limited = facts.has_limit and not self.relation.unique
        self.filters = list(dict.fromkeys(naming.bare(column) for column, _ in facts.filter_columns))
        self.varying = [name for name in self.filters if name not in constant_columns(facts)]
        self.sorts_by_id = self._sort.lower() == "id"
        has_ttl = is_number(self._evidence.get("ttl_s"))
        self.is_unwritten = has_ttl and self._evidence.get("writes_seen") is False
        self.is_ttl_known = has_ttl and not self.is_unwritten
        self.sql = SqlValues(facts, self.dialect, self.relation, self._used_columns())

    @property
    def is_lookup(self) -> bool:
        """Whether the key alone tells which rows of one table are read, all of them and in no order."""
        whole = not self.limited and not self._facts.sort_columns and len(set(self._facts.tables)) == 1
        return whole and self.filters == [self.relation.key]

    def get(self, name: str) -> str | None:
        """Return a placeholder's value, None where the facts do not give it."""
        return self.sql.get(name) if name in SQL_PLACEHOLDERS else self.prepared[name]

    def holds(self, condition: str) -> bool:
        """Whether a condition holds; `!` in front turns it round."""
        if condition.startswith("!"):
            return not self.holds(condition[1:])
        return CONDITIONS[condition](self)

    @cached_property
    def prepared(self) -> dict[str, str | None]:
        """Every placeholder that needs no SQL to be written."""
        return {**self._prose(), **self._names(), **self._columns(), **self._fields(), **self._settings()}

    def _prose(self) -> dict[str, str | None]:
        facts, dialect = self._facts, self.dialect
        return {
            "service": shown(facts.service_name) or "the service",
            "endpoint": shown(facts.endpoint) or "the endpoint",
            "subject": shown(facts.subject),
            "table": (table_in_prose(facts.tables[0]) or None) if facts.tables else None,
            "tables": listed([table_in_prose(table) for table in facts.tables]),
            "written_tables": listed([table_in_prose(table) for table in facts.written_tables]),
            "owner_table": shown("_".join(naming.many(self.relation.owner))),
            "key_column": shown(self.relation.key),
            "filter_columns": listed([column for column, _ in facts.filter_columns]),
            "sort_columns": listed([name for name, _ in sorted_by(facts)]),
            "database": dialect.title if dialect else None,
            "explain": dialect.explain.rstrip(";") if dialect else None,
            "explain_hint": dialect.explain_hint if dialect else None,
            "other_columns": listed([name for name in self.filters if name != self.relation.key]),
            "limit_rows": str(facts.limit_rows or _LIMIT_SHOWN),
            **{name: measured(name, self._evidence.get(name)) for name in EVIDENCE},
        }

    def _names(self) -> dict[str, str | None]:
        target, owner = self.relation.target, self.relation.owner
        related = naming.many(target) if self.relation.to_many else naming.one(target)
        known = related if owner and self.relation.to_many is not None else ()
        return {
            "table_name": naming.literal(self._facts.tables[0]) if self._facts.tables else None,
            "table_sql": qualified(self._facts.tables[0], self.dialect)
            if self._facts.tables and self.dialect
            else None,
            "model": naming.pascal(naming.one(target)),
            "models": naming.pascal(naming.many(target)),
            "one": naming.snake(naming.one(target)),
            "many": naming.snake(naming.many(target)),
            "one_camel": naming.camel(naming.one(target)),
            "many_camel": naming.camel(naming.many(target)),
            "one_joined": "".join(naming.one(target)) or None,
            "owner_model": naming.pascal(naming.one(owner)),
            "owner_models": naming.pascal(naming.many(owner)),
            "owner_one": naming.snake(naming.one(owner)),
            "owner_many": naming.snake(naming.many(owner)),
            "owner_one_camel": naming.camel(naming.one(owner)),
            "owner_many_camel": naming.camel(naming.many(owner)),
            "relation": naming.attribute(known),
            "relation_camel": naming.camel(known),
            "relation_pascal": naming.pascal(known),
        }

    def _columns(self) -> dict[str, str | None]:
        key, sort = self.relation.key_words, naming.words(self._sort)
        return {
            "key": naming.literal(self.relation.key),
            "key_snake": naming.attribute(key),
            "key_camel": naming.camel(key),
            "key_pascal": naming.pascal(key),
            "key_var": naming.snake(key),
            "keys": naming.snake(naming.many(key)),
            "keys_camel": naming.camel(naming.many(key)),
            "sort": naming.literal(self._sort),
            "sort_snake": naming.attribute(sort),
            "sort_camel": naming.camel(sort),
            "sort_pascal": naming.pascal(sort),
            **(_DESCENDING if self._descending else _ASCENDING),
        }

    def _fields(self) -> dict[str, str | None]:
        names = self.sql.fields
        parts = [naming.words(name) for name in names]
        model = naming.pascal(naming.one(self.relation.target))
        return {
            "fields": ", ".join(names),
            "fields_spaced": " ".join(names),
            "fields_quoted": ", ".join(f"'{name}'" for name in names),
            "fields_double": ", ".join(f'"{name}"' for name in names),
            "fields_symbols": ", ".join(f":{name}" for name in names),
            "fields_true": ", ".join(f"{naming.camel(part)}: true" for part in parts),
            "fields_attributes": ", ".join(f"{model}.{naming.attribute(part)}" for part in parts) if model else None,
            "fields_members": ", ".join(f"row.{naming.pascal(part)}" for part in parts),
            "fields_paths": ", ".join(f"r.{naming.camel(part)}" for part in parts),
            "fields_dql": ", ".join(f"'r.{naming.camel(part)}'" for part in parts),
            "fields_getters": "\n".join(f"Object get{naming.pascal(part)}();" for part in parts),
        }

    def _used_columns(self) -> list[str]:
        """The first columns that the request is known to use: the key, the sort and what the query names."""
        columns = ("id", self.relation.key, self._sort, *self._facts.selected_columns)
        plain = [name for column in columns if (name := naming.literal(column)) and naming.words(name)]
        return list(dict.fromkeys(plain))[:_FIELDS_SHOWN]

    def _settings(self) -> dict[str, str | None]:
        ttl_s = self._evidence.get("ttl_s")
        concurrency = self._evidence.get("concurrency")
        return {
            "ttl_s": str(max(1, int(ttl_s)) if is_number(ttl_s) else DEFAULT_TTL_S),
            "pool_size": str(
                max(2, min(_MAX_POOL_SIZE, int(concurrency))) if is_number(concurrency) else DEFAULT_POOL_SIZE
            ),
            "cache_prefix": cache_prefix(self._facts.subject),
            "collection_url": collection_url(self._facts.subject),
            **routes(self._facts.endpoint),
        }


def shown(text: str) -> str | None:
    """Return a stranger's text fit for prose or a comment: printable, on one line, not long; None if empty."""
    line = "".join(letter for letter in " ".join(text.split()) if letter.isprintable())
    return (line if len(line) <= _SHOWN_LENGTH else f"{line[: _SHOWN_LENGTH - 1]}…") or None


def table_in_prose(table: str) -> str:
    """Return a table's name as one says it: no quotes, and no schema where it is the usual one; "" if there is none."""
    parts = [part.strip('"`[] ') for part in table.split(".")]
    return shown(".".join(parts[1:] if parts[0] in _USUAL_SCHEMAS else parts)) or ""


def listed(names: Sequence[str]) -> str | None:
    """Return `a`, `a and b` or `a, b and c`; None for no names."""
    plain = [name for name in dict.fromkeys(shown(name.strip('"`[]')) for name in names) if name]
    return " and ".join(part for part in (", ".join(plain[:-1]), *plain[-1:]) if part) or None


def is_number(value: EvidenceValue) -> TypeGuard[int | float]:
    """Whether a piece of evidence is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def measured(name: str, value: EvidenceValue) -> str | None:
    """Return a piece of evidence for prose: a rate as a percentage, a number without needless digits."""
    if is_number(value):
        if name.endswith("_rate"):
            return whole_percent(value)
        digits = ".4g" if abs(value) < _FOUR_DIGITS else ".0f"
        return f"{value:{digits}}" if isinstance(value, float) else str(value)
    return shown(value) if isinstance(value, str) else None


CONDITIONS: Final[Mapping[str, Callable[[Values], bool]]] = {
    "insert": lambda values: values.statement == "insert",
    "update": lambda values: values.statement == "update",
    "delete": lambda values: values.statement == "delete",
    "write": lambda values: values.statement in ("insert", "update", "delete"),
    "to_one": lambda values: values.relation.to_many is False,
    "to_many": lambda values: values.relation.to_many is True,
    "aggregate": lambda values: values.sql.is_aggregate,
    "limited": lambda values: values.limited,
    "index": lambda values: values.sql.index is not None,
    "filtered": lambda values: bool(values.filters),
    "one_key": lambda values: values.varying == [values.relation.key],
    "only_key": lambda values: values.is_lookup,
    "by_id": lambda values: values.sorts_by_id,
    "ttl_known": lambda values: values.is_ttl_known,
    "unwritten": lambda values: values.is_unwritten,
    "sql": lambda values: values.dialect is not None,
    "postgresql": lambda values: values.dialect is not None and values.dialect.sqlglot == "postgres",
    "sqlserver": lambda values: values.dialect is not None and values.dialect.sqlglot == "tsql",
    "mysql": lambda values: values.dialect is not None and values.dialect.sqlglot == "mysql",
}
"""The conditions that a passage may name in `when`."""
