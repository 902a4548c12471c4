"""The attributes of many spans as columns, without a Python object per attribute.

Every attribute has a position in one flat array. A column is made by writing, for each span, the position of
the attribute that fills it, and taking the values at those positions: the cost is per attribute, and small.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from tracelens.semconv.any_value import values_to_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tracelens.semconv.attribute_table import AttributeColumn, AttributeTable

ATTRIBUTE_LIST = pa.list_(pa.struct([("key", pa.string()), ("value", pa.string())]))

_LARGEST_UINT16 = 65_535


class SpanAttributes:
    """The decoded `attributes` lists of a batch of spans (or events, or links).

    Args:
        lists: list<struct<key, value>>, one element per span, as `otlp.decode` makes it.
    """

    def __init__(self, lists: pa.ListArray) -> None:
        flat = lists.flatten()
        self._span_count = len(lists)
        self._values: pa.StructArray = flat.field("value")
        self._keys: pa.StringArray = flat.field("key")
        self._owner: NDArray[np.int64] = pc.list_parent_indices(lists).to_numpy()
        encoded = self._keys.dictionary_encode()
        self._names: list[str] = encoded.dictionary.to_pylist()
        codes = encoded.indices.to_numpy()
        # A stable sort of 16-bit codes is a radix sort: one pass, 10 ns an attribute.
        narrow = codes.astype(np.uint16) if len(self._names) <= _LARGEST_UINT16 else codes
        self._order = np.argsort(narrow, kind="stable")
        self._bounds = np.searchsorted(codes[self._order], np.arange(len(self._names) + 1))
        self._code_of = {name: code for code, name in enumerate(self._names)}
        self._claimed = np.zeros(len(codes), dtype=bool)

    @cached_property
    def _text(self) -> pa.StringArray:
        return values_to_text(self._values)

    def _positions(self, name: str) -> NDArray[np.int64] | None:
        code = self._code_of.get(name)
        return None if code is None else self._order[self._bounds[code] : self._bounds[code + 1]]

    def claim(self, column: AttributeColumn, type_: pa.DataType) -> pa.Array:
        """Return the column's value for each span, null where it has none, and take its attributes out of `rest`."""
        chosen = np.full(self._span_count, -1, dtype=np.int64)
        found: list[NDArray[np.int64]] = []
        for name in reversed(column.names):
            positions = self._positions(name)
            if positions is not None:
                chosen[self._owner[positions]] = positions
                found.append(positions)
        if not found:
            return pa.nulls(self._span_count, type_)
        taken = pa.array(chosen, mask=chosen < 0)
        if column.is_integer:
            values = self._integers(taken, type_)
            # A value that does not fit the column stays an attribute: it must not be lost.
            unread = chosen[(chosen >= 0) & np.asarray(values.is_null())]
            for positions in found:
                self._claimed[positions] = True
            self._claimed[unread] = False
            return values
        for positions in found:
            self._claimed[positions] = True
        values = self._text.take(taken)
        if column.prefix is not None:
            values = self._join_prefix(values, column)
        return _rename(values, column.renamed_values)

    def _integers(self, taken: pa.Array, type_: pa.DataType) -> pa.Array:
        values = self._values.field("int_value").take(taken)
        if values.null_count > taken.null_count:
            text = self._text.take(taken)
            numeric = pc.match_substring_regex(text, r"^-?[0-9]{1,18}$")
            values = pc.coalesce(values, pc.if_else(numeric, text, None).cast(pa.int64()))
        bounds = np.iinfo(type_.to_pandas_dtype())
        fits = pc.and_(pc.greater_equal(values, int(bounds.min)), pc.less_equal(values, int(bounds.max)))
        return pc.if_else(fits, values, None).cast(type_)

    def _join_prefix(self, values: pa.StringArray, column: AttributeColumn) -> pa.StringArray:
        prefix = column.prefix
        positions = None if prefix is None else self._positions(prefix.name)
        if prefix is None or positions is None:
            return values
        chosen = np.full(self._span_count, -1, dtype=np.int64)
        chosen[self._owner[positions]] = positions
        self._claimed[positions] = True
        heads = self._text.take(pa.array(chosen, mask=chosen < 0))
        joined = pc.binary_join_element_wise(heads, values, prefix.separator)
        whole = pc.match_substring(values, prefix.separator)
        return pc.coalesce(pc.if_else(whole, values, joined), values, heads)

    def parameter_hashes(self, table: AttributeTable) -> pa.Int64Array:
        """Return a hash of each span's query parameters, null where none are shown.

        The attributes stay in `rest`: only reports must not show them.
        """
        names = [name for name in self._names if table.is_parameter(name)]
        hashes: dict[int, xxhash.xxh3_64] = {}
        for name in sorted(names):
            positions = self._positions(name)
            if positions is None:
                continue
            texts = self._text.take(pa.array(positions)).to_pylist()
            for owner, text in zip(self._owner[positions].tolist(), texts, strict=True):
                hashes.setdefault(owner, xxhash.xxh3_64()).update(f"{name}\0{text}\0")
        if not hashes:
            return pa.nulls(self._span_count, pa.int64())
        unsigned = np.zeros(self._span_count, dtype=np.uint64)
        hidden = np.ones(self._span_count, dtype=bool)
        for owner, state in hashes.items():
            unsigned[owner] = state.intdigest()
            hidden[owner] = False
        return pa.array(unsigned.view(np.int64), mask=hidden)

    def rest(self) -> pa.ListArray:
        """Return the attributes that no column claimed, one list<struct<key, value>> per span."""
        kept = np.flatnonzero(~self._claimed)
        offsets = np.zeros(self._span_count + 1, dtype=np.int32)
        np.cumsum(np.bincount(self._owner[kept], minlength=self._span_count), out=offsets[1:])
        chosen = pa.array(kept)
        pairs = pa.StructArray.from_arrays([self._keys.take(chosen), self._text.take(chosen)], fields=list(ATTRIBUTE_LIST.value_type))
        return pa.ListArray.from_arrays(pa.array(offsets), pairs)


def _rename(values: pa.StringArray, renamed: dict[str, str]) -> pa.StringArray:
    if not renamed:
        return values
    encoded = values.dictionary_encode()
    names = encoded.dictionary.to_pylist()
    if not any(name in renamed for name in names):
        return values
    return pa.array([renamed.get(name, name) for name in names], pa.string()).take(encoded.indices)
