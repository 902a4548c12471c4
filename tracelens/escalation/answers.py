"""What a receiver's answer means: whether the same may be accepted later, when, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from tracelens.report.layout import neutralise
from tracelens.report.markdown_text import clip

if TYPE_CHECKING:
    from collections.abc import Iterable

_EXCERPT_LENGTH: Final = 200
_READ_FOR_EXCERPT: Final = 8192
_SHORTEST_SECRET: Final = 6
_ACCEPTED: Final = range(200, 300)

# The event itself is refused, or the receiver says that it is gone for good. All else can be mended while we run: a
# token is exchanged, a route is restored, a page that stood in the way is taken down.
_FINAL: Final = frozenset({400, 410, 413, 415, 422})

_REFUSED: Final = "the event was refused for what it is and is not sent again"
_REMEDIES: Final = {
    400: _REFUSED,
    401: "correct what authorises it",
    403: "correct what authorises it",
    407: "correct the proxy's user name and password in the environment",
    410: "it is gone for good: remove the notifier or correct its url",
    413: "the event was too large and is not sent again",
    415: _REFUSED,
    422: _REFUSED,
    429: "it asks for fewer requests; try again later",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered over HTTP.

    Attributes:
        status: its code.
        body: its first 64 KiB.
        retry_after_s: what it asks to wait, None where it does not say.
    """

    status: int
    body: bytes
    retry_after_s: float | None

    @property
    def is_accepted(self) -> bool:
        """Whether the request was taken."""
        return self.status in _ACCEPTED

    @property
    def is_final(self) -> bool:
        """Whether the same will never be taken."""
        return self.status in _FINAL

    @property
    def is_page(self) -> bool:
        """Whether it is for a browser: no API answers so, but logins and proxies do."""
        return self.body[:64].lstrip().lower().startswith((b"<!doctype html", b"<html"))

    def describe(self, hidden: Iterable[str] = ()) -> str:
        """Return its status and the beginning of what it says, without what must not be shown."""
        phrase = HTTPStatus(self.status).phrase if self.status in set(HTTPStatus) else ""
        said = excerpt(self.body, hidden)
        return f"{self.status} {phrase}".strip() + (f" ({said})" if said else "")

    def remedy(self) -> str:
        """Return what its status calls for."""
        if self.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return "try again later"
        return _REMEDIES.get(self.status, "correct the url")


def excerpt(body: bytes, hidden: Iterable[str] = ()) -> str:
    """Return the beginning of an answer as one line, without anything that must not be shown."""
    text = body[:_READ_FOR_EXCERPT].decode("utf-8", "replace")
    # The longest first: what is hidden may hold what else is hidden.
    secrets = {secret for secret in hidden if len(secret) >= _SHORTEST_SECRET}
    for secret in sorted(secrets, key=lambda each: (-len(each), each)):
        text = text.replace(secret, "…")
    return clip(" ".join(neutralise(text).split()), _EXCERPT_LENGTH)


def place_of(url: str) -> str:
    """Return the part of an address that may be shown: neither path nor query, where secrets are."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "its url"
    bracketed = f"[{host}]" if ":" in host else host
    return neutralise(bracketed + (f":{port}" if port else "")) or "its url"


def secrets_in(url: str) -> tuple[str, ...]:
    """Return what an answer may repeat of a secret address."""
    parts = urlsplit(url)
    return (url, parts.path, parts.query, *parts.path.split("/"), *parts.query.split("&"))
