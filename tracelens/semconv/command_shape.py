r"""Query texts of any database to shapes: SQL, cache commands and JSON documents behind one door.

A cache command's shape is the command and the template of its key: `GET user:?`. Numbers, ids and addresses
in keys are the parameters, everything after the key is `?`, and a pipeline is named by the kinds of its
commands. As with SQL, RE2 does what depends on the values and Python sees only the forms that are left.
"""

from __future__ import annotations

import re
from dataclasses import fields
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from tracelens.semconv.cache_commands import HAVE_SUBCOMMANDS, KEYS_ONLY, command_class
from tracelens.semconv.json_shape import describe_document, document_shapes, statement_of_operation
from tracelens.semconv.literals import CUT_MARK, StrippedTexts, at_length_cap, strip_literals, text_hashes
from tracelens.semconv.query_shape import QueryShape, parse_shape
from tracelens.semconv.text_arrays import matches, rewritten_where

if TYPE_CHECKING:
    from collections.abc import Sequence

_CACHES: Final = frozenset({"redis", "valkey", "memcached", "keydb", "dragonfly"})
_DOCUMENTS: Final = frozenset(
    {"mongodb", "documentdb", "elasticsearch", "opensearch", "couchdb", "dynamodb", "aws.dynamodb"}
)
# TypeORM's EntityManager reports the JSON of its arguments under the name of an SQL database. `{ call p() }` is ODBC.
_JSON_TEXT: Final = r'^\s*(?:\{\s*["}]|\[\s*[\[{"])'

# An argument that the instrumentation hides: py-redis `GET ?`, ioredis `set key [1 other arguments]`.
_MASKED: Final = r"(?:^|\s)\?(?:\s|$)|\[\d+ other arguments\]"
_BLOCKING_READ: Final = r"(?is)^\s*(XREAD(?:GROUP)?)\s.*\bBLOCK\s.*$"
# Command, first argument, and a space where more follows.
_HEAD: Final = r"(?s)^\s*(?:redis[-.])?(\S+)(?:\s+(\S+)(\s)?.*)?$"
_KEY_PARAMETER: Final = (
    r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
    r"|[^\s:/|]+@[^\s:/|]+\.\w+"
    r"|\b[A-Za-z]{0,8}\d[A-Za-z0-9]{12,}\b"
    r"|\b[0-9a-fA-F]{8,}\b"
    r"|\d+(?:\.\d+)*"
)
_PART: Final = re.compile(r"\n|;\s*")
_RUBY_REDIS_CAP: Final = 500


def shape_texts(texts: pa.StringArray, db_system: str) -> StrippedTexts:
    """Return the shapes of query texts of one database system, be they SQL, commands or JSON.

    Args:
        texts: best distinct ones; null stays null. Never raises for what is in them.
        db_system: a value of `db.system.name`, or an older one.
    """
    system = db_system.lower()
    if system in _CACHES:
        return _cache_shapes(texts, system)
    if system in _DOCUMENTS:
        return document_shapes(texts)
    documents = matches(texts, _JSON_TEXT)
    if documents.true_count == 0:
        return strip_literals(texts, system)
    statements = pc.invert(documents)
    return _merged(
        documents, document_shapes(texts.filter(documents)), strip_literals(texts.filter(statements), system)
    )


def describe(shape_text: str, db_system: str, operation: str | None = None) -> QueryShape:
    """Return what a shape of any database system says; never raises.

    Args:
        shape_text: as `shape_texts` made it; empty where the span had no text.
        db_system: as for `shape_texts`.
        operation: `db.operation.name`, which names what a document's text or no text at all leaves open.
    """
    system = db_system.lower()
    if system in _CACHES:
        return _describe_command(shape_text, operation or "", system)
    if system in _DOCUMENTS or re.match(_JSON_TEXT, shape_text) or shape_text.startswith("{"):
        return describe_document(shape_text, operation)
    if not shape_text.strip():
        statement = statement_of_operation(operation)
        return QueryShape(statement=statement, is_read=statement == "select", parsed=False)
    return parse_shape(shape_text, system)
