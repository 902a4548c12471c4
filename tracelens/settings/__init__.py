"""`tracelens.toml` as frozen values, validated when the process starts: a wrong setting stops it, with one line."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from tracelens.errors import UsageError
from tracelens.findings import SEVERITIES
from tracelens.settings.reading import (
    read_number,
    read_section,
    read_table,
    read_texts,
    require_known,
)

if TYPE_CHECKING:
    from datetime import date

DEFAULT_CONFIG: Final = Path("tracelens.toml")

FINDING_SEVERITIES: Final = (*SEVERITIES, "never")
"""From which severity on findings count: `--fail-on` and `escalation.finding_severity`."""

_SECTIONS: Final = ("escalation", "objectives", "passes", "receiver", "store", "thresholds", "waivers")
_SIZE: Final = re.compile(r"\d+(\.\d+)? ?(B|[KMGT]i?B)", re.IGNORECASE)

_Section = TypeVar("_Section")


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
class StoreSettings:
    """What the store may use.

    Attributes:
        memory_limit: of DuckDB, as it writes sizes.
        flush_interval_s: how long an acknowledged span may wait before reports see it.
        flush_rows: spans that are written at once without waiting; one DuckDB row group by default.
    """

    memory_limit: str = "2GiB"
    flush_interval_s: float = 1.0
    flush_rows: int = 122_880


@dataclass(frozen=True, slots=True)
class ReceiverSettings:
    """Limits of the receiver.

    Attributes:
        max_request_bytes: of one request, compressed or not; OTLP recommends 64 MiB.
        max_pending_bytes: acknowledged bytes that may wait for the store; beyond it senders are asked to wait.
        allowed_origins: origins whose browsers may send; none by default.
    """

    max_request_bytes: int = 64 * 1024 * 1024
    max_pending_bytes: int = 256 * 1024 * 1024
    allowed_origins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EscalationSettings:
    """When `serve` escalates.

    Attributes:
        window_s: how much of the recently received data the rules judge.
        interval_s: shortest time between two judgements.
        slow_query_s: a query over this fires.
        p95_s: an endpoint whose 95th percentile is over this fires.
        finding_severity: findings at or above it fire; "never" for none.
    """

    window_s: float = 300.0
    interval_s: float = 2.0
    slow_query_s: float = 1.0
    p95_s: float = 2.0
    finding_severity: str = "critical"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be configured.

    Attributes:
        thresholds: pass name to threshold name to value, where it differs from the pass's default.
        objectives: latency objectives of their own for some endpoints.
        pass_folders: folders with users' own passes.
        waivers: findings to live with.
    """

    thresholds: dict[str, dict[str, float]] = field(default_factory=dict)
    objectives: tuple[Objective, ...] = ()
    pass_folders: tuple[Path, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    store: StoreSettings = field(default_factory=StoreSettings)
    receiver: ReceiverSettings = field(default_factory=ReceiverSettings)
    escalation: EscalationSettings = field(default_factory=EscalationSettings)


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
            store=_store(document.get("store", {})),
            receiver=read_section(ReceiverSettings, document.get("receiver", {}), "receiver"),
            escalation=_escalation(document.get("escalation", {})),
        )
    except ValueError as error:
        raise UsageError(f"{source}: {error}") from error


def _objectives(entries: Any) -> tuple[Objective, ...]:
    return tuple(_patterned(Objective, entry, where) for where, entry in _entries(entries, "objectives"))


def _waivers(entries: Any) -> tuple[Waiver, ...]:
    waivers = []
    for where, entry in _entries(entries, "waivers"):
        # `pass` is Python's word, and the one that users know.
        named = {"pass_name" if name == "pass" else name: value for name, value in read_table(entry, where).items()}
        waiver = _patterned(Waiver, named, where)
        if not waiver.reason:
            raise ValueError(f"{where}.reason must say why")
        if not (waiver.fingerprint or waiver.pass_name or waiver.service or waiver.endpoint):
            raise ValueError(f"{where} must name a fingerprint, a pass, a service or an endpoint")
        waivers.append(waiver)
    return tuple(waivers)


def _entries(entries: Any, name: str) -> list[tuple[str, Any]]:
    if not isinstance(entries, list):
        raise ValueError(f"{name} must be a list: write [[{name}]]")  # noqa: TRY004  (a bad value like others)
    return [(f"{name}[{number}]", entry) for number, entry in enumerate(entries)]


def _patterned(kind: type[_Section], entry: Any, where: str) -> _Section:
    """Return a section whose `service` and `endpoint` are regular expressions."""
    section = read_section(kind, entry, where)
    for name in ("service", "endpoint"):
        pattern = getattr(section, name)
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"{where}.{name} {pattern!r} must be a regular expression: {error}") from error
    return section


def _pass_folders(section: Any, folder: Path) -> tuple[Path, ...]:
    entries = read_table(section, "passes")
    for name in entries:
        require_known(name, ("folders",), f"setting passes.{name}")
    return tuple(folder / entry for entry in read_texts(entries.get("folders", []), "passes.folders"))


def _store(section: Any) -> StoreSettings:
    settings = read_section(StoreSettings, section, "store")
    if not _SIZE.fullmatch(settings.memory_limit):
        raise ValueError(f"store.memory_limit {settings.memory_limit!r} must be a size such as '2GiB' or '512MB'")
    return settings


def _escalation(section: Any) -> EscalationSettings:
    settings = read_section(EscalationSettings, section, "escalation")
    if settings.finding_severity not in FINDING_SEVERITIES:
        raise ValueError(
            f"escalation.finding_severity {settings.finding_severity!r} must be one of {', '.join(FINDING_SEVERITIES)}"
        )
    return settings
