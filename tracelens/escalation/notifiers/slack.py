"""Writes messages to a Slack channel, one for the events that belong together.

Either through an incoming webhook (`url`), or as an app: with a bot `token` that has the scope `chat:write`, and the
`channel` that it was invited to. An app answers in the thread of its first message when a breach gets worse, goes on
or is over, and shows that answer in the channel too; after a restart of tracelens it begins a new message.

Texts are parts of rich text blocks, which Slack shows as they are: nothing in a service's name can mention people,
make links or change the layout.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tracelens.escalation.answers import excerpt, place_of, secrets_in
from tracelens.escalation.posting import Sender, wrong_with
from tracelens.escalation.wording import fitting, heading, key_of, tell
from tracelens.report.markdown_text import clip

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tracelens.escalation.answers import Answer
    from tracelens.escalation.wording import Event, Telling
    from tracelens.settings.notifying import Confidential, NotifierSettings

EXAMPLE: Final = """\
[[notifiers]]
name = "team-orders"
kind = "slack"
url_file = "/run/secrets/slack-webhook"
service = "orders|checkout"
trace_url = "https://jaeger.example/trace/{trace_id}"
"""

Block = dict[str, Any]

_MARKS: Final = {"critical": "\U0001f534", "warning": "\U0001f7e0", "info": "\U0001f535"}
_RESOLVED_MARK: Final = "\U0001f7e2"

# https://docs.slack.dev/reference/block-kit/blocks: 50 blocks a message, 150 characters a header. How much text all
# blocks may hold is not documented; messages over some 13,000 characters of JSON are refused as too long.
_MOST_BLOCKS: Final = 50
_HEADER_LENGTH: Final = 150
_URL_LENGTH: Final = 3000
_TEXT_LENGTH: Final = 3000
_MOST_JSON: Final = 12_000

_KNOWN_THREADS: Final = 1000

# What the Web API says of the message itself; every other error can be mended while we run.
_FINAL_ERRORS: Final = frozenset(
    {
        "invalid_arguments",
        "invalid_blocks",
        "invalid_blocks_format",
        "invalid_json",
        "msg_blocks_too_long",
        "msg_too_long",
        "no_text",
        "too_many_attachments",
    }
)
_RATE_ERRORS: Final = frozenset({"rate_limited", "ratelimited"})


@dataclass(frozen=True, slots=True)
class Options:
    """A webhook, or an app and its channel."""

    url: Confidential | None = field(default=None, metadata={"about": "The incoming webhook."})
    token: Confidential | None = field(default=None, metadata={"about": "The app's bot token, in place of a webhook."})
    channel: str = field(default="", metadata={"about": "Where the app writes: a channel's id or name."})
    api_url: str = field(
        default="https://slack.com/api", metadata={"about": "Slack's Web API, for other installations of it."}
    )
    ca_file: Path | None = field(default=None, metadata={"about": "Authorities to trust in place of the system's."})
    timeout_s: float = field(default=15.0, metadata={"about": "How long an answer may take."})

    def __post_init__(self) -> None:
        """Refuse what is neither a webhook nor an app."""
        if (self.url is None) == (self.token is None):
            raise ValueError("a Slack notifier needs either a url or a token (or their _env or _file)")
        if bool(self.channel) != (self.token is not None):
            raise ValueError("token and channel belong together: set both or none")


class Channel:
    """Writes messages, and remembers an app's threads."""

    def __init__(self, notifier: NotifierSettings, options: Options) -> None:
        self._options = options
        self._trace_url = notifier.trace_url
        self._sender = Sender(notifier.name, options.timeout_s, options.ca_file)
        self._threads: OrderedDict[str, tuple[str, str]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def target(self) -> str:
        """Where it delivers to."""
        if self._options.url is not None:
            return place_of(self._sender.reveal(self._options.url))
        return f"{place_of(self._options.api_url)} {self._options.channel}"

    def check(self) -> None:
        """Check the addresses and that the secrets are there.

        Raises:
            DeliveryError: one of them is not.
        """
        url = self._options.api_url if self._options.url is None else self._sender.reveal(self._options.url)
        self._sender.check(wrong_with(url))
        if self._options.token is not None:
            self._sender.reveal(self._options.token)

    def deliver(self, events: Sequence[Event]) -> None:
        """Write one message about the events.

        Raises:
            DeliveryError: it was not accepted.
        """
        tellings = [tell(event, self._trace_url) for event in events]
        message = fitting(len(events), lambda shown: message_of(tellings, shown), _fits)
        if self._options.url is not None:
            url = self._sender.reveal(self._options.url)
            self._sender.post(url, _json(message), {"content-type": "application/json"}, secrets_in(url))
        else:
            self._write_as_app(events, message)

    def _write_as_app(self, events: Sequence[Event], message: dict[str, Any]) -> None:
        url = self._options.api_url.rstrip("/") + "/chat.postMessage"
        token = self._sender.reveal(self._options.token) if self._options.token is not None else ""
        keys = {key_of(event) for event in events}
        with self._lock:
            threads = {self._threads.get(key) for key in keys}
        body = {"channel": self._options.channel, **message}
        thread = threads.pop() if len(threads) == 1 else None
        if thread is not None:
            body |= {"channel": thread[0], "thread_ts": thread[1], "reply_broadcast": True}
        headers = {"content-type": "application/json; charset=utf-8", "authorization": f"Bearer {token}"}
        answer = self._sender.post(url, _json(body), headers, (token,))
        said = self._accepted(url, answer, token)
        with self._lock:
            for event in events:
                self._threads.pop(key_of(event), None)
                if event.get("data", {}).get("state") != "resolved":
                    self._threads[key_of(event)] = thread or (str(said["channel"]), str(said["ts"]))
            while len(self._threads) > _KNOWN_THREADS:
                self._threads.popitem(last=False)

    def _accepted(self, url: str, answer: Answer, token: str) -> dict[str, Any]:
        """Return what the Web API says of an accepted message; it answers 200 to what it refuses as well."""
        try:
            said = json.loads(answer.body)
        except ValueError:
            said = None
        if isinstance(said, dict) and said.get("ok") is True and said.get("ts") and said.get("channel"):
            return said
        error = said.get("error") if isinstance(said, dict) else None
        if not isinstance(error, str):
            raise self._sender.failure(f"{place_of(url)} answered what is not Slack's; correct api_url")
        shown = excerpt(error.encode("utf-8", "backslashreplace"), (token,))
        if error in _FINAL_ERRORS:
            remedy = "the event was refused for what it is and is not sent again"
        elif error in _RATE_ERRORS:
            remedy = "try again later"
        else:
            remedy = "correct the token, its scopes or the channel"
        raise self._sender.failure(
            f"{place_of(url)} answered {shown}: {remedy}",
            is_final=error in _FINAL_ERRORS,
            retry_after_s=answer.retry_after_s,
        )


def message_of(tellings: Sequence[Telling], shown: int) -> dict[str, Any]:
    """Return a message about events, of which the first are shown and the rest are counted."""
    blocks: list[Block] = []
    for telling in tellings[:shown]:
        if blocks:
            blocks.append({"type": "divider"})
        blocks += _blocks(telling)
    if shown < len(tellings):
        rest = _plain(f"and {len(tellings) - shown:,} more events")
        blocks.append({"type": "context", "elements": [rest]})
    text = clip(heading(tellings), _TEXT_LENGTH // 5)  # escaped, a character becomes five at most
    return {"text": escape(text), "blocks": blocks, "unfurl_links": False, "unfurl_media": False}


def escape(text: str) -> str:
    """Return text without a meaning of its own in Slack's markup: https://docs.slack.dev/messaging/formatting-message-text."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _blocks(telling: Telling) -> list[Block]:
    mark = _RESOLVED_MARK if telling.is_resolved else _MARKS[telling.severity]
    elements: list[Block] = []
    if telling.message:
        elements.append(_section(_text(telling.message)))
    if telling.facts:
        lines = [part for name, value in telling.facts for part in (_text(f"{name}: ", bold=True), _text(f"{value}\n"))]
        elements.append(_section(*lines))
    if telling.action:
        elements.append(_section(_text("Do: ", bold=True), _text(telling.action)))
    if telling.causes:
        more = [f"and {telling.more_causes:,} more"] if telling.more_causes else []
        causes = [_section(_text(cause)) for cause in (*telling.causes, *more)]
        elements.append(_section(_text("Explained by", bold=True)))
        elements.append({"type": "rich_text_list", "style": "bullet", "elements": causes})
    if telling.exemplars:
        links = [part for trace in telling.exemplars for part in (_text(" "), _link(trace.trace_id, trace.url))]
        elements.append(_section(_text("Traces:", bold=True), *links))
    header: Block = {"type": "header", "text": _plain(clip(f"{mark} {telling.title}", _HEADER_LENGTH))}
    return [header, {"type": "rich_text", "elements": elements}] if elements else [header]


def _section(*elements: Block) -> Block:
    return {"type": "rich_text_section", "elements": list(elements)}


def _text(text: str, *, bold: bool = False) -> Block:
    return {"type": "text", "text": text, **({"style": {"bold": True}} if bold else {})}


def _link(text: str, url: str) -> Block:
    if not url or len(url) > _URL_LENGTH:
        return {"type": "text", "text": text, "style": {"code": True}}
    return {"type": "link", "url": url, "text": text}


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text, "emoji": False}


def _fits(message: dict[str, Any]) -> bool:
    return len(message["blocks"]) <= _MOST_BLOCKS and len(_json(message)) <= _MOST_JSON


def _json(message: dict[str, Any]) -> bytes:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")
