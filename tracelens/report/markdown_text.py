"""Markdown from text that nobody vouches for: code spans, prose, fences and tables whose structure cannot be broken.

Endpoints, query shapes and messages carry what callers sent, and a pull-request comment is posted with a
bot's rights. So nothing here may open a tag, a link, a table column or a fence, or notify a person. What is
special is written as a character reference, which means the same as text and nothing as structure, in tables too,
where renderers disagree about backslashes.
"""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Final

from tracelens.report.layout import neutralise
from tracelens.report.quantities import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_BREAKS_CODE_SPAN: Final = re.compile(r"[`|\\]")
_NOT_PLAIN: Final = re.compile(r"[^A-Za-z0-9 ]", re.ASCII)
_OPENS_BLOCK: Final = r"^[-+=#:]|^\d(?=\d*[.)](?:\s|$))"
_INLINE: Final = r"[&<>`*\[\]\\|~$^]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])"
_AUTOLINK: Final = r"(?<=http):|(?<=https):|(?<=ftp):|(?<=mailto):|(?<=xmpp):|(?<=www)\."
_SPECIAL: Final = re.compile(rf"(?P<notifies>[@#](?=\w))|{_OPENS_BLOCK}|{_INLINE}|{_AUTOLINK}", re.IGNORECASE)
_NOT_LANGUAGE: Final = re.compile(r"[^A-Za-z0-9_+#.-]")
_TAB: Final = 4


def prose(text: str) -> str:
    """Return the text as inline Markdown that reads as the text and does nothing, on one line."""
    return _SPECIAL.sub(_disarm, _one_line(text))


def code(text: str) -> str:
    """Return the text as an inline code span on one line, fit for a table cell; a dash for no text."""
    line = _one_line(text)
    if not line:
        return UNKNOWN
    if _BREAKS_CODE_SPAN.search(line):
        return f"<code>{_NOT_PLAIN.sub(lambda found: _reference(found[0]), line)}</code>"
    return f"`{line}`"


def html(text: str) -> str:
    """Return the text on one line for the inside of an HTML element."""
    return escape(_one_line(text))


def fence(text: str, language: str = "") -> str:
    """Return the text as a fenced block, each line neutralised, in a fence longer than any it holds."""
    lines = [neutralise(line.expandtabs(_TAB)).rstrip() for line in text.strip("\r\n").split("\n")]
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    ticks = "`" * max(3, longest + 1)
    return "\n".join([ticks + _NOT_LANGUAGE.sub("", language), *lines, ticks])


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, right: Collection[int] = ()) -> str:
    """Return a table of cells that are inline Markdown already; columns in `right` are aligned to the right."""
    rule = ["---:" if index in right else "---" for index in range(len(headings))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (headings, rule, *rows))


def details(summary: str, blocks: Sequence[str]) -> str:
    """Return Markdown blocks folded under a summary, which is HTML."""
    return "\n\n".join(["<details>\n<summary>" + summary + "</summary>", *blocks, "</details>"])


def clip(text: str, characters: int) -> str:
    """Return the text cut to so many characters, with an ellipsis where it was longer."""
    return text if len(text) <= characters else text[: characters - 1].rstrip() + "…"


def _one_line(text: str) -> str:
    return " ".join(neutralise(text).split())


def _reference(character: str) -> str:
    return f"&#{ord(character)};"


def _disarm(found: re.Match[str]) -> str:
    # GitHub looks for @name and #1 in the rendered text, where a reference is a plain character again.
    # A space without width parts them.
    return f"{found[0]}&#8203;" if found["notifies"] else _reference(found[0])
