"""Query text parsed by sqlglot and written back in its own dialect.

Texts are query shapes from spans, with any driver's placeholders, possibly cut off, possibly hostile. What does not
parse is None, and advice then does without.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeVar

from tracelens.advice import naming

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlglot import exp

    from tracelens.advice.dialects import Dialect

T = TypeVar("T")

_LINE_LENGTH: Final = 110
_MAX_LENGTH: Final = 20_000
_MAX_NESTING: Final = 60
"""Opening brackets: sqlglot's parser is recursive."""

_STATEMENT: Final = re.compile(r"\s*(select|with|insert|update|delete)\b", re.IGNORECASE)
_TOKEN: Final = re.compile(
    r"""(?P<quoted>'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`)"""
    r"""|(?P<marker>%\(\w+\)s|%s|\$\d+|@(?:__)?[A-Za-z]\w*|(?<![:\w]):[A-Za-z]\w*|(?<![:\w]):\d+|\?)"""
)
_WRITTEN_MARKER: Final = re.compile(r"%\(tlp\)s|\{tlp: ?\w*\}|[:@$]tlp\b|:tlp\b")


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed statement and the dialect that it is written in. The tree is never changed in place.

    `list_markers` is how many parameters an IN list shows: one where the client expands a list by itself.
    """

    tree: exp.Expression
    dialect: Dialect
    list_markers: int = 3

    @property
    def statement(self) -> str:
        """Select, insert, update or delete, in lower case."""
        return self.tree.key

    def sql(self, tree: exp.Expression | None = None) -> str:
        """Write a tree (by default the query itself) with the dialect's parameter markers, numbered as they occur."""
        from sqlglot import ErrorLevel  # noqa: PLC0415 - loaded only once a finding needs it

        def write(*, pretty: bool) -> str:
            return (tree or self.tree).sql(
                dialect=self.dialect.sqlglot, unsupported_level=ErrorLevel.IGNORE, comments=False, pretty=pretty
            )

        text = write(pretty=False)
        if len(text) > _LINE_LENGTH:
            text = write(pretty=True)
        numbers = itertools.count(1)
        return _WRITTEN_MARKER.sub(lambda _: self.dialect.marker.replace("{n}", str(next(numbers))), text)


@lru_cache(maxsize=256)
def parse_query(text: str, dialect: Dialect | None) -> Query | None:
    """Parse a query shape; None where there is no SQL, where it is cut off, or where sqlglot does not know it.

    Kept, since several passes find something in one shape, and parsing is what takes time (1 ms).
    """
    if dialect is None or len(text) > _MAX_LENGTH or text.count("(") > _MAX_NESTING or not _STATEMENT.match(text):
        return None
    from sqlglot import exp, parse  # noqa: PLC0415 - loaded only once a finding needs it

    canonical = _TOKEN.sub(lambda match: match["quoted"] or ":tlp", text)
    trees = attempt(lambda: parse(canonical, read=dialect.sqlglot))
    if not trees or len(trees) != 1 or not isinstance(trees[0], exp.Select | exp.Insert | exp.Update | exp.Delete):
        return None
    query = Query(trees[0], dialect)
    return query if attempt(query.sql) else None


def attempt(step: Callable[[], T]) -> T | None:
    """Return what a step of sqlglot's gives, None where it fails in any of the ways it does on a stranger's text."""
    from sqlglot.errors import SqlglotError  # noqa: PLC0415 - loaded only once a finding needs it

    try:
        return step()
    except (SqlglotError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        return None


def marker() -> exp.Placeholder:
    """Return a new parameter, numbered when the query is written."""
    from sqlglot import exp  # noqa: PLC0415 - loaded only once a finding needs it

    return exp.Placeholder(this="tlp")


def quoted(name: str, dialect: Dialect) -> str:
    """Return a table or column name as the dialect writes it: bare where that is safe, else quoted."""
    from sqlglot import exp  # noqa: PLC0415 - loaded only once a finding needs it

    return identifier(name).sql(dialect=dialect.sqlglot) if name else exp.to_identifier("_").sql()


def identifier(name: str) -> exp.Identifier:
    """Return a name as an identifier, quoted unless it is plain lower case and no keyword."""
    from sqlglot import exp  # noqa: PLC0415 - loaded only once a finding needs it

    own = name.strip('"`[] ')
    plain = re.fullmatch(r"[a-z_][a-z0-9_]*", own) is not None and own not in naming.reserved("sql")
    return exp.to_identifier(own, quoted=not plain)
