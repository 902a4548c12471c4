"""`tracelens.toml` as frozen values, validated when the process starts: a wrong setting stops it, with one line."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tracelens.errors import UsageError
from tracelens.settings.databases import DatabaseSettings, parse_databases
from tracelens.settings.escalation import EscalationSettings, parse_escalation
from tracelens.settings.forwarding import ForwardSettings, parse_forward
from tracelens.settings.notifying import NotifierSettings, parse_notifiers
from tracelens.settings.reading import (
    read_entries,
    read_number,
    read_patterned,
    read_table,
    read_texts,
    require_known,
)
from tracelens.settings.receiver import ReceiverSettings, parse_receiver
from tracelens.settings.store import StoreSettings, parse_store

if TYPE_CHECKING:
    from datetime import date

__all__ = [
    "DEFAULT_CONFIG",
    "DatabaseSettings",
    "EscalationSettings",
    "ForwardSettings",
    "NotifierSettings",
    "Objective",
    "ReceiverSettings",
    "Settings",
    "StoreSettings",
    "Waiver",
    "load_settings",
    "parse_settings",
]

DEFAULT_CONFIG: Final = Path("tracelens.toml")

_SECTIONS: Final = (
    "databases",
    "escalation",
    "forward",
    "notifiers",
    "objectives",
    "passes",
    "receiver",
    "store",
    "thresholds",
    "waivers",
)


@dataclass(frozen=True, slots=True)
class Objective:
    """A latency objective of its own for some endpoints; the patterns are regular expressions, matched whole."""

    service: str
    endpoint: str
    p95_ms: float


@dataclass(frozen=True, slots=True)
class Waiver:
    """Findings to live with until a day: those that match all of what is given, and something has to be given.

    Attributes:
        reason: why; shown wherever the finding would have been.
        expires: the last day on which it holds.
        fingerprint: the finding's.
        pass_name: of the finding; in the file, `pass`.
        service: regular expression, matched whole.
        endpoint: regular expression, matched whole.
    """

    reason: str
    expires: date
    fingerprint: str = ""
    pass_name: str = ""
    service: str = ""
    endpoint: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be configured.

    Attributes:
        thresholds: pass name to threshold name to value, where it differs from the pass's default.
        objectives: latency objectives of their own for some endpoints.
        pass_folders: folders with users' own passes.
        waivers: findings to live with.
        notifiers: who is told of escalation events; standard output where there is none.
    """

    thresholds: dict[str, dict[str, float]] = field(default_factory=dict)
    objectives: tuple[Objective, ...] = ()
    pass_folders: tuple[Path, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    databases: DatabaseSettings = field(default_factory=DatabaseSettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    receiver: ReceiverSettings = field(default_factory=ReceiverSettings)
    forward: ForwardSettings = field(default_factory=ForwardSettings)
    escalation: EscalationSettings = field(default_factory=EscalationSettings)
    notifiers: tuple[NotifierSettings, ...] = ()


def load_settings(path: Path | None) -> Settings:
    """Return the settings of a file; of `./tracelens.toml` where no path is given and it exists.

    Raises:
        UsageError: the file is missing, is not TOML, or holds a setting that does not exist or fit.
    """
    if path is None:
        if not DEFAULT_CONFIG.is_file():
            return Settings()
        path = DEFAULT_CONFIG
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(f"{path}: no such file; correct --config") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}; correct --config") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path}: not TOML: {error}; correct it, or choose another with --config") from error
    return parse_settings(document, source=str(path), folder=path.parent)


def parse_settings(document: dict[str, Any], *, source: str, folder: Path) -> Settings:
    """Return the settings of a parsed document.

    Args:
        document: the document's tables.
        source: what to call it in messages.
        folder: what folders in it are relative to.

    Raises:
        UsageError: it holds a setting that does not exist or fit. Whether thresholds belong to a pass is not looked at.
    """
    try:
        for name in document:
            require_known(name, _SECTIONS, f"section [{name}]")
        return Settings(
            thresholds={
                pass_name: {
                    name: read_number(value, f"thresholds.{pass_name}.{name}")
                    for name, value in read_table(section, f"thresholds.{pass_name}").items()
                }
                for pass_name, section in read_table(document.get("thresholds", {}), "thresholds").items()
            },
            objectives=_objectives(document.get("objectives", [])),
            pass_folders=_pass_folders(document.get("passes", {}), folder),
            waivers=_waivers(document.get("waivers", [])),
            databases=parse_databases(document.get("databases", {})),
            store=parse_store(document.get("store", {})),
            receiver=parse_receiver(document.get("receiver", {}), folder),
            forward=parse_forward(document.get("forward", {}), folder),
            escalation=parse_escalation(document.get("escalation", {})),
            notifiers=parse_notifiers(document.get("notifiers", []), source, folder),
        )
    except ValueError as error:
        raise UsageError(f"{source}: {error}") from error


def _objectives(entries: Any) -> tuple[Objective, ...]:
    return tuple(read_patterned(Objective, entry, where) for where, entry in read_entries(entries, "objectives"))


def _waivers(entries: Any) -> tuple[Waiver, ...]:
    waivers = []
    for where, entry in read_entries(entries, "waivers"):
        # `pass` is Python's word, and the one that users know.
        named = {"pass_name" if name == "pass" else name: value for name, value in read_table(entry, where).items()}
        waiver = read_patterned(Waiver, named, where)
        if not waiver.reason:
            raise ValueError(f"{where}.reason must say why")
        if not (waiver.fingerprint or waiver.pass_name or waiver.service or waiver.endpoint):
            raise ValueError(f"{where} must name a fingerprint, a pass, a service or an endpoint")
        waivers.append(waiver)
    return tuple(waivers)


def _pass_folders(section: Any, folder: Path) -> tuple[Path, ...]:
    entries = read_table(section, "passes")
    for name in entries:
        require_known(name, ("folders",), f"setting passes.{name}")
    return tuple(folder / entry for entry in read_texts(entries.get("folders", []), "passes.folders"))
