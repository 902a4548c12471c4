"""`tracelens notify list` and `tracelens notify test`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from http_receiver import Reply
from processes import Done, command

if TYPE_CHECKING:
    from pathlib import Path

    from http_receiver import HttpReceiver

SECRET = "hidden-in-the-path"


@pytest.fixture
def config(tmp_path: Path, receiver: HttpReceiver) -> Path:
    path = tmp_path / "tracelens.toml"
    path.write_text(
        f"""
        [[notifiers]]
        name = "automation"
        kind = "webhook"
        url = "{receiver.url}/{SECRET}"
        service = "orders|cart"
        rules = ["p95_breach", "db_cpu"]
        send_resolved = false

        [[notifiers]]
        name = "on-call"
        kind = "pagerduty"
        routing_key = "{SECRET}"
        url = "{receiver.url}/v2/enqueue"
        min_severity = "critical"

        [[notifiers]]
        name = "team"
        kind = "slack"
        url_env = "NOT_SET"
        endpoint = "GET .*"
        """
    )
    return path


def test_a_list_without_secrets(config: Path, receiver: HttpReceiver) -> None:
    place = receiver.place
    width = max(len(place), len("(its url is not there yet)"))
    assert command("notify", "list", "--config", config) == Done(
        0,
        (
            f"automation  webhook    {place:{width}}  p95_breach db_cpu, service orders|cart, not when resolved\n"
            f"on-call     pagerduty  {place:{width}}  from critical\n"
            f"team        slack      {'(its url is not there yet)':{width}}  endpoint GET .*\n"
        ).encode(),
        "",
    )


def test_a_test_fires_and_resolves(config: Path, receiver: HttpReceiver) -> None:
    receiver.reply(Reply(202, body=b'{"status": "success"}'))
    done = command("notify", "test", "on-call", "--config", config)
    told = f"on-call: a test event was delivered to {receiver.place}, firing and resolved\n"
    assert done == Done(0, told.encode(), "")
    firing, resolved = (received.json() for received in receiver.received)
    assert (firing["event_action"], resolved["event_action"]) == ("trigger", "resolve")
    assert firing["dedup_key"] == resolved["dedup_key"]
    assert "This is a test of a tracelens notifier" in firing["payload"]["custom_details"]["message"]


def test_a_test_only_fires_where_ends_are_not_told(config: Path, receiver: HttpReceiver) -> None:
    done = command("notify", "test", "automation", "--config", config)
    assert done == Done(0, f"automation: a test event was delivered to {receiver.place}, firing\n".encode(), "")
    (received,) = receiver.received
    assert received.json()["data"]["test"] is True


def test_what_is_not_delivered_is_one_line(config: Path, receiver: HttpReceiver) -> None:
    receiver.reply(Reply(404, body=f"no {SECRET}".encode()))
    done = command("notify", "test", "automation", "--config", config)
    told = f"tracelens: notifier automation: {receiver.place} answered 404 Not Found (no …): correct the url\n"
    assert done == Done(4, b"", told)


def test_a_test_of_standard_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = command("notify", "test", "stdout")
    firing, resolved, told = done.output.decode().splitlines()
    assert [json.loads(line)["type"] for line in (firing, resolved)] == [
        "dev.tracelens.escalation.firing",
        "dev.tracelens.escalation.resolved",
    ]
    assert told == "stdout: a test event was delivered to standard output, firing and resolved"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nobody", "nobody: no such notifier; known are automation, on-call, team\n"),
        (
            "team",
            "{config}: notifiers[2]: notifier team: url_env: the environment variable NOT_SET is not set; set it\n",
        ),
    ],
)
def test_what_is_wrong_with_the_configuration(name: str, told: str, config: Path) -> None:
    done = command("notify", "test", name, "--config", config)
    assert done == Done(2, b"", "tracelens: " + told.format(config=config))


def test_every_command_refuses_a_notifier_that_fits_no_kind(tmp_path: Path) -> None:
    config = tmp_path / "tracelens.toml"
    config.write_text("[[notifiers]]\nname = 'a'\nkind = 'none'\n")
    done = command("passes", "--config", config)
    assert (done.code, done.output) == (2, b"")
    assert done.errors.startswith(f"tracelens: {config}: notifiers[0].kind: no kind 'none'; known are alertmanager, ")
