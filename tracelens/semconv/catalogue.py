"""What many spans share is stored once: resources, scopes, query texts and their shapes, each under a small id.

The one writer owns the catalogue, so ids are consecutive integers, which a column store packs into a few bits.
New rows wait in `pending` until the transaction that stores them has committed. What cannot be described, by a defect
of ours, raises before anything has changed, so it costs no other span its ids.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson
import pyarrow as pa
import xxhash
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from tracelens.semconv.any_value import attribute_texts
from tracelens.semconv.command_shape import describe, shape_texts
from tracelens.semconv.relations import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

# Texts with literals in them can be as many as spans. A text that was forgotten and comes again gets a second id:
# harmless, because ids are only ever looked up, never compared.
REMEMBERED_TEXTS: Final = 200_000

# Where spans are named after what they were asked for there are as many shapes as spans, and the same holds.
REMEMBERED_SPAN_SHAPES: Final = 100_000


@dataclass(slots=True)
class Catalogue:
    """The ids given so far, and the rows that are not stored yet.

    The store fills the mappings at start-up; afterwards only the writer's thread touches them. Everything is known by
    its digest: texts may be long.

    Attributes:
        resources: digest of the serialised Resource to its id.
        scopes: digest of the serialised InstrumentationScope to its id.
        shapes: `text_digest` of a query shape to its id.
        texts: `text_digest` of a query text to its id, oldest first.
        span_shapes: digest of what a span shape says to its id, oldest first.
        series: `series_digest` of a metric's series to its id.
        next_ids: relation name to the first id that nothing in it has had, remembered or not.
        pending: relation name to the rows that still have to be stored, as tables typed as SCHEMAS.
    """

    resources: dict[bytes, int] = field(default_factory=dict)
    scopes: dict[bytes, int] = field(default_factory=dict)
    shapes: dict[bytes, int] = field(default_factory=dict)
    texts: dict[bytes, int] = field(default_factory=dict)
    span_shapes: dict[bytes, int] = field(default_factory=dict)
    series: dict[bytes, int] = field(default_factory=dict)
    next_ids: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SCHEMAS, 0))
    pending: dict[str, list[pa.Table]] = field(default_factory=lambda: {name: [] for name in SCHEMAS})

    def pending_tables(self) -> dict[str, pa.Table]:
        """Return the rows to store, as one table per relation that has any, in the order of their ids."""
        return {name: pa.concat_tables(tables) for name, tables in self.pending.items() if tables}

    def mark_stored(self) -> None:
        """Forget the pending rows: their transaction has committed."""
        for tables in self.pending.values():
            tables.clear()

    def resource_ids(self, serialised: pa.BinaryArray) -> NDArray[np.int32]:
        """Return the id of each serialised Resource."""
        return self._ids("resources", serialised, self.resources, _resource_row)

    def scope_ids(self, serialised: pa.BinaryArray) -> NDArray[np.int32]:
        """Return the id of each serialised InstrumentationScope."""
        return self._ids("scopes", serialised, self.scopes, _scope_row)

    def _ids(
        self,
        relation: str,
        serialised: pa.BinaryArray,
        known: dict[bytes, int],
        describe_row: Callable[[bytes], tuple[Any, ...]],
    ) -> NDArray[np.int32]:
        encoded = serialised.dictionary_encode()
        values = encoded.dictionary.to_pylist()
        digests = [xxhash.xxh3_128_digest(value) for value in values]
        unknown = {digest: value for digest, value in zip(digests, values, strict=True) if digest not in known}
        ids = self._new_ids(relation, unknown)
        rows = [(id_, digest, *describe_row(unknown[digest])) for digest, id_ in ids.items()]
        self._add({relation: _table(SCHEMAS[relation], rows)})
        known.update(ids)
        of_value = np.array([known[digest] for digest in digests], dtype=np.int32)
        chosen: NDArray[np.int32] = of_value[encoded.indices.to_numpy()]
        return chosen

    def span_shape_ids(self, shapes: Sequence[tuple[Any, ...]]) -> NDArray[np.int32]:
        """Return the id of each span shape, given as SHAPES_SCHEMA has it after the digest."""
        digests = [xxhash.xxh3_128_digest(orjson.dumps(shape)) for shape in shapes]
        unknown = {
            digest: shape for digest, shape in zip(digests, shapes, strict=True) if digest not in self.span_shapes
        }
        ids = self._new_ids("span_shapes", unknown)
        rows = [(id_, digest, *unknown[digest]) for digest, id_ in ids.items()]
        self._add({"span_shapes": _table(SCHEMAS["span_shapes"], rows)})
        self.span_shapes.update(ids)
        found = np.array([self.span_shapes[digest] for digest in digests], dtype=np.int32)
        self.span_shapes = _newest(self.span_shapes, REMEMBERED_SPAN_SHAPES)
        return found

    def series_ids(self, described: Sequence[tuple[bytes, Callable[[], tuple[Any, ...]]]]) -> NDArray[np.int32]:
        """Return the id of each series, given by its digest and what describes it where it is new."""
        unknown = {digest: describe_row for digest, describe_row in described if digest not in self.series}
        ids = self._new_ids("metric_series", unknown)
        rows = [(id_, digest, *unknown[digest]()) for digest, id_ in ids.items()]
        self._add({"metric_series": _table(SCHEMAS["metric_series"], rows)})
        self.series.update(ids)
        return np.array([self.series[digest] for digest, _ in described], dtype=np.int32)

    def query_text_ids(self, texts: pa.StringArray, db_systems: pa.StringArray, operations: pa.StringArray) -> pa.Array:
        """Return the id of each query text; null where there is none.

        Args:
            texts: query text per span, null where the span has none.
            db_systems: `db.system.name` per span, null where unknown.
            operations: `db.operation.name` per span; what a JSON or masked text leaves out.
        """
        if texts.null_count == len(texts):
            return pa.nulls(len(texts), pa.int32())
        encoded_texts = texts.dictionary_encode()
        encoded_systems = db_systems.fill_null("").dictionary_encode()
        text_codes = encoded_texts.indices.fill_null(0).to_numpy().astype(np.int64)
        missing = np.asarray(texts.is_null())
        systems: list[str] = encoded_systems.dictionary.to_pylist()
        keys = np.where(missing, -1, text_codes * len(systems) + encoded_systems.indices.to_numpy())
        distinct, first, position = np.unique(keys, return_index=True, return_inverse=True)
        if distinct[0] < 0:
            distinct, first, position = distinct[1:], first[1:], position - 1
        distinct_texts = encoded_texts.dictionary.take(pa.array(distinct // len(systems)))
        system_of = [systems[code] for code in (distinct % len(systems)).tolist()]
        digests = list(map(text_digest, system_of, distinct_texts.to_pylist()))
        unknown = [number for number, digest in enumerate(digests) if digest not in self.texts]
        if unknown:
            first_id = self.add_query_texts(
                distinct_texts.take(pa.array(unknown)),
                [system_of[number] for number in unknown],
                operations.take(pa.array(first[unknown])),
            )
            self.texts.update((digests[number], id_) for id_, number in enumerate(unknown, start=first_id))
        ids = np.array([self.texts[digest] for digest in digests], dtype=np.int32)
        self.texts = _newest(self.texts, REMEMBERED_TEXTS)
        return pa.array(ids[np.maximum(position, 0)], mask=missing)

    def add_query_texts(self, texts: pa.StringArray, db_systems: Sequence[str], operations: pa.StringArray) -> int:
        """Give the next ids to texts, one after the other, and to the shapes that are new with them.

        Args:
            texts: new ones, each once.
            db_systems: of each text, empty where it is unknown.
            operations: of each text.

        Returns:
            The first text's id.
        """
        first_id, first_shape_id = self.next_ids["query_texts"], self.next_ids["query_shapes"]
        shape_ids: dict[bytes, int] = {}
        shape_rows: list[tuple[Any, ...]] = []
        text_rows: list[pa.Table] = []
        for db_system in dict.fromkeys(db_systems):
            numbers = np.flatnonzero([system == db_system for system in db_systems])
            own_texts = texts.take(pa.array(numbers))
            stripped = shape_texts(own_texts, db_system)
            encoded = stripped.shape_texts.dictionary_encode()
            codes = encoded.indices.to_numpy()
            _, firsts = np.unique(codes, return_index=True)
            operation_of = operations.take(pa.array(numbers[firsts])).to_pylist()
            id_of_code: list[int] = []
            for shape_text, operation in zip(encoded.dictionary.to_pylist(), operation_of, strict=True):
                digest = text_digest(db_system, shape_text)
                if digest not in self.shapes:
                    shape_ids[digest] = first_shape_id + len(shape_ids)
                    shape_rows.append((shape_ids[digest], *_shape_row(db_system, shape_text, operation)))
                id_of_code.append(shape_ids[digest] if digest in shape_ids else self.shapes[digest])
            rows = {
                "query_text_id": first_id + numbers,
                "query_shape_id": np.array(id_of_code)[codes],
                "query_text": own_texts,
                "parameter_hash": stripped.parameter_hashes,
                "offset_rows": stripped.offset_rows,
                "limit_rows": stripped.limit_rows,
                "value_rows": stripped.value_rows,
                "truncated": stripped.truncated,
            }
            text_rows.append(pa.table(rows, SCHEMAS["query_texts"]))
        in_order = pa.concat_tables(text_rows).sort_by("query_text_id")
        self._add({"query_shapes": _table(SCHEMAS["query_shapes"], shape_rows), "query_texts": in_order})
        self.shapes.update(shape_ids)
        return first_id

    def _new_ids(self, relation: str, digests: Iterable[bytes]) -> dict[bytes, int]:
        """Return the next ids for digests; they count as given once `_add` has returned."""
        return {digest: number for number, digest in enumerate(digests, start=self.next_ids[relation])}

    def _add(self, tables: Mapping[str, pa.Table]) -> None:
        """Keep new rows until they are stored."""
        for name, table in tables.items():
            if len(table):
                self.pending[name].append(table)
                self.next_ids[name] += len(table)


def _newest(ids: dict[bytes, int], most: int) -> dict[bytes, int]:
    """Return ids, or the newer half of as many as may be remembered where there are more."""
    return dict(list(ids.items())[-most // 2 :]) if len(ids) > most else ids


def text_digest(db_system: str, text: str) -> bytes:
    """Return what a query text or shape of a database system is known by."""
    return xxhash.xxh3_128_digest(f"{len(db_system)}:{db_system}{text}".encode())


def _table(schema: pa.Schema, rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    arrays = [pa.array(column, type_) for column, type_ in zip(columns, schema.types, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def _shape_row(db_system: str, shape_text: str, operation: str | None) -> tuple[Any, ...]:
    shape = describe(shape_text, db_system, operation)
    return (
        db_system,
        shape_text,
        shape.statement,
        shape.is_read,
        shape.command_class,
        shape.tables,
        shape.table_spellings,
        shape.written_tables,
        [astuple(use) for use in shape.filter_columns],
        [astuple(use) for use in shape.join_columns],
        [astuple(use) for use in shape.sort_columns],
        shape.constant_predicates,
        shape.select_star,
        shape.selected_columns,
        shape.aggregates,
        shape.has_limit,
        shape.has_offset,
        shape.single_row_lookup,
        shape.parsed,
    )


def _resource_row(serialised: bytes) -> tuple[Any, ...]:
    pairs = attribute_texts(Resource.FromString(serialised).attributes)
    attributes = dict(pairs)
    return attributes.get("service.name") or "unknown_service", attributes.get("telemetry.sdk.language"), pairs


def _scope_row(serialised: bytes) -> tuple[Any, ...]:
    scope = InstrumentationScope.FromString(serialised)
    return scope.name, scope.version, attribute_texts(scope.attributes)
