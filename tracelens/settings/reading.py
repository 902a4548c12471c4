"""TOML values to the fields of a settings dataclass; a value that does not fit raises ValueError with its place."""

from __future__ import annotations

import math
import re
from dataclasses import MISSING, fields
from datetime import date
from typing import Any, Final, TypeVar

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS_PER_UNIT: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?) ?([KMGT])?(i)?B", re.IGNORECASE)

Section = TypeVar("Section")


def parse_duration_s(text: str) -> float:
    """Return the seconds of a duration such as `15m`, `1h30m` or `500ms`.

    Raises:
        ValueError: the text is no duration.
    """
    parts = _DURATION.findall(text.strip())
    if not parts or "".join(number + unit for number, unit in parts) != text.strip():
        raise ValueError(f"{text!r} is not a duration such as 30s, 15m or 1h30m")
    return sum(float(number) * _SECONDS_PER_UNIT[unit] for number, unit in parts)


def parse_size_bytes(text: str) -> int:
    """Return the bytes of a size such as `20GiB` or `512MB`.

    Raises:
        ValueError: the text is no size.
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} must be a size such as '2GiB' or '512MB'")
    factor: int = (1024 if match[3] else 1000) ** "BKMGT".index((match[2] or "B").upper())
    return round(float(match[1]) * factor)


def read_section(kind: type[Section], section: Any, where: str) -> Section:
    """Return a settings dataclass of a TOML table; names in `_s` or `_ms` may be given as a duration text."""
    expected = {entry.name: entry for entry in fields(kind)}  # type: ignore[arg-type]  # only dataclasses are passed
    values: dict[str, Any] = {}
    for name, value in read_table(section, where).items():
        require_known(name, tuple(sorted(expected)), f"setting {where}.{name}")
        values[name] = read_value(value, str(expected[name].type), f"{where}.{name}")
    for name, entry in expected.items():
        if name not in values and entry.default is MISSING:
            raise ValueError(f"{where}.{name} is missing")
    return kind(**values)


def read_patterned(kind: type[Section], entry: Any, where: str) -> Section:
    """Return a section whose `service` and `endpoint` are regular expressions."""
    section = read_section(kind, entry, where)
    for name in ("service", "endpoint"):
        require_pattern(getattr(section, name), f"{where}.{name}")
    return section


def require_pattern(pattern: str, where: str) -> None:
    """Refuse what is no regular expression."""
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{where} {pattern!r} must be a regular expression: {error}") from error


def read_entries(entries: Any, name: str) -> list[tuple[str, Any]]:
    """Return the tables of a list of tables, each with its place in messages."""
    if not isinstance(entries, list):
        raise ValueError(f"{name} must be a list: write [[{name}]]")  # noqa: TRY004  (a bad value like others)
    return [(f"{name}[{number}]", entry) for number, entry in enumerate(entries)]


def require_known(name: str, known: tuple[str, ...], what: str) -> None:
    """Refuse a name that is not among the known ones; `what` says what it names."""
    if name not in known:
        raise ValueError(f"unknown {what}; known are {', '.join(known)}")


def read_value(value: Any, kind: str, where: str) -> Any:
    """Return a value that has to be of a field's type, given as the annotation's text."""
    kind = kind.removesuffix(" | None")
    if kind == "bool":
        if not isinstance(value, bool):
            raise ValueError(f"{where} must be true or false")
        return value
    if kind == "float":
        return _duration(value, where) if isinstance(value, str) else read_number(value, where)
    if kind == "int":
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{where} must be a whole number above 0")
        return value
    if kind.startswith("tuple"):
        return read_texts(value, where)
    if kind == "date":
        if type(value) is not date:
            raise ValueError(f"{where} must be a day without quotes, such as 2027-01-31")
        return value
    if not isinstance(value, str):
        raise ValueError(f"{where} must be a text in quotes")  # noqa: TRY004  (a bad value like others)
    return value


def _duration(text: str, where: str) -> float:
    try:
        seconds = parse_duration_s(text)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    return seconds * 1000 if where.endswith("_ms") else seconds


def read_number(value: Any, where: str) -> float:
    """Return a value that has to be a finite number, 0 or more."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        raise ValueError(f"{where} must be a number, 0 or more")
    return float(value)


def read_table(value: Any, where: str) -> dict[str, Any]:
    """Return a value that has to be a table."""
    if not isinstance(value, dict):
        raise ValueError(f"{where} must be a table: write [{where}]")  # noqa: TRY004  (a bad value like others)
    return value


def read_texts(value: Any, where: str) -> tuple[str, ...]:
    """Return a value that has to be a list of texts."""
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise ValueError(f"{where} must be a list of texts")
    return tuple(value)
