"""Lets the tests of every folder share what stands beside this file, and starts servers as processes of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from processes import ServerProcess, serve
from traffic import n_plus_one, request_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., ServerProcess]]:
    """Start servers, over `tmp_path / "s.duckdb"` unless told otherwise; none outlives the test."""
    started: list[ServerProcess] = []

    def start(*options: str | Path, db: Path | None = None, **others: dict[str, str]) -> ServerProcess:
        started.append(serve(db or tmp_path / "s.duckdb", *options, **others))
        return started[-1]

    yield start
    for server in started:
        server.process.kill()
        server.wait()


@pytest.fixture(scope="session")
def trace_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a trace file with an N+1 in two requests."""
    path = tmp_path_factory.mktemp("traces") / "traces.otlp.pb"
    path.write_bytes(request_of([*n_plus_one(1), *n_plus_one(2)]))
    return path
