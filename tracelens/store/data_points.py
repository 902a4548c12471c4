"""Which data points are new: an exporter that missed our answer sends a batch again, and a file may be replayed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from tracelens.semconv.metric_points import EXEMPLARS_SCHEMA
from tracelens.store.database import read_sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb
    from numpy.typing import NDArray

    from tracelens.semconv.metric_points import PointTables


def new_points(
    connection: duckdb.DuckDBPyConnection, batches: Sequence[PointTables]
) -> tuple[dict[str, pa.Table], int, int]:
    """Return the relations to write, how many points are new, and how many are not.

    A point is known by its series, start and time.
    """
    if not batches:
        return {}, 0, 0
    points = pa.concat_tables([batch.points for batch in batches])
    is_new = _is_new(connection, points)
    exemplars, first = [EXEMPLARS_SCHEMA.empty_table()], 0
    for batch in batches:
        exemplars.append(batch.exemplars.filter(pa.array(is_new[batch.owners + first])))
        first += len(batch.points)
    new = int(np.count_nonzero(is_new))
    relations = {"data_points": points.filter(pa.array(is_new)), "data_point_exemplars": pa.concat_tables(exemplars)}
    return relations, new, len(points) - new


def _is_new(connection: duckdb.DuckDBPyConnection, points: pa.Table) -> NDArray[np.bool_]:
    """Return for each point whether neither the store nor an earlier position holds it."""
    is_new = np.zeros(len(points), dtype=bool)
    if not len(points):
        return is_new
    ids = points.select(["series_id", "start_ns", "time_ns"]).combine_chunks()
    columns = [column.to_numpy() for column in ids.columns]
    keys = np.rec.fromarrays(columns)
    is_new[np.unique(keys, return_index=True)[1]] = True
    times: NDArray[np.int64] = columns[2]
    connection.register("incoming_points", ids.append_column("position", pa.array(np.arange(len(ids)))))
    try:
        found = connection.execute(
            read_sql("statements/duplicate_points.sql"),
            {"earliest_ns": int(times.min()), "latest_ns": int(times.max())},
        ).fetchnumpy()
    finally:
        connection.unregister("incoming_points")
    is_new[np.asarray(found["position"], dtype=np.int64)] = False
    return is_new
