"""Queries, code and other text that a reader copies."""

from __future__ import annotations

import re
from typing import Final

from tracelens.report.html.markup import Markup, joined, lines, tag
from tracelens.report.markdown_text import clip
from tracelens.report.query_text import clauses, is_query

_LONGEST_QUERY: Final = 20_000
_KEYWORDS: Final = re.compile(
    r"\s*(?:select(?:\s+distinct)?|from|where|(?:(?:left|right|full|inner|cross)\s+(?:outer\s+)?)?join|group\s+by"
    r"|order\s+by|having|limit|union(?:\s+all)?|values|set|returning|on\s+conflict|on\s+duplicate\s+key\s+update"
    r"|insert(?:\s+ignore)?\s+into|replace\s+into|merge\s+into|delete\s+from|update|with|explain)\b",
    re.IGNORECASE,
)


def query_block(text: str, what: str) -> Markup:
    """Return a query, or any other subject, as a block to read and to copy; a query stands clause by clause."""
    if not is_query(text):
        return code_block(lines(text), what)
    return code_block(Markup("\n".join(map(_clause, clauses(clip(text, _LONGEST_QUERY))))), what)


def code_block(code: Markup, what: str, title: str | None = None) -> Markup:
    """Return a block of code with a button that copies it, under a title where there is one."""
    return tag(
        "figure",
        tag("figcaption", title) if title else None,
        tag("pre", tag("code", code), tabindex="0", role="group", aria_label=what),
        copy_button(what),
        class_="code",
    )


def fold(start: Markup, whole: Markup) -> Markup:
    """Return the start of something long, which opens to the whole of it."""
    summary = tag("summary", tag("span", start, class_="start"), tag("span", "less", class_="less"))
    return tag("details", summary, whole, class_="more")


def copied_inline(text: str, what: str) -> Markup:
    """Return a piece of code in a line, with a button that copies it."""
    return tag("span", tag("code", text), copy_button(what), class_="copied")


def copy_button(what: str) -> Markup:
    """Return the button that copies the `code` beside it; without a script it is not shown."""
    return tag("button", "Copy", type="button", class_="copy", aria_label=f"Copy {what}")


def _clause(clause: str) -> Markup:
    found = _KEYWORDS.match(clause)
    if found is None:
        return joined(clause)
    return joined(tag("b", found[0].strip()), clause[found.end() :])
