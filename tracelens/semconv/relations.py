"""The relations of what spans and data points share, whose rows the catalogue gives ids to."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from tracelens.semconv.metric_series import SERIES_SCHEMA
from tracelens.semconv.span_columns import ATTRIBUTE_LIST, SHAPES_SCHEMA

_COLUMN_USES = pa.list_(
    pa.struct([(name, pa.string()) for name in ("table_name", "column_name", "operator", "expression")])
)
_SORT_COLUMNS = pa.list_(pa.struct([(name, pa.string()) for name in ("table_name", "column_name", "direction")]))
SCHEMAS: Final = {
    "resources": pa.schema(
        [
            ("resource_id", pa.int32()),
            ("digest", pa.binary()),
            ("service_name", pa.string()),
            ("sdk_language", pa.string()),
            ("attributes", ATTRIBUTE_LIST),
        ]
    ),
    "scopes": pa.schema(
        [
            ("scope_id", pa.int32()),
            ("digest", pa.binary()),
            ("scope_name", pa.string()),
            ("scope_version", pa.string()),
            ("attributes", ATTRIBUTE_LIST),
        ]
    ),
    "query_shapes": pa.schema(
        [
            ("query_shape_id", pa.int32()),
            ("db_system", pa.string()),
            ("query_shape", pa.string()),
            ("statement", pa.string()),
            ("is_read", pa.bool_()),
            ("command_class", pa.string()),
            ("tables", pa.list_(pa.string())),
            ("table_spellings", pa.list_(pa.string())),
            ("written_tables", pa.list_(pa.string())),
            ("filter_columns", _COLUMN_USES),
            ("join_columns", _COLUMN_USES),
            ("sort_columns", _SORT_COLUMNS),
            ("constant_predicates", pa.list_(pa.string())),
            ("select_star", pa.bool_()),
            ("selected_columns", pa.int32()),
            ("aggregates", pa.bool_()),
            ("has_limit", pa.bool_()),
            ("has_offset", pa.bool_()),
            ("single_row_lookup", pa.bool_()),
            ("parsed", pa.bool_()),
        ]
    ),
    "query_texts": pa.schema(
        [
            ("query_text_id", pa.int32()),
            ("query_shape_id", pa.int32()),
            ("query_text", pa.string()),
            ("parameter_hash", pa.int64()),
            ("offset_rows", pa.int64()),
            ("limit_rows", pa.int64()),
            ("value_rows", pa.int32()),
            ("truncated", pa.bool_()),
        ]
    ),
    "span_shapes": SHAPES_SCHEMA,
    "metric_series": SERIES_SCHEMA,
}
"""By name; the first column of each is the id."""
