"""A window cut into slices of whole traces that lie close together in time: what is worked on at once fits into memory.

Spans are stored in about the order of their time, so that of a range of time only its row groups are read. A trace that
begins in one range and ends in another would be torn: such traces make slices of their own. It is the same with the
texts of queries, whose ids grow with time: those that come back in a later range are kept apart, for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from tracelens.store.database import read_sql

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracelens.store.store import Reader

_STARTS_PER_SLICE: Final = 256
"""So many spans are looked at to find out where a slice ends: their number comes out right to some percent."""

_MARGIN_NS: Final = 3_600_000_000_000
"""A span outside the window can tell something about one inside, as its parent does, if it is no further away."""

_LATEST_NS: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Slice:
    """Some traces of a window, whole.

    Attributes:
        from_ns: none of their spans starts before.
        to_ns: all of their spans start before.
        until_ns: spans that were received later are left out: they came while the window was being cut.
        part: which part of the traces that reach over several ranges; None for all others of the range.
        first_text_id, last_text_id: the query texts that no other range has.
    """

    from_ns: int
    to_ns: int
    until_ns: int
    part: int | None
    first_text_id: int = 0
    last_text_id: int = -1


def cut(reader: Reader, parameters: Mapping[str, object], spans_at_once: int) -> list[Slice]:
    """Cut a window into slices with about so many spans each; an empty one is one slice.

    Args:
        reader: holds the shared facts of the model; gets `straddling_traces` and `recurring_text_ids` beside them.
        parameters: what the model's scripts are bound to.
        spans_at_once: more than 0.
    """
    asked = {name: parameters[name] for name in ("start_ns", "end_ns", "received_since_ns")}
    (window,) = reader.rows(read_sql("slices/window.sql"), asked)
    if not window["spans"]:
        window |= {"first_ns": 0, "last_ns": 0, "until_ns": 0}
    from_ns, to_ns = window["first_ns"] - _MARGIN_NS, min(window["last_ns"] + _MARGIN_NS, _LATEST_NS)
    until_ns = window["until_ns"]
    inner = _inner_bounds(reader, window, spans_at_once)
    wanted = {"from_ns": from_ns, "to_ns": to_ns, "until_ns": until_ns, "bounds": inner, "spans_at_once": spans_at_once}
    reader.run_file("slices/straddling.sql", wanted)
    edges = [from_ns, *inner, to_ns]
    slices, first_text_id = list[Slice](), 0
    for begin_ns, end_ns in pairwise(edges):
        span = {"from_ns": begin_ns, "to_ns": end_ns}
        last_text_id = reader.rows(read_sql("slices/last_text.sql"), span)[0]["last_text_id"]
        reader.run_file("slices/recurring.sql", span | {"first_text_id": first_text_id})
        slices.append(Slice(begin_ns, end_ns, until_ns, None, first_text_id, last_text_id))
        first_text_id = max(first_text_id, last_text_id + 1)
    parts = reader.rows(read_sql("slices/parts.sql"))
    return slices + [Slice(row["from_ns"], row["to_ns"], until_ns, row["part"]) for row in parts]


def _inner_bounds(reader: Reader, window: Mapping[str, int], spans_at_once: int) -> Sequence[int]:
    """Return where ranges with about as many spans begin, the first one left out."""
    count = max(1, -(-window["spans"] // spans_at_once))
    every = max(1, window["spans"] // (count * _STARTS_PER_SLICE))
    sampled = {"every": every, "first_ns": window["first_ns"], "last_ns": window["last_ns"]}
    starts = [row["start_ns"] for row in reader.rows(read_sql("slices/starts.sql"), sampled)]
    return sorted({starts[len(starts) * number // count] for number in range(1, count)}) if starts else []
