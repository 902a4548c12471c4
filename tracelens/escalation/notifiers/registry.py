"""Which notifiers a configuration names, and which events each of them is told of."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from tracelens.errors import DeliveryError, UsageError
from tracelens.escalation.wording import data_of, severity_of
from tracelens.settings.notifying import NotifierSettings, read_options
from tracelens.settings.selection import selects
from tracelens.severities import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracelens.escalation.wording import Event

DEFAULT: Final = NotifierSettings(name="stdout", kind="stdout")
"""Who is told where nobody is configured."""

_HERE: Final = Path(__file__).parent
_NO_KINDS: Final = frozenset({"__init__", "registry"})


class Channel(Protocol):
    """How a kind delivers. Each of its modules has one, made of `NotifierSettings` and its `Options`."""

    @property
    def target(self) -> str:
        """Where it delivers to, without anything secret."""
        ...

    def check(self) -> None:
        """Check everything that can be checked without delivering.

        Raises:
            DeliveryError: it could not deliver as it is configured.
        """
        ...

    def deliver(self, events: Sequence[Event]) -> None:
        """Deliver one or more events of one group, and return when they are taken.

        Raises:
            DeliveryError: they may not have arrived.
        """
        ...


@dataclass(frozen=True, slots=True)
class Notifier:
    """Who is told of some of the events.

    Attributes:
        settings: of its entry.
        channel: that delivers.
    """

    settings: NotifierSettings
    channel: Channel

    @property
    def name(self) -> str:
        """Its name in the configuration."""
        return self.settings.name

    def wants(self, event: Event) -> bool:
        """Tell whether an event is for it; that a breach is over is for those who were told of it."""
        settings, data = self.settings, data_of(event)
        if data.get("state") == "resolved":
            return settings.send_resolved
        if SEVERITIES.index(severity_of(event)) < SEVERITIES.index(settings.min_severity):
            return False
        if settings.rules and data.get("rule") not in settings.rules:
            return False
        return selects(settings, str(data.get("service_name") or ""), str(data.get("endpoint") or ""))

    def deliver(self, events: Sequence[Event]) -> None:
        """Deliver one or more events of one group.

        Raises:
            DeliveryError: they may not have arrived.
        """
        self.channel.deliver(events)


def kinds() -> tuple[str, ...]:
    """Return the names of all kinds, in order."""
    return tuple(sorted({path.stem for path in _HERE.glob("*.py")} - _NO_KINDS))


def kind_module(kind: str) -> Any:
    """Return the module of a kind."""
    return importlib.import_module(f"tracelens.escalation.notifiers.{kind}")


def check_notifiers(entries: Sequence[NotifierSettings]) -> tuple[Notifier, ...]:
    """Return the notifiers of a configuration, without a look at their secrets and files.

    Raises:
        UsageError: a kind does not exist, or an entry does not fit its kind.
    """
    return tuple(map(_notifier, entries or (DEFAULT,)))


def load_notifiers(entries: Sequence[NotifierSettings]) -> tuple[Notifier, ...]:
    """Return the notifiers of a configuration, ready to deliver; one on standard output where none is configured.

    Raises:
        UsageError: an entry does not fit its kind, or what it names, such as a file with a secret, is not there.
    """
    notifiers = check_notifiers(entries)
    for notifier in notifiers:
        try:
            notifier.channel.check()
        except DeliveryError as error:
            raise UsageError(f"{notifier.settings.place}: {error}") from error
    return notifiers


def _notifier(settings: NotifierSettings) -> Notifier:
    if settings.kind not in kinds():
        raise UsageError(f"{settings.place}.kind: no kind {settings.kind!r}; known are {', '.join(kinds())}")
    module = kind_module(settings.kind)
    try:
        options = read_options(module.Options, settings)
    except ValueError as error:
        raise UsageError(f"{settings.place}: {error}") from error
    return Notifier(settings, cast("Channel", module.Channel(settings, options)))
