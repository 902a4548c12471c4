"""`[[notifiers]]`: who is told of which escalation events, and what its kind needs for it.

What all kinds have in common is read here; the rest stays as it is in the file until the kind's own module, in
`escalation/notifiers`, reads it with `read_options`. So a kind is declared in one place.
"""

from __future__ import annotations

import re
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, TypeVar
from urllib.parse import urlsplit

from tracelens.settings.escalation import RULES
from tracelens.settings.headers import read_header_name, read_header_value
from tracelens.settings.reading import read_entries, read_patterned, read_table, read_value, require_known
from tracelens.settings.secret import Secret, read_secret
from tracelens.severities import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from dataclasses import Field

_RULES: Final = ", ".join(f"`{rule}`" for rule in RULES)
_LONGEST_TRACE_URL: Final = 1000
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_RESERVED: Final = ("webhook-", "grpc-")

Options = TypeVar("Options")


class Confidential(Protocol):
    """A value that is kept out of messages, logs and listings. It is read when it is needed, so it may change."""

    def read(self) -> str:
        """Return it.

        Raises:
            UsageError: there is none; the message says where it was looked for.
        """
        ...

    def read_lines(self) -> list[str]:
        """Return every line of it: a new value and an old one are both good during a change.

        Raises:
            UsageError: as `read`.
        """
        ...


@dataclass(frozen=True, slots=True)
class Inline:
    """A secret that stands in the configuration itself."""

    value: str = field(repr=False)

    def read(self) -> str:
        """Return it."""
        return self.value

    def read_lines(self) -> list[str]:
        """Return it."""
        return [self.value]


Headers: TypeAlias = tuple[tuple[str, Confidential], ...]
"""Names of headers, in lower case, and their values."""


@dataclass(frozen=True, slots=True)
class NotifierSettings:
    """A notifier's entry.

    Attributes:
        name: of its own, shown in messages and recorded with its deliveries.
        kind: how it tells; `tracelens notify list` and docs/notifiers.md know them.
        min_severity: the mildest severity that it is told of.
        rules: that it is told of; all where empty.
        service, endpoint: regular expressions, matched whole; all where empty.
        send_resolved: whether it is also told when a breach is over.
        trace_url: a page that shows a trace: its address with {trace_id}, and {span_id} where it knows one.
        place: what to call the entry in messages.
        folder: what paths in it are relative to.
        options: what its kind needs, not read yet.
    """

    name: str
    kind: str
    min_severity: str = "info"
    rules: tuple[str, ...] = ()
    service: str = ""
    endpoint: str = ""
    send_resolved: bool = True
    trace_url: str = ""
    place: str = "notifiers"
    folder: Path = Path()
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class CommonOptions:
    """What may stand in every entry, with what its documentation says of it; see `NotifierSettings`."""

    name: str = field(metadata={"about": "A name of its own, of letters, digits, dot, dash and underscore."})
    kind: str = field(metadata={"about": "How it tells: one of the kinds below."})
    min_severity: str = field(
        default="info", metadata={"about": "The mildest severity it is told of: `info`, `warning` or `critical`."}
    )
    rules: tuple[str, ...] = field(default=(), metadata={"about": f"The rules it is told of, of {_RULES}; else all."})
    service: str = field(default="", metadata={"about": "Services: a regular expression, matched whole; else all."})
    endpoint: str = field(default="", metadata={"about": "Endpoints: a regular expression, matched whole; else all."})
    send_resolved: bool = field(default=True, metadata={"about": "Whether it is also told when a breach is over."})
    trace_url: str = field(
        default="",
        metadata={
            "about": "A page that shows a trace, such as `https://jaeger.example/trace/{trace_id}`; `{span_id}` too."
        },
    )


COMMON: Final = tuple(entry.name for entry in fields(CommonOptions))
"""The settings that every kind has."""


def parse_notifiers(entries: Any, source: str, folder: Path) -> tuple[NotifierSettings, ...]:
    """Return the entries of `[[notifiers]]`; what is their kinds' own is not looked at.

    Raises:
        ValueError: one of the common settings is missing or does not fit.
    """
    found: list[NotifierSettings] = []
    for where, entry in read_entries(entries, "notifiers"):
        table = read_table(entry, where)
        common = read_patterned(CommonOptions, {name: value for name, value in table.items() if name in COMMON}, where)
        if not _NAME.fullmatch(common.name):
            raise ValueError(f"{where}.name {common.name!r} must be of letters, digits, dot, dash and underscore")
        if common.name in {other.name for other in found}:
            raise ValueError(f"{where}.name {common.name!r} is another notifier's already")
        require_known(common.min_severity, SEVERITIES, f"severity {where}.min_severity {common.min_severity!r}")
        for rule in common.rules:
            require_known(rule, RULES, f"rule {where}.rules {rule!r}")
        _check_trace_url(common.trace_url, f"{where}.trace_url")
        found.append(
            NotifierSettings(
                **{name: getattr(common, name) for name in COMMON},
                place=f"{source}: {where}",
                folder=folder,
                options={name: value for name, value in table.items() if name not in COMMON},
            )
        )
    return tuple(found)


def read_options(kind: type[Options], notifier: NotifierSettings) -> Options:
    """Return what a kind needs, as its dataclass, from the entry.

    Fields of the type `Confidential` may be given in the file, or as `name_env` or `name_file`; a `Path` is relative to
    the configuration's folder; `Headers` is a table whose values are texts, { env = … } or { file = … }. A field whose
    name is Python's ends in an underscore there.

    Raises:
        ValueError: a setting does not exist, is missing or does not fit; without the entry's place.
    """
    options = dict(notifier.options)
    expected = {entry.name.rstrip("_"): entry for entry in fields(kind)}  # type: ignore[arg-type]  # dataclasses only
    secret = {name for name, entry in expected.items() if _type(entry) == "Confidential"}
    known = sorted({*COMMON, *expected, *(f"{name}_{source}" for name in secret for source in ("env", "file"))})
    for name in options:
        require_known(name, tuple(known), f"setting {name} of the kind {notifier.kind}")
    values: dict[str, Any] = {}
    for name, entry in expected.items():
        if name in secret:
            given = _confidential(options, name, notifier.folder)
        elif name in options:
            given = _option(options[name], name, _type(entry), notifier.folder)
        else:
            given = None
        if given is not None:
            values[entry.name] = given
        elif entry.default is MISSING:
            forms = f": write {name}, {name}_env or {name}_file" if name in secret else ""
            raise ValueError(f"{name} is missing{forms}")
    return kind(**values)


def _type(entry: Field[Any]) -> str:
    return str(entry.type).removesuffix(" | None")


def _option(value: Any, name: str, kind: str, folder: Path) -> Any:
    if kind == "Path":
        return folder / read_value(value, "str", name)
    if kind == "Headers":
        return tuple(_header(key, entry, f"{name}.{key}", folder) for key, entry in read_table(value, name).items())
    return read_value(value, kind, name)


def _confidential(options: Mapping[str, Any], name: str, folder: Path) -> Confidential | None:
    given = [key for key in (name, f"{name}_env", f"{name}_file") if key in options]
    if not given:
        return None
    if len(given) > 1:
        raise ValueError(f"{' and '.join(given)} exclude each other: give one of them")
    value = options[given[0]]
    if isinstance(value, dict) and given[0] == name:
        return read_secret(value, name, folder)
    text = read_value(value, "str", given[0]).strip()
    if not text:
        raise ValueError(f"{given[0]} is empty")
    if given[0] == name:
        return Inline(text)
    return Secret(given[0], env=text) if given[0].endswith("_env") else Secret(given[0], file=folder / text)


def _header(name: str, value: Any, place: str, folder: Path) -> tuple[str, Confidential]:
    header = read_header_name(name, place, _RESERVED)
    if not isinstance(value, str):
        return header, read_secret(value, place, folder)
    return header, Inline(read_header_value(value, place))


def _check_trace_url(template: str, place: str) -> None:
    if not template:
        return
    filled = template.replace("{trace_id}", "0").replace("{span_id}", "0")
    try:
        is_address = urlsplit(filled).scheme in {"http", "https"} and bool(urlsplit(filled).hostname)
    except ValueError:
        is_address = False
    if not (is_address and "{trace_id}" in template and "{" not in filled and len(template) <= _LONGEST_TRACE_URL):
        raise ValueError(f"{place} must be an address such as 'https://traces.example/{{trace_id}}'")
