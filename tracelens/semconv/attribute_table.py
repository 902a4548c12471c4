"""`attributes.toml` as frozen values: which attribute names fill which column."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from tracelens.semconv.span_columns import SHAPE_COLUMNS


@dataclass(frozen=True, slots=True)
class AttributePrefix:
    """An attribute that older conventions split off the front of a value, and what joined the two."""

    name: str
    separator: str


@dataclass(frozen=True, slots=True)
class AttributeColumn:
    """One column of `spans` and where it comes from.

    Attributes:
        column: the column's name.
        is_integer: whether it holds integers rather than text.
        names: attribute names in falling priority.
        prefix: see AttributePrefix.
        sides: name to "server" where it means this only on a SERVER span, to "client" where only on any other.
        renamed_values: old value to the value that semantic conventions use now.
    """

    column: str
    is_integer: bool
    names: tuple[str, ...]
    prefix: AttributePrefix | None
    sides: dict[str, str]
    renamed_values: dict[str, str]


@dataclass(frozen=True, slots=True)
class AttributeTable:
    """Every column, the attributes whose values are few, and those that show what a query's placeholders held."""

    columns: tuple[AttributeColumn, ...]
    shared_names: frozenset[str]
    parameter_prefixes: tuple[str, ...]
    parameter_names: frozenset[str]

    def is_parameter(self, name: str) -> bool:
        """Return whether an attribute of this name holds a query parameter."""
        return name in self.parameter_names or name.startswith(self.parameter_prefixes)


@cache
def attribute_table() -> AttributeTable:
    """Return the table that is shipped with the package."""
    document = tomllib.loads(files("tracelens.semconv").joinpath("attributes.toml").read_text(encoding="utf-8"))
    columns = tuple(
        AttributeColumn(
            column=column,
            is_integer=entry["type"] == "int",
            names=tuple(entry["names"]),
            prefix=AttributePrefix(**entry["prefix"]) if "prefix" in entry else None,
            sides=dict(entry.get("sides", {})),
            renamed_values=dict(entry.get("values", {})),
        )
        for column, entry in document["columns"].items()
    )
    parameters = document["parameters"]
    return AttributeTable(
        columns, frozenset(document["shared"]["names"]), tuple(parameters["prefixes"]), frozenset(parameters["names"])
    )


@cache
def is_shared_name(name: str) -> bool:
    """Return whether an attribute of this name, where it is no column, is kept in the shape with its value."""
    table = attribute_table()
    if name in table.shared_names:
        return True
    for column in table.columns:
        if column.column in SHAPE_COLUMNS:
            prefix = None if column.prefix is None else column.prefix.name
            if name in column.names or name == prefix:
                return True
    return False
