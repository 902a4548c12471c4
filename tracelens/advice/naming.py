"""Names for code out of names from SQL: `order_items` becomes `OrderItem`, `orderItems`, `order_item`.

English plurals by a few rules and a short list of exceptions: a name that comes out odd still says which table it
means. A name that is not plain ASCII letters, digits and separators gives no words, so that nothing a stranger put
into a span can become code.
"""

from __future__ import annotations

import keyword
import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import Final

_PLAIN: Final = re.compile(r"[A-Za-z0-9_\- ]{1,63}", re.ASCII)
_WORD: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z]+|[0-9]+", re.ASCII)
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}", re.ASCII)
_SHORTEST_IN_IES: Final = 5
"""Shorter words in -ies, such as ties and pies, keep their e."""


@cache
def reserved(use: str) -> frozenset[str]:
    """Return a list of naming.toml: variables, classes, sql, roles or uncountable."""
    return frozenset(_document()[use])


def words(name: str) -> tuple[str, ...]:
    """Split a table or column name into lower-case words; () where it is not a plain name.

    A schema before a dot and a `tbl` prefix are dropped.
    """
    last = bare(name)
    if not _PLAIN.fullmatch(last):
        return ()
    found = tuple(word.lower() for word in _WORD.findall(last))
    return found[1:] if len(found) > 1 and found[0] == "tbl" else found


def bare(name: str) -> str:
    """Return a table's or column's own name, without what stands before its last dot and without quotes."""
    return name.rsplit(".", 1)[-1].strip('"`[] ')


def singular(word: str) -> str:
    """Return the singular of a lower-case English noun, or the word itself where no rule knows better."""
    irregular = _irregular()
    if word in irregular:
        return irregular[word]
    rules = (
        (word in reserved("uncountable"), 0, ""),
        (word.endswith("ies") and len(word) >= _SHORTEST_IN_IES, 3, "y"),
        (word.endswith(("sses", "shes", "ches", "xes", "zzes", "oes")), 2, ""),
        (word.endswith("uses") and not word.endswith(("auses", "ouses")), 2, ""),
        (word.endswith(("ss", "us", "is")), 0, ""),
        (word.endswith("s") and len(word) > 1, 1, ""),
    )
    cut, ending = next(((cut, ending) for applies, cut, ending in rules if applies), (0, ""))
    return word[: len(word) - cut] + ending


def plural(word: str) -> str:
    """Return the plural of a lower-case English noun; a plural stays as it is."""
    if word in reserved("uncountable") or singular(word) != word:
        return word
    irregular = next((many for many, one in _irregular().items() if one == word), None)
    if irregular is not None:
        return irregular
    if re.search(r"[^aeiou]y$", word):
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith(("s", "sh", "ch", "x", "z")) else f"{word}s"


def one(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words with the last one in the singular."""
    return (*parts[:-1], singular(parts[-1])) if parts else ()


def many(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words with the last one in the plural."""
    return (*parts[:-1], plural(parts[-1])) if parts else ()


def snake(parts: tuple[str, ...]) -> str | None:
    """Return `order_item`, safe as a variable in every language we write; None without words."""
    return _safe("_".join(parts), _variables())


def camel(parts: tuple[str, ...]) -> str | None:
    """Return `orderItem`, safe as `snake` is."""
    return _safe("".join((*parts[:1], *(word.capitalize() for word in parts[1:]))), _variables())


def pascal(parts: tuple[str, ...]) -> str | None:
    """Return `OrderItem`, safe as a class name."""
    return _safe("".join(word.capitalize() for word in parts), reserved("classes"))


def attribute(parts: tuple[str, ...]) -> str | None:
    """Return `order_item`, safe after a dot: only Python's keywords are refused there."""
    return _safe("_".join(parts), frozenset(keyword.kwlist))


def literal(name: str) -> str | None:
    """Return a table or column name that may stand inside a string literal as it is, else None."""
    last = bare(name)
    return last if _IDENTIFIER.fullmatch(last) else None


@cache
def _document() -> dict[str, list[str]]:
    document: dict[str, list[str]] = tomllib.loads(files(__package__).joinpath("naming.toml").read_text("utf-8"))
    return document


@cache
def _irregular() -> dict[str, str]:
    return dict(_document()["irregular"])  # type: ignore[arg-type]  # the one table among the lists


@cache
def _variables() -> frozenset[str]:
    return reserved("variables") | {word.lower() for word in (*keyword.kwlist, *keyword.softkwlist)}


def _safe(name: str, refused: frozenset[str]) -> str | None:
    if not name:
        return None
    if name[0].isdigit():
        name = f"n{name}"
    return f"{name}_" if name.lower() in refused else name
