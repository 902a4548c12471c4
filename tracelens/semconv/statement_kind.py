r"""What kind of statement a shape text is, and its tables, as far as words alone tell.

Cheap enough to keep BEGIN, SET and the like away from the parser, and all that is known of a text that
the parser cannot read.
"""

from __future__ import annotations

import re
from typing import Final

DATA_STATEMENTS: Final = frozenset({"select", "insert", "update", "delete", "merge"})
"""The statements that the parser is asked about."""

_DEFAULT_SCHEMAS: Final = frozenset({"public", "dbo", "main"})
_SYSTEM_SCHEMAS: Final = frozenset(
    {"pg_catalog", "information_schema", "performance_schema", "mysql", "sys", "system", "system_schema"}
)
_SYSTEM_TABLE: Final = re.compile(r"pg_|sqlite_|duckdb_|(?:all|user)_(?:tab|ind|cons|obj|seq|view)")

_BY_FIRST_WORD: Final = {
    word: statement
    for statement, words in {
        "select": "select values table with",
        "insert": "insert replace upsert",
        "update": "update",
        "delete": "delete",
        "merge": "merge",
        "call": "call exec execute do",
        "ddl": "create alter drop truncate comment rename grant revoke",
        "transaction": "begin start commit rollback end savepoint release abort",
        "session": "set show pragma use discard reset describe desc",
        "utility": "vacuum analyze analyse explain copy listen notify unlisten lock unlock checkpoint refresh cluster"
        " reindex deallocate prepare declare fetch move close load kill flush optimize repair attach detach",
    }.items()
    for word in words.split()
}

_NAME: Final = r'(?:"[^"]+"|`[^`]+`|\[[^\]]+\]|[^\W\d][\w$#]*)'
_QUALIFIED: Final = rf"{_NAME}(?:\s*\.\s*{_NAME})*+"
_LONE_NAME: Final = re.compile(rf"\s*{_QUALIFIED}\s*")
_PART: Final = re.compile(r"""(?:"[^"]*"|`[^`]*`|[^;])+""")
_FIRST_WORD: Final = re.compile(r"[\s({?=\[]*([^\W\d]\w*)")
_COMMENT: Final = re.compile(r"\s*(?:--|/\*|#)(.*)", re.DOTALL)
_TRANSACTION_WORD: Final = re.compile(r"\b(?:begin|commit|rollback|savepoint|start transaction)\b", re.IGNORECASE)
_PING_WORD: Final = re.compile(r"\s*ping\b", re.IGNORECASE)
_CONSTANT: Final = r"(?:\(?\?\)?(?:\s*::\s*\w+)?|null|true|false)"
_ALIAS: Final = rf"(?:\s+(?:as\s+)?(?!from\b){_NAME})?"
_FROM_NOTHING: Final = r"(?:\s+from\s+(?:dual|sysibm\.sysdummy\w*|rdb\$database))?\s*$"
_SESSION_FUNCTION: Final = (
    r"(?:pg_catalog\.)?(?:version|current_(?:schemas?|database|catalog|user|role|setting)|session_user|database|schema"
    r"|user|connection_id|pg_backend_pid|pg_is_in_recovery|set_config|inet_server_(?:addr|port)|txid_current"
    r"|last_insert_(?:id|rowid)|scope_identity|row_count|found_rows|db_name|db_id|serverproperty|sqlite_version"
    r"|changes|now|current_timestamp|getdate|sysdate)\s*(?:\([^()]*\))?"
)
_SESSION_ITEM: Final = rf"(?:{_SESSION_FUNCTION}|@@[\w.]+|{_CONSTANT}){_ALIAS}"
_PING: Final = re.compile(
    rf"select\s+{_CONSTANT}{_ALIAS}(?:\s*,\s*{_CONSTANT}{_ALIAS})*+{_FROM_NOTHING}", re.IGNORECASE
)
_SESSION_SELECT: Final = re.compile(
    rf"select\s+{_SESSION_ITEM}(?:\s*,\s*{_SESSION_ITEM})*+{_FROM_NOTHING}", re.IGNORECASE
)
_SET_TRANSACTION: Final = re.compile(r"set\s+(?:\w+\s+)?(?:transaction|characteristics)\b", re.IGNORECASE)
# BEGIN with anything else after it opens a block of PL/SQL or T-SQL.
_BLOCK: Final = re.compile(
    r"begin\b(?!\s*$|\s+(?:tran|work|deferred|immediate|exclusive|concurrent|isolation|read|not\s+deferrable))",
    re.IGNORECASE,
)
_EXCEPTIONS: Final = (
    ("select", _PING, "ping"),
    ("select", _SESSION_SELECT, "session"),
    ("session", _SET_TRANSACTION, "transaction"),
    ("transaction", _BLOCK, "call"),
)
# A name before a parenthesis is a function, but INSERT INTO t (a) lists columns.
_READ_TABLE: Final = re.compile(
    rf"(?:(?<!distinct )\bfrom|\bjoin)\s+(?:only\s+)?({_QUALIFIED})(?!\s*\()", re.IGNORECASE
)
_WRITTEN_TABLE: Final = {
    "insert": re.compile(rf"\binto\s+(?:table\s+)?({_QUALIFIED})", re.IGNORECASE),
    "merge": re.compile(rf"\bmerge\s+(?:into\s+)?({_QUALIFIED})", re.IGNORECASE),
    "update": re.compile(rf"(?:^|\))\s*update\s+(?:only\s+|ignore\s+|low_priority\s+)*({_QUALIFIED})", re.IGNORECASE),
    "delete": re.compile(rf"\bdelete\s+(?:\w+\s+)?from\s+(?:only\s+)?({_QUALIFIED})", re.IGNORECASE),
    "ddl": re.compile(
        rf"\b(?:truncate\s+table|truncate|table|view|index\b[^(]*?\bon|trigger\b[^(]*?\bon)\s+"
        rf"(?:if\s+(?:not\s+)?exists\s+|only\s+)*({_QUALIFIED})",
        re.IGNORECASE,
    ),
    "utility": re.compile(rf"^\s*copy\s+({_QUALIFIED})(?:\s*\([^()]*\))?\s+from\b", re.IGNORECASE),
}
_NOT_A_TABLE: Final = frozenset({"select", "lateral", "unnest", "values", "dual", "set", "where", "table", "stdin"})


def parts_of(shape_text: str) -> list[str]:
    """Return the statements of a batch, which semicolons part; the text itself if there are none."""
    parts = [stripped for part in _PART.findall(shape_text) if (stripped := part.strip())]
    return parts or [shape_text]


def statement_of(part: str) -> str:
    """Return what one statement is, by the words it begins with; a WITH counts as a select."""
    comment = _COMMENT.match(part)
    if comment:
        return _statement_of_comment(comment[1])
    if part.strip() == ";":
        return "transaction"
    first = _FIRST_WORD.match(part)
    if first is None:
        return "other"
    statement = _BY_FIRST_WORD.get(first[1].lower(), "other")
    text = part[first.start(1) :]
    return next(
        (other for usual, pattern, other in _EXCEPTIONS if usual == statement and pattern.match(text)), statement
    )


def is_lone_name(part: str) -> bool:
    """Return whether a text is a name and nothing else."""
    return _LONE_NAME.fullmatch(part) is not None


def _statement_of_comment(comment: str) -> str:
    if _PING_WORD.match(comment):
        return "ping"
    return "transaction" if _TRANSACTION_WORD.search(comment) else "other"


def table_name(spelling: str) -> str:
    """Return a table's name for comparison: unquoted, lower case, without catalogue and default schema."""
    names = [name.strip('"`[]').lower() for name in re.findall(_NAME, spelling)]
    return qualified_name(names[-1], names[-2] if len(names) > 1 else "") if names else spelling.lower()


def qualified_name(name: str, schema: str) -> str:
    """Return a table's name for comparison from its unquoted parts."""
    if not schema or schema.lower() in _DEFAULT_SCHEMAS:
        return name.lower()
    return f"{schema}.{name}".lower()


def is_system_table(table: str) -> bool:
    """Return whether a table, named as `table_name` does, belongs to the database's own catalogue."""
    schema, _, name = table.rpartition(".")
    return schema in _SYSTEM_SCHEMAS or bool(_SYSTEM_TABLE.match(name))


def named_tables(part: str, statement: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the tables that words announce, as name to spelling in order, and the names of those written."""
    spelled: dict[str, str] = {}
    written = _WRITTEN_TABLE.get(statement)
    changed = written.search(part) if written else None
    if changed:
        spelled[table_name(changed[1])] = changed[1]
    names_written = tuple(spelled)
    for found in _READ_TABLE.finditer(part):
        if found[1].lower() not in _NOT_A_TABLE:
            spelled.setdefault(table_name(found[1]), found[1])
    return spelled, names_written
