"""JSON text to Python values, leniently, and the checks shared by what reads those values."""

from __future__ import annotations

import contextlib
import json
import re
from typing import Final, TypeAlias

import orjson

from tracelens.errors import InvalidRequestError

JsonValue: TypeAlias = "str | int | float | bool | list[JsonValue] | dict[str, JsonValue] | None"

BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_ESCAPE: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
"""Any escape; its group holds half of a surrogate pair, as a sender leaves it that cuts a text inside an emoji."""
_UINT64_DIGITS: Final = 20
_SHOWN_CHARACTERS: Final = 60

LENIENT_DECODER: Final = json.JSONDecoder(
    # Longer numbers mean nothing to OTLP, and reading them as integers takes quadratic time.
    parse_int=lambda digits: int(digits) if len(digits) <= _UINT64_DIGITS else float(digits)
)
"""Reads NaN and Infinity, which orjson refuses, at a tenth of its speed."""


class Fault(Exception):  # noqa: N818  (told to a sender or counted, never an error of the program)
    """What is wrong with a JSON value, and the path to it, gathered from the inside out."""

    def __init__(self, reason: str, *steps: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path = list(steps)

    def __str__(self) -> str:
        place = "".join(reversed(self.path)).lstrip(".")
        return f"{place}: {self.reason}" if place else self.reason


def load(body: bytes) -> JsonValue:
    """Parse JSON, and also what senders write that is not quite: a byte order mark, NaN, halves of surrogate pairs.

    Raises:
        InvalidRequestError: not JSON; names line and column.
    """
    try:
        parsed: JsonValue = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        try:
            parsed = LENIENT_DECODER.decode(mend(body))
        except (ValueError, RecursionError):
            raise InvalidRequestError(f"not valid JSON: {error}") from None
    return parsed


def mend(body: bytes) -> str:
    """Return the text of a JSON body with every byte and escape replaced that stands for no character."""
    mended = _ESCAPE.sub(lambda escape: rb"\ufffd" if escape[1] else escape[0], body.removeprefix(BYTE_ORDER_MARK))
    return mended.decode("utf-8", "replace")


def elements(value: JsonValue) -> list[JsonValue]:
    """Return the array that the value has to be.

    Raises:
        Fault: it is none.
    """
    if type(value) is not list:
        raise Fault(f"expected an array, found {found(value)}")
    return value


def members(value: JsonValue) -> dict[str, JsonValue]:
    """Return the object that the value has to be.

    Raises:
        Fault: it is none.
    """
    if type(value) is not dict:
        raise Fault(f"expected an object, found {found(value)}")
    return value


def text(value: JsonValue) -> str:
    """Return the text that the value has to be; absent is empty.

    Raises:
        Fault: it is something else.
    """
    if value is None:
        return ""
    if type(value) is not str:
        raise Fault(f"expected text, found {found(value)}")
    return value


def whole(value: JsonValue) -> int:
    """Return a whole number that is written as number or text, or as a float that is whole.

    Raises:
        Fault: it is none.
    """
    if type(value) is int:
        return value
    number = value
    if type(number) is str:
        try:
            return int(number)
        except ValueError:
            try:
                number = float(number)
            except ValueError:
                raise Fault(f"expected a whole number, found {found(value)}") from None
    if type(number) is float and number.is_integer():
        return int(number)
    raise Fault(f"expected a whole number, found {found(value)}")


def real(value: JsonValue) -> float:
    """Return a double that is written as number or as text; the words NaN and Infinity are numbers too.

    Raises:
        Fault: it is none.
    """
    if type(value) is float or type(value) is int:
        with contextlib.suppress(OverflowError):
            return float(value)
    elif type(value) is str:
        with contextlib.suppress(ValueError):
            return float(value)
    raise Fault(f"expected a number, found {found(value)}")


def found(value: JsonValue) -> str:
    """Describe a value in a reason."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    shown = json.dumps(value)
    return shown if len(shown) <= _SHOWN_CHARACTERS else f"{shown[:_SHOWN_CHARACTERS]}…"
