"""Buffers of the compiled core as Arrow arrays, without a copy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tracelens.semconv.span_columns import ATTRIBUTE_LIST

if TYPE_CHECKING:
    from tracelens.native.library import Buffer, Details, Fixed, Texts


class Buffers:
    """Makes arrays of a batch's buffers.

    Args:
        owner: what keeps the memory; every array holds on to it.
    """

    def __init__(self, owner: Any) -> None:
        self._owner = owner

    def buffer(self, buffer: Buffer) -> pa.Buffer:
        """Return a buffer."""
        if not buffer.size:
            return pa.py_buffer(b"")
        return pa.foreign_buffer(buffer.data, buffer.size, base=self._owner)

    def numbers(self, values: Buffer, type_: pa.DataType) -> pa.Array:
        """Return numbers none of which is null."""
        return pa.Array.from_buffers(type_, values.size * 8 // type_.bit_width, [None, self.buffer(values)])

    def fixed(self, column: Fixed, type_: pa.DataType) -> pa.Array:
        """Return numbers."""
        length = column.values.size * 8 // type_.bit_width
        validity = self.buffer(column.validity) if column.nulls else None
        return pa.Array.from_buffers(type_, length, [validity, self.buffer(column.values)], null_count=column.nulls)

    def texts(self, column: Texts) -> pa.StringArray:
        """Return texts."""
        validity = self.buffer(column.validity) if column.nulls else None
        offsets, data = self.buffer(column.offsets), self.buffer(column.data)
        return pa.StringArray.from_buffers(column.rows, offsets, data, validity, column.nulls)

    def uuids(self, values: Buffer) -> pa.ExtensionArray:
        """Return trace ids."""
        return pa.ExtensionArray.from_storage(pa.uuid(), self.numbers(values, pa.binary(16)))

    def lists(self, offsets: Buffer, values: pa.Array) -> pa.ListArray:
        """Return lists of the values."""
        return pa.ListArray.from_arrays(self.numbers(offsets, pa.int32()), values)

    def attributes(self, details: Details) -> pa.ListArray:
        """Return the attribute lists of events or links."""
        keys, values = self.texts(details.keys), self.texts(details.values)
        return self.lists(
            details.pair_offsets, pa.StructArray.from_arrays([keys, values], fields=list(ATTRIBUTE_LIST.value_type))
        )
