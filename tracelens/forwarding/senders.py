"""Opens the connections that the settings ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracelens.forwarding.destination import read_destination
from tracelens.forwarding.headers import OwnHeaders
from tracelens.settings.forwarding import URL_SETTING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracelens.forwarding.destination import Destination
    from tracelens.forwarding.outcome import Sender
    from tracelens.settings.forwarding import ForwardSettings


def open_senders(settings: ForwardSettings, option: str = URL_SETTING) -> list[Sender]:
    """Return a sender for each request that may be under way at once, none without a URL; they connect when they send.

    Args:
        settings: of `[forward]`.
        option: where the URL was given, for messages.

    Raises:
        UsageError: the settings do not fit together, or a file or variable that they name cannot be read.
    """
    if not settings.url:
        return []
    destination = read_destination(settings, option)
    headers = OwnHeaders(settings.headers)
    sender: Callable[[Destination, ForwardSettings, OwnHeaders], Sender]
    if destination.is_grpc:
        from tracelens.forwarding.grpc_sender import GrpcSender as sender  # noqa: N813, PLC0415  (only this needs it)
    else:
        from tracelens.forwarding.http_sender import HttpSender as sender  # noqa: N813, PLC0415
    return [sender(destination, settings, headers) for _ in range(settings.concurrency)]
