"""What became of one attempt to pass a request on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from tracelens.receiver.forwarding import RawRequest


@dataclass(frozen=True, slots=True)
class Delivered:
    """The next hop has it.

    Attributes:
        rejected: how many of its records the next hop says it rejected.
        message: what the next hop says beside that.
    """

    rejected: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True)
class TryAgain:
    """It may be delivered later.

    Attributes:
        reason: why not now.
        retry_after_s: how long the next hop asks us to wait; None where it does not say.
    """

    reason: str
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """It may be delivered once the address or the credentials are corrected, on our side or on the other.

    Attributes:
        kind: what such answers are told apart by: `401`, `UNIMPLEMENTED`.
        reason: what the next hop says.
        retry_after_s: how long the next hop asks us to wait; None where it does not say.
    """

    kind: str
    reason: str
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """It can never be delivered.

    Attributes:
        kind: what refusals are told apart by: `400`, `INVALID_ARGUMENT`.
        reason: what the next hop says.
    """

    kind: str
    reason: str


Outcome: TypeAlias = Delivered | TryAgain | TurnedAway | Refused


class Sender(Protocol):
    """A connection to the next hop, for one thread."""

    def send(self, request: RawRequest) -> Outcome:
        """Send one request and wait for its answer; nothing is raised for what the network or the next hop do."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...
