"""Two idioms over Arrow string arrays: which rows match, and rewriting only those."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable


def matches(texts: pa.StringArray, pattern: str) -> pa.BooleanArray:
    """Return where the RE2 pattern matches anywhere in the text; false for null."""
    return pc.fill_null(pc.match_substring_regex(texts, pattern), fill_value=False)


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
