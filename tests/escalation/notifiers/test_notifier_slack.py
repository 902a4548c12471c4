"""Slack: incoming webhooks, and the Web API with its threads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from http_receiver import Reply
from hypothesis import given, settings
from hypothesis import strategies as st
from published_shapes import SLACK_MESSAGE, check
from told_events import (
    HOSTILE,
    OTHER_TRACE_ID,
    SPAN_ID,
    STEERING,
    TRACE_ID,
    TRACE_URL,
    cause,
    event,
    hostile_event,
)

from tracelens.errors import DeliveryError, UsageError
from tracelens.escalation.notifiers.slack import _fits, message_of
from tracelens.escalation.wording import fitting, tell

if TYPE_CHECKING:
    from collections.abc import Callable

    from http_receiver import HttpReceiver

    from tracelens.escalation.notifiers import Notifier

    Load = Callable[[str], Notifier]


def text(value: str, *, bold: bool = False) -> dict[str, Any]:
    return {"type": "text", "text": value, **({"style": {"bold": True}} if bold else {})}


def section(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "rich_text_section", "elements": list(elements)}


WHOLE_MESSAGE = {
    "text": "Critical: p95 over its limit, GET /orders/{id} in orders",
    "blocks": [
        {
            "type": "header",
            "text": {
                "type": "plain_text",
                "text": "\U0001f534 Critical: p95 over its limit, GET /orders/{id} in orders",
                "emoji": False,
            },
        },
        {
            "type": "rich_text",
            "elements": [
                section(text("95 % of the requests take 2.41 s or less, the objective is 2.00 s.")),
                section(
                    text("Measured: ", bold=True),
                    text("2.41 s, limit 2.00 s\n"),
                    text("Service: ", bold=True),
                    text("orders\n"),
                    text("Endpoint: ", bold=True),
                    text("GET /orders/{id}\n"),
                    text("Database: ", bold=True),
                    text("db-1, CPU 93 %\n"),
                    text("Since: ", bold=True),
                    text("2026-03-02 09:14:00 UTC\n"),
                ),
                section(text("Do: ", bold=True), text("Investigate and add a cache")),
                section(text("Explained by", bold=True)),
                {
                    "type": "rich_text_list",
                    "style": "bullet",
                    "elements": [
                        section(text("N+1 (62 % of the time): 1 queries run once per row")),
                        section(text("N+1: 2 queries run once per row")),
                    ],
                },
                section(
                    text("Traces:", bold=True),
                    text(" "),
                    {"type": "link", "url": f"https://traces.example/{TRACE_ID}?span={SPAN_ID}", "text": TRACE_ID},
                    text(" "),
                    {"type": "link", "url": f"https://traces.example/{OTHER_TRACE_ID}?span=", "text": OTHER_TRACE_ID},
                ),
            ],
        },
    ],
    "unfurl_links": False,
    "unfurl_media": False,
}


def test_a_whole_message(receiver: HttpReceiver, notifier: Load) -> None:
    receiver.reply(Reply(200, (("content-type", "text/html"),), b"ok"))
    notifier(f'kind = "slack"\nurl = "{receiver.url}/services/T/B/X"\ntrace_url = "{TRACE_URL}"').deliver([event()])
    (received,) = receiver.received
    assert (received.path, received.headers["content-type"]) == ("/services/T/B/X", "application/json")
    assert received.json() == WHOLE_MESSAGE
    check(received.json(), SLACK_MESSAGE)


def test_several_events_are_one_message(receiver: HttpReceiver, notifier: Load) -> None:
    told = [event(), event(state="resolved", number=2), event(number=3, severity="info", exemplar_trace_ids=[])]
    notifier(f'kind = "slack"\nurl = "{receiver.url}"').deliver(told)
    (received,) = receiver.received
    message = received.json()
    check(message, SLACK_MESSAGE)
    assert message["text"].endswith(", and 2 more events")
    headers = [block["text"]["text"][:10] for block in message["blocks"] if block["type"] == "header"]
    assert headers == ["\U0001f534 Critical", "\U0001f7e2 Resolved", "\U0001f535 Info: p9"]


@pytest.mark.parametrize("hostile", [HOSTILE, STEERING, "\U0001f4a5" * 5000, "&<>" * 2000])
@pytest.mark.parametrize("count", [1, 2, 60])
def test_hostile_texts_stay_texts_within_the_limits(
    hostile: str, count: int, receiver: HttpReceiver, notifier: Load
) -> None:
    one = hostile_event(hostile)
    one["data"]["causes"] *= 40
    notifier(f'kind = "slack"\nurl = "{receiver.url}"').deliver([one] * count)
    (received,) = receiver.received
    assert len(received.body) <= 20_000
    message = received.json()
    check(message, SLACK_MESSAGE)
    # What Slack takes for markup is in one place only, and there it is escaped.
    assert not set("<>") & set(message["text"])
    assert message["text"].count("&") == sum(message["text"].count(name) for name in ("&amp;", "&lt;", "&gt;"))


@settings(deadline=None, max_examples=50)
@given(st.text(min_size=1, max_size=400), st.integers(1, 30))
def test_any_text_fits(told: str, count: int) -> None:
    tellings = [tell(hostile_event(told, exemplar_trace_ids=[]))] * count
    check(fitting(count, lambda shown: message_of(tellings, shown), _fits), SLACK_MESSAGE)


APP = 'kind = "slack"\ntoken = "xoxb-1-token"\nchannel = "#alerts"\napi_url = "{}/api/"'


def said(ts: str) -> Reply:
    return Reply(200, body=json.dumps({"ok": True, "channel": "C024BE91L", "ts": ts}).encode())


def test_an_app_answers_in_its_thread(receiver: HttpReceiver, notifier: Load) -> None:
    it = notifier(APP.format(receiver.url))
    receiver.reply(said("1.1"), said("1.2"), said("1.3"), said("1.4"), said("1.5"))
    it.deliver([event()])
    it.deliver([event(reason="worse")])
    it.deliver([event(state="resolved")])
    it.deliver([event()])
    it.deliver([event(state="resolved"), event(number=2)])
    sent = [received.json() for received in receiver.received]
    for message in sent:
        check(message, SLACK_MESSAGE)
    assert {received.path for received in receiver.received} == {"/api/chat.postMessage"}
    assert {received.headers["authorization"] for received in receiver.received} == {"Bearer xoxb-1-token"}
    assert [(each["channel"], each.get("thread_ts"), each.get("reply_broadcast")) for each in sent] == [
        ("#alerts", None, None),
        ("C024BE91L", "1.1", True),
        ("C024BE91L", "1.1", True),
        ("#alerts", None, None),  # it is over: what comes next is another breach
        ("#alerts", None, None),  # about more than one thread
    ]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"ok": false, "error": "invalid_blocks"}', ("invalid_blocks: the event was refused", True)),
        (b'{"ok": false, "error": "msg_blocks_too_long"}', ("msg_blocks_too_long: the event was refused", True)),
        (
            b'{"ok": false, "error": "invalid_auth"}',
            ("invalid_auth: correct the token, its scopes or the channel", False),
        ),
        (b'{"ok": false, "error": "channel_not_found"}', ("channel_not_found: correct the token", False)),
        (b'{"ok": false, "error": "ratelimited"}', ("ratelimited: try again later", False)),
        (b'{"ok": false, "error": "xoxb-1-token"}', ("…: correct the token", False)),
        (b'{"ok": true}', ("what is not Slack's; correct api_url", False)),
        (b"[]", ("what is not Slack's; correct api_url", False)),
        (b"ok", ("what is not Slack's; correct api_url", False)),
    ],
)
def test_the_web_api_refuses_with_200(
    body: bytes, expected: tuple[str, bool], receiver: HttpReceiver, notifier: Load
) -> None:
    receiver.reply(Reply(200, (("retry-after", "30"),), body))
    with pytest.raises(DeliveryError) as raised:
        notifier(APP.format(receiver.url)).deliver([event()])
    assert str(raised.value).startswith(f"notifier it: {receiver.place} answered {expected[0]}")
    assert raised.value.is_final == expected[1]
    assert raised.value.retry_after_s == (30.0 if b"error" in body else None)


@pytest.mark.parametrize(
    ("text_of", "why"),
    [
        ('kind = "slack"', "a Slack notifier needs either a url or a token (or their _env or _file)"),
        ('kind = "slack"\nurl = "http://x"\ntoken = "y"', "a Slack notifier needs either a url or a token"),
        ('kind = "slack"\ntoken = "y"', "token and channel belong together: set both or none"),
        ('kind = "slack"\nurl = "http://x"\nchannel = "y"', "token and channel belong together: set both or none"),
    ],
)
def test_either_a_webhook_or_an_app(text_of: str, why: str, notifier: Load) -> None:
    with pytest.raises(UsageError) as raised:
        notifier(text_of)
    assert str(raised.value).startswith(f"test.toml: notifiers[0]: {why}")


def test_a_cause_too_many_is_counted() -> None:
    told = tell(event(causes=[cause(number) for number in range(9)]))
    lists = [part for part in message_of([told], 1)["blocks"][1]["elements"] if part["type"] == "rich_text_list"]
    assert lists[0]["elements"][-1] == section(text("and 4 more"))
