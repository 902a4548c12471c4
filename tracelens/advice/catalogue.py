"""Advice as it is written: one folder per pass, read only once that pass asks.

    advice/<pass>/advice.toml       summary and steps; `kinds`, where another framework than the query's is meant;
                                    `snippets_of`, where another pass's snippets serve too
    advice/<pass>/<language>.toml   snippets in that language, each for one framework, or for the language itself

A passage is a text with `{{placeholders}}` (code is full of single braces) and the conditions under which it is meant.
Where several passages could serve, the first one whose conditions hold and whose placeholders all have a value does.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from tracelens.advice.frameworks import DATA_ACCESS

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

_ADVICE_FILE: Final = "advice.toml"


@dataclass(frozen=True, slots=True)
class Passage:
    """A text with placeholders, and the conditions that must all hold for it."""

    text: str
    when: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SnippetPassage:
    """Code with placeholders for one framework; `shown_as` is what the user reads in its place."""

    framework: str
    shown_as: str
    language: str
    passage: Passage


@dataclass(frozen=True, slots=True)
class PassAdvice:
    """One pass's advice.

    Attributes:
        kinds: which kinds of framework its snippets are for, the preferred kind first.
        snippets_of: passes whose snippets serve too, after its own.
        summary: alternatives, the most telling first.
        steps: for each step its alternatives; a step without a usable alternative is left out.
    """

    kinds: tuple[str, ...]
    snippets_of: tuple[str, ...]
    summary: tuple[Passage, ...]
    steps: tuple[tuple[Passage, ...], ...]


def advised_passes() -> tuple[str, ...]:
    """Return the names of the passes that have advice, sorted."""
    folders = (folder for folder in files(__package__).iterdir() if folder.joinpath(_ADVICE_FILE).is_file())
    return tuple(sorted(folder.name for folder in folders))


@cache
def pass_advice(pass_name: str) -> PassAdvice | None:
    """Return a pass's summary and steps, None where it has no advice."""
    document = _read(pass_name, _ADVICE_FILE)
    if document is None:
        return None
    steps = tuple(
        tuple(_passage(way) for way in (step if isinstance(step, list) else [step])) for step in document["steps"]
    )
    kinds = tuple(str(kind) for kind in document.get("kinds", DATA_ACCESS))
    also = tuple(document.get("snippets_of", ()))
    return PassAdvice(kinds, also, tuple(_passage(way) for way in document["summary"]), steps)


@cache
def snippets(pass_name: str, language: str) -> tuple[SnippetPassage, ...]:
    """Return a pass's snippets in one language, in the order in which they are to be tried."""
    document = _read(pass_name, f"{language}.toml") or {"snippets": []}
    return tuple(
        SnippetPassage(
            framework=entry["framework"],
            shown_as=entry.get("shown_as", entry["framework"]),
            language=entry.get("language", language),
            passage=Passage(entry["code"].strip("\n"), tuple(entry.get("when", ()))),
        )
        for entry in document["snippets"]
    )


def snippet_languages(pass_name: str) -> tuple[str, ...]:
    """Return the languages in which a pass has snippets, sorted."""
    names = (file.name for file in files(__package__).joinpath(pass_name).iterdir())
    return tuple(
        sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml") and name != _ADVICE_FILE)
    )


def _read(pass_name: str, file_name: str) -> dict[str, Any] | None:
    # A pass of the user's own may have any name: only a plain one is looked up.
    if not pass_name.isidentifier():
        return None
    file: Traversable = files(__package__).joinpath(pass_name, file_name)
    return tomllib.loads(file.read_text("utf-8")) if file.is_file() else None


def _passage(way: Any) -> Passage:
    return Passage(way) if isinstance(way, str) else Passage(way["text"], tuple(way["when"]))
