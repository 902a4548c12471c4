"""The attributes of many spans as columns, without a Python object per attribute.

Every attribute has a position in one flat array. A column is made by writing, for each span, the position of
the attribute that fills it, and taking the values at those positions: the cost is per attribute, and small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from tracelens.semconv.attribute_table import is_shared_name
from tracelens.semconv.attribute_values import AttributeValues
from tracelens.semconv.span_columns import ATTRIBUTE_LIST

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tracelens.semconv.attribute_table import AttributeColumn, AttributePrefix, AttributeTable

_LARGEST_UINT16: Final = 65_535
_WHOLE_NUMBER: Final = r"^-?[0-9]{1,18}(\.0+)?$"


class SpanAttributes:
    """The decoded `attributes` lists of a batch of spans (or events, or links).

    Args:
        lists: list<struct<key, value>>, one element per span, as `otlp.decode` makes it.
        on_server: which spans are of kind SERVER; none where it is left out.
    """

    def __init__(self, lists: pa.ListArray, on_server: NDArray[np.bool_] | None = None) -> None:
        flat = lists.flatten()
        self._span_count = len(lists)
        self._on_server = np.zeros(len(lists), dtype=bool) if on_server is None else on_server
        self._values = AttributeValues(flat.field("value"))
        self._keys: pa.StringArray = flat.field("key")
        self._owner: NDArray[np.int64] = pc.list_parent_indices(lists).to_numpy()
        encoded = self._keys.dictionary_encode()
        self._names: list[str] = encoded.dictionary.to_pylist()
        codes = self._codes = encoded.indices.to_numpy()
        # A stable sort of 16-bit codes is a radix sort: one pass, 10 ns an attribute.
        narrow = codes.astype(np.uint16) if len(self._names) <= _LARGEST_UINT16 else codes
        self._order: NDArray[np.int64] = np.argsort(narrow, kind="stable")
        self._bounds = np.append(0, np.cumsum(np.bincount(codes, minlength=len(self._names))))
        self._code_of = {name: code for code, name in enumerate(self._names)}
        self._claimed = np.zeros(len(codes), dtype=bool)

    def _positions(self, name: str) -> NDArray[np.int64]:
        """Return where the attributes of this name are, in the order of their spans."""
        code = self._code_of.get(name)
        bounds = slice(0) if code is None else slice(self._bounds[code], self._bounds[code + 1])
        return self._order[bounds]

    def claim(self, column: AttributeColumn, type_: pa.DataType) -> pa.Array:
        """Return the column's value for each span, null where it has none.

        What the column then holds is taken out of `rest`. An attribute that says something else stays there: one of
        lower priority with another value, one that does not fit the column's type, an empty one.
        """
        chosen = np.full(self._span_count, -1, dtype=np.int64)
        candidates: list[NDArray[np.int64]] = []
        for name in reversed(column.names):
            positions = self._usable(self._positions(name), column, name, type_)
            if len(positions):
                chosen[self._owner[positions]] = positions
                candidates.append(positions)
        heads = None if column.prefix is None else self._heads(column.prefix)
        if not candidates and heads is None:
            return pa.nulls(self._span_count, type_)
        values = self._finished(chosen, heads, column, type_)
        self._claimed[chosen[chosen >= 0]] = True
        for positions in candidates:
            losers = positions[chosen[self._owner[positions]] != positions]
            if len(losers):
                owners = pa.array(self._owner[losers])
                own_heads = None if heads is None else heads.take(owners)
                own = self._finished(losers, own_heads, column, type_)
                self._claimed[losers[np.asarray(pc.equal(own, values.take(owners)))]] = True
        if column.prefix is not None and heads is not None:
            self._claim_heads(column.prefix, values)
        return values

    def _usable(
        self, positions: NDArray[np.int64], column: AttributeColumn, name: str, type_: pa.DataType
    ) -> NDArray[np.int64]:
        """Return those of a name's attributes that can fill the column."""
        if name in column.sides:
            positions = positions[self._on_server[self._owner[positions]] == (column.sides[name] == "server")]
        is_usable: NDArray[np.bool_] = self._values.is_filled[positions]
        if column.is_integer and len(positions):
            is_usable = np.asarray(self._integers(positions, type_).is_valid())
        return positions[is_usable]

    def _finished(
        self, positions: NDArray[np.int64], heads: pa.StringArray | None, column: AttributeColumn, type_: pa.DataType
    ) -> pa.Array:
        """Return the values at these positions as the column holds them."""
        if column.is_integer:
            return self._integers(positions, type_)
        values = self._values.texts(positions)
        if column.prefix is not None and heads is not None:
            is_whole = pc.match_substring(values, column.prefix.separator)
            joined = pc.binary_join_element_wise(heads, values, column.prefix.separator)
            values = pc.coalesce(pc.if_else(is_whole, values, joined), values, heads)
        return _renamed(values, column.renamed_values)

    def _integers(self, positions: NDArray[np.int64], type_: pa.DataType) -> pa.Array:
        """Return the values at these positions as integers, null where they are none or do not fit the type."""
        values = self._values.integers(positions)
        if values.null_count > np.count_nonzero(positions < 0):
            text = self._values.texts(positions)
            numeric = pc.match_substring_regex(text, _WHOLE_NUMBER)
            digits = pc.replace_substring_regex(pc.if_else(numeric, text, None), r"\.0+$", "")
            values = pc.coalesce(values, digits.cast(pa.int64()))
        bounds = np.iinfo(type_.to_pandas_dtype())
        fits = pc.and_(pc.greater_equal(values, int(bounds.min)), pc.less_equal(values, int(bounds.max)))
        return pc.if_else(fits, values, None).cast(type_)

    def _heads(self, prefix: AttributePrefix) -> pa.StringArray | None:
        """Return each span's prefix, None where no span has one."""
        positions = self._positions(prefix.name)
        positions = positions[self._values.is_filled[positions]]
        if not len(positions):
            return None
        chosen = np.full(self._span_count, -1, dtype=np.int64)
        chosen[self._owner[positions]] = positions
        return self._values.texts(chosen)

    def _claim_heads(self, prefix: AttributePrefix, values: pa.StringArray) -> None:
        positions = self._positions(prefix.name)
        wholes = values.take(pa.array(self._owner[positions])).to_pylist()
        heads = self._values.texts(positions).to_pylist()
        held = [bool(head) and (whole or "").startswith(head) for whole, head in zip(wholes, heads, strict=True)]
        self._claimed[positions[np.array(held, dtype=bool)]] = True

    def parameter_hashes(self, table: AttributeTable) -> pa.Int64Array:
        """Return a hash of each span's query parameters, by name and text; null where none are shown.

        The attributes stay in `rest`: only reports must not show them.
        """
        hashes: dict[int, xxhash.xxh3_64] = {}
        for name in sorted(filter(table.is_parameter, self._names)):
            positions = self._positions(name)
            texts = self._values.texts(positions).to_pylist()
            for owner, text in zip(self._owner[positions].tolist(), texts, strict=True):
                if owner not in hashes:
                    hashes[owner] = xxhash.xxh3_64()
                hashes[owner].update(_framed(name) + _framed(text))
        if not hashes:
            return pa.nulls(self._span_count, pa.int64())
        unsigned = np.zeros(self._span_count, dtype=np.uint64)
        hidden = np.ones(self._span_count, dtype=bool)
        for owner, state in hashes.items():
            unsigned[owner] = state.intdigest()
            hidden[owner] = False
        return pa.array(unsigned.view(np.int64), mask=hidden)

    def rest(self, *, shared_first: bool = False) -> pa.ListArray:
        """Return the attributes that no column claimed, one list<struct<key, value>> per span."""
        kept = np.flatnonzero(~self._claimed)
        if shared_first:
            is_own = ~np.array([is_shared_name(name) for name in self._names], dtype=bool)[self._codes[kept]]
            kept = kept[np.argsort(2 * self._owner[kept] + is_own, kind="stable")]
        offsets = np.zeros(self._span_count + 1, dtype=np.int32)
        np.cumsum(np.bincount(self._owner[kept], minlength=self._span_count), out=offsets[1:])
        pairs = pa.StructArray.from_arrays(
            [self._keys.take(pa.array(kept)), self._values.texts(kept)], fields=list(ATTRIBUTE_LIST.value_type)
        )
        return pa.ListArray.from_arrays(pa.array(offsets), pairs)


def _framed(text: str | None) -> bytes:
    """Return a text such that no two sequences of texts read the same when joined."""
    if text is None:
        return b"-"
    encoded = text.encode()
    return b"%d:%b" % (len(encoded), encoded)


def _renamed(values: pa.StringArray, renamed: dict[str, str]) -> pa.StringArray:
    if not renamed:
        return values
    encoded = values.dictionary_encode()
    names = encoded.dictionary.to_pylist()
    if not any(name in renamed for name in names):
        return values
    return pa.array([renamed.get(name, name) for name in names], pa.string()).take(encoded.indices)
