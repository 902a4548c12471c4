"""What the JSON readers of the signals share: tables of fields, by which a JSON object fills a protobuf message.

A table maps each member's name, in either spelling, to what sets the message's field from the member's value.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from tracelens.otlp.json_attributes import fill_attributes
from tracelens.otlp.json_values import Fault, JsonValue, elements, found, members, real, text, whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.message import Message

OnBadRecord: TypeAlias = Callable[[str], None]
"""Takes the place of a span or data point that was left out and what is wrong with it."""

Fill: TypeAlias = "Callable[[Message, JsonValue, OnBadRecord | None], None]"
Fields: TypeAlias = "dict[str, Fill]"


def fill_message(message: Message, source: JsonValue, fields: Fields, on_bad: OnBadRecord | None) -> None:
    """Set the message's fields from a JSON object; null is absent and unknown members are ignored.

    Raises:
        Fault: the object is not built as the table says.
    """
    for name, value in members(source).items():
        if value is None:
            continue
        fill = fields.get(name)
        if fill is None:
            continue
        try:
            fill(message, value, on_bad)
        except Fault as fault:
            fault.path.append(f".{name}")
            raise
        except ValueError:  # the message's own check of a number's range
            raise Fault(f"{found(value)} is out of range", f".{name}") from None


def identifier(field: str, length: int) -> Fill:
    """Read an id of `length` bytes: hex digits as OTLP writes them, or base64 as naive writers do."""
    hex_digits, base64_digits = 2 * length, len(base64.b64encode(bytes(length)))

    def fill(message: Message, value: JsonValue, _: OnBadRecord | None) -> None:
        if value == "":
            return
        if type(value) is str:
            try:
                if len(value) == hex_digits:
                    read = bytes.fromhex(value)
                elif len(value) == base64_digits:
                    read = base64.b64decode(value, validate=True)
                else:
                    read = b""
            except ValueError:
                read = b""
            if len(read) == length:  # fromhex skips blanks
                setattr(message, field, read)
                return
        raise Fault(f"expected {hex_digits} hex digits, found {found(value)}")

    return fill


def words(field: str) -> Fill:
    """Read text."""

    def fill(message: Message, value: JsonValue, _: OnBadRecord | None) -> None:
        setattr(message, field, text(value))

    return fill


def number(field: str) -> Fill:
    """Read a whole number, written as number or text."""

    def fill(message: Message, value: JsonValue, _: OnBadRecord | None) -> None:
        setattr(message, field, value if type(value) is int else whole(value))

    return fill


def numbers(field: str) -> Fill:
    """Read an array of whole numbers."""

    def fill(message: Message, value: JsonValue, _: OnBadRecord | None) -> None:
        getattr(message, field).extend(map(whole, elements(value)))

    return fill


def measure(field: str) -> Fill:
    """Read a double, written as number or text."""

    def fill(message: Message, value: JsonValue, _: OnBadRecord | None) -> None:
        setattr(message, field, real(value))

    return fill


def measures(field: str) -> Fill:
    """Read an array of doubles."""

    def fill(message: Message, value: JsonValue, _: OnBadRecord | None) -> None:
        getattr(message, field).extend(map(real, elements(value)))

    return fill


def flag(field: str) -> Fill:
    """Read a boolean."""

    def fill(message: Message, value: JsonValue, _: OnBadRecord | None) -> None:
        if type(value) is not bool:
            raise Fault(f"expected true or false, found {found(value)}")
        setattr(message, field, value)

    return fill


def enum(field: str, prefix: str, names: Sequence[str]) -> Fill:
    """Read an enum by number or, as the proto3 mapping writes it, by name; an unknown name is the unset value."""
    values = {name: value for value, name in enumerate(names)}

    def fill(message: Message, value: JsonValue, _: OnBadRecord | None) -> None:
        if type(value) is str and not value.lstrip("-").isdigit():
            value = values.get(value.upper().removeprefix(prefix), 0)
        setattr(message, field, value if type(value) is int else whole(value))

    return fill


def child(field: str, fields: Fields) -> Fill:
    """Read an object into a submessage."""

    def fill(message: Message, value: JsonValue, on_bad: OnBadRecord | None) -> None:
        target: Message = getattr(message, field)
        target.SetInParent()
        fill_message(target, value, fields, on_bad)

    return fill


def children(field: str, fields: Fields, *, may_drop: bool = False) -> Fill:
    """Read an array of objects into submessages; with `may_drop` a bad one is left out where somebody is told of it."""

    def fill(message: Message, value: JsonValue, on_bad: OnBadRecord | None) -> None:
        targets = getattr(message, field)
        for position, source in enumerate(elements(value)):
            if source is None:
                continue
            try:
                fill_message(targets.add(), source, fields, on_bad)
            except Fault as fault:
                fault.path.append(f"[{position}]")
                if not may_drop or on_bad is None:
                    raise
                del targets[-1]
                on_bad(f"{field}{fault}")

    return fill


def attributes(field: str) -> Fill:
    """Read an array of attributes."""

    def fill(message: Message, value: JsonValue, _: OnBadRecord | None) -> None:
        fill_attributes(getattr(message, field), value)

    return fill


def spellings(**fields: Fill) -> Fields:
    """Return the fields by their proto name and by their JSON name."""
    return {
        spelling: fill
        for name, fill in fields.items()
        for spelling in (name, re.sub("_(.)", lambda letter: letter[1].upper(), name))
    }


COMMON: Final = {
    "attributes": attributes("attributes"),
    "dropped_attributes_count": number("dropped_attributes_count"),
}
SCOPE: Final = spellings(name=words("name"), version=words("version"), **COMMON)
RESOURCE: Final = spellings(**COMMON)
