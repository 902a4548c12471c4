"""Which column identifies the rows of a query, and which model they hang on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracelens.advice import naming

if TYPE_CHECKING:
    from tracelens.advice.facts import AdviceFacts

_KEY_ENDINGS: Final = frozenset({"fk", "guid", "id", "pk", "uid", "uuid"})


@dataclass(frozen=True, slots=True)
class Relation:
    """How the query's rows are looked up.

    Attributes:
        target: words of the table that is read.
        key: the column that differs from call to call, "" where there is none.
        key_words: its words.
        owner: words of the table whose rows each cause one call, () where unknown.
        to_many: whether one owner has many target rows, None where the key is no reference at all.
        unique: whether a key value finds one row at most.
    """

    target: tuple[str, ...]
    key: str
    key_words: tuple[str, ...]
    owner: tuple[str, ...]
    to_many: bool | None
    unique: bool


def relation_of(facts: AdviceFacts) -> Relation:
    """Read the relation from the query's filter: `orders.user_id = ?` hangs many orders on a user."""
    target = naming.words(facts.tables[0]) if facts.tables else ()
    key = _key(facts)
    key_words = naming.words(key)
    parent = naming.words(facts.parent_table or "")
    stem = key_words[:-1] if len(key_words) > 1 and key_words[-1] in _KEY_ENDINGS else ()
    names_target = bool(stem) and stem == naming.one(target)
    if names_target or (len(key_words) == 1 and key_words[0] in _KEY_ENDINGS):
        owner = parent if parent != target else ()
        return Relation(target, key, key_words, owner, to_many=False, unique=True)
    if stem:
        return Relation(target, key, key_words, _owner(stem, parent), to_many=True, unique=False)
    return Relation(target, key, key_words, (), to_many=None, unique=False)


def constant_columns(facts: AdviceFacts) -> frozenset[str]:
    """Return the filter columns that are only ever compared with one value."""
    told = set(re.findall(r"\w+", " ".join(facts.constant_predicates).lower()))
    return frozenset(column for name, _ in facts.filter_columns if (column := naming.bare(name)).lower() in told)


def _key(facts: AdviceFacts) -> str:
    """The column compared with one value: a reference before any other, a constant never."""
    constants = constant_columns(facts)
    compared = [naming.bare(column) for column, operator in facts.filter_columns if operator in ("equal", "in")]
    varying = [column for column in compared if column and column not in constants] or compared
    references = [column for column in varying if _KEY_ENDINGS.intersection(naming.words(column)[-1:])]
    return next(iter(references or varying), "")


def _owner(stem: tuple[str, ...], parent: tuple[str, ...]) -> tuple[str, ...]:
    """The key's stem says which table it points at, unless it names a role: then the query before the repeats does."""
    if stem[0] in naming.reserved("roles") or (parent and naming.one(parent)[-len(stem) :] == stem):
        return parent or stem
    return stem
