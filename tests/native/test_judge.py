"""What the core calls plain, protobuf accepts, and both read the same of it; nothing that is sent ends the process."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from processes import environment
from span_requests import any_value, key_values, request, span

from tracelens.native.library import span_counts
from tracelens.otlp.decode import decode_requests

from .damage import Writer, damaged, seeds
from .request_strategies import BODIES
from .told_rows import BothReaders, core

# Fields of a request around one span: resource_spans, scope_spans, spans.
_AROUND = (1, 2, 2)


def field(number: int, content: bytes) -> bytes:
    return Writer(random.Random(0), 0)._field(number, 2, content)  # noqa: S311


def around(content: bytes) -> bytes:
    """Return a request of one span with these bytes."""
    for number in reversed(_AROUND):
        content = field(number, content)
    return content


def judged(body: bytes) -> int | None:
    """Return how many spans the core finds, None where it leaves the request to protobuf; both have to agree."""
    BothReaders().compare([body])
    count = int(span_counts(core(), [body])[0])
    return None if count < 0 else count


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(BODIES, st.integers(0, 2**32)), min_size=1, max_size=6))
def test_damaged_requests_are_judged_as_protobuf_does(bodies: list[tuple[bytes, int]]) -> None:
    BothReaders(any_order=True).compare([damaged(body, random.Random(seed)) for body, seed in bodies])  # noqa: S311


@pytest.mark.parametrize("seed", ["a", "b"])
def test_requests_as_no_encoder_writes_them(seed: str) -> None:
    core()
    env = environment()
    env["PYTHONPATH"] += f":{env['PYTHONPATH']}/tests"
    done = subprocess.run(
        [sys.executable, "-m", "native.damage", seed, "1500"], capture_output=True, env=env, check=False
    )
    assert (done.returncode, done.stderr.decode()[-2000:]) == (0, ""), f"python -m native.damage {seed} 1500"
    assert int(done.stdout) > 200, "of these the core has read that many"


def test_what_is_written_with_no_oddity_is_what_protobuf_writes() -> None:
    for message in seeds():
        body = Writer(random.Random(0), 0).message(message)  # noqa: S311
        assert body == message.SerializeToString()
        assert judged(body) == sum(
            len(scope.spans) for resource in message.resource_spans for scope in resource.scope_spans
        )


def test_every_cut_of_a_request() -> None:
    body = request(span(1, {"db.system": "pg", "k": [1.5, None]}), span(2))
    BothReaders().compare([body[:length] for length in range(len(body) + 1)])


@pytest.mark.parametrize("width", range(1, 12))
def test_tags_and_lengths_of_more_bytes_than_they_take(width: int) -> None:
    def wide(number: int) -> bytes:
        return bytes([number | 0x80] + [0x80] * (width - 2) + [0]) if width > 1 else bytes([number])

    empty = field(2, b"")
    expected = 1 if width <= 5 else None
    assert judged(wide(0x0A) + bytes([len(field(2, empty))]) + field(2, empty)) == expected
    assert judged(bytes([0x0A]) + wide(len(field(2, empty))) + field(2, empty)) == expected
    kind = bytes([6 << 3]) + wide(3)
    assert judged(around(kind)) == (1 if width <= 10 else None)


@pytest.mark.parametrize("number", [0, 1, 127, 128, 2**31 - 1, 2**31, 2**32, 2**32 + 5, 2**63, 2**64 - 1])
def test_enum_values_of_every_size(number: int) -> None:
    written = Writer(random.Random(0), 0).varint(number)  # noqa: S311
    assert judged(around(bytes([6 << 3]) + written)) == 1
    assert judged(around(field(15, bytes([3 << 3]) + written))) == 1


@pytest.mark.parametrize(
    "text",
    [
        *(
            b"\xff",
            b"\xc3",
            b"\xed\xa0\x80",
            b"\xc0\x80",
            b"\xf4\x90\x80\x80",
            b"1234567\x80",
            b"12345678\x80",
            b"\xe2\x82",
        ),
        *(b"a" * 8 + b"\xff" + b"a" * 8, b"\xf8\x88\x80\x80\x80"),
    ],
)
def test_a_text_that_is_not_utf_8_is_not_plain(text: bytes) -> None:
    attribute = field(9, field(1, b"k") + field(2, field(1, text)))
    for content in (
        *(field(3, text), field(5, text), field(15, field(2, text)), attribute),
        *(field(9, field(1, text)), field(11, field(2, text)), field(11, field(3, field(1, text)))),
        *(field(13, field(3, text)), field(13, field(4, field(1, text)))),
        *(
            field(9, field(2, field(5, field(1, field(1, text))))),
            field(9, field(2, field(6, field(1, field(1, text))))),
        ),
    ):
        assert judged(around(content)) is None
        assert decode_requests([around(content)]).refused
    for body in (
        *(field(1, field(1, field(1, field(1, text)))), field(1, field(3, text)), field(1, field(2, field(3, text)))),
        *(field(1, field(2, field(1, field(number, text)))) for number in (1, 2)),
    ):
        assert judged(body) is None


@pytest.mark.parametrize("length", [1, 7, 9, 15, 17, 32])
def test_ids_of_other_lengths_are_not_plain(length: int) -> None:
    for number, whole in ((1, 16), (2, 8), (4, 8)):
        for content in (field(number, bytes(length)), field(13, field(min(number, 2), bytes(length)))):
            assert judged(around(content)) is None
        assert judged(around(field(number, bytes(whole)))) == 1
        assert judged(around(field(number, b""))) == 1


@pytest.mark.parametrize("depth", [0, 1, 14, 15, 16, 17, 30, 90, 120, 10_000])
def test_nested_values(depth: int) -> None:
    value = any_value("deep").SerializeToString()
    for _ in range(depth):
        value = field(5, field(1, value))
    count = judged(around(field(9, field(1, b"k") + field(2, value))))
    assert (count == 1) == (depth <= 16)


def test_what_comes_twice_and_what_comes_late() -> None:
    name = field(5, b"a")
    status = field(15, field(2, b"m"))
    assert judged(around(name + field(5, b"b") + field(1, bytes(16)) + field(1, bytes([1] * 16)))) == 1
    assert judged(around(status + status)) is None
    assert judged(around(field(15, field(2, b"m") + field(2, b"n")))) is None
    scope = field(1, field(1, b"scope"))
    assert judged(field(1, field(2, field(2, name) + scope))) is None
    assert judged(field(1, field(2, scope + scope + field(2, name)))) is None
    resource = field(1, field(1, key_values({"service.name": "a"})[0].SerializeToString()))
    assert judged(field(1, field(2, field(2, name)) + resource)) is None
    assert judged(field(1, resource + resource + field(2, field(2, name)))) is None
    for value in (field(1, b"a") + field(1, b"b"), field(1, b"a") + bytes([3 << 3, 1])):
        assert judged(around(field(9, field(1, b"k") + field(2, value)))) is None
