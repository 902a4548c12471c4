"""The record of escalation events in the store, and what is still to be delivered of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tracelens.escalation.events import event_line
from tracelens.store.database import read_sql

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracelens.escalation.lifecycle import Change
    from tracelens.store.store import Reader, Store

PENDING: Final = "pending"
DELIVERED: Final = "delivered"
REFUSED: Final = "refused"
"""States of a delivery: refused is what can never be delivered; the failure says why."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one notifier.

    Attributes:
        group: events of one group and notifier are delivered together.
        attempts: how often it was tried in vain.
        next_ns: not to be tried earlier.
    """

    event_number: int
    group: str
    attempts: int
    next_ns: int
    event: dict[str, Any]


def record(store: Store, changes: Sequence[tuple[Change, Sequence[str]]], now_ns: int) -> None:
    """Record events, each with the names of the notifiers that are to deliver it, all in one transaction.

    Raises:
        StoreError: nothing was written.
    """
    with store.reader() as reader:
        rows = reader.rows("select coalesce(max(event_number), 0) as last from escalation_events")
    number = rows[0]["last"]
    statements: list[tuple[str, Mapping[str, object]]] = []
    for change, notifiers in changes:
        number += 1
        data = change.event["data"]
        event = {"key": change.key, "state": data["state"], "event": event_line(change.event)}
        statements.append(
            (
                "insert into escalation_events values ($number, $key, $state, $now_ns, $event)",
                event | {"number": number, "now_ns": now_ns},
            )
        )
        statements += [
            (
                "insert into escalation_deliveries values ($number, $name, $group, $state, 0, $now_ns, $now_ns, null)",
                {"number": number, "name": name, "group": data["group"], "state": PENDING, "now_ns": now_ns},
            )
            for name in notifiers
        ]
    store.execute_together(statements)


def events_after(reader: Reader, after: int) -> list[tuple[int, dict[str, Any]]]:
    """Return the recorded events numbered above `after`, in order, with their numbers."""
    rows = reader.rows(
        "select event_number, event from escalation_events where event_number > $after order by event_number",
        {"after": after},
    )
    return [(row["event_number"], json.loads(row["event"])) for row in rows]


def open_events(reader: Reader) -> dict[str, dict[str, Any]]:
    """Return the last firing event of every breach that has not been resolved, by the breach's key."""
    rows = reader.rows(read_sql("statements/open_events.sql"))
    return {row["event_key"]: json.loads(row["event"]) for row in rows}


def told_notifiers(reader: Reader) -> dict[str, set[str]]:
    """Return the names of those who are to be told that a breach is over: they were told of it. By the breach's key."""
    told: dict[str, set[str]] = {}
    for row in reader.rows(read_sql("statements/told_notifiers.sql")):
        told.setdefault(row["event_key"], set()).add(row["notifier"])
    return told


def pending(reader: Reader, notifier: str) -> list[Delivery]:
    """Return what a notifier has still to deliver, in the order of the events."""
    rows = reader.rows(read_sql("statements/pending_deliveries.sql"), {"notifier": notifier, "state": PENDING})
    return [
        Delivery(
            event_number=row["event_number"],
            group=row["delivery_group"],
            attempts=row["attempts"],
            next_ns=row["next_ns"],
            event=json.loads(row["event"]),
        )
        for row in rows
    ]


def settle(store: Store, notifier: str, numbers: Sequence[int], now_ns: int, *, refused: str | None = None) -> None:
    """Note that deliveries are done, or refused for good with a reason.

    Raises:
        StoreError: nothing was written.
    """
    store.execute(
        read_sql("statements/settle_deliveries.sql"),
        {
            "state": DELIVERED if refused is None else REFUSED,
            "now_ns": now_ns,
            "failure": refused,
            "notifier": notifier,
            "numbers": list(numbers),
        },
    )


def postpone(store: Store, notifier: str, numbers: Sequence[int], now_ns: int, *, next_ns: int, failure: str) -> None:
    """Note that deliveries failed, why, and when to try them again.

    Raises:
        StoreError: nothing was written.
    """
    store.execute(
        read_sql("statements/postpone_deliveries.sql"),
        {
            "now_ns": now_ns,
            "next_ns": next_ns,
            "failure": failure,
            "notifier": notifier,
            "numbers": list(numbers),
        },
    )
