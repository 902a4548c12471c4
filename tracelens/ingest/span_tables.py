"""Trace requests to rows of the store: by the compiled core, and by Python what the core leaves to it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pyarrow as pa

from tracelens.native.span_reader import CoreError
from tracelens.otlp.decode import decode_requests
from tracelens.semconv.normalise import normalise
from tracelens.semconv.span_shapes import shaped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracelens.ingest.decoding import DecodedGroup
    from tracelens.semconv.normalise import SpanTables
    from tracelens.store.store import Store

_log = logging.getLogger(__name__)


def span_tables(store: Store, group: DecodedGroup, received_ns: int) -> list[SpanTables]:
    """Return the rows of a group's trace requests, their spans as rows of `span_rows`."""
    tables: list[SpanTables] = []
    batches = [group.decoded] if group.decoded.num_rows else []
    if group.plain:
        read, left = _read_plain(store, group.plain, received_ns)
        tables += read
        if left:
            batches.append(decode_requests(left).batch)
    if batches:
        tables.append(shaped(normalise(pa.concat_batches(batches), store.catalogue, received_ns), store.catalogue))
    return tables


def _read_plain(store: Store, bodies: Sequence[bytes], received_ns: int) -> tuple[list[SpanTables], list[bytes]]:
    """Return the rows of what the core reads, and the requests that it does not."""
    if store.span_reader is None:
        return [], list(bodies)
    try:
        read = store.span_reader.read(bodies, received_ns)
    except CoreError as error:
        _log.warning("spans are read without the compiled core, which takes longer: %s", error)
        return [], list(bodies)
    return [read.tables], [bodies[position] for position in read.odd]
