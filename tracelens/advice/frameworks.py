"""Which framework emitted a span: from scope names, the SDK's language, the database and the SQL's own look."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from tracelens.advice.dialects import NOT_SQL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

DATA_ACCESS: Final = ("orm", "driver")
"""The kinds that count, in this order, where advice is about a query."""

_PATTERN_LENGTH: Final = 4_000
"""Characters of query text that a query pattern looks at: the patterns backtrack, and text is a stranger's."""


@dataclass(frozen=True, slots=True)
class Framework:
    """A library that emits spans, or what is left where none is known.

    Attributes:
        name: as shown to the user and used by the snippets, e.g. `sequelize`.
        language: the snippet file it reads, e.g. `javascript`.
        kind: orm, driver, web, cache, messaging, http_client, language or sql.
    """

    name: str
    language: str
    kind: str


@dataclass(frozen=True, slots=True)
class FrameworkEntry:
    """One entry of frameworks.toml, which describes the fields."""

    name: str
    language: str
    kinds: tuple[str, ...]
    scopes: tuple[str, ...]
    query_pattern: re.Pattern[str] | None
    falls_back_to: tuple[str, ...]
    sdk_languages: tuple[str, ...]
    db_systems: tuple[str, ...]

    def emitted(self, scope_name: str) -> bool:
        """Whether this is one of the framework's scope names."""
        scope_name = scope_name.lower()
        return any(
            scope_name.startswith(scope[:-1]) if scope.endswith("*") else scope_name == scope for scope in self.scopes
        )


@cache
def framework_entries() -> tuple[FrameworkEntry, ...]:
    """Return the frameworks, in order of rank."""
    document = tomllib.loads(files(__package__).joinpath("frameworks.toml").read_text("utf-8"))
    return tuple(
        FrameworkEntry(
            name=entry["name"],
            language=entry["language"],
            kinds=tuple(entry["kinds"]),
            scopes=tuple(scope.lower() for scope in entry.get("scopes", ())),
            query_pattern=re.compile(entry["query_pattern"], re.DOTALL) if "query_pattern" in entry else None,
            falls_back_to=tuple(entry.get("falls_back_to", ())),
            sdk_languages=tuple(entry.get("sdk_languages", ())),
            db_systems=tuple(entry.get("db_systems", ())),
        )
        for entry in document["frameworks"]
    )


def detect_framework(
    scope_names: Sequence[str],
    sdk_language: str | None,
    db_system: str | None,
    *,
    query_text: str = "",
    kinds: Sequence[str] = DATA_ACCESS,
) -> Framework:
    """Return the framework that best explains these spans.

    Kinds are tried in their order, then the plain language, then plain SQL. An ORM whose spans are missing is known
    by its SQL where only its driver is instrumented.
    """
    return candidates(scope_names, sdk_language, db_system, query_text=query_text, kinds=kinds)[0]


def candidates(
    scope_names: Sequence[str],
    sdk_language: str | None,
    db_system: str | None,
    *,
    query_text: str = "",
    kinds: Sequence[str] = DATA_ACCESS,
) -> tuple[Framework, ...]:
    """Return every framework whose snippets would fit, best first; the last ones are the language and SQL."""
    entries = framework_entries()
    seen = [entry for entry in entries if any(entry.emitted(name) for name in scope_names)]
    languages = _languages(entries, seen, sdk_language)
    # One process speaks one language: a scope of another one is an ancestor across a boundary.
    spoken = [entry for entry in seen if not languages or entry.language == languages[0]]
    found: dict[str, Framework] = {}
    for kind in kinds:
        own = [entry for entry in spoken if kind in entry.kinds]
        if kind == "orm" and not any(set(entry.kinds) == {"orm"} for entry in own):
            own = [*_by_look(entries, languages, query_text), *own]
        for entry in own:
            _add(found, _with_fallbacks(entries, entry), kind)
    for name in languages[:1]:
        found.setdefault(name, Framework(name, name, "language"))
    _add(found, [entry for entry in entries if db_system in entry.db_systems], "sql")
    if db_system not in NOT_SQL or not found:
        found.setdefault("sql", Framework("sql", "sql", "sql"))
    return tuple(found.values())


def _add(found: dict[str, Framework], entries: Iterable[FrameworkEntry], kind: str) -> None:
    for entry in entries:
        found.setdefault(entry.name, Framework(entry.name, entry.language, kind))


def _with_fallbacks(entries: Iterable[FrameworkEntry], entry: FrameworkEntry) -> list[FrameworkEntry]:
    by_name = {other.name: other for other in entries}
    return [entry, *(by_name[name] for name in entry.falls_back_to)]


def _languages(
    entries: Iterable[FrameworkEntry], seen: Iterable[FrameworkEntry], sdk_language: str | None
) -> list[str]:
    told = [entry.language for entry in entries if sdk_language in entry.sdk_languages]
    if told:
        return told
    # A library's own entry is a better sign than a language's catch-all prefix.
    ranked = sorted(seen, key=lambda entry: "language" in entry.kinds)
    return list(dict.fromkeys(entry.language for entry in ranked))


def _by_look(entries: Iterable[FrameworkEntry], languages: Sequence[str], query_text: str) -> list[FrameworkEntry]:
    text = query_text[:_PATTERN_LENGTH]
    return [
        entry
        for entry in entries
        if entry.query_pattern and entry.language in languages[:1] and entry.query_pattern.search(text)
    ]
