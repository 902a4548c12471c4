"""OTLP's AnyValue as text: strings as they are, bytes in base64, everything else as its JSON text."""

from __future__ import annotations

import base64
import json
import math
from typing import TYPE_CHECKING, Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValueList

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from opentelemetry.proto.common.v1.common_pb2 import KeyValue

_Plain: TypeAlias = "str | bool | int | float | list[_Plain] | dict[str, _Plain] | None"

_DEPTH_LIMIT: Final = 32
"""Deeper nesting is shown as null: no instrumentation nests further, a hostile sender may."""


def values_to_text(values: pa.StructArray) -> pa.StringArray:
    """Return one text per decoded AnyValue; null where it is absent or empty."""
    text = values.field("string_value")
    for member in ("int_value", "bool_value"):
        scalars = values.field(member)
        if scalars.null_count < len(scalars):
            text = pc.coalesce(text, scalars.cast(pa.string()))
    for member, render in _RENDERED.items():
        found = values.field(member)
        if found.null_count < len(found):
            encoded = found.dictionary_encode()
            texts = pa.array([render(value) for value in encoded.dictionary.to_pylist()], pa.string())
            text = pc.coalesce(text, texts.take(encoded.indices))
    return text


def message_to_text(value: AnyValue) -> str | None:
    """Return the text of one protobuf AnyValue; None where it is empty."""
    plain = _plain(value, 0)
    return plain if plain is None or isinstance(plain, str) else _json_text(plain)


def attribute_texts(attributes: Iterable[KeyValue]) -> list[tuple[str, str | None]]:
    """Return protobuf attributes as pairs of key and text."""
    return [(attribute.key, message_to_text(attribute.value)) for attribute in attributes]


def _double_text(value: float) -> str:
    plain = _plain_double(value)
    return plain if isinstance(plain, str) else _json_text(plain)


def _bytes_text(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _array_text(serialised: bytes) -> str:
    try:
        parsed = ArrayValue.FromString(serialised)
    except DecodeError:  # only the outer message was checked: keep the bytes readable rather than lose the span
        return _bytes_text(serialised)
    return _json_text([_plain(item, 1) for item in parsed.values])


def _kvlist_text(serialised: bytes) -> str:
    try:
        parsed = KeyValueList.FromString(serialised)
    except DecodeError:
        return _bytes_text(serialised)
    return _json_text({item.key: _plain(item.value, 1) for item in parsed.values})


_RENDERED: Final[dict[str, Callable[..., str]]] = {
    "double_value": _double_text,
    "array_value": _array_text,
    "kvlist_value": _kvlist_text,
    "bytes_value": _bytes_text,
}


def _plain(value: AnyValue, depth: int) -> _Plain:
    kind = value.WhichOneof("value")
    if kind is None or depth > _DEPTH_LIMIT:
        return None
    match kind:
        case "array_value":
            return [_plain(item, depth + 1) for item in value.array_value.values]
        case "kvlist_value":
            return {item.key: _plain(item.value, depth + 1) for item in value.kvlist_value.values}
        case "bytes_value":
            return _bytes_text(value.bytes_value)
        case "double_value":
            return _plain_double(value.double_value)
    scalar: str | bool | int = getattr(value, kind)
    return scalar


def _plain_double(value: float) -> float | str:
    """Return a double, or the word that OTLP writes where JSON has no number."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _json_text(plain: _Plain) -> str:
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
