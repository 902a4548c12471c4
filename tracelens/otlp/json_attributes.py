"""Attributes in OTLP JSON to protobuf messages.

A value that does not fit its declared type is odd, but no reason to lose a batch: it is kept as what it is
by itself. JavaScript writes `{"intValue": 1e+21}`; naive writers put numbers where text is declared.
"""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING, Final

import orjson

from tracelens.otlp.json_values import Fault, JsonValue, elements, found, whole

if TYPE_CHECKING:
    from google.protobuf.internal.containers import RepeatedCompositeFieldContainer
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

MAX_DEPTH: Final = 100
"""Messages within messages that protobuf readers follow."""

_OUTER_DEPTH: Final = 7
"""Request, resource spans, scope spans, span, event, attribute, value: the deepest place of an attribute's value."""
_INT64: Final = range(-(2**63), 2**63)
_MEMBERS: Final = {
    spelling: f"{kind}_value"
    for kind in ("string", "bool", "int", "double", "array", "kvlist", "bytes")
    for spelling in (f"{kind}Value", f"{kind}_value")
}


def fill_attributes(
    attributes: RepeatedCompositeFieldContainer[KeyValue], value: JsonValue, depth: int = _OUTER_DEPTH
) -> None:
    """Add a JSON array of `{"key": …, "value": {…}}` to a message's attributes.

    Raises:
        Fault: it is built differently, or nests too deep.
    """
    for position, source in enumerate(elements(value)):
        if source is None:
            continue
        attribute = attributes.add()
        if type(source) is dict and type(key := source.get("key")) is str:
            attribute.key = key
            member = source.get("value")
            if type(member) is dict and len(member) == 1 and type(text := member.get("stringValue")) is str:
                attribute.value.string_value = text  # what nearly every attribute is, without detours
                continue
        try:
            _fill_attribute(attribute, source, depth)
        except Fault as fault:
            fault.path.append(f"[{position}]")
            raise


def _fill_attribute(attribute: KeyValue, source: JsonValue, depth: int) -> None:
    if type(source) is not dict:
        raise Fault(f"expected an object with key and value, found {found(source)}")
    key, value = source.get("key"), source.get("value")
    if isinstance(key, str):
        attribute.key = key
    elif key is not None:
        raise Fault(f"expected text, found {found(key)}", ".key")
    if value is not None:
        try:
            _fill_value(attribute.value, value, depth)
        except Fault as fault:
            fault.path.append(".value")
            raise


def _fill_value(target: AnyValue, source: JsonValue, depth: int) -> None:
    """Set an AnyValue from its JSON object. A bare scalar stands for itself; of several members the last one counts."""
    target.SetInParent()
    if type(source) is not dict:
        _set_scalar(target, source)
        return
    for name, value in source.items():
        member = _MEMBERS.get(name)
        if value is None or member is None:
            continue
        try:
            if member == "array_value":
                _fill_array(target, value, depth + 2)
            elif member == "kvlist_value":
                target.kvlist_value.Clear()
                target.kvlist_value.SetInParent()
                fill_attributes(target.kvlist_value.values, _nested(value, depth + 3), depth + 3)
            else:
                set_declared(target, member, value)
        except Fault as fault:
            fault.path.append(f".{name}")
            raise


def _fill_array(target: AnyValue, value: JsonValue, depth: int) -> None:
    target.array_value.Clear()
    target.array_value.SetInParent()
    for position, element in enumerate(_nested(value, depth)):
        try:
            # A null keeps its place as an empty value: arrays may run parallel to one another.
            _fill_value(target.array_value.values.add(), {} if element is None else element, depth)
        except Fault as fault:
            fault.path.append(f".values[{position}]")
            raise


def _nested(value: JsonValue, depth: int) -> list[JsonValue]:
    if type(value) is not dict:
        raise Fault(f"expected an object with values, found {found(value)}")
    if depth > MAX_DEPTH:
        raise Fault("values are nested too deep")
    return elements(value.get("values") or [])


def set_declared(target: AnyValue, member: str, value: JsonValue) -> None:
    """Set the member that the JSON names, or, where the value cannot be read as that, what the value is by itself."""
    try:
        if member == "string_value" and isinstance(value, str | int | float):
            target.string_value = value if isinstance(value, str) else orjson.dumps(value).decode()
        elif member == "int_value" and not isinstance(value, bool | list | dict | None):
            _set_number(target, whole(value), value)
        elif member == "double_value" and isinstance(value, str | int | float) and not isinstance(value, bool):
            target.double_value = float(value)
        elif member == "bool_value" and value in ("true", "false"):
            target.bool_value = value == "true"
        elif member == "bytes_value" and isinstance(value, str):
            target.bytes_value = _from_base64(value)
        else:
            _set_scalar(target, value)
    except (Fault, ValueError):
        _set_scalar(target, value)


def _set_scalar(target: AnyValue, value: JsonValue) -> None:
    if isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, str):
        target.string_value = value
    elif isinstance(value, int):
        _set_number(target, value, value)
    elif isinstance(value, float):
        target.double_value = value
    else:
        raise Fault(f"expected a single value, found {found(value)}")


def _set_number(target: AnyValue, number: int, written: str | float) -> None:
    if number in _INT64:
        target.int_value = number
    else:
        target.double_value = float(written)


def _from_base64(value: str) -> bytes:
    """Read standard and URL-safe base64, padded or not.

    Raises:
        ValueError: it is neither.
    """
    standard = value.rstrip("=").translate({ord("-"): "+", ord("_"): "/"})
    return binascii.a2b_base64(standard + "=" * (-len(standard) % 4), strict_mode=True)
