"""The columns of spans: of `spans`, as every reader sees them, and of the two relations that they are kept in."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

ATTRIBUTE_LIST: Final = pa.list_(pa.struct([("key", pa.string()), ("value", pa.string())]))

SPANS_SCHEMA: Final = pa.schema(
    [
        ("trace_id", pa.uuid()),
        ("span_id", pa.uint64()),
        ("parent_span_id", pa.uint64()),
        ("start_ns", pa.int64()),
        ("duration_ns", pa.int64()),
        ("name", pa.string()),
        ("kind", pa.uint8()),
        ("status_code", pa.uint8()),
        ("status_message", pa.string()),
        ("resource_id", pa.int32()),
        ("scope_id", pa.int32()),
        ("trace_state", pa.string()),
        ("weight", pa.float32()),
        ("db_system", pa.string()),
        ("db_namespace", pa.string()),
        ("db_collection", pa.string()),
        ("db_operation", pa.string()),
        ("query_text_id", pa.int32()),
        ("query_summary", pa.string()),
        ("parameter_hash", pa.int64()),
        ("batch_size", pa.int32()),
        ("returned_rows", pa.int64()),
        ("affected_rows", pa.int64()),
        ("server_address", pa.string()),
        ("server_port", pa.int32()),
        ("peer_service", pa.string()),
        ("http_method", pa.string()),
        ("http_status_code", pa.int16()),
        ("http_route", pa.string()),
        ("url_full", pa.string()),
        ("url_path", pa.string()),
        ("url_query", pa.string()),
        ("url_template", pa.string()),
        ("response_body_size", pa.int64()),
        ("rpc_system", pa.string()),
        ("rpc_method", pa.string()),
        ("messaging_system", pa.string()),
        ("messaging_destination", pa.string()),
        ("messaging_operation", pa.string()),
        ("message_count", pa.int32()),
        ("error_type", pa.string()),
        ("code_function", pa.string()),
        ("code_file", pa.string()),
        ("code_line", pa.int32()),
        ("attributes", ATTRIBUTE_LIST),
        ("received_ns", pa.int64()),
        ("folded_spans", pa.int32()),
        ("folded_ns", pa.int64()),
        ("folded_longest_ns", pa.int64()),
    ]
)
"""`spans`: a row per span, whatever conventions its sender follows."""

SHAPE_COLUMNS: Final = (
    "resource_id", "scope_id", "name", "kind", "status_code", "db_system", "db_namespace", "db_collection",
    "db_operation", "query_summary", "batch_size", "server_address", "server_port", "peer_service", "http_method",
    "http_status_code", "http_route", "url_template", "rpc_system", "rpc_method", "messaging_system",
    "messaging_destination", "messaging_operation", "message_count", "error_type", "code_function", "code_file",
    "code_line",
)  # fmt: skip
"""Columns that a span has by its shape."""

PLACED_COLUMNS: Final = (
    "status_message", "trace_state", "returned_rows", "affected_rows", "response_body_size", "folded_spans",
    "folded_ns", "folded_longest_ns",
)  # fmt: skip
"""Columns that few spans have: as text among the span's values, where its shape says."""

SHAPES_SCHEMA: Final = pa.schema(
    [
        ("span_shape_id", pa.int32()),
        ("digest", pa.binary()),
        *((name, SPANS_SCHEMA.field(name).type) for name in SHAPE_COLUMNS),
        ("attributes", ATTRIBUTE_LIST),
        ("attribute_keys", pa.list_(pa.string())),
        *((f"{name}_at", pa.int32()) for name in PLACED_COLUMNS),
    ]
)
"""`span_shapes`: attributes with few values, the names of the others, and where columns are among a span's values."""

ROWS_SCHEMA: Final = pa.schema(
    [
        ("trace_id", pa.uuid()),
        ("span_id", pa.uint64()),
        ("parent_span_id", pa.uint64()),
        ("start_ns", pa.int64()),
        ("duration_ns", pa.int64()),
        ("span_shape_id", pa.int32()),
        ("weight", pa.float32()),
        ("query_text_id", pa.int32()),
        ("parameter_hash", pa.int64()),
        ("url_full", pa.string()),
        ("url_path", pa.string()),
        ("url_query", pa.string()),
        ("span_values", pa.list_(pa.string())),
        ("received_ns", pa.int64()),
    ]
)
"""`span_rows`: what is a span's own."""
