"""OTLP's AnyValue as text: strings as they are, everything else as its JSON text."""

from __future__ import annotations

import base64
import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValueList


def values_to_text(values: pa.StructArray) -> pa.StringArray:
    """Return one text per decoded AnyValue; null where it is absent or empty."""
    text = values.field("string_value")
    for member in ("int_value", "bool_value", "double_value"):
        scalars = values.field(member)
        if scalars.null_count < len(scalars):
            text = pc.coalesce(text, scalars.cast(pa.string()))
    for member, message in (("array_value", ArrayValue), ("kvlist_value", KeyValueList), ("bytes_value", None)):
        serialised = values.field(member)
        if serialised.null_count < len(serialised):
            encoded = serialised.dictionary_encode()
            texts = pa.array([_serialised_to_text(message, item) for item in encoded.dictionary.to_pylist()], pa.string())
            text = pc.coalesce(text, texts.take(encoded.indices))
    return text


def message_to_text(value: AnyValue) -> str | None:
    """Return the text of one protobuf AnyValue; None where it is empty."""
    plain = _plain(value, 0)
    return plain if plain is None or isinstance(plain, str) else _json_text(plain)


_DEPTH_LIMIT = 32  # deeper nesting is shown as null: no instrumentation nests further, a hostile sender may


def _serialised_to_text(message: Any, serialised: bytes) -> str:
    if message is None:
        return base64.b64encode(serialised).decode("ascii")
    try:
        parsed = message.FromString(serialised)
    except DecodeError:  # the outer bytes were checked, these were not: keep them readable rather than lose the span
        return base64.b64encode(serialised).decode("ascii")
    if message is ArrayValue:
        return _json_text([_plain(item, 1) for item in parsed.values])
    return _json_text({item.key: _plain(item.value, 1) for item in parsed.values})


def _plain(value: AnyValue, depth: int) -> Any:
    kind = value.WhichOneof("value")
    if kind is None or depth > _DEPTH_LIMIT:
        return None
    if kind == "array_value":
        return [_plain(item, depth + 1) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {item.key: _plain(item.value, depth + 1) for item in value.kvlist_value.values}
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode("ascii")
    return getattr(value, kind, None)


def _json_text(plain: Any) -> str:
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
