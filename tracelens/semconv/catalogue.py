"""What many spans share is stored once: resources, scopes, query texts and their shapes, each under a small id.

The one writer owns the catalogue, so ids are consecutive integers, which a column store packs into a few bits.
New rows wait in `pending` until the transaction that stores them has committed.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import xxhash
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from tracelens.semconv.any_value import message_to_text
from tracelens.semconv.command_shape import describe, shape_texts
from tracelens.semconv.span_attributes import ATTRIBUTE_LIST

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

# Texts with literals in them can be as many as spans. A text that was forgotten and comes again gets a second id:
# harmless, because ids are only ever looked up, never compared.
REMEMBERED_TEXTS = 200_000

_COLUMN_USES = pa.list_(
    pa.struct([(name, pa.string()) for name in ("table_name", "column_name", "operator", "expression")])
)
_SORT_COLUMNS = pa.list_(pa.struct([(name, pa.string()) for name in ("table_name", "column_name", "direction")]))
SCHEMAS = {
    "resources": pa.schema(
        [
            ("resource_id", pa.int32()),
            ("digest", pa.binary()),
            ("service_name", pa.string()),
            ("sdk_language", pa.string()),
            ("attributes", ATTRIBUTE_LIST),
        ]
    ),
    "scopes": pa.schema(
        [
            ("scope_id", pa.int32()),
            ("digest", pa.binary()),
            ("scope_name", pa.string()),
            ("scope_version", pa.string()),
            ("attributes", ATTRIBUTE_LIST),
        ]
    ),
    "query_shapes": pa.schema(
        [
            ("query_shape_id", pa.int32()),
            ("db_system", pa.string()),
            ("query_shape", pa.string()),
            ("statement", pa.string()),
            ("is_read", pa.bool_()),
            ("command_class", pa.string()),
            ("tables", pa.list_(pa.string())),
            ("table_spellings", pa.list_(pa.string())),
            ("written_tables", pa.list_(pa.string())),
            ("filter_columns", _COLUMN_USES),
            ("join_columns", _COLUMN_USES),
            ("sort_columns", _SORT_COLUMNS),
            ("constant_predicates", pa.list_(pa.string())),
            ("select_star", pa.bool_()),
            ("selected_columns", pa.int32()),
            ("aggregates", pa.bool_()),
            ("has_limit", pa.bool_()),
            ("has_offset", pa.bool_()),
            ("single_row_lookup", pa.bool_()),
            ("parsed", pa.bool_()),
        ]
    ),
    "query_texts": pa.schema(
        [
            ("query_text_id", pa.int32()),
            ("query_shape_id", pa.int32()),
            ("query_text", pa.string()),
            ("parameter_hash", pa.int64()),
            ("offset_rows", pa.int64()),
            ("limit_rows", pa.int64()),
            ("value_rows", pa.int32()),
            ("truncated", pa.bool_()),
        ]
    ),
}


@dataclass(slots=True)
class Catalogue:
    """The ids given so far, and the rows that are not stored yet.

    The store fills the mappings at start-up; afterwards only the writer's thread touches them.

    Attributes:
        resources: digest of the serialised Resource to its id.
        scopes: digest of the serialised InstrumentationScope to its id.
        shapes: (db_system, query shape) to id.
        texts: (db_system, query text) to id, oldest first.
        next_text_id: first id that no text has had, remembered or not.
        pending: relation name to the rows that still have to be stored.
    """

    resources: dict[bytes, int] = field(default_factory=dict)
    scopes: dict[bytes, int] = field(default_factory=dict)
    shapes: dict[tuple[str, str], int] = field(default_factory=dict)
    texts: dict[tuple[str, str], int] = field(default_factory=dict)
    next_text_id: int = 0
    pending: dict[str, list[tuple[Any, ...]]] = field(default_factory=lambda: {name: [] for name in SCHEMAS})

    def pending_tables(self) -> dict[str, pa.Table]:
        """Return the rows to store, as one table per relation that has any."""
        return {
            name: pa.Table.from_arrays(
                [pa.array(column, type_) for column, type_ in zip(zip(*rows, strict=True), schema.types, strict=True)],
                schema=schema,
            )
            for name, schema in SCHEMAS.items()
            if (rows := self.pending[name])
        }

    def mark_stored(self) -> None:
        """Forget the pending rows: their transaction has committed."""
        for rows in self.pending.values():
            rows.clear()

    def resource_ids(self, serialised: pa.BinaryArray) -> NDArray[np.int32]:
        """Return the id of each serialised Resource."""
        return self._ids(serialised, self.resources, "resources", _resource_row)

    def scope_ids(self, serialised: pa.BinaryArray) -> NDArray[np.int32]:
        """Return the id of each serialised InstrumentationScope."""
        return self._ids(serialised, self.scopes, "scopes", _scope_row)

    def _ids(self, serialised: pa.BinaryArray, known: dict[bytes, int], relation: str, row: Any) -> NDArray[np.int32]:
        encoded = serialised.dictionary_encode()
        ids = []
        for value in encoded.dictionary.to_pylist():
            digest = xxhash.xxh3_128_digest(value)
            if digest not in known:
                known[digest] = len(known)
                self.pending[relation].append((known[digest], digest, *row(value)))
            ids.append(known[digest])
        return np.array(ids, dtype=np.int32)[encoded.indices.to_numpy()]

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
        text_of = encoded_texts.dictionary.take(pa.array(distinct // len(systems))).to_pylist()
        system_of = [systems[code] for code in (distinct % len(systems)).tolist()]
        wanted = list(zip(system_of, text_of, strict=True))
        unknown = [number for number, key in enumerate(wanted) if key not in self.texts]
        if unknown:
            operation_of = operations.take(pa.array(first[unknown])).to_pylist()
            self._add_texts([wanted[number] for number in unknown], operation_of)
        ids = np.array([self.texts[key] for key in wanted], dtype=np.int32)
        self._forget_old_texts()
        return pa.array(ids[np.maximum(position, 0)], mask=missing)

    def _add_texts(self, keys: Sequence[tuple[str, str]], operations: Sequence[str | None]) -> None:
        by_system: dict[str, list[int]] = {}
        for number, (db_system, _) in enumerate(keys):
            by_system.setdefault(db_system, []).append(number)
        for db_system, numbers in by_system.items():
            stripped = shape_texts(pa.array([keys[number][1] for number in numbers], pa.string()), db_system)
            columns: Iterable[tuple[Any, ...]] = zip(
                stripped.shape_texts.to_pylist(),
                stripped.parameter_hashes.to_pylist(),
                stripped.offset_rows.to_pylist(),
                stripped.limit_rows.to_pylist(),
                stripped.value_rows.to_pylist(),
                stripped.truncated.to_pylist(),
                strict=True,
            )
            for number, (shape_text, *facts) in zip(numbers, columns, strict=True):
                shape_id = self._shape_id(db_system, shape_text, operations[number])
                self.texts[keys[number]] = self.next_text_id
                self.pending["query_texts"].append((self.next_text_id, shape_id, keys[number][1], *facts))
                self.next_text_id += 1

    def _shape_id(self, db_system: str, shape_text: str, operation: str | None) -> int:
        key = (db_system, shape_text)
        if key not in self.shapes:
            shape = describe(shape_text, db_system, operation)
            self.shapes[key] = len(self.shapes)
            self.pending["query_shapes"].append(
                (
                    self.shapes[key],
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
            )
        return self.shapes[key]

    def _forget_old_texts(self) -> None:
        if len(self.texts) > REMEMBERED_TEXTS:
            kept = list(self.texts.items())[-REMEMBERED_TEXTS // 2 :]
            self.texts = dict(kept)


def _resource_row(serialised: bytes) -> tuple[Any, ...]:
    attributes = {item.key: message_to_text(item.value) for item in Resource.FromString(serialised).attributes}
    service_name = attributes.get("service.name") or "unknown_service"
    return service_name, attributes.get("telemetry.sdk.language"), _pairs(attributes)


def _scope_row(serialised: bytes) -> tuple[Any, ...]:
    scope = InstrumentationScope.FromString(serialised)
    attributes = {item.key: message_to_text(item.value) for item in scope.attributes}
    return scope.name, scope.version, _pairs(attributes)


def _pairs(attributes: dict[str, str | None]) -> list[dict[str, str | None]]:
    return [{"key": key, "value": value} for key, value in attributes.items()]
