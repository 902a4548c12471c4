"""`tracelens.toml` as frozen values, validated when the process starts: a wrong setting stops it, with one line."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, TypeVar

from tracelens.errors import UsageError

DEFAULT_CONFIG: Final = Path("tracelens.toml")

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
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as TOML: {error}") from error
    return parse_settings(document, source=str(path), folder=path.parent)


def parse_settings(document: dict[str, Any], *, source: str, folder: Path) -> Settings:
    """Return the settings of a parsed document; folders in it are relative to `folder`."""
    known = {"thresholds", "objectives", "passes", "store", "receiver", "escalation"}
    for name in document:
        if name not in known:
            raise UsageError(f"{source}: unknown section [{name}]; known are {', '.join(sorted(known))}")
    try:
        thresholds = {
            pass_name: {name: _number(value, f"thresholds.{pass_name}.{name}") for name, value in section.items()}
            for pass_name, section in document.get("thresholds", {}).items()
        }
        objectives = tuple(
            _section(Objective, entry, f"objectives[{number}]")
            for number, entry in enumerate(document.get("objectives", []))
        )
        for objective in objectives:
            re.compile(objective.service), re.compile(objective.endpoint)
        folders = tuple(folder / entry for entry in document.get("passes", {}).get("folders", []))
        return Settings(
            thresholds=thresholds,
            objectives=objectives,
            pass_folders=folders,
            store=_section(StoreSettings, document.get("store", {}), "store"),
            receiver=_section(ReceiverSettings, document.get("receiver", {}), "receiver"),
            escalation=_section(EscalationSettings, document.get("escalation", {}), "escalation"),
        )
    except (TypeError, ValueError, AttributeError, re.error) as error:
        raise UsageError(f"{source}: {error}") from error


def parse_duration_s(text: str) -> float:
    """Return the seconds of a duration such as `15m`, `1h30m` or `500ms`.

    Raises:
        ValueError: the text is no duration.
    """
    parts = _DURATION.findall(text.strip())
    if not parts or "".join(number + unit for number, unit in parts) != text.strip():
        raise ValueError(f"{text!r} is not a duration such as 30s, 15m or 1h30m")
    return sum(float(number) * _SECONDS_PER_UNIT[unit] for number, unit in parts)


def _section(kind: type[_Section], entries: dict[str, Any], where: str) -> _Section:
    """Return a settings dataclass of a TOML table; a name that ends in `_s` may be given as a duration text."""
    expected = {entry.name: str(entry.type) for entry in fields(kind)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for name, value in entries.items():
        if name not in expected:
            raise ValueError(f"unknown setting {where}.{name}; known are {', '.join(sorted(expected))}")
        values[name] = _value(value, expected[name], f"{where}.{name}")
    return kind(**values)


def _value(value: Any, kind: str, where: str) -> Any:
    if kind == "float":
        return parse_duration_s(value) if isinstance(value, str) else _number(value, where)
    if kind == "int":
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{where} must be a whole number above 0")
        return value
    if kind.startswith("tuple"):
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            raise ValueError(f"{where} must be a list of texts")
        return tuple(value)
    if not isinstance(value, str):
        raise ValueError(f"{where} must be a text")  # noqa: TRY004  (reported as a bad value like the others)
    return value


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        raise ValueError(f"{where} must be a number, 0 or more")
    return float(value)
