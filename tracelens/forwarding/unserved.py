"""Tells a next hop that turns everything away from one that turns away these requests alone.

The first may be corrected while requests wait. The second is meant: a backend of traces has no place for logs, and a
sender's own credentials do not get better by waiting. To wait for it would hold up everything else in the queue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracelens.forwarding.outcome import Delivered, Refused, TurnedAway
from tracelens.receiver.encoding import Encoding
from tracelens.receiver.forwarding import RawRequest
from tracelens.receiver.signals import SIGNALS

if TYPE_CHECKING:
    from tracelens.forwarding.outcome import Outcome, Sender
    from tracelens.receiver.signals import Signal

_OF_CREDENTIALS: Final = frozenset({"401", "403", "UNAUTHENTICATED", "PERMISSION_DENIED"})
_CREDENTIAL: Final = "authorization"


class Unserved:
    """Remembers which signals the next hop turns away while it takes others. Any thread may ask."""

    def __init__(self) -> None:
        self._found: frozenset[tuple[Signal, str]] = frozenset()

    def taken(self, signal: Signal) -> None:
        """Forget what was found of a signal, a request of which was taken."""
        if self._found:
            self._found = frozenset(entry for entry in self._found if entry[0] != signal)

    def judge(self, answer: TurnedAway, request: RawRequest, sender: Sender) -> Outcome:
        """Return what to make of the answer to a request: a refusal where it is meant for such requests alone.

        Where that is not known yet, the next hop is asked with empty requests of the other signals, which OTLP has it
        answer with success. If it takes one, the request is sent once more, since it may have been corrected just now.
        """
        refused = Refused(answer.kind, answer.reason)
        if answer.kind in _OF_CREDENTIALS and _CREDENTIAL in dict(request.headers):
            return refused
        if (request.signal, answer.kind) in self._found:
            return refused
        if not _takes_others(request, sender):
            return answer
        again = sender.send(request)
        if not isinstance(again, TurnedAway):
            return again
        self._found |= {(request.signal, again.kind)}
        return Refused(again.kind, again.reason)


def _takes_others(request: RawRequest, sender: Sender) -> bool:
    others = (
        RawRequest(signal, Encoding.PROTOBUF, request.headers, b"") for signal in SIGNALS if signal != request.signal
    )
    return any(isinstance(sender.send(other), Delivered) for other in others)
