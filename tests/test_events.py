"""Escalation events as users get them: on the server's standard output, and from `tracelens events`."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest
from processes import Done, command, follow
from traffic import request_of, slow_request

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from processes import Follower, ServerProcess

    StartServer = Callable[..., ServerProcess]


@pytest.fixture
def quick(tmp_path: Path) -> Path:
    """Return a configuration that judges at once."""
    config = tmp_path / "quick.toml"
    config.write_text('[store]\nflush_interval_s = "50ms"\n[escalation]\ninterval_s = 0\n')
    return config


def endpoint_of(follower: Follower) -> str:
    return str(json.loads(follower.line())["data"]["endpoint"])


def test_events_are_printed_once_and_shown_in_full(start_server: StartServer, quick: Path) -> None:
    server = start_server("--config", quick)
    server.send(request_of(slow_request(1, route="/first")))
    first = server.line()
    assert json.loads(first)["data"]["endpoint"] == "GET /first"
    assert server.end() == (0, "", "")
    assert command("events", "--db", server.db, "--format", "json") == Done(0, f"{first}\n".encode(), "")

    again = start_server("--config", quick)
    again.send(request_of(slow_request(2, route="/second")))
    assert endpoint_of(again) == "GET /second"
    again.end()
    lines = command("events", "--db", again.db).output.decode().splitlines()
    about = "in orders, SELECT id, total FROM orders WHERE status = ? ORDER BY total: 1.50 s (threshold 1.00 s)."
    assert [line.partition("Z  ")[2].split(" Urgent")[0].split() for line in lines] == [
        f"firing critical slow_query GET /{name} {about}".split() for name in ("first", "second")
    ]


def test_following_outlives_servers(start_server: StartServer, quick: Path) -> None:
    server = start_server("--config", quick)
    follower = follow("events", "--follow", "--format", "json", "--db", server.db, cwd=server.db.parent)
    server.send(request_of(slow_request(1, route="/first")))
    assert endpoint_of(follower) == "GET /first"
    server.end(signal.SIGKILL)
    server = start_server("--config", quick)
    server.send(request_of(slow_request(2, route="/second")))
    assert endpoint_of(follower) == "GET /second"
    assert follower.end(signal.SIGINT) == (0, "", "")


def test_no_store_no_events(tmp_path: Path) -> None:
    said = "no such store; start `tracelens serve`, name a trace file, or choose another store with --db"
    for options in ([], ["--follow"]):
        done = command("events", "--db", tmp_path / "none.duckdb", *options)
        assert done == Done(4, b"", f"tracelens: {tmp_path}/none.duckdb: {said}\n")
    assert list(tmp_path.iterdir()) == []
