"""What equal spans share, kept once: rows of `span_shapes` and `span_rows` from rows of `spans`.

A service sends millions of spans of a few hundred shapes. DuckDB takes as long to store a column that says the same all
the time as one that does not: with the shape apart a span takes half the time, and less room.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from tracelens.semconv.attribute_table import is_shared_name
from tracelens.semconv.span_columns import PLACED_COLUMNS, ROWS_SCHEMA, SHAPE_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from tracelens.semconv.catalogue import Catalogue
    from tracelens.semconv.normalise import SpanTables

_NONE: Final = -1
"""The code of what is null."""


def shaped(tables: SpanTables, catalogue: Catalogue) -> SpanTables:
    """Return what `normalise` made of a batch, its spans as rows of `span_rows`."""
    return replace(tables, spans=span_rows(tables.spans, catalogue))


def span_rows(spans: pa.Table, catalogue: Catalogue) -> pa.Table:
    """Return spans as rows of `span_rows`, in their order.

    Args:
        spans: typed as SPANS_SCHEMA; of their attributes those that are shared come first, as `normalise` puts them.
        catalogue: gives ids to shapes.
    """
    if not len(spans):
        return ROWS_SCHEMA.empty_table()
    columns = {name: spans.column(name).combine_chunks() for name in spans.column_names}
    columns["span_shape_id"], columns["span_values"] = shapes_and_values(columns, catalogue)
    return pa.table([columns[name] for name in ROWS_SCHEMA.names], schema=ROWS_SCHEMA)


def shapes_and_values(columns: Mapping[str, pa.Array], catalogue: Catalogue) -> tuple[pa.Int32Array, pa.ListArray]:
    """Return `span_shape_id` and `span_values` of spans given by their columns of SPANS_SCHEMA."""
    attributes = _Attributes(columns["attributes"])
    placed = [columns[name] for name in PLACED_COLUMNS]
    codes = [_codes(columns[name]) for name in SHAPE_COLUMNS]
    codes += [_codes(attributes.shared_codes()), _codes(attributes.key_codes())]
    codes += [np.asarray(column.is_valid()).astype(np.int32) for column in placed]
    shape_of, firsts = _distinct(codes)
    ids = catalogue.span_shape_ids(_described(columns, attributes, placed, firsts))
    return pa.array(ids[shape_of]), attributes.values_before(placed)


class _Attributes:
    """The attribute lists of spans, those that are shared before the others."""

    def __init__(self, lists: pa.ListArray) -> None:
        pairs = lists.flatten()
        self._keys: pa.StringArray = pairs.field("key")
        self._values: pa.StringArray = pairs.field("value")
        offsets: NDArray[np.int32] = lists.offsets.to_numpy()
        self._offsets = (offsets - offsets[0]).astype(np.int64)
        encoded = self._keys.dictionary_encode()
        self._names: list[str] = encoded.dictionary.to_pylist()
        self._key_code: NDArray[np.int32] = encoded.indices.to_numpy()
        is_shared = np.array([is_shared_name(name) for name in self._names], dtype=bool)[self._key_code]
        counted = np.append(0, np.cumsum(is_shared))
        # Where a span's shared attributes end and its own begin.
        self._own = self._offsets[:-1] + np.diff(counted[self._offsets])
        self.own_counts = self._offsets[1:] - self._own

    def shared_codes(self) -> pa.BinaryArray:
        """Return what stands for each span's shared attributes, equal where they are."""
        pairs = np.column_stack([self._key_code, _codes(self._values)]).astype(np.int32)
        return _as_binary(pairs, self._offsets[:-1], self._own)

    def key_codes(self) -> pa.BinaryArray:
        """Return what stands for the names of each span's other attributes, equal where they are."""
        return _as_binary(self._key_code.reshape(-1, 1), self._own, self._offsets[1:])

    def shared(self, span: int) -> list[dict[str, Any]]:
        """Return a span's shared attributes."""
        return self._pairs(self._offsets[span], self._own[span])

    def own_keys(self, span: int) -> list[str]:
        """Return the names of a span's other attributes."""
        return [pair["key"] for pair in self._pairs(self._own[span], self._offsets[span + 1])]

    def _pairs(self, start: int, stop: int) -> list[dict[str, Any]]:
        keys, values = (array.slice(start, stop - start).to_pylist() for array in (self._keys, self._values))
        return [{"key": key, "value": value} for key, value in zip(keys, values, strict=True)]

    def values_before(self, placed: Sequence[pa.Array]) -> pa.ListArray:
        """Return for each span the values of its own attributes, and after them of those columns that it fills."""
        ends = self.own_counts.copy()
        pool, positions, slots = [self._values], [], []
        filled = [np.flatnonzero(np.asarray(column.is_valid())) for column in placed]
        counts = self.own_counts + sum(np.bincount(rows, minlength=len(ends)) for rows in filled)
        offsets = np.append(0, np.cumsum(counts))
        own = _ranges(self._own, self._offsets[1:])
        positions.append(own)
        slots.append(own - np.repeat(self._own, self.own_counts) + np.repeat(offsets[:-1], self.own_counts))
        size = len(self._values)
        for column, rows in zip(placed, filled, strict=True):
            if len(rows):
                pool.append(column.take(pa.array(rows)).cast(pa.string()))
                positions.append(np.arange(size, size + len(rows)))
                slots.append(offsets[rows] + ends[rows])
                ends[rows] += 1
                size += len(rows)
        order = np.empty(offsets[-1], dtype=np.int64)
        order[np.concatenate(slots)] = np.concatenate(positions)
        values = pa.concat_arrays(pool).take(pa.array(order))
        return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), values)


def _described(
    columns: Mapping[str, pa.Array], attributes: _Attributes, placed: Sequence[pa.Array], spans: NDArray[np.int64]
) -> list[tuple[Any, ...]]:
    """Return the shapes of these spans as rows of `span_shapes`, without id and digest."""
    taken = pa.array(spans)
    plain = [columns[name].take(taken).to_pylist() for name in SHAPE_COLUMNS]
    is_filled = [np.asarray(column.take(taken).is_valid()) for column in placed]
    rows = []
    for number, span in enumerate(spans.tolist()):
        keys = attributes.own_keys(span)
        places: list[int | None] = []
        last = len(keys)
        for column in is_filled:
            last += int(column[number])
            places.append(last if column[number] else None)
        rows.append((*(column[number] for column in plain), attributes.shared(span), keys, *places))
    return rows


def _codes(values: pa.Array) -> NDArray[np.int32]:
    """Return a number for each value, equal where the values are."""
    if values.null_count == len(values):
        return np.full(len(values), _NONE, dtype=np.int32)
    codes: NDArray[np.int32] = values.dictionary_encode().indices.fill_null(_NONE).to_numpy()
    return codes


def _distinct(codes: Sequence[NDArray[np.int32]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which combination of codes each row has, numbered from 0, and the first row of each."""
    block = np.ascontiguousarray(np.column_stack(codes), dtype=np.int32)
    width = block.shape[1] * block.itemsize
    rows = pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), len(block), [None, pa.py_buffer(block)])
    numbers: NDArray[np.int64] = rows.dictionary_encode().indices.to_numpy()
    _, firsts = np.unique(numbers, return_index=True)
    return numbers, firsts


def _as_binary(block: NDArray[np.int32], starts: NDArray[np.int64], stops: NDArray[np.int64]) -> pa.BinaryArray:
    """Return for each pair of bounds the rows between them as bytes."""
    kept = np.ascontiguousarray(block[_ranges(starts, stops)])
    offsets = np.append(0, np.cumsum(stops - starts)) * (block.shape[1] * block.itemsize)
    return pa.BinaryArray.from_buffers(
        pa.large_binary(), len(starts), [None, pa.py_buffer(offsets.astype(np.int64)), pa.py_buffer(kept)]
    )


def _ranges(starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the numbers from each start up to its stop, one range after the other."""
    lengths = stops - starts
    ends = np.cumsum(lengths)
    numbers: NDArray[np.int64] = np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + lengths, lengths)
    return numbers
