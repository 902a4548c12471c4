"""PagerDuty: the Events API v2."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from http_receiver import Reply
from hypothesis import given, settings
from hypothesis import strategies as st
from published_shapes import PAGERDUTY_EVENT, check
from told_events import HOSTILE, OTHER_TRACE_ID, SPAN_ID, TRACE_ID, TRACE_URL, event, hostile_event

from tracelens.errors import DeliveryError
from tracelens.escalation.notifiers.pagerduty import body_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from http_receiver import HttpReceiver

    from tracelens.escalation.notifiers import Notifier

    Load = Callable[[str], Notifier]

KEY = "0123456789abcdef0123456789abcdef"
ACCEPTED = Reply(202, body=b'{"status": "success", "message": "Event processed", "dedup_key": "k"}')


def configured(receiver: HttpReceiver, more: str = "") -> str:
    return f'kind = "pagerduty"\nrouting_key = "{KEY}"\nurl = "{receiver.url}/v2/enqueue"\n{more}'


def test_an_incident_from_its_beginning_to_its_end(receiver: HttpReceiver, notifier: Load) -> None:
    receiver.reply(ACCEPTED)
    it = notifier(configured(receiver, f'trace_url = "{TRACE_URL}"'))
    it.deliver([event(), event(state="resolved")])
    assert {received.path for received in receiver.received} == {"/v2/enqueue"}
    firing, resolved = (received.json() for received in receiver.received)
    assert firing == {
        "routing_key": KEY,
        "event_action": "trigger",
        "dedup_key": "p95_breach:0000000000000001",
        "client": "tracelens",
        "payload": {
            "summary": "Critical: p95 over its limit, GET /orders/{id} in orders",
            "source": "orders",
            "severity": "critical",
            "component": "GET /orders/{id}",
            "group": "orders GET /orders/{id}",
            "class": "p95_breach",
            "timestamp": "2026-03-02T09:15:00+00:00",
            "custom_details": {
                "message": "95 % of the requests take 2.41 s or less, the objective is 2.00 s.",
                "measured": "2.41 s, limit 2.00 s",
                "service": "orders",
                "endpoint": "GET /orders/{id}",
                "database": "db-1, CPU 93 %",
                "since": "2026-03-02 09:14:00 UTC",
                "action": "Investigate and add a cache",
                "causes": [
                    "N+1 (62 % of the time): 1 queries run once per row",
                    "N+1: 2 queries run once per row",
                ],
                "traces": [TRACE_ID, OTHER_TRACE_ID],
                "event_id": "00000000-0000-4000-8000-000000000011",
            },
        },
        "links": [
            {"href": f"https://traces.example/{TRACE_ID}?span={SPAN_ID}", "text": f"Trace {TRACE_ID}"},
            {"href": f"https://traces.example/{OTHER_TRACE_ID}?span=", "text": f"Trace {OTHER_TRACE_ID}"},
        ],
    }
    assert resolved == {
        "routing_key": KEY,
        "event_action": "resolve",
        "dedup_key": "p95_breach:0000000000000001",
    }
    check(firing, PAGERDUTY_EVENT)
    check(resolved, PAGERDUTY_EVENT)


@settings(deadline=None)
@given(st.text(max_size=3000), st.sampled_from(["critical", "warning", "info", "else"]))
def test_any_text_fits(told: str, severity: str) -> None:
    check({"routing_key": KEY, **body_of(hostile_event(told, severity=severity))}, PAGERDUTY_EVENT)


def test_hostile_texts_stay_texts(receiver: HttpReceiver, notifier: Load) -> None:
    receiver.reply(ACCEPTED)
    notifier(configured(receiver)).deliver([hostile_event()])
    body = receiver.received[0].json()
    check(body, PAGERDUTY_EVENT)
    assert (body["payload"]["source"], body["payload"]["custom_details"]["action"]) == (HOSTILE, HOSTILE)
    assert "links" not in body


def test_what_is_refused_stops_the_rest(receiver: HttpReceiver, notifier: Load) -> None:
    receiver.reply(ACCEPTED, Reply(500))
    with pytest.raises(DeliveryError) as raised:
        notifier(configured(receiver)).deliver([event(number=1), event(number=2), event(number=3)])
    assert not raised.value.is_final
    assert [received.json()["dedup_key"][-1] for received in receiver.received] == ["1", "2"]


@pytest.mark.parametrize(
    ("reply", "told", "expected"),
    [
        (
            Reply(400, body=b'{"status": "invalid event", "errors": ["Length of \'routing_key\' is incorrect"]}'),
            "correct its routing_key",
            (False, None),
        ),
        (Reply(400, body=b'{"status": "invalid event", "errors": ["bad"]}'), "is not sent again", (True, None)),
        (Reply(429), "try again later", (False, 120.0)),
        (Reply(429, (("retry-after", "3"),)), "try again later", (False, 3.0)),
        (Reply(202, body=b"ok"), "answered what is not PagerDuty's; correct its url", (False, None)),
        (Reply(202, body=b'{"status": "throttled"}'), "answered what is not PagerDuty's", (False, None)),
    ],
)
def test_its_own_answers(
    reply: Reply, told: str, expected: tuple[bool, float | None], receiver: HttpReceiver, notifier: Load
) -> None:
    receiver.reply(reply)
    with pytest.raises(DeliveryError) as raised:
        notifier(configured(receiver)).deliver([event()])
    assert told in str(raised.value)
    assert (raised.value.is_final, raised.value.retry_after_s) == expected


def test_a_key_is_exchanged_while_we_run(receiver: HttpReceiver, notifier: Load, tmp_path: Path) -> None:
    receiver.reply(ACCEPTED)
    key = tmp_path / "key"
    key.write_text(f"{'a' * 32}\n")
    it = notifier(f'kind = "pagerduty"\nrouting_key_file = "key"\nurl = "{receiver.url}"')
    it.deliver([event()])
    key.write_text("b" * 32)
    it.deliver([event()])
    key.unlink()
    with pytest.raises(DeliveryError) as raised:
        it.deliver([event()])
    missing = f"routing_key_file: {key} cannot be read: No such file or directory; correct its path"
    assert (str(raised.value), raised.value.is_final) == (f"notifier it: {missing}", False)
    assert [received.json()["routing_key"] for received in receiver.received] == ["a" * 32, "b" * 32]
