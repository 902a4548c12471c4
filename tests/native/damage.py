"""Requests as no encoder writes them: legal, damaged and hostile ones. Run as a program it has the core judge many.

python -m native.damage SEED REQUESTS
"""

from __future__ import annotations

import struct
import sys
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.descriptor import FieldDescriptor
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status
from span_requests import key_values

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from google.protobuf.message import Message

_VARINT, _FIXED64, _BYTES, _GROUP, _GROUP_END, _FIXED32 = range(6)
_WIRE_TYPES: Final = {
    FieldDescriptor.TYPE_FIXED64: _FIXED64,
    FieldDescriptor.TYPE_DOUBLE: _FIXED64,
    FieldDescriptor.TYPE_FIXED32: _FIXED32,
    FieldDescriptor.TYPE_STRING: _BYTES,
    FieldDescriptor.TYPE_BYTES: _BYTES,
    FieldDescriptor.TYPE_MESSAGE: _BYTES,
}
_NOT_UTF_8: Final = (b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"12345678\x80", b"\xe2\x82")
_UNKNOWN: Final = (8, 12, 15, 17, 100, 1000, 2**29 - 1)


def seeds() -> list[ExportTraceServiceRequest]:
    """Return requests in which every field occurs."""
    values = ("text", "", "é", 5, -5, True, 1.5, b"\0\1", ["a", 1], {"k": {"l": [None]}}, None)
    attributes = key_values([(f"k{number}", value) for number, value in enumerate(values)])
    known = key_values(
        {"db.system": "pg", "db.statement": "select 1", "http.target": "/a?b", "db.query.parameter.0": "1"}
    )
    span = Span(
        trace_id=bytes(range(16)),
        span_id=bytes(range(8)),
        parent_span_id=bytes([255] * 8),
        trace_state="ot=th:8",
        flags=257,
        name="span",
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=1_760_000_000_000_000_000,
        end_time_unix_nano=1_760_000_000_000_000_500,
        attributes=[*attributes, *known],
        dropped_attributes_count=1,
        dropped_events_count=2,
        dropped_links_count=300,
        events=[Span.Event(time_unix_nano=7, name="event", attributes=attributes, dropped_attributes_count=1)],
        links=[Span.Link(trace_id=bytes(16), span_id=bytes(8), trace_state="a=b", attributes=attributes, flags=1)],
        status=Status(code=Status.STATUS_CODE_ERROR, message="broken"),
    )
    other = Span(
        trace_id=bytes([1] * 16), span_id=bytes([2] * 8), name="é", events=[Span.Event(), Span.Event(name="e")]
    )
    whole = ResourceSpans(schema_url="https://a/1.30.0")
    whole.resource.attributes.extend(key_values({"service.name": "a", "host.name": "b"}))
    whole.resource.dropped_attributes_count = 1
    scoped = ScopeSpans(spans=[span, other], schema_url="https://b/1.30.0")
    scoped.scope.name, scoped.scope.version = "scope", "1.2"
    scoped.scope.attributes.extend(key_values({"k": "v"}))
    whole.scope_spans.extend([scoped, ScopeSpans(spans=[other])])
    return [
        ExportTraceServiceRequest(resource_spans=[whole, ResourceSpans(scope_spans=[scoped])]),
        ExportTraceServiceRequest(resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=[span])])]),
        ExportTraceServiceRequest(resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=[other] * 3)])]),
    ]


class Writer:
    """Writes messages, here and there not as encoders do.

    Args:
        chance: decides; equal seeds give equal requests.
        rate: of how many things one is odd.
    """

    def __init__(self, chance: random.Random, rate: float) -> None:
        self._chance = chance
        self._rate = rate

    def _odd(self) -> bool:
        return self._chance.random() < self._rate

    def varint(self, number: int) -> bytes:
        """Return a varint, perhaps a longer one than it takes."""
        number &= 2**64 - 1
        written = bytearray()
        while number > 0x7F:
            written.append(number & 0x7F | 0x80)
            number >>= 7
        written.append(number)
        if self._odd():
            written[-1] |= 0x80
            written += bytes([0x80] * self._chance.randrange(9)) + bytes([self._chance.choice((0, 0, 0, 1, 2))])
        return bytes(written)

    def _field(self, number: int, wire_type: int, content: bytes) -> bytes:
        tag = self.varint(number << 3 | wire_type)
        return tag + (self.varint(len(content)) + content if wire_type == _BYTES else content)

    def _unknown(self) -> bytes:
        number = self._chance.choice(_UNKNOWN)
        depth = self._chance.choice((1, 1, 2, 120))
        opened, closed = self._field(number, _GROUP, b""), self._field(number, _GROUP_END, b"")
        return self._chance.choice(
            (
                self._field(number, _VARINT, self.varint(self._chance.getrandbits(64))),
                self._field(number, _FIXED64, bytes(8)),
                self._field(number, _FIXED32, bytes(4)),
                self._field(number, _BYTES, self._chance.randbytes(3)),
                opened * depth + closed * depth,
                opened,
                closed,
                self._field(number, self._chance.choice((6, 7)), b""),
                self._field(0, _VARINT, b"\0"),
            )
        )

    def message(self, message: Message) -> bytes:
        """Return a message's bytes."""
        parts: list[bytes] = []
        for field, value in message.ListFields():
            for element in value if field.is_repeated else [value]:
                parts.append(self._known(field, element))
                if self._odd():
                    parts.append(self._known(field, element))
        if self._odd():
            parts.append(self._unknown())
        if self._odd():
            self._chance.shuffle(parts)
        return b"".join(parts)

    def _known(self, field: Any, value: Any) -> bytes:
        wire_type = _WIRE_TYPES.get(field.type, _VARINT)
        content = self._content(field, value, wire_type)
        if self._odd():
            wire_type, content = self._chance.choice(
                ((_VARINT, self.varint(3)), (_FIXED64, bytes(8)), (_FIXED32, bytes(4)), (_BYTES, b""), (_BYTES, b"ab"))
            )
        return self._field(field.number, wire_type, content)

    def _content(self, field: Any, value: Any, wire_type: int) -> bytes:
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            return self.message(value)
        if wire_type == _BYTES:
            content: bytes = value.encode() if isinstance(value, str) else value
            if self._odd():
                place = self._chance.randrange(len(content) + 1)
                content = content[:place] + self._chance.choice((*_NOT_UTF_8, b"", b"a")) + content[place:]
            return content[: self._chance.randrange(len(content) + 1)] if self._odd() else content
        if field.type == FieldDescriptor.TYPE_DOUBLE:
            return struct.pack("<d", value)
        if wire_type == _VARINT:
            return self.varint(self._chance.getrandbits(64) if self._odd() else int(value))
        return int(value).to_bytes(8 if wire_type == _FIXED64 else 4, "little")


def _flipped(body: bytearray, chance: random.Random) -> None:
    body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)


def _cut(body: bytearray, chance: random.Random) -> None:
    del body[chance.randrange(len(body)) :]


def _inserted(body: bytearray, chance: random.Random) -> None:
    body[(place := chance.randrange(len(body))) : place] = chance.randbytes(chance.randrange(1, 4))


def _removed(body: bytearray, chance: random.Random) -> None:
    place = chance.randrange(len(body))
    del body[place : place + chance.randrange(1, 4)]


def _repeated(body: bytearray, chance: random.Random) -> None:
    start, stop = sorted((chance.randrange(len(body)), chance.randrange(len(body) + 1)))
    body[stop:stop] = body[start:stop]


def _replaced(body: bytearray, chance: random.Random) -> None:
    body[chance.randrange(len(body))] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, 0x0A, 0x12))


_DAMAGES: Final[tuple[Callable[[bytearray, random.Random], None], ...]] = (
    _flipped, _flipped, _cut, _inserted, _removed, _repeated, _replaced,
)  # fmt: skip


def damaged(body: bytes, chance: random.Random) -> bytes:
    """Return a request with some of its bytes changed."""
    changed = bytearray(body)
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        if changed:
            chance.choice(_DAMAGES)(changed, chance)
    return bytes(changed)


def odd_requests(chance: random.Random, count: int) -> list[bytes]:
    """Return requests, each odd in its own way; some are none any more."""
    messages = seeds()
    found = []
    for _ in range(count):
        body = Writer(chance, chance.choice((0, 0, 0.003, 0.01, 0.05))).message(chance.choice(messages))
        found.append(damaged(body, chance) if chance.random() < 0.5 else body)
    return found


def _main(seed: str, count: int) -> None:
    import random  # noqa: PLC0415

    from native.told_rows import BothReaders  # noqa: PLC0415

    both, chance = BothReaders(any_order=True), random.Random(seed)  # noqa: S311  (not a secret)
    for _ in range(0, count, _AT_ONCE):
        both.compare(odd_requests(chance, _AT_ONCE))
    sys.stdout.write(f"{both.read_plain}\n")


_AT_ONCE: Final = 250
"""Requests in a batch: what one leaves behind may be met by the next."""

if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]))
