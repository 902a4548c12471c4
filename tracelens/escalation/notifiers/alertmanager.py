"""Posts alerts to a Prometheus Alertmanager, through its API v2.

`url` is the Alertmanager's; the API's path is added to it. To each Alertmanager of a cluster its own notifier.
Alerts have the labels `alertname` (Tracelens and the rule), `severity`, `rule`, `service_name`, `endpoint`, `subject`,
`fingerprint`, and those of `labels`. An alert ends when its breach does, or after `active_for_s` without news of it,
which is more than `escalation.repeat_s` brings.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from tracelens.escalation.answers import place_of
from tracelens.escalation.posting import Sender, wrong_with
from tracelens.escalation.wording import data_of, one_line, plain, severity_of, tell, time_of
from tracelens.severities import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tracelens.escalation.wording import Event
    from tracelens.settings.notifying import Headers, NotifierSettings

EXAMPLE: Final = """\
[[notifiers]]
name = "alertmanager"
kind = "alertmanager"
url = "http://alertmanager.monitoring:9093"
labels = ["team=backend", "environment=production"]
"""

_PATH: Final = "/api/v2/alerts"
_LABEL_LENGTH: Final = 1000


@dataclass(frozen=True, slots=True)
class Options:
    """The Alertmanager, and what is added to its alerts."""

    url: str = field(metadata={"about": "The Alertmanager, as `http://host:9093`."})
    labels: tuple[str, ...] = field(default=(), metadata={"about": "Further labels, each as `name=value`."})
    active_for_s: float = field(
        default=86_400.0, metadata={"about": "How long an alert fires without being told again."}
    )
    headers: Headers = field(default=(), metadata={"about": "Sent with every request."})
    ca_file: Path | None = field(default=None, metadata={"about": "Authorities to trust in place of the system's."})
    timeout_s: float = field(default=15.0, metadata={"about": "How long an answer may take."})

    def __post_init__(self) -> None:
        """Refuse labels that are none."""
        for label in self.labels:
            name, separator, value = label.partition("=")
            if not (name.isidentifier() and name.isascii() and separator and value):
                raise ValueError(f"labels: {label!r} must be name=value")


class Channel:
    """Posts alerts."""

    def __init__(self, notifier: NotifierSettings, options: Options) -> None:
        self._options = options
        self._trace_url = notifier.trace_url
        self._sender = Sender(notifier.name, options.timeout_s, options.ca_file)
        self._labels = dict(label.split("=", 1) for label in options.labels)

    @property
    def target(self) -> str:
        """Where it delivers to."""
        return place_of(self._options.url)

    def check(self) -> None:
        """Check the address and that the secrets are there.

        Raises:
            DeliveryError: one of them is not.
        """
        self._sender.check(wrong_with(self._options.url), self._options.headers)

    def deliver(self, events: Sequence[Event]) -> None:
        """Post the events' alerts in one request.

        Raises:
            DeliveryError: they were not accepted.
        """
        alerts = [alert for event in events for alert in self.alerts_of(event)]
        base = self._options.url.rstrip("/")
        url = base if base.endswith(_PATH) else base + _PATH
        extra = self._sender.reveal_headers(self._options.headers)
        headers = extra | {"content-type": "application/json"}
        self._sender.post(url, json.dumps(alerts).encode(), headers, tuple(extra.values()))

    def alerts_of(self, event: Event) -> list[dict[str, Any]]:
        """Return the alert of an event, and the ends of what it may have been with another severity.

        Labels are an alert's identity and receivers are chosen by the severity, so a breach that gets worse is another
        alert. Alertmanager tells nobody of the end of what it never heard of.
        """
        telling, severity = tell(event, self._trace_url), severity_of(event)
        now = time_of(event) or datetime.now(UTC)
        since = min(time_of(event, "since") or now, now)
        over = {"startsAt": since.isoformat(), "endsAt": now.isoformat()}
        alerts = [{"labels": self._labels_of(event, other), **over} for other in SEVERITIES if other != severity]
        annotations = {"summary": telling.title, "description": plain(telling), "action": telling.action}
        ends = now if telling.is_resolved else now + timedelta(seconds=self._options.active_for_s)
        alert = {
            "labels": self._labels_of(event, severity),
            "annotations": {name: value for name, value in annotations.items() if value},
            "startsAt": since.isoformat(),
            "endsAt": ends.isoformat(),
        }
        link = next((trace.url for trace in telling.exemplars if trace.url), "")
        return [alert | ({"generatorURL": link} if link else {}), *alerts]

    def _labels_of(self, event: Event, severity: str) -> dict[str, str]:
        data = data_of(event)
        rule = str(data.get("rule") or "")
        labels = {
            "alertname": "Tracelens" + "".join(word.capitalize() for word in rule.split("_")),
            "severity": severity,
            "rule": rule,
            **{name: str(data.get(name) or "") for name in ("service_name", "endpoint", "subject")},
            "fingerprint": str(event.get("subject") or ""),
        }
        shown = {name: one_line(value, _LABEL_LENGTH) for name, value in labels.items()}
        return self._labels | {name: value for name, value in shown.items() if value}
