"""From spans that a server receives to the people who are told, with a receiver that is down at first."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from http_receiver import Reply
from traffic import request_of, slow_request

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from http_receiver import HttpReceiver
    from processes import ServerProcess


def test_a_breach_reaches_every_notifier_that_wants_it(
    start_server: Callable[..., ServerProcess], receiver: HttpReceiver, tmp_path: Path
) -> None:
    receiver.reply(Reply(503, (("retry-after", "0"),)), Reply(200))
    config = tmp_path / "tracelens.toml"
    config.write_text(
        f"""
        [store]
        flush_interval_s = "50ms"
        [escalation]
        interval_s = 0
        [[notifiers]]
        name = "console"
        kind = "stdout"
        [[notifiers]]
        name = "automation"
        kind = "webhook"
        url = "{receiver.url}/hook"
        [[notifiers]]
        name = "somebody-else"
        kind = "file"
        path = "other.jsonl"
        service = "another"
        """
    )
    server = start_server("--config", config)
    server.send(request_of(slow_request(1, route="/first")))
    printed = json.loads(server.line())
    assert printed["data"]["endpoint"] == "GET /first"
    refused, taken = receiver.wait_for(2)
    assert refused.body == taken.body
    assert refused.headers["webhook-id"] == taken.headers["webhook-id"] == printed["id"]
    assert taken.json() == printed
    assert server.end()[0] == 0
    assert not (tmp_path / "other.jsonl").exists()
