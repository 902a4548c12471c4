"""Posts events in the form of CloudEvents 1.0 to any address.

One event is sent in the structured mode, as `application/cloudevents+json`; several that belong together as a batch,
`application/cloudevents-batch+json`, unless `batch` is false. Every 2xx answer counts as delivered.

Requests can be signed as [Standard Webhooks](https://www.standardwebhooks.com) asks, so a receiver verifies them with
that project's libraries: `webhook-id` stays the same when a delivery is repeated, `webhook-timestamp` is the time of
the attempt, and `webhook-signature` is `v1,` and the Base64 of the HMAC-SHA256 over id, timestamp and body, joined by
full stops. A file with several secrets, one a line, gives several signatures, so that a secret can be exchanged.
Make one with `echo whsec_$(head -c 32 /dev/urandom | base64)`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tracelens.escalation.answers import place_of, secrets_in
from tracelens.escalation.events import event_line
from tracelens.escalation.posting import Sender, wrong_with

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tracelens.escalation.wording import Event
    from tracelens.settings.notifying import Confidential, Headers, NotifierSettings

EXAMPLE: Final = """\
[[notifiers]]
name = "automation"
kind = "webhook"
url = "https://hooks.example/tracelens"
secret_file = "/run/secrets/tracelens-webhook"
headers = { authorization = { env = "HOOKS_TOKEN" } }
"""

_ONE: Final = "application/cloudevents+json"
_SEVERAL: Final = "application/cloudevents-batch+json"
_PREFIX: Final = "whsec_"
_KEY_BYTES: Final = range(24, 65)
_PLAIN_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Options:
    """Where to, and how it is authorised."""

    url: Confidential = field(metadata={"about": "Where to post."})
    secret: Confidential | None = field(
        default=None, metadata={"about": "Signs requests: `whsec_` and 24 to 64 bytes in Base64."}
    )
    headers: Headers = field(default=(), metadata={"about": "Sent with every request."})
    batch: bool = field(default=True, metadata={"about": "Whether events that belong together are sent together."})
    ca_file: Path | None = field(default=None, metadata={"about": "Authorities to trust in place of the system's."})
    timeout_s: float = field(default=15.0, metadata={"about": "How long an answer may take."})


class Channel:
    """Posts and signs."""

    def __init__(self, notifier: NotifierSettings, options: Options) -> None:
        self._options = options
        self._sender = Sender(notifier.name, options.timeout_s, options.ca_file)

    @property
    def target(self) -> str:
        """Where it delivers to."""
        return place_of(self._sender.reveal(self._options.url))

    def check(self) -> None:
        """Check the address and that the secrets are there.

        Raises:
            DeliveryError: one of them is not.
        """
        self._sender.check(wrong_with(self._sender.reveal(self._options.url)), self._options.headers)
        self._keys()

    def deliver(self, events: Sequence[Event]) -> None:
        """Post the events.

        Raises:
            DeliveryError: they were not accepted.
        """
        if self._options.batch and len(events) > 1:
            body = "[" + ",".join(map(event_line, events)) + "]"
            self._post(_SEVERAL, _id_of(events), body)
            return
        for event in events:
            self._post(_ONE, _id_of([event]), event_line(event))

    def _post(self, content_type: str, message_id: str, text: str) -> None:
        url = self._sender.reveal(self._options.url)
        extra = self._sender.reveal_headers(self._options.headers)
        # A lone surrogate has no UTF-8; its escape is JSON's too.
        body = text.encode("utf-8", "backslashreplace")
        timestamp = int(time.time())
        headers = extra | {
            "content-type": content_type,
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
        }
        if keys := self._keys():
            headers["webhook-signature"] = " ".join(sign(key, message_id, timestamp, body) for key in keys)
        answer = self._sender.exchange(url, body, headers)
        if not answer.is_accepted:
            raise self._sender.refusal(url, answer, (*secrets_in(url), *extra.values()))

    def _keys(self) -> list[bytes]:
        if self._options.secret is None:
            return []
        keys = []
        for line in self._sender.reveal_lines(self._options.secret):
            try:
                key = base64.b64decode(line.removeprefix(_PREFIX), validate=True)
            except (binascii.Error, ValueError):
                key = b""
            if not line.startswith(_PREFIX) or len(key) not in _KEY_BYTES:
                raise self._sender.failure("its secret must be whsec_ and 24 to 64 bytes in Base64; correct it")
            keys.append(key)
        return keys


def sign(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """Return a signature as Standard Webhooks writes it."""
    digest = hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"


def _id_of(events: Sequence[Event]) -> str:
    """Return an id that stays the same when the same events are sent again; a full stop in it could shift the rest."""
    ids = [str(event.get("id", "")) for event in events]
    if len(ids) == 1 and _PLAIN_ID.fullmatch(ids[0]):
        return ids[0]
    return hashlib.sha256("\n".join(ids).encode("utf-8", "backslashreplace")).hexdigest()[:32]
