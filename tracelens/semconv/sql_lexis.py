r"""How SQL dialects write strings, comments, identifiers and placeholders: the RE2 patterns that `literals` runs.

RE2 has neither look-around nor back-references, but takes linear time on any text.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Final


@dataclass(frozen=True, slots=True)
class Lexis:
    """What of the written form differs between databases."""

    backslash_escapes: bool = False
    double_quoted_strings: bool = False
    hash_comments: bool = False
    bracket_identifiers: bool = False
    dollar_strings: bool = False


@dataclass(frozen=True, slots=True)
class LexisPatterns:
    """Regular expressions of one dialect.

    Attributes:
        plain: matches a whole text in which `plain_literal` finds exactly the literals: no comment, no placeholder,
            no quoted identifier in which a digit starts a word, nothing outside ASCII except in strings.
        plain_literal: a literal in such a text.
        comment_mark: what a text with a comment must contain.
        comment: a comment, or in group 1 a string or quoted identifier, in which comments do not count.
        string: a string, or in group 1 a quoted identifier.
        token: a literal, or in group 1 text that looks like one and is kept, or in one of groups 2 to 6 the first
            character of a placeholder, or in group 7 the quote of a string that never ends.
        operator_question_mark: PostgreSQL's JSON operator `?`, told from a placeholder by what follows (group 1).
    """

    plain: str
    plain_literal: str
    comment_mark: str
    comment: str
    string: str
    token: str
    operator_question_mark: str | None


_STANDARD: Final = Lexis()
_POSTGRESQL: Final = Lexis(dollar_strings=True)
_MYSQL: Final = Lexis(backslash_escapes=True, double_quoted_strings=True, hash_comments=True)
_SPARK: Final = replace(_MYSQL, hash_comments=False)
_BRACKETS: Final = Lexis(bracket_identifiers=True)
_LEXES: Final = {
    "postgresql": _POSTGRESQL,
    "postgres": _POSTGRESQL,
    "cockroachdb": _POSTGRESQL,
    "redshift": _POSTGRESQL,
    "aws.redshift": _POSTGRESQL,
    "duckdb": _POSTGRESQL,
    "mysql": _MYSQL,
    "mariadb": _MYSQL,
    "bigquery": _MYSQL,
    "gcp.bigquery": _MYSQL,
    "spark": _SPARK,
    "databricks": _SPARK,
    "hive": _SPARK,
    "clickhouse": Lexis(backslash_escapes=True),
    "snowflake": Lexis(backslash_escapes=True, dollar_strings=True),
    "microsoft.sql_server": _BRACKETS,
    "mssql": _BRACKETS,
    "sqlserver": _BRACKETS,
    "sqlite": _BRACKETS,
}

_ESCAPED_STRING: Final = r"'(?:[^'\\]|\\.|'')*'"
_QUOTED_STRING: Final = "'(?:[^']|'')*'"
_DOUBLE_QUOTED_STRING: Final = r'"(?:[^"\\]|\\.|"")*"'
# N'national', X'hex', B'bits', U&'unicode', MySQL's _utf8mb4'introducer'
_STRING_PREFIX: Final = r"(?:\b(?:[NnXxBb]|[Uu]&|_[A-Za-z]\w*))?"
# Without back-references a tagged string ends at the next tag, whichever that is.
_DOLLAR_STRING: Final = r"\B\$(?:[A-Za-z_]\w*)?\$.*?\$(?:[A-Za-z_]\w*)?\$"
_NUMBER: Final = (
    r"\b(?:0[xX][0-9a-fA-F]+|0[bBoO][0-7]+|\d[\d_]*(?:\.\d+)?(?:[eE][-+]?\d+)?)\b|\B\.\d+(?:[eE][-+]?\d+)?\b"
)
# SQLite ?1 · pg $1 · SQLAlchemy :name, Oracle :1, SQL Server @p0 · psycopg %s %(x)s · ClickHouse {id:UInt32}
_PLACEHOLDER: Final = r"(\?)\d*|\B(\$)\d+|\B([:@])\w+|\B(%)(?:\([\w .:-]+\))?[sbt]\b|(\{)\w+: ?\w+(?:\(\w+\))?\}"
_LETTERS_BEYOND_ASCII: Final = r"\x{C0}-\x{1FFF}\x{2C00}-\x{2FFF}\x{3005}-\x{D7FF}\x{F900}-\x{FDFF}\x{10000}-\x{10FFFF}"
_WORD_BEYOND_ASCII: Final = rf"(?:\b[A-Za-z_][\w$]*)?[{_LETTERS_BEYOND_ASCII}][\w${_LETTERS_BEYOND_ASCII}]*"

PROTECTED_QUESTION_MARK: Final = "\x04"
"""What `operator_question_mark` is replaced by while placeholders are looked for."""


def lexis_of(db_system: str) -> Lexis:
    """Return how the database with this `db.system.name` (old values too) writes SQL; standard SQL if unknown."""
    return _LEXES.get(db_system.lower(), _STANDARD)


@cache
def patterns_of(lexis: Lexis) -> LexisPatterns:
    """Return the dialect's regular expressions."""
    string = _ESCAPED_STRING if lexis.backslash_escapes else _QUOTED_STRING
    strings = [rf"\b[eE]{_ESCAPED_STRING}", _STRING_PREFIX + string]
    # A string with a backslash is plain only where the backslash surely escapes.
    plain = [_ESCAPED_STRING if lexis.backslash_escapes else r"'(?:[^'\\]|'')*'", r"`[A-Za-z_]\w*`"]
    identifiers = ["`(?:[^`]|``)*`"]
    unclosed = "(').*"
    special = ""
    if lexis.double_quoted_strings:
        strings.append(_DOUBLE_QUOTED_STRING)
        plain.append(_DOUBLE_QUOTED_STRING)
        unclosed = "(['\"]).*"
    else:
        identifiers.append('"(?:[^"]|"")*"')
        plain.append(r'"[A-Za-z_]\w*(?:(?:\.|->)[A-Za-z_]\w*)*"')
    if lexis.bracket_identifiers:
        identifiers.append(r"\[(?:[^\]]|\]\])*\]")
        plain.append(r"\[[A-Za-z_]\w*\]")
        special += r"\["
    if lexis.hash_comments:
        special += "#"
    if lexis.dollar_strings:
        strings.append(_DOLLAR_STRING)
    ordinary = rf"[^'\"`\\?%$:@{{/\-\x00-\x08\x80-\x{{10FFFF}}{special}]"
    quoted = "|".join(identifiers)
    literal = "|".join(strings)
    kept = rf"{quoted}|{_WORD_BEYOND_ASCII}|::|@@|\?[|&]|{PROTECTED_QUESTION_MARK}"
    hash_comment = r"|#[^\n]*" if lexis.hash_comments else ""
    return LexisPatterns(
        plain=rf"(?s)^(?:{ordinary}|{'|'.join(plain)}|-[\w\s(>.]|/[\w\s(])*$",
        plain_literal=rf"(?s){literal}|{_NUMBER}",
        comment_mark=r"--|/\*" + ("|#" if lexis.hash_comments else ""),
        comment=rf"(?s)({quoted}|{literal})|--[^\n]*|/\*.*?\*/|/\*.*{hash_comment}",
        string=rf"(?s)({quoted})|{literal}",
        token=rf"(?s)({kept})|{literal}|{_NUMBER}|{_PLACEHOLDER}|{unclosed}",
        operator_question_mark=r"\?(\s*(?:'|\$\d|\?))" if lexis.dollar_strings else None,
    )
