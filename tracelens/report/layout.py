"""Text for a terminal: made harmless, measured in cells, wrapped, aligned, coloured.

Names and query texts come from whoever sends spans. All text passes through `Canvas.clean` on its way out, so
an escape sequence, a newline or a right-to-left override in a span name is shown, never obeyed.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

Text: TypeAlias = tuple[str, str]
"""Text and the names of its styles, separated by spaces: `("12 ms", "bold red")`."""

Line: TypeAlias = "Sequence[Text]"

_SGR: Final = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36"}
_TO_ASCII: Final = str.maketrans(
    {"…": "...", "·": "-", "\u2013": "-", "—": "-", "→": "->", "\u00d7": "x", "≥": ">=", "≤": "<=", "µ": "u"}
    | {"─": "-", "✖": "x", "▲": "!", "•": "-", "✔": "+", "✘": "x"}
)
_AMOUNT: Final = re.compile(r"(?<=\d) (?=(?:ms|s|min|h|%|B|[KMGT]iB)(?:\W|$))")
_GLUE: Final = "\u00a0"  # cleaned text holds none of its own
_NARROWEST: Final = 40


def neutralise(text: str) -> str:
    """Return the text as one line of printable characters.

    White space of every kind becomes a blank; any other character that a terminal might obey or that
    would hide (controls, escape, bidirectional overrides, lone surrogates) becomes its Python escape.
    """
    if text.isprintable():
        return text
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    return " " if character.isspace() else character.encode("unicode_escape", "backslashreplace").decode("ascii")


def cell_width(text: str) -> int:
    """Return how many terminal cells a neutralised text takes: 2 for wide East Asian, 0 for combining characters."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def _cells(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


@dataclass(frozen=True, slots=True)
class Canvas:
    """What the terminal can show: its width in cells, whether in colour, whether beyond ASCII."""

    width: int = 80
    colour: bool = False
    unicode: bool = True

    @classmethod
    def of(cls, width: int, *, colour: bool, unicode: bool) -> Canvas:
        """Return a canvas no narrower than the reporters can lay out."""
        return cls(max(width, _NARROWEST), colour, unicode)

    def clean(self, text: str) -> str:
        """Return the text as one harmless line, in ASCII where the terminal knows no more."""
        line = neutralise(text)
        if self.unicode or line.isascii():
            return line
        return line.translate(_TO_ASCII).encode("ascii", "backslashreplace").decode("ascii")

    def paint(self, text: str, style: str) -> str:
        """Return a cleaned text in its style; without colour, the text."""
        if not (self.colour and style and text):
            return text
        codes = ";".join(_SGR[name] for name in style.split())
        return f"\x1b[{codes}m{text}\x1b[0m"

    def clip(self, text: str, width: int) -> str:
        """Return the cleaned text, its end replaced by an ellipsis where it is wider than `width` cells."""
        line = self.clean(text)
        if cell_width(line) <= width:
            return line
        ellipsis = self.clean("…")
        if width <= len(ellipsis):
            return _start(line, width).rstrip()
        return _start(line, width - len(ellipsis)).rstrip() + ellipsis

    def shorten(self, text: str, width: int) -> str:
        """Return the cleaned text, its middle replaced by an ellipsis where it is wider than `width` cells.

        Of a path the start tells the service and the end the resource.
        """
        line = self.clean(text)
        if cell_width(line) <= width:
            return line
        ellipsis = self.clean("…")
        if width <= len(ellipsis):
            return _start(line, width).rstrip()
        room = width - len(ellipsis)
        end = _start(line[::-1], room // 2)[::-1]
        return _start(line, room - cell_width(end)) + ellipsis + end

    def heading(self, title: str) -> str:
        """Return a title and a rule to the right edge."""
        line = self.clean(title)
        rule = self.clean("─") * max(0, self.width - cell_width(line) - 1)
        return f"{self.paint(line, 'bold')} {self.paint(rule, 'dim')}"

    def flow(self, *texts: Text, lead: Line = ()) -> list[str]:
        """Return the texts as wrapped lines; `lead` stands before the first, blanks of its width before the others.

        Texts are joined by blanks and their own white space is collapsed. A number keeps its unit beside it; a word
        wider than a line is cut.
        """
        lead = [(self.clean(text), style) for text, style in lead]
        hang = sum(cell_width(text) for text, _ in lead)
        room = max(1, self.width - hang)
        words = [
            (piece.strip(), style)
            for text, style in texts
            for word in _words(self.clean(text))
            for piece in _pieces(word, room)
        ]
        lines = [self._join(line) for line in _fill(words, room)]
        if not lines:
            lead, lines = _without_end_blanks(lead), [""]
        start = "".join(self.paint(text, style) for text, style in lead)
        return [start + lines[0], *(" " * hang + line for line in lines[1:])]

    def columns(
        self, rows: Sequence[Line], *, right: Collection[int] = (), indent: int = 0, flex: int = 0
    ) -> list[str]:
        """Return rows of equal length as aligned lines, two blanks between columns.

        Columns in `right` are aligned to the right. Where the rows would be too wide, column `flex` is
        shortened, and when that is not enough, the widest.
        """
        if not rows:
            return []
        cells = [[(self.clean(text).strip(), style) for text, style in row] for row in rows]
        widths = [max(cell_width(text) for text, _ in column) for column in zip(*cells, strict=True)]
        excess = indent + 2 * (len(widths) - 1) + sum(widths) - self.width
        for index in (flex, *sorted(range(len(widths)), key=lambda place: -widths[place])):
            cut = max(0, min(excess, widths[index] - 1))
            widths[index] -= cut
            excess -= cut
        return [self._row(row, widths, right, indent) for row in cells]

    def _row(self, row: Line, widths: list[int], right: Collection[int], indent: int) -> str:
        parts = [" " * indent]
        for index, ((text, style), width) in enumerate(zip(row, widths, strict=True)):
            shown = self.shorten(text, width)
            blanks = " " * (width - cell_width(shown))
            parts.append("  " if index else "")
            parts.append(blanks + self.paint(shown, style) if index in right else self.paint(shown, style) + blanks)
        return "".join(parts).rstrip()

    def _join(self, line: list[Text]) -> str:
        runs = groupby(line, key=lambda word: word[1])
        return " ".join(self.paint(" ".join(text for text, _ in run), style) for style, run in runs)


def _words(line: str) -> list[str]:
    return [word.replace(_GLUE, " ") for word in _AMOUNT.sub(_GLUE, line).split(" ") if word]


def _without_end_blanks(line: Line) -> Line:
    texts = list(line)
    while texts and not texts[-1][0].strip():
        texts.pop()
    return [*texts[:-1], (texts[-1][0].rstrip(), texts[-1][1])] if texts else []


def _start(line: str, width: int) -> str:
    """Return as much of the line's start as fits into `width` cells."""
    used = 0
    for place, character in enumerate(line):
        used += _cells(character)
        if used > width:
            return line[:place]
    return line


def _pieces(word: str, width: int) -> list[str]:
    """Cut a word into pieces no wider than `width` cells; a single character is never cut."""
    if cell_width(word) <= width:
        return [word]
    if word.isascii():
        return re.findall(f".{{1,{max(1, width)}}}", word)
    pieces, piece, used = [], "", 0
    for character in word:
        cells = _cells(character)
        if piece and used + cells > width:
            pieces.append(piece)
            piece, used = "", 0
        piece, used = piece + character, used + cells
    return [*pieces, piece]


def _fill(words: list[Text], room: int) -> list[list[Text]]:
    lines: list[list[Text]] = []
    used = 0
    for text, style in words:
        cells = cell_width(text)
        if lines and used + 1 + cells <= room:
            lines[-1].append((text, style))
            used += 1 + cells
        else:
            lines.append([(text, style)])
            used = cells
    return lines
