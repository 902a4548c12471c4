"""The functions of the compiled core, and the types they take: `core/core.zig` in Python's words."""

from __future__ import annotations

import ctypes
import os
from ctypes import POINTER, Structure, c_bool, c_int32, c_int64, c_uint8, c_uint32, c_uint64, c_void_p
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

_SWITCH: Final = "TRACELENS_NATIVE"
"""Set to 0 where the compiled core is not to be used."""


class Bytes(Structure):
    """Bytes that somebody else owns."""

    _fields_ = [("data", c_void_p), ("length", c_uint64)]

    def copy(self) -> bytes:
        """Return them."""
        return ctypes.string_at(self.data, self.length) if self.length else b""


class Role(Structure):
    """What attributes of one name are."""

    _fields_ = [("role_class", c_uint8), ("column", c_uint8), ("rank", c_uint8)]


class Collected(Structure):
    """How much a batch holds."""

    _fields_ = [
        ("spans", c_uint64),
        ("examples", c_uint64),
        ("first_signature", c_uint32),
        ("rendered", c_uint64),
        ("states", c_uint64),
        ("odd", c_uint64),
    ]


class Example(Structure):
    """A span of a new shape."""

    _fields_ = [
        ("resource", Bytes),
        ("scope", Bytes),
        ("span", Bytes),
        ("values", c_uint32),
        ("has_resource", c_bool),
        ("has_scope", c_bool),
    ]


class Told(Structure):
    """What the batch's columns need besides."""

    _fields_ = [
        ("rendered_offsets", c_void_p),
        ("rendered_data", c_void_p),
        ("rendered_nulls", c_void_p),
        ("weights", c_void_p),
        ("first_text_id", c_uint32),
    ]


class Buffer(Structure):
    """A buffer of Arrow, in memory of the batch."""

    _fields_ = [("data", c_void_p), ("size", c_uint64)]


class Fixed(Structure):
    """A column of numbers."""

    _fields_ = [("values", Buffer), ("validity", Buffer), ("nulls", c_uint64)]


class Texts(Structure):
    """A column of texts."""

    _fields_ = [
        ("offsets", Buffer),
        ("data", Buffer),
        ("validity", Buffer),
        ("nulls", c_uint64),
        ("rows", c_uint64),
    ]


class Details(Structure):
    """Rows of events or links."""

    _fields_ = [
        ("rows", c_uint64),
        ("owners", Buffer),
        ("trace_ids", Buffer),
        ("span_ids", Buffer),
        ("times", Buffer),
        ("names", Texts),
        ("linked_trace_ids", Buffer),
        ("linked_span_ids", Buffer),
        ("pair_offsets", Buffer),
        ("keys", Texts),
        ("values", Texts),
    ]


class Rows(Structure):
    """Rows of a batch."""

    _fields_ = [
        ("trace_ids", Buffer),
        ("span_ids", Buffer),
        ("parents", Fixed),
        ("starts", Buffer),
        ("durations", Buffer),
        ("shapes", Buffer),
        ("weights", Buffer),
        ("text_ids", Fixed),
        ("hashes", Fixed),
        ("url_full", Texts),
        ("url_path", Texts),
        ("url_query", Texts),
        ("value_offsets", Buffer),
        ("values", Texts),
        ("new_texts", Texts),
        ("new_text_signatures", Buffer),
        ("events", Details),
        ("links", Details),
        ("repeated", Buffer),
    ]


_INTERFACE: Final = 1
"""Of the functions and types below; counted up with every change."""

_FUNCTIONS: Final[dict[str, tuple[Any, list[Any]]]] = {
    "interface": (c_uint32, []),
    "check": (None, [POINTER(Bytes), c_uint64, POINTER(c_int64)]),
    "open": (c_void_p, [c_uint64]),
    "close": (None, [c_void_p]),
    "tell_name": (c_int32, [c_void_p, Bytes, Role]),
    "tell_prefix": (c_int32, [c_void_p, Bytes]),
    "tell_text": (c_int32, [c_void_p, c_uint32, Bytes, c_uint32]),
    "text_count": (c_uint64, [c_void_p]),
    "forget_texts": (c_int32, [c_void_p, c_uint32]),
    "collect": (c_void_p, [c_void_p, POINTER(Bytes), c_uint64, POINTER(Collected)]),
    "free": (None, [c_void_p]),
    "example": (Example, [c_void_p, c_uint64]),
    "unrendered": (Bytes, [c_void_p, c_uint64]),
    "state": (Bytes, [c_void_p, c_uint64]),
    "odd": (c_uint32, [c_void_p, c_uint64]),
    "tell_shape": (None, [c_void_p, c_uint32, c_int32, c_uint32]),
    "forget_signatures": (None, [c_void_p]),
    "emit": (c_int32, [c_void_p, POINTER(Told), POINTER(Rows)]),
}


class Library:
    """The loaded library: its functions by their names, without the prefix. The interpreter lock is free meanwhile."""

    def __init__(self, path: str) -> None:
        loaded = ctypes.CDLL(path)
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(loaded, f"tracelens_{name}")
            function.restype, function.argtypes = result, arguments
            setattr(self, name, function)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Callable[..., Any]: ...


@cache
def library() -> Library | None:
    """Return the compiled core; None where it is not installed or switched off."""
    if os.environ.get(_SWITCH) == "0":
        return None
    try:
        core = Library(str(files("tracelens.native").joinpath("libtracelens.so")))
    except (OSError, AttributeError):
        return None
    return core if core.interface() == _INTERFACE else None  # an editable installation's may be old


def as_bytes(bodies: Sequence[bytes]) -> ctypes.Array[Bytes]:
    """Return what describes byte strings, which must outlive it, to the library."""
    described = np.empty((len(bodies), 2), dtype=np.uint64)
    described[:, 0] = np.frombuffer(memoryview((ctypes.c_char_p * len(bodies))(*bodies)), dtype=np.uint64)
    described[:, 1] = [len(body) for body in bodies]
    return (Bytes * len(bodies)).from_buffer(described.data)


def span_counts(core: Library, bodies: Sequence[bytes]) -> NDArray[np.int64]:
    """Return how many spans each serialised request holds; -1 for one that is not plain: protobuf's to judge."""
    counts = np.empty(len(bodies), dtype=np.int64)
    if bodies:
        core.check(as_bytes(bodies), len(bodies), counts.ctypes.data_as(POINTER(c_int64)))
    return counts
