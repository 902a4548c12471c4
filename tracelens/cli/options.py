"""Options that several commands share."""

from __future__ import annotations

import functools
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from tracelens.errors import UsageError
from tracelens.severities import FINDING_SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracelens.settings import Settings

TABLE_FORMATS: Final = ("terminal", "json", "markdown")
FORMATS: Final = (*TABLE_FORMATS, "html")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_NS: Final = 2**63 - 1

db = click.option(
    "--db",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("tracelens.duckdb"),
    show_default=True,
    envvar="TRACELENS_DB",
    show_envvar=True,
    help="The store's file.",
)
config = click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Configuration file.  [default: ./tracelens.toml where it exists]",
)
fail_on = click.option(
    "--fail-on",
    type=click.Choice(FINDING_SEVERITIES),
    default="never",
    show_default=True,
    help="Exit with 1 where a finding is at least this severe.",
)


def _format(formats: Sequence[str]) -> Callable[[click.decorators.FC], click.decorators.FC]:
    return click.option(
        "--format",
        "output_format",
        type=click.Choice(formats),
        default="terminal",
        show_default=True,
        help="How to write the result.",
    )


output_format = _format(FORMATS)
table_format = _format(TABLE_FORMATS)


def _writable(_context: click.Context, _parameter: click.Parameter, path: Path | None) -> Path | None:
    """Refuse a file that cannot be written before the work for it is done."""
    if path is not None and not os.access(path if path.exists() else path.parent, os.W_OK):
        reason = "no permission" if path.parent.is_dir() else "no such folder"
        raise UsageError(f"{path}: cannot be written: {reason}; choose another with --output")
    return path


output = click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    callback=_writable,
    help="Write the result to this file, not to stdout.",
)


def settings_of(path: Path | None) -> Settings:
    """Return the settings of --config.

    Raises:
        UsageError: see `settings.load_settings`; a threshold in them belongs to no pass, or a notifier fits no kind.
    """
    from tracelens.settings import load_settings  # noqa: PLC0415  (`--help` needs none)

    settings = load_settings(path)
    if settings.notifiers:
        from tracelens.escalation.notifiers import check_notifiers  # noqa: PLC0415  (most configurations name none)

        check_notifiers(settings.notifiers)
    if not settings.thresholds:
        return settings
    from tracelens.passes.registry import load_passes  # noqa: PLC0415  (most configurations name no pass)

    source = path or "tracelens.toml"
    bounds = {
        entry.name: {threshold.name for threshold in entry.thresholds} for entry in load_passes(settings.pass_folders)
    }
    for pass_name, thresholds in settings.thresholds.items():
        if pass_name not in bounds:
            raise UsageError(f"{source}: thresholds.{pass_name}: no such pass; `tracelens passes` lists them")
        for name in sorted(thresholds.keys() - bounds[pass_name]):
            raise UsageError(
                f"{source}: thresholds.{pass_name}.{name}: no such threshold; see `tracelens explain {pass_name}`"
            )
    return settings


@dataclass(frozen=True, slots=True)
class Selection:
    """What to analyse and to show, as the options say; times in nanoseconds since 1970 UTC."""

    files: tuple[str, ...]
    db: Path
    settings: Settings
    since_ns: int | None
    until_ns: int | None
    service: str | None
    endpoint: str | None
    pass_names: tuple[str, ...]


def selection(command: Callable[..., None]) -> Callable[..., None]:
    """Add FILE arguments and the options that say what to analyse; the command gets them as one `selection`."""

    @functools.wraps(command)
    def select(*, config: Path | None, since: str | None, until: str | None, **options: Any) -> None:
        since_ns, until_ns = _moment_ns(since, "--since"), _moment_ns(until, "--until")
        if since_ns is not None and until_ns is not None and since_ns >= until_ns:
            raise UsageError(f"--since {since} --until {until}: the window ends before it begins; swap them")
        selected = {name: options.pop(name) for name in ("files", "db", "service", "endpoint")}
        selected["pass_names"] = options.pop("pass_names", ())
        command(
            selection=Selection(**selected, settings=settings_of(config), since_ns=since_ns, until_ns=until_ns),
            **options,
        )

    for option in reversed(
        [
            click.argument("files", nargs=-1, metavar="[FILE]..."),
            db,
            config,
            click.option("--since", metavar="WHEN", help="From here on: a duration ago (15m) or an RFC 3339 time."),
            click.option("--until", metavar="WHEN", help="Up to here, likewise."),
            click.option("--service", metavar="NAME", help="Only this service."),
            click.option("--endpoint", metavar="TEXT", help="Only endpoints that contain this."),
        ]
    ):
        select = option(select)
    return select


passes = click.option("--pass", "pass_names", metavar="NAME", multiple=True, help="Only this pass; repeatable.")
"""Beside `selection`, for commands that show findings: the passes become part of it."""


def _moment_ns(text: str | None, option: str) -> int | None:
    if text is None:
        return None
    from tracelens.settings.reading import parse_duration_s  # noqa: PLC0415  (`--help` needs none)

    try:
        moment_ns = time.time_ns() - int(parse_duration_s(text) * 1e9)
    except ValueError:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise UsageError(
                f"{option} {text}: neither a duration such as 15m nor an RFC 3339 time such as 2026-03-02T09:00:00Z"
            ) from None
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        moment_ns = (aware - _EPOCH) // timedelta(microseconds=1) * 1000
    return max(-_MAX_NS, min(_MAX_NS, moment_ns))
