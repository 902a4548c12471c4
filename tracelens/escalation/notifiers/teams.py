"""Posts an Adaptive Card to a channel or chat of Microsoft Teams, one for the events that belong together.

`url` is that of a workflow in Teams: "Post to a channel when a webhook request is received". Texts are runs of rich
text, which have no markup: nothing in a service's name can make links or change the card.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tracelens.escalation.answers import place_of, secrets_in
from tracelens.escalation.posting import Sender, wrong_with
from tracelens.escalation.wording import fitting, heading, tell

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tracelens.escalation.wording import Event, Telling
    from tracelens.settings.notifying import Confidential, NotifierSettings

EXAMPLE: Final = """\
[[notifiers]]
name = "operations"
kind = "teams"
url_env = "TEAMS_WORKFLOW_URL"
rules = ["p95_breach", "db_cpu"]
"""

Element = dict[str, Any]

_STYLES: Final = {"critical": "attention", "warning": "warning", "info": "accent"}
_RESOLVED_STYLE: Final = "good"

# Teams refuses messages of about 28 KB: https://learn.microsoft.com/connectors/teams/#known-issues-and-limitations-with-actions.
# A workflow wraps the card once more before it gets there.
_MOST_BYTES: Final = 20_000

# A run of text is plain but for these, which are replaced by a date: https://learn.microsoft.com/adaptive-cards/authoring-cards/text-features.
_DATE_FUNCTION: Final = "{{"
_NO_DATE_FUNCTION: Final = "{\u200b{"


@dataclass(frozen=True, slots=True)
class Options:
    """The workflow."""

    url: Confidential = field(metadata={"about": "The workflow's address."})
    ca_file: Path | None = field(default=None, metadata={"about": "Authorities to trust in place of the system's."})
    timeout_s: float = field(default=15.0, metadata={"about": "How long an answer may take."})


class Channel:
    """Posts cards."""

    def __init__(self, notifier: NotifierSettings, options: Options) -> None:
        self._options = options
        self._trace_url = notifier.trace_url
        self._sender = Sender(notifier.name, options.timeout_s, options.ca_file)

    @property
    def target(self) -> str:
        """Where it delivers to."""
        return place_of(self._sender.reveal(self._options.url))

    def check(self) -> None:
        """Check the address.

        Raises:
            DeliveryError: it is not there or none.
        """
        self._sender.check(wrong_with(self._sender.reveal(self._options.url)))

    def deliver(self, events: Sequence[Event]) -> None:
        """Post one card about the events.

        Raises:
            DeliveryError: it was not accepted.
        """
        tellings = [tell(event, self._trace_url) for event in events]
        message = fitting(
            len(events), lambda shown: message_of(tellings, shown), lambda each: len(_json(each)) <= _MOST_BYTES
        )
        url = self._sender.reveal(self._options.url)
        self._sender.post(url, _json(message), {"content-type": "application/json"}, secrets_in(url))


def message_of(tellings: Sequence[Telling], shown: int) -> dict[str, Any]:
    """Return a message with a card about events, of which the first are shown and the rest are counted."""
    body = [_container(telling) for telling in tellings[:shown]]
    if shown < len(tellings):
        body.append(_line(_run(f"and {len(tellings) - shown:,} more events", isSubtle=True)))
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.2",
        "fallbackText": heading(tellings),
        "msteams": {"width": "Full"},
        "body": body,
    }
    content = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [content]}


def _container(telling: Telling) -> Element:
    style = _RESOLVED_STYLE if telling.is_resolved else _STYLES[telling.severity]
    items = [_line(_run(telling.title, weight="Bolder", size="Medium"))]
    if telling.message:
        items.append(_line(_run(telling.message)))
    items += [_line(_run(f"{name}: ", weight="Bolder"), _run(value), spacing="None") for name, value in telling.facts]
    if telling.action:
        items.append(_line(_run("Do: ", weight="Bolder"), _run(telling.action)))
    if telling.causes:
        more = [f"and {telling.more_causes:,} more"] if telling.more_causes else []
        items.append(_line(_run("Explained by", weight="Bolder")))
        items += [_line(_run(f"• {cause}"), spacing="None") for cause in (*telling.causes, *more)]
    links = [trace for trace in telling.exemplars if trace.url]
    if links:
        actions = [
            {"type": "Action.OpenUrl", "title": f"Trace {trace.trace_id[:8]}", "url": trace.url} for trace in links
        ]
        items.append({"type": "ActionSet", "actions": actions})
    elif telling.exemplars:
        traces = " ".join(trace.trace_id for trace in telling.exemplars)
        items.append(_line(_run("Traces: ", weight="Bolder"), _run(traces, fontType="Monospace")))
    return {"type": "Container", "style": style, "bleed": True, "items": items}


def _line(*runs: Element, **attributes: str) -> Element:
    return {"type": "RichTextBlock", "inlines": list(runs), **attributes}


def _run(text: str, **attributes: str | bool) -> Element:
    return {"type": "TextRun", "text": text.replace(_DATE_FUNCTION, _NO_DATE_FUNCTION), **attributes}


def _json(message: dict[str, Any]) -> bytes:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")
