"""The commands that tell about notifiers and try them out: notify list, notify test."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from tracelens.cli import options as shared
from tracelens.cli.output import put
from tracelens.cli.process import one_line, verbose
from tracelens.errors import DeliveryError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from tracelens.escalation.notifiers import Notifier


@click.group()
def notify() -> None:
    """List the notifiers that escalation events go to, and try them out.

    Example: tracelens notify test on-call
    """


@notify.command(name="list")
@shared.config
@verbose
def list_notifiers(config: Path | None) -> None:
    """List the notifiers of the configuration: name, kind, where it delivers, and what it is told.

    Example: tracelens notify list
    """
    from tracelens.escalation.notifiers import check_notifiers  # noqa: PLC0415  (each command loads what it needs)

    rows = [
        (notifier.name, notifier.settings.kind, _target(notifier), _selection(notifier))
        for notifier in check_notifiers(shared.settings_of(config).notifiers)
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        cells = [f"{cell:{width}}" for cell, width in zip(row, widths, strict=False)]
        put("  ".join([*cells, row[3]]) + "\n")


@notify.command(name="test")
@click.argument("name")
@shared.config
@verbose
def test_notifier(name: str, config: Path | None) -> None:
    """Deliver a test event to the notifier NAME, then that it is resolved.

    Example: tracelens notify test on-call
    """
    from tracelens.escalation.notifiers import check_notifiers, load_notifiers  # noqa: PLC0415
    from tracelens.escalation.trial import trial_events  # noqa: PLC0415

    entries = shared.settings_of(config).notifiers
    known = [notifier.settings for notifier in check_notifiers(entries)]
    chosen = [entry for entry in known if entry.name == name]
    if not chosen:
        raise UsageError(f"{name}: no such notifier; known are {', '.join(entry.name for entry in known)}")
    (notifier,) = load_notifiers(chosen)
    firing, resolved = trial_events(time.time_ns())
    notifier.deliver([firing])
    states = "firing"
    if notifier.settings.send_resolved:
        notifier.deliver([resolved])
        states = "firing and resolved"
    put(f"{name}: a test event was delivered to {one_line(notifier.channel.target)}, {states}\n")


def _target(notifier: Notifier) -> str:
    try:
        return one_line(notifier.channel.target)
    except DeliveryError:  # its secret is not there: a list does not need it
        return "(its url is not there yet)"


def _selection(notifier: Notifier) -> str:
    settings = notifier.settings
    parts = [
        f"from {settings.min_severity}" if settings.min_severity != "info" else "",
        " ".join(settings.rules),
        f"service {settings.service}" if settings.service else "",
        f"endpoint {settings.endpoint}" if settings.endpoint else "",
        "" if settings.send_resolved else "not when resolved",
    ]
    return one_line(", ".join(filter(None, parts)) or "everything")
