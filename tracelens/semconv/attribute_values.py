"""The values of a batch's attributes, read from their wire bytes.

Nearly every AnyValue is a text or a count, and the wire of these is plain: a tag, a length or a varint, the text. They
are read for the whole batch at once, and protobuf reads the rest, each distinct value once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from tracelens.semconv.any_value import message_to_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

_STRING_TAG: Final = 0x0A
_INT_TAG: Final = 0x18

_MORE: Final = 0x80
"""Set in each byte of a varint but the last; the other seven bits are its digits, the lowest first."""

_LONGEST_COUNT: Final = 9
"""Bytes of a varint up to 63 bits: what is longer is negative."""


class AttributeValues:
    """Values by their position; a position of -1 stands for none.

    Args:
        serialised: valid AnyValues, as `otlp.decode` gives them; an absent one is empty.

    Attributes:
        is_filled: which of them have a text, and one that is not empty.
    """

    def __init__(self, serialised: pa.BinaryArray) -> None:
        count = len(serialised)
        wire = _Wire(serialised)
        header = wire.text_headers()
        is_other = (header == 0) & (wire.lengths > 0)
        whole, numbers = wire.counts(np.flatnonzero(is_other))
        is_other[whole] = False
        others = np.flatnonzero(is_other)
        messages = serialised.take(pa.array(others)).dictionary_encode()
        parsed = [AnyValue.FromString(message) for message in messages.dictionary.to_pylist()]
        codes = messages.indices.to_numpy()
        rendered = pa.array([message_to_text(message) for message in parsed], pa.string())
        # Chunks would spare the copy, but to take from them takes twice as long.
        self._texts: pa.StringArray = pa.concat_arrays(
            [wire.texts_by_turns(header), pa.array(numbers).cast(pa.string()), rendered, pa.nulls(1, pa.string())]
        )
        # The last entry is that of no value, so -1 finds it.
        self._text_at = np.full(count + 1, len(self._texts) - 1, dtype=np.int64)
        texts = np.flatnonzero(header)
        self._text_at[texts] = 2 * texts + 1
        self._text_at[whole] = 2 * count + np.arange(len(whole))
        self._text_at[others] = 2 * count + len(whole) + codes
        self._numbers = np.zeros(count + 1, dtype=np.int64)
        self._numbers[whole] = numbers
        self._is_number = np.zeros(count + 1, dtype=bool)
        self._is_number[whole] = True
        is_int = np.array([message.HasField("int_value") for message in parsed], dtype=bool)
        if is_int.any():
            self._is_number[others] = is_int[codes]
            self._numbers[others] = np.array([message.int_value for message in parsed], dtype=np.int64)[codes]
        self.is_filled: NDArray[np.bool_] = wire.lengths > header
        self.is_filled[others] = np.asarray(pc.greater(pc.binary_length(rendered), 0).fill_null(fill_value=False))[
            codes
        ]

    def texts(self, positions: NDArray[np.int64]) -> pa.StringArray:
        """Return values as text, null where one is absent or empty: strings as they are, the others as `any_value`."""
        return self._texts.take(pa.array(self._text_at[positions]))

    def integers(self, positions: NDArray[np.int64]) -> pa.Int64Array:
        """Return values that are integers, null where one is something else."""
        return pa.array(self._numbers[positions], mask=~self._is_number[positions])


class _Wire:
    """The bytes of serialised AnyValues.

    Attributes:
        lengths: how many bytes each has.
    """

    def __init__(self, serialised: pa.BinaryArray) -> None:
        count, first = len(serialised), serialised.offset
        _, offsets, content = serialised.buffers()
        self._content = content or pa.py_buffer(b"")
        self._bounds = np.frombuffer(offsets, np.int32)[first : first + count + 1] if count else np.zeros(1, np.int32)
        self._starts = self._bounds[:-1]
        self._bytes = np.frombuffer(self._content, np.uint8)
        self.lengths: NDArray[np.int32] = np.diff(self._bounds)

    def _at(self, starts: NDArray[np.int32], number: int) -> NDArray[np.uint8]:
        """Return a byte of each value by its number: any byte where the value is shorter."""
        return self._bytes.take(starts + number, mode="clip")

    def text_headers(self) -> NDArray[np.int32]:
        """Return how many bytes come before the text of each value that is one string and nothing else, 0 for others.

        Texts that are longer than two bytes of varint can tell, 16,383 bytes, are left to protobuf.
        """
        headers = np.zeros(len(self.lengths), dtype=np.int32)
        if not len(self._bytes):
            return headers
        is_string = (self._at(self._starts, 0) == _STRING_TAG) & (self.lengths > 1)
        length = self._at(self._starts, 1)
        headers[is_string & (length == self.lengths - 2) & (length < _MORE)] = 2
        long = np.flatnonzero(is_string & (length >= _MORE) & (self.lengths > _MORE + 2))
        low, high = length[long].astype(np.int32), self._at(self._starts[long], 2).astype(np.int32)
        is_whole = (high > 0) & (high < _MORE) & (((low & ~_MORE) | high << 7) == self.lengths[long] - 3)
        headers[long[is_whole]] = 3
        return headers

    def texts_by_turns(self, headers: NDArray[np.int32]) -> pa.StringArray:
        """Return header and text of each value by turns, in the memory that they are in: only texts are UTF-8."""
        bounds = np.empty(2 * len(headers) + 1, dtype=np.int32)
        bounds[0::2] = self._bounds
        bounds[1::2] = self._starts + headers
        return pa.StringArray.from_buffers(2 * len(headers), pa.py_buffer(bounds), self._content)

    def counts(self, positions: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return which of these values are one integer that is not negative, and nothing else, and the integers."""
        digits = self.lengths[positions] - 1
        is_candidate = (digits > 0) & (digits <= _LONGEST_COUNT)
        positions, digits = positions[is_candidate], digits[is_candidate]
        starts = self._starts[positions]
        is_count = self._at(starts, 0) == _INT_TAG if len(starts) else np.zeros(0, dtype=bool)
        numbers = np.zeros(len(starts), dtype=np.int64)
        for number in range(int(digits.max(initial=0))):
            byte = np.where(number < digits, self._at(starts, number + 1), 0).astype(np.int64)
            numbers |= (byte & ~_MORE) << (7 * number)
            is_count &= (number >= digits) | ((byte >= _MORE) == (number < digits - 1))
        return positions[is_count], numbers[is_count]
