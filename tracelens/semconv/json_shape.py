r"""Query texts that are JSON: MongoDB commands and filters, search bodies, TypeORM's EntityManager arguments.

Values become `?` and names stay, in a form for reading: `find users {email: ?}`. RE2 masks the values over
whole arrays; what is left is still JSON, has few forms, and is read one by one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeAlias

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from tracelens.semconv.literals import CUT_MARK, StrippedTexts, at_length_cap, placed, text_hashes
from tracelens.semconv.query_shape import ColumnUse, QueryShape, SortColumn
from tracelens.semconv.statement_kind import statement_of
from tracelens.semconv.text_arrays import extracted, matches, replaced, rewritten_where

if TYPE_CHECKING:
    from collections.abc import Iterator

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

# MongoDB commands by the name of their first field, which holds the collection, and of the field with the filter.
_FILTER_OF: Final = {
    "find": "filter",
    "count": "query",
    "distinct": "query",
    "findAndModify": "query",
    "findandmodify": "query",
    "aggregate": "pipeline",
    "insert": "",
    "update": "updates",
    "delete": "deletes",
    "getMore": "",
    "explain": "",
    "create": "",
    "drop": "",
    "createIndexes": "",
}
_COMMANDS: Final = "|".join(_FILTER_OF)
_ENTITIES: Final = "entityClass|targetOrEntity|target|entityTarget"

_STRING: Final = r'"(?:[^"\\]|\\.)*"'
_APOSTROPHE_STRING: Final = r"'(?:[^'\\]|\\.)*'"
_CONSTRUCTOR: Final = (
    r"\b(?:new )?(?:ObjectId|ISODate|Date|UUID|BinData|Binary|Timestamp|RegExp|Regex|Decimal128|Int64|Number\w+"
    r"|datetime(?:\.\w+)?)\([^()]*\)"
)
# Kept in group 1: a command's collection, an entity's name, every key. The last two alternatives are strings cut off.
_VALUE: Final = (
    rf'(?s)(^\s*\{{\s*"(?:{_COMMANDS}|{_ENTITIES})"\s*:\s*"[\w.$-]*"|{_STRING}\s*:|{_APOSTROPHE_STRING}\s*:)'
    rf"|{_STRING}|{_APOSTROPHE_STRING}|{_CONSTRUCTOR}|-?\b\d[\d.]*(?:[eE][-+]?\d+)?\w*|-?\.\d+"
    r"|\b(?:true|false|null|None|True|False|undefined)\b"
    r"""|"(?:[^"\\]|\\.)*$|'(?:[^'\\]|\\.)*$"""
)
# A cursor's number stands where other commands have the collection; an entity may be the source text of its class.
_CURSOR: Final = r'(?s)^(\s*\{\s*"getMore"\s*:\s*)[^,]+,\s*"collection"\s*:\s*'
_CLASS_SOURCE: Final = rf'(?s)^(\s*\{{\s*"(?:{_ENTITIES})"\s*:\s*")(?:class |function )?\s*(\w+)(?:[^"\\]|\\.)*"'
_HIDDEN: Final = r"""["']\?["']|[:\[,]\s*\?"""
_COUNT: Final = r'(?s)"{}"\s*:\s*(?P<number>\d{{1,18}})\b'
# Session and cluster fields follow the filter and differ in every call.
_PER_CALL_FIELDS: Final = r'(?s),\s*"(?:lsid|txnNumber|\$clusterTime)"\s*:.*$'
_WRAPPER: Final = re.compile(r"\{\$(?:oid|date|uuid|binary|timestamp|number(?:Int|Long|Double|Decimal)): \?\}")
_DEEPEST: Final = 40

_SHAPE: Final = re.compile(
    r"(?:(?P<operation>[A-Za-z]\w*)(?: (?P<collection>[\w.$-]+))?)?\s*(?P<document>[\[{].*)?", re.DOTALL
)
_WORD_AND_DOCUMENT: Final = re.compile(r"\s*(\w*)\s*([\[{].*)", re.DOTALL)
_SHELL_SHAPE: Final = re.compile(r"db\.(?P<collection>[\w$-]+)\.(?P<operation>\w+)\((?P<document>.*)\)", re.DOTALL)
_SORT_SHAPE: Final = re.compile(r" sort (\{[^{}]*\})")
_BARE_KEY: Final = re.compile(r"([{,]\s*)([^\s\"{}\[\],:]+)\s*:")
_FILTERS: Final = ("where", "criteria", "conditions", "filter")
# By how a name begins, in lower case; the first that fits. MongoDB, Elasticsearch, DynamoDB and TypeORM together.
_STATEMENT_OF_VERB: Final = tuple(
    (re.compile(beginning), statement)
    for beginning, statement in (
        (r"find_?(?:one_?)?and_?(?:update|replace|modify)", "update"),
        (r"find_?(?:one_?)?and_?(?:delete|remove)", "delete"),
        (r"getmore|killcursors|endsessions|explain|createindex|listcollections|listindexes", "utility"),
        (r"find|get|count|exist|aggregate|distinct|search|msearch|mget|query|scan|batchget|transactget", "select"),
        (r"average|sum|min|max", "select"),
        (r"insert|index|put|save|add|bulk|upsert|create|batchwrite", "insert"),
        (r"update|replace|increment|decrement|soft|restore|recover|patch|transactwrite", "update"),
        (r"delete|remove|clear", "delete"),
        (r"ping", "ping"),
        (r"hello|ismaster|connect|buildinfo|saslstart|saslcontinue", "session"),
        (r"starttransaction|committransaction|aborttransaction", "transaction"),
    )
)
_OPERATOR: Final = {
    "$in": "in",
    "$eq": "equal",
    "$gt": "range",
    "$gte": "range",
    "$lt": "range",
    "$lte": "range",
    "$regex": "like",
}


def document_shapes(texts: pa.StringArray) -> StrippedTexts:
    """Return the shapes of JSON texts; `value_rows` counts the documents of an insert.

    A text that is no JSON (cut off, or one word) is masked all the same.
    """
    named = rewritten_where(texts, matches(texts, '"getMore"'), lambda rows: replaced(rows, _CURSOR, r"\1"))
    named = rewritten_where(named, matches(named, _CLASS_SOURCE), lambda rows: replaced(rows, _CLASS_SOURCE, r'\1\2"'))
    marked = replaced(replaced(named, r"[\x00-\x08]", " "), _VALUE, "\x02\\1\x03")
    masked = replaced(pc.replace_substring(marked, "\x02\x03", '"?"'), r"[\x02\x03]", "")
    encoded = masked.dictionary_encode()
    forms = [_form(text) for text in encoded.dictionary.to_pylist()]
    shapes = pa.array([shape for shape, _ in forms], pa.string()).take(encoded.indices)
    documents = pa.array([count for _, count in forms], pa.int32()).take(encoded.indices)
    cut = pc.or_(matches(texts, CUT_MARK), at_length_cap(texts))
    # pymongo sends the command's name alone unless it is told to send more.
    told = pc.and_not(matches(texts, r"[{\[]"), matches(texts, _HIDDEN))
    visible = pc.and_not(told, cut)
    steady = rewritten_where(texts, matches(texts, '"lsid"'), lambda rows: replaced(rows, _PER_CALL_FIELDS, ""))
    return StrippedTexts(
        shape_texts=shapes,
        parameter_hashes=text_hashes(steady, visible),
        offset_rows=_number_of(texts, "skip"),
        limit_rows=_number_of(texts, "limit"),
        value_rows=documents,
        truncated=pc.if_else(texts.is_valid(), cut, None),
    )


def describe_document(shape_text: str, operation: str | None) -> QueryShape:
    """Return what the shape of a document command says, with SQL's names for statements; never raises.

    Args:
        shape_text: as `document_shapes` made it.
        operation: names the statement where the text is a filter or arguments only.
    """
    found = _SHELL_SHAPE.match(shape_text) or _SHAPE.match(shape_text)
    verb = (found["operation"] if found else None) or operation
    statement = statement_of_operation(verb)
    document = _document_of(found["document"] or "") if found else None
    collection = (found["collection"] if found else None) or _entity_of(document)
    tables = (collection.lower(),) if collection else ()
    filters = () if statement == "insert" else tuple(_filter_uses(_filter_of(document), tables[0] if tables else None))
    sort = _SORT_SHAPE.search(shape_text)
    sorted_by = _document_of(sort[1]) if sort else None
    changes = statement in {"insert", "update", "delete"} or "$out:" in shape_text or "$merge:" in shape_text
    return QueryShape(
        statement=statement,
        is_read=statement == "select" and not changes,
        tables=tables,
        table_spellings=(collection,) if collection else (),
        written_tables=tables if changes else (),
        filter_columns=filters,
        sort_columns=tuple(SortColumn(tables[0] if tables else None, key, "asc") for key in sorted_by)
        if isinstance(sorted_by, dict)
        else (),
        has_limit=" limit ?" in shape_text or "$limit:" in shape_text or "take:" in shape_text,
        has_offset=" skip ?" in shape_text or "$skip:" in shape_text or "skip:" in shape_text,
        single_row_lookup=any(use.operator == "equal" and use.column in {"_id", "id"} for use in filters),
        insert_values=statement == "insert",
    )


def statement_of_operation(operation: str | None) -> str:
    """Return the statement that an operation's name stands for, in SQL's words: `findOne` is a select."""
    words = (operation or "").removeprefix("BATCH ").split()
    if not words:
        return "other"
    statement = statement_of(words[0])
    if statement != "other":
        return statement
    verb = words[0].rpartition(".")[2].lower()
    return next((name for pattern, name in _STATEMENT_OF_VERB if pattern.match(verb)), "other")


def _form(masked: str | None) -> tuple[str | None, int | None]:
    """Return the shape of one masked text, and how many documents it inserts."""
    if masked is None:
        return None, None
    parts = _WORD_AND_DOCUMENT.fullmatch(masked)
    document = _loaded(parts[2]) if parts else None
    if document is None:
        return re.sub(r"\s+", " ", masked.replace('"?"', "?")).strip(), None
    if parts and parts[1]:
        return f"{parts[1]} {_rendered(document)}", None
    first, collection = next(iter(document.items()), ("", None)) if isinstance(document, dict) else ("", None)
    if not isinstance(document, dict) or first not in _FILTER_OF or not isinstance(collection, str):
        return _rendered(document), None
    pieces = [first, collection]
    sought = document.get(_FILTER_OF[first])
    if isinstance(sought, list) and first in {"update", "delete"}:
        sought = next((each.get("q") for each in sought if isinstance(each, dict)), None)
    if sought:
        pieces.append(_rendered(sought))
    if document.get("sort"):
        pieces += ["sort", _rendered(document["sort"])]
    pieces += [f"{bound} ?" for bound in ("skip", "limit") if bound in document]
    documents = document.get("documents")
    return " ".join(pieces), len(documents) if first == "insert" and isinstance(documents, list) else None


def _loaded(masked: str) -> Json:
    for text in (masked, masked.replace("'", '"')):
        try:
            loaded: Json = orjson.loads(text)
        except orjson.JSONDecodeError:
            continue
        return loaded
    return None


def _rendered(value: Json, depth: int = 0) -> str:
    """Return masked JSON for reading: bare keys, and of equal neighbours in a list the first."""
    if depth > _DEEPEST:
        return "?"
    if isinstance(value, dict):
        pairs = ", ".join(f"{key}: {_rendered(each, depth + 1)}" for key, each in value.items())
        return _WRAPPER.sub("?", f"{{{pairs}}}")
    if isinstance(value, list):
        rendered = [_rendered(each, depth + 1) for each in value]
        distinct = [each for each, before in zip(rendered, [None, *rendered[:-1]], strict=True) if each != before]
        return f"[{', '.join(distinct)}]"
    return value if isinstance(value, str) else "?"


def _number_of(texts: pa.StringArray, field: str) -> pa.Int64Array:
    present = matches(texts, f'"{field}"')
    digits = extracted(texts.filter(present), _COUNT.format(field), "number")
    return placed(present, pc.cast(digits, pa.int64()))


def _document_of(shape: str) -> Json:
    """Return the first document of a shape text, with null for every mask."""
    depth = 0
    for position, character in enumerate(shape):
        depth += (character in "{[") - (character in "}]")
        if depth == 0:
            text = _BARE_KEY.sub(r'\1"\2":', shape[: position + 1])
            return _loaded(re.sub(r"(?<=[:\[,]) ?([^\s\"{}\[\],]+)(?=[,\]}])", r'"\1"', text))
    return None


def _entity_of(document: Json) -> str | None:
    first, value = next(iter(document.items()), ("", None)) if isinstance(document, dict) else ("", None)
    return value if first in _ENTITIES.split("|") and isinstance(value, str) and value != "?" else None


def _filter_of(document: Json) -> Json:
    """Return the part of a document that filters: itself, a `where`, or the first `$match` of a pipeline."""
    if isinstance(document, list):
        return next((stage["$match"] for stage in document if isinstance(stage, dict) and "$match" in stage), None)
    if not isinstance(document, dict) or "query" in document:
        return None
    options = document.get("options")
    for holder in (document, options if isinstance(options, dict) else {}):
        for name in _FILTERS:
            if name in holder:
                return holder[name]
    return None if _entity_of(document) else document


def _filter_uses(sought: Json, table: str | None) -> Iterator[ColumnUse]:
    if not isinstance(sought, dict):
        return
    for key, value in sought.items():
        if key == "$and" and isinstance(value, list):
            for each in value:
                yield from _filter_uses(each, table)
        elif key in {"$or", "$nor"} and isinstance(value, list):
            for each in value:
                yield from (ColumnUse(table, use.column, "other") for use in _filter_uses(each, table))
        elif not key.startswith("$"):
            yield ColumnUse(table, key, _operator(value))


def _operator(value: Json) -> str:
    if not isinstance(value, dict):
        return "equal"
    operator = next((name for name in value if name.startswith(("$", "_type"))), None)
    return "equal" if operator is None else _OPERATOR.get(operator, "other")
