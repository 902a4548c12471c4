"""`tracelens.toml` as frozen values, validated when the process starts: a wrong setting stops it, with one line."""

from __future__ import annotations

import math
import re
import tomllib
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Final, TypeVar

from tracelens.errors import UsageError
from tracelens.findings import SEVERITIES

DEFAULT_CONFIG: Final = Path("tracelens.toml")

FINDING_SEVERITIES: Final = (*SEVERITIES, "never")
"""From which severity on findings count: `--fail-on` and `escalation.finding_severity`."""

_SECTIONS: Final = ("escalation", "objectives", "passes", "receiver", "store", "thresholds")
_SIZE: Final = re.compile(r"\d+(\.\d+)? ?(B|[KMGT]i?B)", re.IGNORECASE)

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS_PER_UNIT: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

_Section = TypeVar("_Section")


@dataclass(frozen=True, slots=True)
class Objective:
    """A latency objective of its own for some endpoints; the patterns are regular expressions, matched whole."""

    service: str
    endpoint: str
    p95_ms: float


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
    """

    thresholds: dict[str, dict[str, float]] = field(default_factory=dict)
    objectives: tuple[Objective, ...] = ()
    pass_folders: tuple[Path, ...] = ()
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
            _known(name, _SECTIONS, f"section [{name}]")
        return Settings(
            thresholds={
                pass_name: {
                    name: _number(value, f"thresholds.{pass_name}.{name}")
                    for name, value in _table(section, f"thresholds.{pass_name}").items()
                }
                for pass_name, section in _table(document.get("thresholds", {}), "thresholds").items()
            },
            objectives=_objectives(document.get("objectives", [])),
            pass_folders=_pass_folders(document.get("passes", {}), folder),
            store=_store(document.get("store", {})),
            receiver=_section(ReceiverSettings, document.get("receiver", {}), "receiver"),
            escalation=_escalation(document.get("escalation", {})),
        )
    except ValueError as error:
        raise UsageError(f"{source}: {error}") from error


def _objectives(entries: Any) -> tuple[Objective, ...]:
    if not isinstance(entries, list):
        raise ValueError("objectives must be a list: write [[objectives]]")  # noqa: TRY004  (a bad value like others)
    objectives = tuple(_section(Objective, entry, f"objectives[{number}]") for number, entry in enumerate(entries))
    for number, objective in enumerate(objectives):
        for name, pattern in (("service", objective.service), ("endpoint", objective.endpoint)):
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(
                    f"objectives[{number}].{name} {pattern!r} must be a regular expression: {error}"
                ) from error
    return objectives


def _pass_folders(section: Any, folder: Path) -> tuple[Path, ...]:
    entries = _table(section, "passes")
    for name in entries:
        _known(name, ("folders",), f"setting passes.{name}")
    return tuple(folder / entry for entry in _texts(entries.get("folders", []), "passes.folders"))


def _store(section: Any) -> StoreSettings:
    settings = _section(StoreSettings, section, "store")
    if not _SIZE.fullmatch(settings.memory_limit):
        raise ValueError(f"store.memory_limit {settings.memory_limit!r} must be a size such as '2GiB' or '512MB'")
    return settings


def _escalation(section: Any) -> EscalationSettings:
    settings = _section(EscalationSettings, section, "escalation")
    if settings.finding_severity not in FINDING_SEVERITIES:
        raise ValueError(
            f"escalation.finding_severity {settings.finding_severity!r} must be one of {', '.join(FINDING_SEVERITIES)}"
        )
    return settings


def parse_duration_s(text: str) -> float:
    """Return the seconds of a duration such as `15m`, `1h30m` or `500ms`.

    Raises:
        ValueError: the text is no duration.
    """
    parts = _DURATION.findall(text.strip())
    if not parts or "".join(number + unit for number, unit in parts) != text.strip():
        raise ValueError(f"{text!r} is not a duration such as 30s, 15m or 1h30m")
    return sum(float(number) * _SECONDS_PER_UNIT[unit] for number, unit in parts)


def _section(kind: type[_Section], section: Any, where: str) -> _Section:
    """Return a settings dataclass of a TOML table; names in `_s` or `_ms` may be given as a duration text."""
    expected = {entry.name: entry for entry in fields(kind)}  # type: ignore[arg-type]  # only dataclasses are passed
    values: dict[str, Any] = {}
    for name, value in _table(section, where).items():
        _known(name, tuple(sorted(expected)), f"setting {where}.{name}")
        values[name] = _value(value, str(expected[name].type), f"{where}.{name}")
    for name, entry in expected.items():
        if name not in values and entry.default is MISSING:
            raise ValueError(f"{where}.{name} is missing")
    return kind(**values)


def _known(name: str, known: tuple[str, ...], what: str) -> None:
    if name not in known:
        raise ValueError(f"unknown {what}; known are {', '.join(known)}")


def _value(value: Any, kind: str, where: str) -> Any:
    if kind == "float":
        return _duration(value, where) if isinstance(value, str) else _number(value, where)
    if kind == "int":
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{where} must be a whole number above 0")
        return value
    if kind.startswith("tuple"):
        return _texts(value, where)
    if not isinstance(value, str):
        raise ValueError(f"{where} must be a text in quotes")  # noqa: TRY004  (a bad value like others)
    return value


def _duration(text: str, where: str) -> float:
    try:
        seconds = parse_duration_s(text)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    return seconds * 1000 if where.endswith("_ms") else seconds


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        raise ValueError(f"{where} must be a number, 0 or more")
    return float(value)


def _table(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{where} must be a table: write [{where}]")  # noqa: TRY004  (a bad value like others)
    return value


def _texts(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise ValueError(f"{where} must be a list of texts")
    return tuple(value)
