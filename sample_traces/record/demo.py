"""Records the demo set: an afternoon at a shop, squeezed into a minute.

A Node storefront calls a Python catalogue over HTTP (one trace through both), over PostgreSQL and Redis. Most traffic is healthy;
a few features of version 1 are in it. Both services export to the same endpoint, one over HTTP and one over gRPC.
"""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING

import drive
import services
import stacks
from recorder import Recorder, write_recording
from scenarios import Request, get, post

if TYPE_CHECKING:
    from pathlib import Path

FILES = 3


def storefront_traffic(part: int) -> list[Request]:
    """One file's share of the storefront's visitors."""
    start = part * 40
    requests = [
        *get(
            *(f"/users/{start + i + 1}" for i in range(14)), *(f"/users/{start + i + 101}/profile" for i in range(10))
        ),
        *get(
            *(f"/products/{start + i + 1}" for i in range(16)), *["/health"] * 6, *["/overview"] * 3, "/orders/export"
        ),
        *get(*(f"/orders/recent?page={1 + i % 3}" for i in range(6))),
        *post("/checkout", *({"userId": start + i + 1, "productId": start + i + 1} for i in range(6))),
        *get(*["/banner"] * 16),  # missing_cache
        *get(*(f"/users/{start + i + 201}/orders" for i in range(6))),  # n_plus_one
        *get(*(f"/users/{start + i + 301}/wishlist" for i in range(3))),  # n_plus_one_http, into the catalogue
        *get(*(f"/orders/{start + i + 1}/total" for i in range(2))),  # repeated_query
        *get(*(f"/orders/{start + i + 1}/shipping" for i in range(8))),  # slow_call and p95_breach
        *post("/orders", *({"userId": start + i + 1} for i in range(3))),  # blocking_side_effect
        *get(f"/events/search?reference={part}c4ca4238a0"),  # slow_query
    ]
    if part == 1:
        requests += get("/events?page=9000", "/events?page=12000")  # offset_pagination
    random.Random(part).shuffle(requests)
    return requests


def catalogue_traffic(part: int) -> list[Request]:
    """One file's share of what the catalogue is asked directly, by the back office."""
    requests = [
        *get(*(f"/users/{part * 10 + i + 1}" for i in range(6)), *["/health/live"] * 6),
        *get("/users?limit=25"),  # n_plus_one
        *get(*["/catalogue"] * 3),  # uncompressed_response
    ]
    if part == 2:
        requests += post("/audit", {"count": 40})  # single_row_writes
    random.Random(part).shuffle(requests)
    return requests


def record(workdir: Path, folder: Path, partner: str) -> None:
    """Write shop-1, shop-2 and shop-3 into `folder`."""
    storefront, catalogue = stacks.by_name("express-sequelize-pg"), stacks.by_name("django-psycopg")
    directories = [stacks.install(stack, workdir) for stack in (storefront, catalogue)]
    with ExitStack() as context:
        common = {
            "release": 1, "database_port": context.enter_context(services.postgresql()),
            "redis_port": context.enter_context(services.redis()), "partner": partner,
        }  # fmt: skip
        recorder = context.enter_context(Recorder())
        back = context.enter_context(stacks.running(
            catalogue, directories[1], endpoint=f"http://127.0.0.1:{recorder.grpc_port}", protocol="grpc", **common,
        ))  # fmt: skip
        front = context.enter_context(stacks.running(
            storefront, directories[0], endpoint=f"http://127.0.0.1:{recorder.http_port}", protocol="http/protobuf", catalogue=f"http://127.0.0.1:{back}", **common,
        ))  # fmt: skip
        drive.send_all(front, get(*(f"/users/{i}/profile" for i in range(1, 9))), 4)  # connections are warm
        for part in range(FILES):
            recorder.wait_quiet(1.0)
            recorder.take()
            with ThreadPoolExecutor(2) as pool:
                for done in (
                    pool.submit(drive.send_all, front, storefront_traffic(part), 3),
                    pool.submit(drive.send_all, back, catalogue_traffic(part), 1),
                ):
                    done.result()
            recorder.wait_quiet(1.5)
            path = folder / f"shop-{part + 1}.otlp.pb.gz"
            write_recording(path, recorder.take())
            print(f"demo/{path.name}  {path.stat().st_size:,} bytes", flush=True)
