"""What the compiled core has to know of attribute names: `attributes.toml` in the core's numbers."""

from __future__ import annotations

from functools import cache
from typing import Final

from tracelens.semconv.attribute_table import attribute_table, is_shared_name
from tracelens.semconv.span_columns import SHAPE_COLUMNS

# As `core/attributes.zig` numbers them.
_PARAMETER, _SHARED, _COLUMN = 1, 2, 3
_COLUMNS: Final = (
    "url_full", "url_path", "url_query", "query_text", "returned_rows", "affected_rows", "response_body_size",
    "folded_spans", "folded_ns", "folded_longest_ns",
)  # fmt: skip

PREFIXES: Final = attribute_table().parameter_prefixes
"""How names of query parameters begin."""


@cache
def roles() -> dict[str, tuple[int, int, int]]:
    """Return class, column and rank of every name that is more than a value of its own."""
    table = attribute_table()
    found = dict.fromkeys(table.parameter_names, (_PARAMETER, 0, 0))
    for column in table.columns:
        for rank, name in enumerate(column.names):
            if column.column not in SHAPE_COLUMNS:
                found[name] = (_COLUMN, _COLUMNS.index(column.column), rank)
        shared = column.names if column.prefix is None else (*column.names, column.prefix.name)
        found |= {name: (_SHARED, 0, 0) for name in shared if is_shared_name(name)}
    return found | dict.fromkeys(table.shared_names, (_SHARED, 0, 0))
