"""What each answer means to every notifier over HTTP: the same table for all of them."""

from __future__ import annotations

import json
import socket
import traceback
from typing import TYPE_CHECKING

import pytest
from http_receiver import HttpReceiver, Reply
from told_events import event

from tracelens.errors import DeliveryError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tracelens.escalation.notifiers import Notifier

    Load = Callable[[str], Notifier]

PATH_SECRET = "T0PSECRETPATH"
KEY_SECRET = "k3y-that-nobody-may-see"
SECRETS = (PATH_SECRET, KEY_SECRET)

CONFIGURATIONS = {
    "webhook": f'kind = "webhook"\nurl = "URL/{PATH_SECRET}"\nheaders = {{ authorization = "Bearer {KEY_SECRET}" }}',
    "slack": f'kind = "slack"\nurl = "URL/{PATH_SECRET}?key={KEY_SECRET}"',
    "slack_app": f'kind = "slack"\ntoken = "{KEY_SECRET}"\nchannel = "C1"\napi_url = "URL/api"',
    "teams": f'kind = "teams"\nurl = "URL/{PATH_SECRET}?sig={KEY_SECRET}"',
    "pagerduty": f'kind = "pagerduty"\nrouting_key = "{KEY_SECRET}"\nurl = "URL/v2/enqueue"',
    "alertmanager": f'kind = "alertmanager"\nurl = "URL"\nheaders = {{ authorization = "{KEY_SECRET}" }}',
    "otlp_logs": f'kind = "otlp_logs"\nurl = "URL"\nheaders = {{ api-key = "{KEY_SECRET}" }}',
}
ACCEPTED = {
    "webhook": Reply(204),
    "slack": Reply(200, (("content-type", "text/html"),), b"ok"),
    "slack_app": Reply(200, body=b'{"ok": true, "channel": "C1", "ts": "1.2"}'),
    "teams": Reply(202),
    "pagerduty": Reply(202, body=b'{"status": "success", "message": "Event processed", "dedup_key": "k"}'),
    "alertmanager": Reply(200),
    "otlp_logs": Reply(200),
}
REFUSED = "the event was refused for what it is and is not sent again"
TABLE = {
    "redirect": (Reply(308, (("location", "/elsewhere"),)), "308 Permanent Redirect", "correct the url", False, None),
    "bad request": (Reply(400, body=b"no"), "400 Bad Request (no)", REFUSED, True, None),
    "no credentials": (Reply(401), "401 Unauthorized", "correct what authorises it", False, None),
    "forbidden": (Reply(403), "403 Forbidden", "correct what authorises it", False, None),
    "not found": (Reply(404, body=b"a\r\nb"), "404 Not Found (a b)", "correct the url", False, None),
    "gone": (Reply(410), "410 Gone", "it is gone for good: remove the notifier or correct its url", True, None),
    "too large": (Reply(413), "413 ", "the event was too large and is not sent again", True, None),
    "not processable": (Reply(422), "422 ", REFUSED, True, None),
    "too many": (Reply(429, (("retry-after", "7"),)), "429 Too Many Requests", "try again later", False, 7.0),
    "past date": (
        Reply(503, (("retry-after", "Fri, 02 Jan 2015 00:00:00 GMT"),)),
        "503 Service Unavailable",
        "try again later",
        False,
        0.0,
    ),
    "nonsense date": (
        Reply(503, (("retry-after", "soon"),)),
        "503 Service Unavailable",
        "try again later",
        False,
        None,
    ),
    "server error": (Reply(500, body=b"x" * 5000), f"500 Internal Server Error ({'x' * 199}…)", "later", False, None),
    "unknown": (Reply(799), "799", "try again later", False, None),
}

each_kind = pytest.mark.parametrize("kind", CONFIGURATIONS)


def configured(kind: str, url: str, more: str = "") -> str:
    return CONFIGURATIONS[kind].replace("URL", url) + more


def failure(notifier: Notifier) -> DeliveryError:
    with pytest.raises(DeliveryError) as raised:
        notifier.deliver([event()])
    return raised.value


@each_kind
def test_accepted(kind: str, receiver: HttpReceiver, notifier: Load) -> None:
    receiver.reply(ACCEPTED[kind])
    notifier(configured(kind, receiver.url)).deliver([event()])
    (received,) = receiver.received
    assert received.headers["user-agent"].startswith("tracelens/")


@each_kind
@pytest.mark.parametrize("case", TABLE)
def test_refused(kind: str, case: str, receiver: HttpReceiver, notifier: Load) -> None:
    reply, answered, remedy, is_final, retry_after_s = TABLE[case]
    receiver.reply(reply)
    error = failure(notifier(configured(kind, receiver.url)))
    text = str(error)
    assert text.startswith(f"notifier it: {receiver.place} answered {answered}")
    assert text.endswith(remedy)
    assert "\n" not in text
    assert (error.is_final, error.retry_after_s) == (is_final, retry_after_s)
    assert len(receiver.received) == 1, "it was sent again, or a redirect was followed"


@each_kind
def test_a_far_date_to_retry_after_is_a_day(kind: str, receiver: HttpReceiver, notifier: Load) -> None:
    receiver.reply(Reply(503, (("retry-after", "Fri, 02 Jan 2099 00:00:00 GMT"),)))
    assert failure(notifier(configured(kind, receiver.url))).retry_after_s == 86_400.0


@each_kind
@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (
            Reply(raw=b"SSH-2.0-OpenSSH_9.6\r\n"),
            "broke off or does not speak HTTP; correct the url, or try again later",
        ),
        (Reply(raw=b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhalf"), "broke off or does not speak HTTP"),
        (Reply(hang=True), "did not answer within 0.2 s; correct the url, or try again later"),
    ],
    ids=["no HTTP", "half an answer", "no answer"],
)
def test_no_answer(kind: str, reply: Reply, reason: str, receiver: HttpReceiver, notifier: Load) -> None:
    receiver.reply(reply)
    error = failure(notifier(configured(kind, receiver.url, "\ntimeout_s = 0.2")))
    assert str(error).startswith(f"notifier it: {receiver.place} {reason}")
    assert (error.is_final, error.retry_after_s) == (False, None)


@each_kind
def test_nobody_listens(kind: str, notifier: Load) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{closed.getsockname()[1]}"
        error = failure(notifier(configured(kind, f"http://{place}")))
    reason = "cannot be reached: Connection refused; correct the url, or start what should run there"
    assert str(error) == f"notifier it: {place} {reason}"
    assert not error.is_final


@each_kind
def test_an_unknown_host(kind: str, notifier: Load) -> None:
    error = failure(notifier(configured(kind, "http://no-such-host.invalid")))
    reason = "is not known to the name service; correct the url, or wait until it is"
    assert str(error) == f"notifier it: no-such-host.invalid {reason}"


@pytest.mark.parametrize("kind", [kind for kind in CONFIGURATIONS if kind != "webhook"])
@pytest.mark.parametrize("page", [b"<!DOCTYPE html><title>Sign in</title>", b"\n<html>blocked</html>"])
def test_a_login_page_is_no_delivery(kind: str, page: bytes, receiver: HttpReceiver, notifier: Load) -> None:
    receiver.reply(Reply(200, (("content-type", "text/html"),), page))
    error = failure(notifier(configured(kind, receiver.url)))
    assert str(error).startswith(f"notifier it: {receiver.place} answered ")
    assert str(error).endswith(("correct the url", "correct its url", "correct api_url"))
    assert not error.is_final


@each_kind
def test_secrets_are_never_shown(kind: str, receiver: HttpReceiver, notifier: Load) -> None:
    receiver.reply(Reply(500, body=b"you sent", echo=True))
    it = notifier(configured(kind, receiver.url))
    error = failure(it)
    shown = "".join(traceback.format_exception(error)) + repr(it) + repr(it.settings) + it.channel.target
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        refused = failure(notifier(configured(kind, f"http://127.0.0.1:{closed.getsockname()[1]}")))
    shown += "".join(traceback.format_exception(refused))
    sent = (
        receiver.received[0].path
        + json.dumps(receiver.received[0].headers)
        + receiver.received[0].body.decode("utf-8", "replace")
    )
    assert any(secret in sent for secret in SECRETS)
    assert not [secret for secret in SECRETS if secret in shown]


@each_kind
def test_certificates_are_verified(
    kind: str, secure_receiver: HttpReceiver, notifier: Load, ca_file: Path, tmp_path: Path
) -> None:
    secure_receiver.reply(ACCEPTED[kind])
    error = failure(notifier(configured(kind, secure_receiver.url)))
    said = "unable to get local issuer certificate; correct the url or set ca_file"
    assert str(error) == f"notifier it: {secure_receiver.place} is not trusted: {said}"
    elsewhere = secure_receiver.url.replace("127.0.0.1", "localhost")
    error = failure(notifier(configured(kind, elsewhere, f'\nca_file = "{ca_file}"')))
    assert "Hostname mismatch" in str(error)
    assert secure_receiver.received == []
    notifier(configured(kind, secure_receiver.url, f'\nca_file = "{ca_file}"')).deliver([event()])
    assert len(secure_receiver.received) == 1
    for name, reason in (("empty.pem", "no certificate in it"), ("none.pem", "No such file or directory")):
        (tmp_path / "empty.pem").touch()
        with pytest.raises(UsageError) as raised:
            notifier(configured(kind, secure_receiver.url, f'\nca_file = "{name}"'))
        said = f"ca_file {tmp_path / name} cannot be read: {reason}; correct it"
        assert str(raised.value) == f"test.toml: notifiers[0]: notifier it: {said}"


def test_the_proxy_of_the_environment(receiver: HttpReceiver, notifier: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    receiver.reply(ACCEPTED["webhook"])
    monkeypatch.setenv("HTTP_PROXY", receiver.url.replace("//", "//user:p%40ss@"))
    it = notifier('kind = "webhook"\nurl = "http://inside.invalid/x"')
    it.deliver([event()])
    (received,) = receiver.received
    assert (received.path, received.headers["host"]) == ("http://inside.invalid/x", "inside.invalid")
    assert received.headers["proxy-authorization"] == "Basic dXNlcjpwQHNz"
    monkeypatch.setenv("NO_PROXY", "inside.invalid")
    assert "inside.invalid is not known to the name service" in str(failure(it))
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv("HTTP_PROXY", "socks5://user:hidden@127.0.0.1:1")
    assert str(failure(it)) == "notifier it: the environment's proxy is no HTTP proxy but socks5; correct it"
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HTTP_PROXY", f"127.0.0.1:{closed.getsockname()[1]}")
        said = "cannot be reached through the environment's proxy: Connection refused; correct it"
        assert str(failure(it)) == f"notifier it: inside.invalid {said}"
