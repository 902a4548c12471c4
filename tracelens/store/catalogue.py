"""The catalogue as the store left it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tracelens.native.library import library
from tracelens.native.span_reader import SpanReader
from tracelens.semconv.catalogue import REMEMBERED_SPAN_SHAPES, REMEMBERED_TEXTS, Catalogue, text_digest
from tracelens.semconv.relations import SCHEMAS
from tracelens.store.database import read_sql

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

_FETCHED_ROWS: Final = 4096
"""Query texts may be long, and only their digests are kept."""


def load_catalogue(connection: duckdb.DuckDBPyConnection) -> tuple[Catalogue, SpanReader | None]:
    """Return a catalogue that knows everything stored, of query texts the newest; and a reader that works with it."""
    catalogue = Catalogue()
    core = library()
    reader = None if core is None else SpanReader(core, catalogue)
    if not connection.execute("select 1 from resources limit 1").fetchall():
        return catalogue, reader  # whatever is stored has a resource
    for relation, schema in SCHEMAS.items():
        statement = f"select coalesce(max({schema.names[0]}) + 1, 0) from {relation}"  # noqa: S608  (our own names)
        catalogue.next_ids[relation] = connection.execute(statement).fetchall()[0][0]
    catalogue.resources.update(_rows(connection, "select digest, resource_id from resources order by resource_id"))
    catalogue.scopes.update(_rows(connection, "select digest, scope_id from scopes order by scope_id"))
    catalogue.series.update(_rows(connection, "select digest, series_id from metric_series order by series_id"))
    oldest_id = max(0, catalogue.next_ids["span_shapes"] - REMEMBERED_SPAN_SHAPES // 2)
    known_shapes = "select digest, span_shape_id from span_shapes where span_shape_id >= $oldest_id order by 2"
    catalogue.span_shapes.update(_rows(connection, known_shapes, {"oldest_id": oldest_id}))
    shapes = _rows(
        connection, "select db_system, query_shape, query_shape_id from query_shapes order by query_shape_id"
    )
    catalogue.shapes.update((text_digest(db_system, shape), id_) for db_system, shape, id_ in shapes)
    oldest_id = max(0, catalogue.next_ids["query_texts"] - REMEMBERED_TEXTS // 2)
    texts = _rows(connection, read_sql("statements/known_texts.sql"), {"oldest_id": oldest_id})
    for db_system, text, id_ in texts:
        if reader is None:
            catalogue.texts[text_digest(db_system, text)] = id_
        else:
            reader.remember_text(db_system, text, id_)
    return catalogue, reader


def _rows(
    connection: duckdb.DuckDBPyConnection, statement: str, parameters: dict[str, object] | None = None
) -> Iterator[tuple[Any, ...]]:
    cursor = connection.execute(statement, parameters)
    while rows := cursor.fetchmany(_FETCHED_ROWS):
        yield from rows
