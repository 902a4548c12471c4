"""docs/collector/database-host.yaml: the CPU of a database's host, under the name that its clients call it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry import eventually, taken

from tracelens.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from collectors import Collector
    from processes import ServerProcess


def test_its_cpu_is_known_as_the_hosts(
    start: Callable[..., Collector], start_server: Callable[..., ServerProcess]
) -> None:
    server = start_server()
    start("database-host", TRACELENS_HTTP=server.http, CPU_INTERVAL="200ms", DATABASE_HOST="db-7.internal")
    eventually(lambda: taken(server, "tracelens_receiver_requests_total", signal="metrics", outcome="ok") >= 3)
    server.end()
    store = Store(server.db)
    with store.reader() as reader:
        series = reader.rows(
            "select distinct metric_name, name, host, database_sign is not null as is_database, db_system"
            " from metric_series where name is not null"
        )
        points = reader.rows("select min(n) as n from (select count(*) as n from data_points group by series_id)")
    store.close()
    assert series == [
        {
            "metric_name": "system.cpu.time",
            "name": "cpu.state",
            "host": "db-7.internal",
            "is_database": True,
            "db_system": "postgresql",
        }
    ]
    assert points[0]["n"] >= 3
