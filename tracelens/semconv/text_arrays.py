"""Idioms over Arrow string arrays: which rows match, replacing, and rewriting only some rows.

Arrow compiles a pattern at every call, which takes up to a millisecond, so no rows means no call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable


def matches(texts: pa.StringArray, pattern: str) -> pa.BooleanArray:
    """Return where the RE2 pattern matches anywhere in the text; false for null."""
    if len(texts) == 0:
        return pa.array([], pa.bool_())
    return pc.fill_null(pc.match_substring_regex(texts, pattern), fill_value=False)


def replaced(texts: pa.StringArray, pattern: str, replacement: str) -> pa.StringArray:
    """Return the texts with every match of the RE2 pattern replaced."""
    return pc.replace_substring_regex(texts, pattern, replacement) if len(texts) else texts


def extracted(texts: pa.StringArray, pattern: str, group: str) -> pa.StringArray:
    """Return what the named group of the RE2 pattern holds; null where the pattern does not match."""
    if len(texts) == 0:
        return texts
    return pc.struct_field(pc.extract_regex(texts, pattern), group)


def rewritten_where(
    texts: pa.StringArray, mask: pa.BooleanArray, rewrite: Callable[[pa.StringArray], pa.StringArray]
) -> pa.StringArray:
    """Return the texts with `rewrite` applied to those rows only where the mask is true."""
    count = mask.true_count
    if count == 0:
        return texts
    if count == len(texts):
        return rewrite(texts)
    return pc.replace_with_mask(texts, mask, rewrite(texts.filter(mask)))
