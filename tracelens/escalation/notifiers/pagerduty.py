"""Opens and resolves incidents in PagerDuty, through its Events API v2.

A breach is one alert from its beginning to its end: what gets worse or goes on is added to it. `routing_key` is the
integration key of an "Events API v2" integration of a service. Accounts in the EU use
`https://events.eu.pagerduty.com/v2/enqueue` as `url`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tracelens.escalation.answers import place_of
from tracelens.escalation.posting import Sender, wrong_with
from tracelens.escalation.wording import data_of, key_of, one_line, severity_of, tell, time_of
from tracelens.report.markdown_text import clip
from tracelens.report.quantities import EPOCH

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tracelens.escalation.answers import Answer
    from tracelens.escalation.wording import Event
    from tracelens.settings.notifying import Confidential, NotifierSettings

EXAMPLE: Final = """\
[[notifiers]]
name = "on-call"
kind = "pagerduty"
routing_key_file = "/run/secrets/pagerduty"
min_severity = "critical"
"""

# https://developer.pagerduty.com/docs/events-api-v2/trigger-events
_SUMMARY_LENGTH: Final = 1024
_KEY_LENGTH: Final = 255

# "Preferably with a backoff of a few minutes", says its documentation of what it answers 429 to.
_PAUSE_S: Final = 120.0
_BAD_REQUEST: Final = 400
_TOO_MANY: Final = 429


@dataclass(frozen=True, slots=True)
class Options:
    """The integration."""

    routing_key: Confidential = field(metadata={"about": "The integration key."})
    url: str = field(default="https://events.pagerduty.com/v2/enqueue", metadata={"about": "The Events API."})
    ca_file: Path | None = field(default=None, metadata={"about": "Authorities to trust in place of the system's."})
    timeout_s: float = field(default=15.0, metadata={"about": "How long an answer may take."})


class Channel:
    """Triggers and resolves."""

    def __init__(self, notifier: NotifierSettings, options: Options) -> None:
        self._options = options
        self._trace_url = notifier.trace_url
        self._sender = Sender(notifier.name, options.timeout_s, options.ca_file)

    @property
    def target(self) -> str:
        """Where it delivers to."""
        return place_of(self._options.url)

    def check(self) -> None:
        """Check the address and that the key is there.

        Raises:
            DeliveryError: one of them is not.
        """
        self._sender.check(wrong_with(self._options.url))
        self._sender.reveal(self._options.routing_key)

    def deliver(self, events: Sequence[Event]) -> None:
        """Send the events one by one, as the API takes them; one that comes twice changes nothing.

        Raises:
            DeliveryError: one was not accepted, and none after it was sent.
        """
        for event in events:
            key = self._sender.reveal(self._options.routing_key)
            body = {"routing_key": key, **body_of(event, self._trace_url)}
            self._send(json.dumps(body).encode(), key)

    def _send(self, body: bytes, key: str) -> None:
        url = self._options.url
        answer = self._sender.exchange(url, body, {"content-type": "application/json"})
        if answer.status == _BAD_REQUEST and _blames_key(answer):
            raise self._sender.failure(f"{place_of(url)} answered {answer.describe([key])}: correct its routing_key")
        if answer.status == _TOO_MANY and answer.retry_after_s is None:
            raise self._sender.failure(
                f"{place_of(url)} answered {answer.describe([key])}: {answer.remedy()}", retry_after_s=_PAUSE_S
            )
        if not answer.is_accepted:
            raise self._sender.refusal(url, answer, [key])
        if _said(answer).get("status") != "success":
            raise self._sender.failure(f"{place_of(url)} answered what is not PagerDuty's; correct its url")


def body_of(event: Event, trace_url: str = "") -> dict[str, Any]:
    """Return what the Events API takes of an event, without the key."""
    data, telling = data_of(event), tell(event, trace_url)
    identity = {"dedup_key": clip(key_of(event), _KEY_LENGTH)}
    if telling.is_resolved:
        return {"event_action": "resolve", **identity}
    time = time_of(event)
    details = {
        "message": telling.message,
        **{name.lower(): value for name, value in telling.facts},
        "action": telling.action,
        "causes": [*telling.causes, *([f"and {telling.more_causes:,} more"] if telling.more_causes else [])],
        "traces": [trace.trace_id for trace in telling.exemplars],
        "event_id": event.get("id"),
    }
    facts = dict(telling.facts)
    described = {
        "component": facts.get("Endpoint"),
        "group": one_line(str(data.get("group") or ""), _KEY_LENGTH),
        "class": one_line(str(data.get("rule") or ""), _KEY_LENGTH),
        "timestamp": time.isoformat() if time is not None and time >= EPOCH else None,
    }
    links = [{"href": trace.url, "text": f"Trace {trace.trace_id}"} for trace in telling.exemplars if trace.url]
    return {
        "event_action": "trigger",
        **identity,
        "client": "tracelens",
        "payload": {
            "summary": clip(telling.title, _SUMMARY_LENGTH),
            "source": facts.get("Service") or "tracelens",
            "severity": severity_of(event),
            **{name: value for name, value in described.items() if value},
            "custom_details": {name: value for name, value in details.items() if value},
        },
        **({"links": links} if links else {}),
    }


def _said(answer: Answer) -> dict[str, Any]:
    try:
        said = json.loads(answer.body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _blames_key(answer: Answer) -> bool:
    """Tell whether the key is what is wrong: it can be exchanged while we run."""
    said = json.dumps(_said(answer)).lower()
    return "routing_key" in said or "routing key" in said or "invalid key" in said
