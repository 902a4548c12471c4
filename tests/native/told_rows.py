"""What rows say, whoever gave their ids: the rows of the compiled core and those of Python, to be compared whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tracelens.native.library import library, span_counts
from tracelens.native.span_reader import SpanReader
from tracelens.otlp.decode import decode_requests
from tracelens.semconv.catalogue import Catalogue
from tracelens.semconv.normalise import normalise
from tracelens.semconv.span_shapes import shaped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracelens.native.library import Library
    from tracelens.semconv.normalise import SpanTables

RECEIVED_NS = 1_760_000_000_000_000_007


def core() -> Library:
    """Return the compiled core; skip the test where it is not built."""
    found = library()
    if found is None:
        pytest.skip("the compiled core is not built: pip install . builds it")
    return found


def told(tables: SpanTables, catalogue: Catalogue, *, sort_traces: bool) -> dict[str, Any]:
    """Return whole rows of a batch, their owners and their types; ids are replaced by what they stand for.

    Args:
        tables: the batch.
        catalogue: gave the ids.
        sort_traces: sort the spans by their traces, rather than leave these in the order of their coming.
    """
    pending = {name: table.to_pylist() for name, table in catalogue.pending_tables().items()}
    by_id: dict[str, dict[int, dict[str, Any]]] = {
        name: {row.pop(f"{name[:-1]}_id"): row for row in pending.get(name, ())}
        for name in ("resources", "scopes", "query_shapes", "query_texts", "span_shapes")
    }
    for text in by_id["query_texts"].values():
        text["query_shape_id"] = by_id["query_shapes"][text["query_shape_id"]]
    for shape in by_id["span_shapes"].values():
        shape["resource_id"] = by_id["resources"][shape["resource_id"]]
        shape["scope_id"] = by_id["scopes"][shape["scope_id"]]
        del shape["digest"]  # of the ids, among others
    rows = tables.spans.to_pylist()
    for row in rows:
        row["span_shape_id"] = by_id["span_shapes"][row["span_shape_id"]]
        if row["query_text_id"] is not None:
            row["query_text_id"] = by_id["query_texts"][row["query_text_id"]]
    order = sorted(range(len(rows)), key=lambda row: rows[row]["trace_id"] if sort_traces else row)
    places = {row: place for place, row in enumerate(order)}
    found: dict[str, Any] = {"spans": [rows[row] for row in order], "schema": tables.spans.schema}
    for name, details in (("events", tables.events), ("links", tables.links)):
        if details is not None:
            owners = zip(details.rows.to_pylist(), details.owners.tolist(), strict=True)
            found[name] = [row | {"owner": places[owner]} for row, owner in owners]
            found[f"{name} schema"] = (details.rows.schema, details.owners.dtype)
    return found


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """Return where two values differ: whole rows would fill pages."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return [line for key, value in one.items() for line in differences(value, other[key], f"{path}.{key}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [
            line for number, value in enumerate(one) for line in differences(value, other[number], f"{path}[{number}]")
        ]
    return [] if one == other and type(one) is type(other) else [f"{path}: {one!r} is not {other!r}"]


def _repeated(tables: SpanTables) -> list[int]:
    """Return the positions of spans that came before in the batch."""
    ids = zip(*(tables.spans.column(name).to_pylist() for name in ("trace_id", "span_id", "start_ns")), strict=True)
    firsts: dict[tuple[Any, ...], int] = {}
    return [row for row, id_ in enumerate(ids) if firsts.setdefault(id_, row) != row]


class BothReaders:
    """A reader of each kind, that have read the same requests.

    Args:
        any_order: traces may lie in any order: Python mixes some whose ids differ in the highest bits alone.
    """

    def __init__(self, *, any_order: bool = False) -> None:
        self.catalogue, self.python_catalogue = Catalogue(), Catalogue()
        self.reader = SpanReader(core(), self.catalogue)
        self.read_plain = 0
        self._any_order = any_order

    def compare(self, bodies: Sequence[bytes]) -> tuple[bytes, ...]:
        """Check that requests are judged and read alike; return those that the core leaves to Python."""
        decoded = [decode_requests([body]) for body in bodies]
        counts = span_counts(core(), bodies).tolist()
        plain = [position for position, count in enumerate(counts) if count >= 0]
        assert [bodies[position] for position in plain if decoded[position].refused] == []
        left = [body for body, count in zip(bodies, counts, strict=True) if count < 0]
        if not plain:
            return tuple(left)
        judged = [bodies[position] for position in plain]
        read = self.reader.read(judged, RECEIVED_NS)
        odd = set(read.odd)
        assert len(odd) == len(read.odd)
        expected = shaped(
            normalise(
                decode_requests([body for number, body in enumerate(judged) if number not in odd]).batch,
                self.python_catalogue,
                RECEIVED_NS,
            ),
            self.python_catalogue,
        )
        counted = [count for number, count in enumerate(counts[position] for position in plain) if number not in odd]
        assert len(read.tables.spans) == sum(counted)
        assert read.tables.repeated is not None
        assert read.tables.repeated.tolist() == _repeated(read.tables)
        # Requests that are left to Python may have made their traces known before.
        sort_traces = self._any_order or bool(odd)
        one = told(read.tables, self.catalogue, sort_traces=sort_traces)
        found = differences(one, told(expected, self.python_catalogue, sort_traces=sort_traces))
        if found:
            raise AssertionError("; ".join(found)[:2000])
        read.tables.spans.validate(full=True)
        for details in (read.tables.events, read.tables.links):
            if details is not None:
                details.rows.validate(full=True)
        self.read_plain += len(judged) - len(odd)
        return (*left, *(judged[number] for number in read.odd))
