"""Starts Collectors; without the binary, every test here is skipped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from collector.build import collector_binary
from collectors import BACKEND, DOCUMENTED, Collector, start_collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _needs_a_collector() -> None:
    if not collector_binary().exists():
        pytest.skip("no Collector: `make collector` builds it, where there is Go")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Collector]]:
    """Start Collectors by the name of a configuration in docs/collector; none outlives the test.

    The environment is what fills their configurations. A second one of a name goes on with what the first has left.
    """
    started: list[Collector] = []

    def run(name: str, **env: str) -> Collector:
        folder = tmp_path / f"{name} {env.get('TRACELENS_COMPRESSION', '')}"
        started.append(start_collector(DOCUMENTED / f"{name}.yaml", folder, env))
        return started[-1]

    yield run
    for collector in started:
        collector.process.kill()
        collector.process.wait()


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Collector]:
    """Stand for the backend that a user has."""
    collector = start_collector(BACKEND, tmp_path / "backend", {})
    yield collector
    collector.process.kill()
    collector.process.wait()
