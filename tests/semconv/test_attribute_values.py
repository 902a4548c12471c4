"""Values read from their wire bytes are those that protobuf reads, whatever way the bytes are written."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from google.protobuf.message import DecodeError
from hypothesis import example, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from tracelens.semconv.any_value import message_to_text
from tracelens.semconv.attribute_values import AttributeValues

SCALARS = st.one_of(
    st.just(AnyValue()),
    st.text(max_size=20).map(lambda text: AnyValue(string_value=text)),
    st.sampled_from([0, 1, 2, 127, 128, 129, 130, 131, 16_382, 16_383, 16_384, 16_385]).map(
        lambda length: AnyValue(string_value="x" * length)
    ),
    st.booleans().map(lambda flag: AnyValue(bool_value=flag)),
    st.integers(-(2**63), 2**63 - 1).map(lambda number: AnyValue(int_value=number)),
    st.sampled_from([0, 127, 128, 2**56 - 1, 2**56, 2**63 - 1, -1]).map(lambda number: AnyValue(int_value=number)),
    st.floats().map(lambda number: AnyValue(double_value=number)),
    st.binary(max_size=5).map(lambda content: AnyValue(bytes_value=content)),
)
VALUES = SCALARS | st.lists(SCALARS, max_size=2).flatmap(
    lambda items: st.sampled_from(
        [
            AnyValue(array_value=ArrayValue(values=items)),
            AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key="k", value=item) for item in items])),
        ]
    )
)
# Varints of more bytes than they need, members that come twice, fields of no version yet: all of it is valid.
UNUSUAL = st.sampled_from(
    [
        b"\x0a\x81\x00x",
        b"\x0a\x81\x80\x00x",
        b"\x0a\x01x\x0a\x01y",
        b"\x0a\x01x\x18\x05",
        b"\x18\x05\x0a\x01x",
        b"\x18\x05\x18\x06",
        b"\x18\x85\x00",
        b"\x18\x85\x80\x80\x80\x80\x80\x80\x80\x80\x00",
        b"\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x8a\x00\x01x",
        b"\x50\x05",
        b"\x50\x05\x18\x05",
    ]
)
WIRE = VALUES.map(AnyValue.SerializeToString) | UNUSUAL


def is_any_value(wire: bytes) -> bool:
    try:
        AnyValue.FromString(wire)
    except DecodeError:
        return False
    return True


@settings(max_examples=300, deadline=None)
@example([], 0)
@example([b"", b""], 0)
@example([b"\x0a\x01x", b"\x18"], 1)
@given(st.lists(WIRE | st.binary(max_size=6).filter(is_any_value), max_size=8), st.integers(0, 3))
def test_values_are_what_protobuf_reads(wire: list[bytes], first: int) -> None:
    wire = [entry for entry in wire if is_any_value(entry)]
    values = AttributeValues(pa.array(wire, pa.binary()).slice(first))
    messages = [AnyValue.FromString(entry) for entry in wire[first:]]
    texts = [message_to_text(message) for message in messages]
    positions = np.arange(-1, len(messages))
    assert values.texts(positions).to_pylist() == [None, *texts]
    assert values.integers(positions).to_pylist() == [
        None,
        *(message.int_value if message.HasField("int_value") else None for message in messages),
    ]
    assert values.is_filled.tolist() == [bool(text) for text in texts]
    values.texts(positions).validate(full=True)
