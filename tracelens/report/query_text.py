"""Query shapes as text to read: told from other subjects, broken at their clauses, shortened to what matters."""

from __future__ import annotations

import re
from typing import Final

_STATEMENT: Final = re.compile(
    r"\s*(?:/\*.*?\*/\s*)*\(*\s*(?:select\s|insert\s+(?:ignore\s+)?into\s|replace\s+into\s|merge\s+into\s|delete\s+from\s"
    r"|update\s.+\sset\s|with\s.+\sas\s|explain\s)",
    re.IGNORECASE | re.DOTALL,
)
_CLAUSE: Final = re.compile(
    r"(?<!\bleft)(?<!\bright)(?<!\bfull)(?<!\binner)(?<!\bouter)(?<!\bcross)"
    r"\s+(?=(?:from|where|(?:(?:left|right|full|inner|cross)\s+(?:outer\s+)?)?join|group\s+by|order\s+by|having|limit|union"
    r"|values|set|returning|on\s+conflict|on\s+duplicate)\b)",
    re.IGNORECASE,
)
_SELECT_LIST: Final = re.compile(r"^(\s*select\s+(?:distinct\s+)?)(.+?)(\s+from\s)", re.IGNORECASE | re.DOTALL)
_LONGEST_SELECT_LIST: Final = 24


def is_query(subject: str) -> bool:
    """Tell whether a finding's subject is SQL rather than a URL, a cache command or a host."""
    return _STATEMENT.match(subject) is not None


def clauses(query_shape: str) -> list[str]:
    """Return the query shape cut before each clause, in its own words: only white space between them is dropped."""
    return _CLAUSE.split(query_shape.strip())


def without_select_list(query_shape: str) -> str:
    """Return the query shape with a long select list left out: `select … from orders where user_id = ?`."""
    found = _SELECT_LIST.match(query_shape)
    if found is None or len(found[2]) <= _LONGEST_SELECT_LIST:
        return query_shape
    return f"{found[1]}…{query_shape[found.start(3) :]}"
