"""OTLP's AnyValue as text: strings as they are, bytes in base64, everything else as its JSON text."""

from __future__ import annotations

import base64
import json
import math
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

_Plain: TypeAlias = "str | bool | int | float | list[_Plain] | dict[str, _Plain] | None"

_DEPTH_LIMIT: Final = 32
"""Deeper nesting is shown as null: no instrumentation nests further, a hostile sender may."""


def message_to_text(value: AnyValue) -> str | None:
    """Return the text of one protobuf AnyValue; None where it is empty."""
    plain = _plain(value, 0)
    return plain if plain is None or isinstance(plain, str) else _json_text(plain)


def attribute_texts(attributes: Iterable[KeyValue]) -> list[tuple[str, str | None]]:
    """Return protobuf attributes as pairs of key and text."""
    return [(attribute.key, message_to_text(attribute.value)) for attribute in attributes]


def _bytes_text(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


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
