"""HTML that cannot be broken by what it shows: text becomes markup here and nowhere else.

A plain string is text: it is neutralised (see `layout`) and escaped wherever it stands. Only what `tag` and its
companions return is `Markup`, so text from spans has no way into the structure, and a type checker sees a mix-up.
"""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Final, TypeAlias

from tracelens.report.layout import neutralise
from tracelens.report.markdown_text import clip

if TYPE_CHECKING:
    from collections.abc import Iterable

_VOID: Final = frozenset({"input", "link", "meta"})
_ON_LINES_OF_THEIR_OWN: Final = frozenset(
    {
        "details",
        "div",
        "dl",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "head",
        "header",
        "li",
        "link",
        "main",
        "meta",
    }
    | {
        "nav",
        "ol",
        "option",
        "p",
        "script",
        "section",
        "style",
        "summary",
        "symbol",
        "table",
        "tbody",
        "thead",
        "title",
    }
    | {"tr", "ul"}
)
_LONGEST_TEXT: Final = 20_000
_INLINE_CODE: Final = re.compile(r"`([^`\n]+)`")
_NOT_IN_ID: Final = re.compile(r"[^0-9A-Za-z_-]")


class Markup(str):
    """HTML as it will stand in the page."""

    __slots__ = ()


Content: TypeAlias = "str | None"
"""A `Markup` stands as it is, any other string is text; None is nothing."""


def tag(name: str, /, *content: Content, **attributes: str | int | bool | None) -> Markup:
    """Return an element.

    Args:
        name: of the element, and its attributes' names too, are the caller's own words, never from spans.
        content: in order.
        attributes: `class_` is `class`, `aria_label` is `aria-label`; True is an attribute without a value, False and
            None are no attribute.
    """
    start = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{_attribute(value)}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    element = f"<{name}{start}>" if name in _VOID else f"<{name}{start}>{joined(*content)}</{name}>"
    return Markup(element + "\n" if name in _ON_LINES_OF_THEIR_OWN else element)


def joined(*content: Content) -> Markup:
    """Return markup and text one after the other."""
    return Markup("".join(map(_text, content)))


def lines(text: str) -> Markup:
    """Return text whose line ends and tabs are kept, for a `pre`."""
    kept = clip(text.strip("\r\n"), _LONGEST_TEXT).split("\n")
    return Markup("\n".join("\t".join(map(_text, line.rstrip().split("\t"))) for line in kept))


def prose(text: str) -> Markup:
    """Return a sentence in which `words between backticks` are code."""
    parts = _INLINE_CODE.split(text)
    return joined(*(tag("code", part) if place % 2 else part for place, part in enumerate(parts)))


def listing(name: str, entries: Iterable[Content], **attributes: str) -> Markup:
    """Return a list element, `ol` or `ul`, with an `li` for each entry; nothing for no entries."""
    rows = [tag("li", entry) for entry in entries]
    return tag(name, *rows, **attributes) if rows else Markup()


def identifier(prefix: str, text: str) -> str:
    """Return the id of what a text names, fit for an `id` and, after a `#`, for a link."""
    return prefix + _NOT_IN_ID.sub("-", text)


def _text(content: Content) -> str:
    if content is None or isinstance(content, Markup):
        return content or ""
    return escape(neutralise(clip(content, _LONGEST_TEXT)))


def _attribute(value: str | int) -> str:
    return escape(neutralise(str(value)))
