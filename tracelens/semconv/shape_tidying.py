r"""Making the shape texts of equal statements equal: white space, signs, IN lists, VALUES lists.

Works on texts without literals and comments, so parentheses and commas mean what they say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracelens.semconv.text_arrays import matches, replaced, rewritten_where

if TYPE_CHECKING:
    import pyarrow as pa

_CAST: Final = r"(?:::[A-Za-z_][\w.]*(?: precision| varying)?(?:\[\])?)*"
_ELEMENT: Final = rf"\?{_CAST}"


def _parenthesised(levels: int) -> str:
    """Return the pattern of parentheses that hold others down to so many levels: RE2 cannot count."""
    inside = r"[^()]*"
    for _ in range(levels):
        inside = rf"(?:[^()]|\({inside}\))*"
    return rf"\({inside}\)"


# `(?, lower(coalesce(f(?), ?)))`
_ROW: Final = _parenthesised(4)
VALUES_ROWS: Final = rf"(?i)\bVALUES?\s*(?P<rows>{_ROW}(?:\s*,\s*{_ROW})*(?:\s*,\s*\([^()]*$)?)"
"""The rows of a VALUES list; a last row that the sender cut off counts."""
VALUES_ROW: Final = rf"{_ROW}|\([^()]*$"

_NEEDS_TIDYING: Final = (
    r"(?i)\s\s|[\t\r\n\f\v]|^[\s;]|[\s;]$|\( | [),]|[-+]\s*\?"
    rf"|\bIN ?\((?:{_ELEMENT} ?,|\()|\bARRAY ?\[{_ELEMENT} ?,|\bVALUES ?\(.*\) ?, ?\("
)
# A sign belongs to the literal after an operator, an opening parenthesis, a comma, or one of these words.
_SIGN: Final = (
    r"(?i)([=<>(,+*/%|&^~-] ?|\b(?:SELECT|DISTINCT|ALL|AND|OR|NOT|BETWEEN|LIKE|IN|IS|WHEN|THEN|ELSE|CASE|WHERE|HAVING"
    r"|ON|BY|LIMIT|OFFSET|SET|VALUES|RETURNING|RETURN|DEFAULT|INTERVAL) )(?:[-+] ?)+\?"
)


def tidied(shape_texts: pa.StringArray) -> pa.StringArray:
    """Return the texts with single spaces, unsigned literals, one-element IN lists and one-row VALUES lists."""
    return rewritten_where(shape_texts, matches(shape_texts, _NEEDS_TIDYING), _tidied)


def _tidied(texts: pa.StringArray) -> pa.StringArray:
    for pattern, replacement in (
        (r"\s+", " "),
        (r" ([),])", r"\1"),
        (r"\( ", "("),
        (r"^[ ;]+|[ ;]+$", ""),
        (_SIGN, r"\1?"),
        (rf"(?i)(\b(?:IN ?\(|ARRAY ?\[){_ELEMENT})(?: ?, ?{_ELEMENT})+", r"\1"),
        (r"(?i)(\bIN ?\(\([^()]*\))(?: ?, ?\([^()]*\))+", r"\1"),
        (rf"(?i)(\bVALUES ?{_ROW})(?: ?, ?{_ROW})*(?: ?, ?\([^()]*$)?", r"\1"),
    ):
        texts = replaced(texts, pattern, replacement)
    return texts
