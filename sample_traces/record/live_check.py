"""Points real services at a running OTLP endpoint and drives their N+1 route: what `tracelens serve` must then report.

    python sample_traces/record/live_check.py --grpc 127.0.0.1:4317 --http http://127.0.0.1:4318

Starts PostgreSQL and Redis in a temporary directory, then each application once for each protocol, under its stock
auto-instrumentation. Prints one JSON line for each run: the service's name, the route and what its code did.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import drive
import services
import stacks
from record import partner
from scenarios import get

ROUTES = {"node": "GET /users/:id/orders", "python": "GET users/<int:pk>/orders"}
APPLICATIONS = {"node": "express-sequelize-pg", "python": "django-psycopg"}
ORDERS_OF_A_USER = 20  # schema.postgresql.sql: 40,000 orders of 2,000 users


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--grpc", metavar="HOST:PORT", help="OTLP/gRPC endpoint")
    parser.add_argument("--http", metavar="URL", help="OTLP/HTTP endpoint, without /v1/traces")
    parser.add_argument("--app", choices=APPLICATIONS, action="append", help="only this application (repeatable)")
    parser.add_argument("--requests", type=int, default=6, help="requests to the route in each run (default 6)")
    parser.add_argument("--workdir", type=Path, default=Path("/srv/shop"), help="where the applications are installed")
    arguments = parser.parse_args()
    if not (arguments.grpc or arguments.http):
        parser.error("give --grpc, --http or both")
    endpoints = {}
    if arguments.grpc:
        endpoints["grpc"] = f"http://{arguments.grpc.removeprefix('http://')}"
    if arguments.http:
        endpoints["http/protobuf"] = arguments.http.rstrip("/")
    arguments.workdir.mkdir(parents=True, exist_ok=True)
    with services.postgresql() as database, services.redis() as cache, partner() as url:
        for app in arguments.app or APPLICATIONS:
            stack = stacks.by_name(APPLICATIONS[app])
            directory = stacks.install(stack, arguments.workdir)
            for protocol, endpoint in endpoints.items():
                service = f"live-{stack.service}-{protocol.partition('/')[0]}"
                with stacks.running(
                    stack, directory, release=1, endpoint=endpoint, protocol=protocol, database_port=database, redis_port=cache, partner=url,
                    service=service, workers=False,
                ) as port:  # fmt: skip
                    drive.send_all(
                        port, get(*(f"/users/{i + 1}/orders" for i in range(arguments.requests))), concurrency=2
                    )
                    time.sleep(2.0)  # the exporter's batch delay is 0.3 s
                did = {
                    "service_name": service,
                    "protocol": protocol,
                    "endpoint": ROUTES[app],
                    "requests": arguments.requests,
                    "repeats_per_request": ORDERS_OF_A_USER,
                }
                print(json.dumps(did), flush=True)


if __name__ == "__main__":
    main()
