r"""Query texts of any database to shapes: SQL, cache commands and JSON documents behind one door.

A cache command's shape is the command and the template of its key: `GET user:?`. Numbers, ids and addresses
in keys are the parameters, everything after the key is `?`, and a pipeline is named by the kinds of its
commands. As with SQL, RE2 does what depends on the values and Python sees only the forms that are left.
"""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from tracelens.semconv.cache_commands import HAVE_SUBCOMMANDS, KEYS_ONLY, OPTIONS_FIRST, command_class
from tracelens.semconv.json_shape import describe_document, document_shapes, statement_of_operation
from tracelens.semconv.literals import (
    CUT_MARK,
    StrippedTexts,
    at_length_cap,
    placed,
    scattered,
    strip_literals,
    text_hashes,
)
from tracelens.semconv.query_shape import QueryShape, parse_shape
from tracelens.semconv.text_arrays import matches, replaced, rewritten_where

_CACHES: Final = frozenset({"redis", "valkey", "memcached", "keydb", "dragonfly"})
_DOCUMENTS: Final = frozenset(
    {"mongodb", "documentdb", "elasticsearch", "opensearch", "couchdb", "dynamodb", "aws.dynamodb"}
)
# TypeORM's EntityManager reports the JSON of its arguments under the name of an SQL database. `{ call p() }` is ODBC.
_JSON_TEXT: Final = r'^\s*(?:\{\s*["}]|\[\s*[\[{"])'
_DOCUMENT_SHAPE: Final = re.compile(r"\{\}|\{[\w$.-]+: |\[[\[{?]")

# An argument that the instrumentation hides: py-redis `GET ?`, ioredis `set key [1 other arguments]`.
_MASKED: Final = r"(?:^|\s)\?(?:\s|$)|\[\d+ other arguments\]"
_KEY_MASKED: Final = r"^\s*\S+\s+(?:\?(?:\s|$)|\[\d+ other)"
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
    if system in _DOCUMENTS or _DOCUMENT_SHAPE.match(shape_text):
        return describe_document(shape_text, operation)
    if not shape_text.strip():
        statement = statement_of_operation(operation)
        return QueryShape(statement=statement, is_read=statement == "select", parsed=False)
    return parse_shape(shape_text, system)


class _CommandForm(NamedTuple):
    """What a command's head says.

    Attributes:
        shape_text: the command's shape.
        key_tells: a visible key suffices to tell calls apart, as of a write.
        key_missing: the command needs a key and the text has none.
    """

    shape_text: str
    key_tells: bool = False
    key_missing: bool = False


def _cache_shapes(texts: pa.StringArray, system: str) -> StrippedTexts:
    heads = rewritten_where(
        texts,
        matches(texts, _BLOCKING_READ),
        lambda rows: replaced(rows, _BLOCKING_READ, r"\1 BLOCK "),
    )
    heads = replaced(heads, _HEAD, "\\1\x1f\\2\x1f\\3")
    encoded = replaced(heads, _KEY_PARAMETER, "?").dictionary_encode()
    forms = [_command_form(head, system) for head in encoded.dictionary.to_pylist()]
    shapes = pa.array([form.shape_text for form in forms], pa.string()).take(encoded.indices)
    key_tells = _of_rows([form.key_tells for form in forms], encoded.indices)
    key_missing = _of_rows([form.key_missing for form in forms], encoded.indices)
    commands = pc.if_else(texts.is_valid(), pa.scalar(1, pa.int32()), None)

    listed = matches(texts, r"[\n;]")
    pipelines = [_pipeline(text, system) for text in texts.filter(listed).to_pylist()]
    pipelined = scattered(listed, pa.array([pipeline is not None for pipeline in pipelines], pa.bool_()))
    found = [pipeline for pipeline in pipelines if pipeline is not None]
    shapes = pc.replace_with_mask(shapes, pipelined, pa.array([shape for shape, _ in found], pa.string()))
    commands = pc.replace_with_mask(commands, pipelined, pa.array([count for _, count in found], pa.int32()))

    masked = matches(texts, _MASKED)
    key_visible = pc.and_not(key_tells, matches(texts, _KEY_MASKED))
    hidden = pc.if_else(pipelined, masked, pc.or_(key_missing, pc.and_not(masked, key_visible)))
    cut = pc.or_(pc.or_(matches(texts, CUT_MARK), at_length_cap(texts)), _at_ruby_cap(texts))
    nothing = pa.nulls(len(texts), pa.int64())
    return StrippedTexts(
        shape_texts=shapes,
        parameter_hashes=text_hashes(texts, pc.and_(texts.is_valid(), pc.invert(pc.or_(hidden, cut)))),
        offset_rows=nothing,
        limit_rows=nothing,
        value_rows=commands,
        truncated=pc.if_else(texts.is_valid(), cut, None),
    )


def _command_form(head: str | None, system: str) -> _CommandForm:
    if head is None:
        return _CommandForm("")
    word, key, more = (*head.split("\x1f"), "", "")[:3]
    command = word.upper()
    group = command_class(command, system)
    if command in HAVE_SUBCOMMANDS and key.isalpha():
        return _CommandForm(f"{command} {key.upper()}{' ?' if more else ''}")
    if group in {"connection", "transaction", "script"} or command in OPTIONS_FIRST:
        return _CommandForm(f"{command} BLOCK ?" if key == "BLOCK" else f"{command} ?" if key else command)
    if key.startswith("["):
        key, more = "?", ""
    shape = f"{command} {key}".rstrip()
    if more and command not in KEYS_ONLY:
        shape += " ?"
    return _CommandForm(shape, key_tells=group == "write", key_missing=not key and group != "other")


def _pipeline(text: str, system: str) -> tuple[str, int] | None:
    """Return the shape and the number of commands where every line, or part between semicolons, begins with one."""
    commands = [part.split(None, 1)[0].upper() for part in _PART.split(text) if part.strip()]
    if len(commands) < 2 or any(command_class(command, system) == "other" for command in commands):  # noqa: PLR2004
        return None
    return f"PIPELINE {' '.join(dict.fromkeys(commands))}", len(commands)


def _describe_command(shape_text: str, operation: str, system: str) -> QueryShape:
    words = shape_text.split() or operation.removeprefix("redis-").split() or [""]
    command = words[0].upper()
    if command in {"PIPELINE", "MULTI"} and len(words) > 1:
        if shape_text:
            is_read = all(command_class(each, system) == "read" for each in words[1:])
            return QueryShape(statement="pipeline", is_read=is_read, command_class="pipeline")
        # Clients that report each queried command say so in the operation: `PIPELINE get`.
        command, words = words[1].upper(), words[1:]
    group = "blocking" if words[1:2] == ["BLOCK"] else command_class(command, system)
    keyed = group in {"read", "write", "blocking", "other"} and command not in HAVE_SUBCOMMANDS | OPTIONS_FIRST
    return QueryShape(
        statement=command.lower() or "other",
        is_read=group == "read",
        command_class=group,
        keys=tuple(key for key in words[1:2] if keyed and key != "?"),
    )


def _of_rows(facts: list[bool], rows: pa.Int32Array) -> pa.BooleanArray:
    return pc.fill_null(pa.array(facts, pa.bool_()).take(rows), fill_value=False)


def _at_ruby_cap(texts: pa.StringArray) -> pa.BooleanArray:
    return pc.fill_null(pc.equal(pc.utf8_length(texts), _RUBY_REDIS_CAP), fill_value=False)


def _merged(mask: pa.BooleanArray, where_true: StrippedTexts, where_false: StrippedTexts) -> StrippedTexts:
    inverse = pc.invert(mask)
    columns = {}
    for field in fields(StrippedTexts):
        chosen, other = getattr(where_true, field.name), getattr(where_false, field.name)
        columns[field.name] = pc.replace_with_mask(placed(mask, chosen), inverse, other)
    return StrippedTexts(**columns)
