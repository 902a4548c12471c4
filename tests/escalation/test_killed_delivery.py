"""A server that is killed between the steps of a delivery: the next one delivers what is missing, and nothing again."""

from __future__ import annotations

import json
import queue
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from processes import command
from traffic import request_of, slow_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from processes import ServerProcess

    StartServer = Callable[..., ServerProcess]

_LIMIT_S = 30


class Hook:
    """A receiver of webhooks that answers when it is told to."""

    def __init__(self) -> None:
        self.requests: queue.Queue[list[dict[str, Any]]] = queue.Queue()
        self.may_answer = threading.Event()
        self.may_answer.set()
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                hook.requests.put(body if isinstance(body, list) else [body])
                hook.may_answer.wait(_LIMIT_S)
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def next_event(self) -> dict[str, Any]:
        (event,) = self.requests.get(timeout=_LIMIT_S)
        return event


@pytest.fixture
def hook() -> Iterator[Hook]:
    opened = Hook()
    yield opened
    opened.may_answer.set()
    opened.server.shutdown()
    opened.server.server_close()


@pytest.fixture
def config(tmp_path: Path, hook: Hook) -> Path:
    path = tmp_path / "tracelens.toml"
    path.write_text(
        '[store]\nflush_interval_s = "50ms"\n[escalation]\ninterval_s = 0\n'
        f'[[notifiers]]\nname = "hook"\nkind = "webhook"\nurl = "{hook.url}"\n'
    )
    return path


def events_of(server: ServerProcess) -> list[dict[str, Any]]:
    lines = command("events", "--db", server.db, "--format", "json").output.splitlines()
    return [json.loads(line) for line in lines]


def test_killed_once_the_spans_are_acknowledged(start_server: StartServer, hook: Hook, config: Path) -> None:
    server = start_server("--config", config)
    assert server.send(request_of(slow_request(1))) == 200
    server.end(signal.SIGKILL)
    start_server("--config", config)
    assert hook.next_event()["data"]["endpoint"] == "GET /reports"


def test_killed_before_the_answer_came(start_server: StartServer, hook: Hook, config: Path) -> None:
    hook.may_answer.clear()
    server = start_server("--config", config)
    server.send(request_of(slow_request(1)))
    first = hook.next_event()
    server.end(signal.SIGKILL)
    hook.may_answer.set()
    again = start_server("--config", config)
    assert hook.next_event() == first, "the same event under the same id: its receiver can tell"
    assert events_of(again) == [first]


def test_what_is_noted_is_not_sent_again(start_server: StartServer, hook: Hook, config: Path) -> None:
    server = start_server("--config", config)
    server.send(request_of(slow_request(1)))
    first = hook.next_event()
    # The second event of the same group is sent only after the first is noted as delivered.
    server.send(request_of(slow_request(2, seconds=9)))
    second = hook.next_event()
    assert [event["data"]["reason"] for event in (first, second)] == ["first", "worse"]
    server.end(signal.SIGTERM)
    again = start_server("--config", config)
    again.send(request_of(slow_request(3, route="/other")))
    third = hook.next_event()
    assert (third["data"]["endpoint"], third["data"]["reason"]) == ("GET /other", "first")
    assert hook.requests.empty()
    assert events_of(again) == [first, second, third]
