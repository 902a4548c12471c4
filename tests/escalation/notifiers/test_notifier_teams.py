"""Microsoft Teams: a card through a workflow's webhook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from http_receiver import Reply
from published_shapes import TEAMS_MESSAGE, check
from told_events import HOSTILE, OTHER_TRACE_ID, SPAN_ID, STEERING, TRACE_ID, TRACE_URL, event, hostile_event

from tracelens.escalation.notifiers.teams import message_of
from tracelens.escalation.wording import tell

if TYPE_CHECKING:
    from collections.abc import Callable

    from http_receiver import HttpReceiver

    from tracelens.escalation.notifiers import Notifier

    Load = Callable[[str], Notifier]


def line(*texts: str, **attributes: str) -> dict[str, Any]:
    """Return a line of runs; those that end in a colon, and a lone title, are bold."""
    runs = [
        {"type": "TextRun", "text": text, **({"weight": "Bolder"} if text.endswith((": ", "by")) else {})}
        for text in texts
    ]
    return {"type": "RichTextBlock", "inlines": runs, **attributes}


def test_a_whole_card(receiver: HttpReceiver, notifier: Load) -> None:
    receiver.reply(Reply(202))
    notifier(f'kind = "teams"\nurl = "{receiver.url}/flow?sig=s"\ntrace_url = "{TRACE_URL}"').deliver([event()])
    (received,) = receiver.received
    assert (received.path, received.headers["content-type"]) == ("/flow?sig=s", "application/json")
    title = {"type": "TextRun", "text": "Critical: p95 over its limit, GET /orders/{id} in orders"}
    assert received.json() == {
        "type": "message",
        "attachments": [
            {
                "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": None,
                "content": {
                    "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                    "type": "AdaptiveCard",
                    "version": "1.2",
                    "fallbackText": "Critical: p95 over its limit, GET /orders/{id} in orders",
                    "msteams": {"width": "Full"},
                    "body": [
                        {
                            "type": "Container",
                            "style": "attention",
                            "bleed": True,
                            "items": [
                                {"type": "RichTextBlock", "inlines": [title | {"weight": "Bolder", "size": "Medium"}]},
                                line("95 % of the requests take 2.41 s or less, the objective is 2.00 s."),
                                line("Measured: ", "2.41 s, limit 2.00 s", spacing="None"),
                                line("Service: ", "orders", spacing="None"),
                                line("Endpoint: ", "GET /orders/{id}", spacing="None"),
                                line("Database: ", "db-1, CPU 93 %", spacing="None"),
                                line("Since: ", "2026-03-02 09:14:00 UTC", spacing="None"),
                                line("Do: ", "Investigate and add a cache"),
                                line("Explained by"),
                                line("• N+1 (62 % of the time): 1 queries run once per row", spacing="None"),
                                line("• N+1: 2 queries run once per row", spacing="None"),
                                {
                                    "type": "ActionSet",
                                    "actions": [
                                        {
                                            "type": "Action.OpenUrl",
                                            "title": "Trace 0af76519",
                                            "url": f"https://traces.example/{TRACE_ID}?span={SPAN_ID}",
                                        },
                                        {
                                            "type": "Action.OpenUrl",
                                            "title": "Trace 4bf92f35",
                                            "url": f"https://traces.example/{OTHER_TRACE_ID}?span=",
                                        },
                                    ],
                                },
                            ],
                        }
                    ],
                },
            }
        ],
    }
    check(received.json(), TEAMS_MESSAGE)


def containers(message: dict[str, Any]) -> list[dict[str, Any]]:
    body: list[dict[str, Any]] = message["attachments"][0]["content"]["body"]
    return body


def texts(element: Any) -> list[str]:
    if isinstance(element, dict):
        own = [element["text"]] if element.get("type") == "TextRun" else []
        return own + [each for value in element.values() for each in texts(value)]
    return [each for value in element for each in texts(value)] if isinstance(element, list) else []


def without_texts(element: Any) -> Any:
    if isinstance(element, dict):
        return {name: without_texts(value) for name, value in element.items() if name != "text"}
    return [without_texts(value) for value in element] if isinstance(element, list) else element


def test_several_events_are_one_card(receiver: HttpReceiver, notifier: Load) -> None:
    told = [event(severity="warning"), event(state="resolved", number=2), event(number=3, severity="info")]
    notifier(f'kind = "teams"\nurl = "{receiver.url}"').deliver(told)
    (received,) = receiver.received
    check(received.json(), TEAMS_MESSAGE)
    assert [each["style"] for each in containers(received.json())] == ["warning", "good", "accent"]
    assert f"{TRACE_ID} {OTHER_TRACE_ID}" in texts(received.json())


@pytest.mark.parametrize("hostile", [HOSTILE, STEERING, "\U0001f4a5" * 5000, '"\\' * 2000])
@pytest.mark.parametrize("count", [1, 2, 60])
def test_hostile_texts_stay_texts_within_the_limit(
    hostile: str, count: int, receiver: HttpReceiver, notifier: Load
) -> None:
    one = hostile_event(hostile)
    one["data"]["causes"] *= 40
    notifier(f'kind = "teams"\nurl = "{receiver.url}"').deliver([one] * count)
    (received,) = receiver.received
    assert len(received.body) <= 28 * 1024 - 4096
    check(received.json(), TEAMS_MESSAGE)
    assert "{{" not in "".join(texts(received.json()))
    # Every text is a run of its own, in which there is no markup: a card differs in its runs' texts alone.
    harmless = hostile_event("x")
    harmless["data"]["causes"] *= 40
    first = containers(message_of([tell(harmless)], 1))[0]
    assert without_texts(containers(received.json())[0]) == without_texts(first)
