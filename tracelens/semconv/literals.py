r"""Literals out of SQL texts, whole arrays at a time.

Services that send values inside the text make nearly every text distinct, so this runs once per span
for them and has to cost about a microsecond: RE2 through pyarrow, no Python per text except the hash.

Two ways lead to the same shape text. Most texts with values are plain: one regular expression proves
it and a second replaces the literals. All others take the general way: comments are removed, then the
text is cut into tokens. RE2 has one replacement for all alternatives, so the general way wraps every
token in \x02 and \x03 and keeps between them only what a capture group holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from xxhash import xxh3_64_intdigest

from tracelens.semconv.shape_tidying import VALUES_ROW, VALUES_ROWS, tidied
from tracelens.semconv.sql_lexis import PROTECTED_QUESTION_MARK, LexisPatterns, lexis_of, patterns_of
from tracelens.semconv.text_arrays import extracted, matches, replaced, rewritten_where

# Lengths at which senders cut texts: Ruby pg 2000, Java 32 KiB, New Relic 4095, and the powers and
# thousands that people write into OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT.
_LENGTH_CAPS: Final = (1000, 1024, 2000, 2048, 4000, 4095, 4096, 8192, 10000, 16384, 32767, 32768, 65535, 65536)
_SHORTEST_CUT: Final = 250
CUT_MARK: Final = r"(?:\.\.|…)\s*$|(?i:[\[(<]truncated[\])>]\s*$)|^SQL (?:not obfuscated|truncated)|^Query too large"
_CONTROL: Final = r"[\x00-\x08]"
_HIDDEN_VALUE: Final = r"\x02[?$:@%{]\x03"
_OPEN_QUOTE: Final = r"\x02['\"]\x03"
_INSERT: Final = r"(?is)^\s*(?:INSERT|REPLACE|UPSERT|WITH)\b.*\bVALUES\s*\("
_PAGED: Final = r"(?i)\b(?:LIMIT|OFFSET|FETCH|TOP)\b"
# PostgreSQL's and MySQL's `LIMIT count OFFSET offset`, MySQL's `LIMIT offset, count`; 18 digits always fit 64 bits.
_LIMIT_AT_END: Final = (
    r"(?i)\bLIMIT\s+(?:(?P<skipped>\d{1,18})\s*,\s*)?(?P<limit>\d{1,18})(?:\s+OFFSET\s+(?P<offset>\d{1,18}))?$"
)
_LIMIT: Final = r"\bLIMIT\s+"
_LIMIT_SKIPPED: Final = r"\bLIMIT\s+[^\s,]+\s*,\s*"
_OFFSET: Final = r"\bOFFSET\s+"
_FETCH: Final = r"\bFETCH\s+(?:FIRST|NEXT)\s+"
_TOP: Final = r"\bTOP\s*\(?\s*"


@dataclass(frozen=True, slots=True)
class StrippedTexts:
    """What an array of query texts says, row by row; every field is as long as the array, and null where the text is.

    Attributes:
        shape_texts: comments removed, literals and placeholders of every style written as `?`, white space collapsed,
            IN lists cut to one element and VALUES lists to one row. Case and quoting are the author's.
        parameter_hashes: a 64-bit hash of the text without comments, so that equal hashes mean the very same call.
            Null where values are hidden (any placeholder or mask in the text) or the text is cut off.
        offset_rows: rows skipped, where OFFSET (or `LIMIT offset, count`) has a visible number, else null.
        limit_rows: rows asked for by LIMIT, FETCH or TOP, where that number is visible, else null.
        value_rows: operations that one text carries: row tuples of an INSERT's VALUES list, commands of a pipeline;
            null for a text that has neither.
        truncated: the sender cut the text off, so equal texts need not be equal calls.
    """

    shape_texts: pa.StringArray
    parameter_hashes: pa.Int64Array
    offset_rows: pa.Int64Array
    limit_rows: pa.Int64Array
    value_rows: pa.Int32Array
    truncated: pa.BooleanArray


def strip_literals(texts: pa.StringArray, db_system: str) -> StrippedTexts:
    """Return the texts' shapes and what their literals told.

    Args:
        texts: SQL texts, best distinct ones. Never raises for what is in them.
        db_system: a value of `db.system.name`, or an older one; decides what quotes and hashes mean.
    """
    patterns = patterns_of(lexis_of(db_system))
    bare, plain = _without_comments(texts, patterns)
    masked = rewritten_where(bare, plain, lambda rows: replaced(rows, patterns.plain_literal, "?"))
    not_plain = pc.invert(plain)
    tokens = _tokens(bare.filter(not_plain), patterns)
    masked = rewritten_where(masked, not_plain, lambda _: _joined(tokens))
    hidden = scattered(not_plain, matches(tokens, _HIDDEN_VALUE))
    unclosed = scattered(not_plain, matches(tokens, _OPEN_QUOTE))
    # Without their literals few texts are left, so everything else is asked of those.
    encoded = masked.dictionary_encode()
    forms, rows = encoded.dictionary, encoded.indices
    tidy_forms = tidied(forms)
    shape_texts = tidy_forms.take(rows)
    all_comment = pc.equal(tidy_forms, "")
    if all_comment.true_count:
        # Such a text is its own shape: drivers announce `/* ping */` and Prisma its implicit BEGIN so.
        shape_texts = rewritten_where(
            shape_texts, empty := _of_rows(all_comment, rows), lambda _: _collapsed(texts.filter(empty))
        )
    truncated = pc.or_(
        pc.or_(unclosed, at_length_cap(texts)),
        _of_rows(pc.or_(matches(forms, CUT_MARK), _parenthesis_open(forms)), rows),
    )
    offset_rows, limit_rows = _paging(bare, _of_rows(matches(forms, _PAGED), rows), patterns.string)
    return StrippedTexts(
        shape_texts=shape_texts,
        parameter_hashes=text_hashes(bare, pc.and_(texts.is_valid(), pc.invert(pc.or_(hidden, truncated)))),
        offset_rows=offset_rows,
        limit_rows=limit_rows,
        value_rows=_value_rows(forms).take(rows),
        truncated=pc.if_else(texts.is_valid(), truncated, None),
    )


def text_hashes(texts: pa.StringArray, mask: pa.BooleanArray) -> pa.Int64Array:
    """Return a signed 64-bit hash of each text where the mask is true, else null."""
    chosen = texts.filter(mask).cast(pa.binary()).to_pylist()
    hashes = np.fromiter(map(xxh3_64_intdigest, chosen), np.uint64, len(chosen)).view(np.int64)
    return placed(mask, pa.array(hashes))


def at_length_cap(texts: pa.StringArray) -> pa.BooleanArray:
    """Return where a text is exactly as long, in characters or bytes, as a usual limit; false for null."""
    caps = pa.array(_LENGTH_CAPS, pa.int32())
    return pc.or_(pc.is_in(pc.utf8_length(texts), value_set=caps), pc.is_in(pc.binary_length(texts), value_set=caps))


def scattered(mask: pa.BooleanArray, values: pa.BooleanArray) -> pa.BooleanArray:
    """Return the values, in order, in the rows where the mask is true, and false in the others."""
    return pc.replace_with_mask(pa.repeat(pa.scalar(value=False), len(mask)), mask, values)


def placed(mask: pa.BooleanArray, values: pa.Array) -> pa.Array:
    """Return the values, in order, in the rows where the mask is true, and null in the others."""
    return pc.replace_with_mask(pa.nulls(len(mask), values.type), mask, values)


def _without_comments(texts: pa.StringArray, patterns: LexisPatterns) -> tuple[pa.StringArray, pa.BooleanArray]:
    """Return the texts without comments or white space around them, and where they are plain."""
    plain = matches(texts, patterns.plain)
    commented = pc.and_not(matches(texts, patterns.comment_mark), plain)
    bare = texts
    if commented.true_count:
        bare = rewritten_where(texts, commented, lambda rows: _uncommented(rows, patterns))
        plain = matches(bare, patterns.plain)
    return pc.ascii_trim(bare, characters=" \t\r\n\f\v;"), plain


def _uncommented(texts: pa.StringArray, patterns: LexisPatterns) -> pa.StringArray:
    texts = _without_control(texts)
    marked = replaced(texts, patterns.comment, "\x02\\1\x03")
    return _unmarked(pc.replace_substring(marked, "\x02\x03", " "))


def _tokens(texts: pa.StringArray, patterns: LexisPatterns) -> pa.StringArray:
    r"""Return the texts with every token between \x02 and \x03: empty for a literal, else what is kept of it."""
    texts = _without_control(texts)
    if patterns.operator_question_mark is not None:
        texts = replaced(texts, patterns.operator_question_mark, PROTECTED_QUESTION_MARK + r"\1")
    return replaced(texts, patterns.token, "\x02\\1\\2\\3\\4\\5\\6\\7\x03")


def _joined(tokens: pa.StringArray) -> pa.StringArray:
    masked = replaced(tokens, r"\x02[?$:@%{'\"]?\x03", "?")
    return pc.replace_substring(_unmarked(masked), PROTECTED_QUESTION_MARK, "?")


def _unmarked(texts: pa.StringArray) -> pa.StringArray:
    return replaced(texts, r"[\x02\x03]", "")


def _without_control(texts: pa.StringArray) -> pa.StringArray:
    return rewritten_where(texts, matches(texts, _CONTROL), lambda rows: replaced(rows, _CONTROL, " "))


def _parenthesis_open(shapes: pa.StringArray) -> pa.BooleanArray:
    """Return where a text ends inside parentheses, as one does that was cut in a list of columns or values."""
    long = pc.greater_equal(pc.binary_length(shapes), _SHORTEST_CUT).fill_null(fill_value=False)
    if long.true_count == 0:
        return long
    rows = shapes.filter(long)
    return scattered(long, pc.greater(pc.count_substring(rows, "("), pc.count_substring(rows, ")")))


def _value_rows(shapes: pa.StringArray) -> pa.Int32Array:
    inserts = matches(shapes, _INSERT)
    if inserts.true_count == 0:
        return pa.nulls(len(shapes), pa.int32())
    rows = extracted(shapes.filter(inserts), VALUES_ROWS, "rows")
    return placed(inserts, pc.count_substring_regex(rows, VALUES_ROW))


def _of_rows(facts: pa.BooleanArray, rows: pa.Int32Array) -> pa.BooleanArray:
    return pc.fill_null(facts.take(rows), fill_value=False)


def _paging(bare: pa.StringArray, paged: pa.BooleanArray, string: str) -> tuple[pa.Int64Array, pa.Int64Array]:
    """Return the visible OFFSET and LIMIT numbers of the last, that is the outermost, such clause in each text."""
    if paged.true_count == 0:
        return (nothing := pa.nulls(len(paged), pa.int64())), nothing
    bare = bare.filter(paged)
    # Nearly always the clause ends the text, where RE2 finds it without reading the rest.
    found = pc.extract_regex(bare, _LIMIT_AT_END)
    limit, offset, skipped = (_number(pc.struct_field(found, name)) for name in ("limit", "offset", "skipped"))
    offset = pc.coalesce(offset, skipped)
    elsewhere = limit.is_null()
    rest = replaced(bare.filter(elsewhere), string, r"\1")
    first, second = _number_after(_LIMIT, rest), _number_after(_LIMIT_SKIPPED, rest)
    skipped = pc.coalesce(_number_after(_OFFSET, rest), pc.if_else(second.is_valid(), first, None))
    asked = pc.coalesce(second, first, _number_after(_FETCH, rest), _number_after(_TOP, rest))
    return (
        placed(paged, pc.replace_with_mask(offset, elsewhere, skipped)),
        placed(paged, pc.replace_with_mask(limit, elsewhere, asked)),
    )


def _number_after(clause: str, texts: pa.StringArray) -> pa.Int64Array:
    return _number(extracted(texts, rf"(?is)^.*{clause}(?P<number>\d{{1,18}})\b", "number"))


def _number(digits: pa.StringArray) -> pa.Int64Array:
    # A group that took no part in the match holds the empty string.
    return pc.cast(pc.if_else(pc.equal(digits, ""), pa.scalar(None, pa.string()), digits), pa.int64())


def _collapsed(texts: pa.StringArray) -> pa.StringArray:
    return pc.utf8_trim(replaced(_without_control(texts), r"\s+", " "), characters=" ")
