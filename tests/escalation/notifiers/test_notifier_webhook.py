"""Webhooks: CloudEvents, and signatures as Standard Webhooks has them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from typing import TYPE_CHECKING

import pytest
from published_shapes import CLOUDEVENT, check
from told_events import event, hostile_event

from tracelens.errors import DeliveryError, UsageError
from tracelens.escalation.notifiers.webhook import sign

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from http_receiver import HttpReceiver, Received

    from tracelens.escalation.notifiers import Notifier

    Load = Callable[[str], Notifier]

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
OTHER_KEY = bytes(reversed(range(24)))
OTHER_SECRET = "whsec_" + base64.b64encode(OTHER_KEY).decode()


def verified(received: Received, *keys: bytes) -> list[bool]:
    """Return for each key whether one of the signatures is its, as the specification has receivers check it."""
    headers = received.headers
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + received.body
    given = [each.removeprefix("v1,") for each in headers["webhook-signature"].split(" ") if each.startswith("v1,")]
    wanted = [base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in keys]
    return [any(hmac.compare_digest(each, one) for one in given) for each in wanted]


def test_the_specification_s_own_example() -> None:
    # The test vector that the libraries of Standard Webhooks share.
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signature = sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_one_event_and_several(receiver: HttpReceiver, notifier: Load) -> None:
    it = notifier(f'kind = "webhook"\nurl = "{receiver.url}/hook?a=b"\nheaders = {{ X-Team = "a b" }}')
    it.deliver([event()])
    it.deliver([event(number=2), event(number=3)])
    it.deliver([event(number=2), event(number=3)])
    one, several, again = receiver.received
    assert (one.path, one.json(), one.headers["x-team"]) == ("/hook?a=b", event(), "a b")
    assert one.headers["content-type"] == "application/cloudevents+json"
    assert one.headers["webhook-id"] == event()["id"]
    assert abs(int(one.headers["webhook-timestamp"]) - time.time()) < 60
    assert "webhook-signature" not in one.headers
    assert several.json() == [event(number=2), event(number=3)]
    assert several.headers["content-type"] == "application/cloudevents-batch+json"
    assert several.headers["webhook-id"] == again.headers["webhook-id"] != one.headers["webhook-id"]
    for sent in (one.json(), *several.json()):
        check(sent, CLOUDEVENT)


def test_one_by_one_where_batches_are_not_taken(receiver: HttpReceiver, notifier: Load) -> None:
    it = notifier(f'kind = "webhook"\nurl = "{receiver.url}"\nbatch = false')
    it.deliver([event(number=2), event(number=3)])
    assert [each.json() for each in receiver.received] == [event(number=2), event(number=3)]
    assert [each.headers["webhook-id"] for each in receiver.received] == [event(number=n)["id"] for n in (2, 3)]


def test_signatures_during_a_change_of_secrets(receiver: HttpReceiver, notifier: Load, tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.write_text(f"{SECRET}\n")
    it = notifier(f'kind = "webhook"\nurl = "{receiver.url}"\nsecret_file = "secrets"')
    it.deliver([event()])
    secrets.write_text(f"{OTHER_SECRET}\n{SECRET}\n")
    it.deliver([event(), event(number=2)])
    first, second = receiver.received
    assert verified(first, KEY, OTHER_KEY) == [True, False]
    assert verified(second, KEY, OTHER_KEY) == [True, True]
    secrets.write_text("whsec_short")
    with pytest.raises(DeliveryError) as raised:
        it.deliver([event()])
    said = "notifier it: its secret must be whsec_ and 24 to 64 bytes in Base64; correct it"
    assert (str(raised.value), raised.value.is_final) == (said, False)


def test_texts_without_utf_8_and_ids_with_stops(receiver: HttpReceiver, notifier: Load) -> None:
    strange = hostile_event("\ud800 \u0000 é") | {"id": "a.b.c\ud800"}
    it = notifier(f'kind = "webhook"\nurl = "{receiver.url}"\nsecret = "{SECRET}"')
    it.deliver([strange])
    (received,) = receiver.received
    assert received.json() == strange
    assert "." not in received.headers["webhook-id"]
    assert verified(received, KEY) == [True]


@pytest.mark.parametrize("secret", ["secret", SECRET.removeprefix("whsec_"), "whsec_!", "whsec_" + "QQ==" * 20])
def test_a_secret_that_is_none_stops_the_start(secret: str, notifier: Load) -> None:
    with pytest.raises(UsageError) as raised:
        notifier(f'kind = "webhook"\nurl = "http://x"\nsecret = "{secret}"')
    said = "its secret must be whsec_ and 24 to 64 bytes in Base64; correct it"
    assert str(raised.value) == f"test.toml: notifiers[0]: notifier it: {said}"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://x", "its url is no address: write http(s)://host[:port]/path"),
        ("http://", "its url is no address: write http(s)://host[:port]/path"),
        ("http://x:99999/", "its url is no address: write http(s)://host[:port]/path"),
        ("http://x/a b", "its url is no address: write http(s)://host[:port]/path"),
        ("http://x/é", "its url is no address: write http(s)://host[:port]/path"),
        ("http://me:hidden@x/", "its url must not hold a user name: send an authorization header"),
    ],
)
def test_an_address_that_is_none_stops_the_start(url: str, why: str, notifier: Load) -> None:
    with pytest.raises(UsageError) as raised:
        notifier(f'kind = "webhook"\nurl = "{url}"')
    assert str(raised.value) == f"test.toml: notifiers[0]: notifier it: {why}"


def test_a_header_s_value_can_be_a_secret(
    receiver: HttpReceiver, notifier: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_TOKEN", "Bearer t")
    (tmp_path / "key").write_text("k\n")
    headers = '{ authorization = { env = "HOOK_TOKEN" }, X-Key = { file = "key" } }'
    it = notifier(f'kind = "webhook"\nurl = "{receiver.url}"\nheaders = {headers}')
    it.deliver([event()])
    sent = receiver.received[0].headers
    assert (sent["authorization"], sent["x-key"]) == ("Bearer t", "k")
    (tmp_path / "key").write_text("k\x00\n")
    with pytest.raises(DeliveryError) as raised:
        it.deliver([event()])
    assert str(raised.value) == "notifier it: the header x-key holds what no header may; correct its value"
