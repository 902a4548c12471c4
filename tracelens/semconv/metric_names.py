"""`metric_names.toml` as rules: what a series measures, of which host or pool, and whether that host is a database."""

from __future__ import annotations

import ipaddress
import json
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    Attributes: TypeAlias = Mapping[str, str | None]

_PORT: Final = re.compile(r"(?<=[^:]):[0-9]{1,5}$")
_WORD: Final = re.compile(r"[^a-z0-9]+")
_UNKNOWN_SERVICE: Final = "unknown_service"


@dataclass(frozen=True, slots=True)
class MetricRule:
    """One entry of the table; its comments say what each field means. An empty pattern or tuple stands for any."""

    name: str
    preference: int
    metrics: re.Pattern[str]
    kinds: frozenset[str]
    scope: re.Pattern[str]
    where: dict[str, frozenset[str]]
    per_unit: dict[str, float]
    scale: float
    state: str | None
    state_from: tuple[str, ...]
    host: tuple[str, ...]
    part: tuple[str, ...]
    database: str | None


class Measure(NamedTuple):
    """What a series measures.

    Attributes:
        name: of the measure, as the model knows it.
        preference: the lower, the better a source.
        scale: what its values are multiplied with, to be in the measure's unit.
        state: for CPU time busy, idle or ignored; for connections used or idle.
        cpu: the logical processor that it is about.
        part: a part of the host with a CPU share of its own.
        pool: the connection pool's name.
        host: the host's own name.
        host_names: every name under which others may call it, in lower case.
        database_sign: what says that the host is a database; None where nothing does.
        db_system: `db.system.name` of that database, where it shows.
    """

    name: str
    preference: int
    scale: float
    state: str | None = None
    cpu: str | None = None
    part: str | None = None
    pool: str | None = None
    host: str | None = None
    host_names: tuple[str, ...] = ()
    database_sign: str | None = None
    db_system: str | None = None


class SeriesNames(NamedTuple):
    """What a rule looks at: the metric's name, unit and kind, and the name of its instrumentation scope."""

    metric: str
    unit: str
    kind: str
    scope: str


def measure_of(names: SeriesNames, point: Attributes, resource: Attributes) -> Measure | None:
    """Return what a series measures, None where it is nothing that an analysis reads.

    Args:
        names: of its metric.
        point: attributes of its points, as text.
        resource: attributes of its resource, as text.
    """
    rule = next((rule for rule in _candidates(names.metric) if _matches(rule, names, point, resource)), None)
    if rule is None:
        return None
    measure = Measure(rule.name, rule.preference, rule.per_unit.get(names.unit, rule.scale))
    keys = _document()["keys"]
    state = _state(rule, point)
    if not rule.name.startswith("cpu."):
        return measure._replace(state=state, pool=_first(keys["pool"], point, resource) or "")
    host = _first(rule.host or keys["host"], point, resource)
    if host is None:
        return None
    host = _PORT.sub("", host)
    sign, db_system = _database_sign(rule, point, resource)
    return measure._replace(
        state=state,
        cpu=_first(keys["cpu"], point),
        part=_first(rule.part, point, resource) or "",
        host=host,
        host_names=tuple(sorted(set(_host_names([host, *_values(keys["names"], point, resource)])))),
        database_sign=sign,
        db_system=db_system,
    )


@cache
def _document() -> dict[str, Any]:
    return tomllib.loads(files("tracelens.semconv").joinpath("metric_names.toml").read_text(encoding="utf-8"))


@cache
def metric_rules() -> tuple[MetricRule, ...]:
    """Return the rules that are shipped with the package, the preferred ones first."""
    return tuple(
        MetricRule(
            name=entry["name"],
            preference=number,
            metrics=re.compile("|".join(entry["metrics"]), re.IGNORECASE),
            kinds=frozenset(entry.get("kinds", ())),
            scope=re.compile(entry.get("scope", ".*")),
            where={key: frozenset(values) for key, values in entry.get("where", {}).items()},
            per_unit=entry.get("per_unit", {}),
            scale=float(entry["scale"]),
            state=entry.get("state"),
            state_from=tuple(entry.get("state_from", ())),
            host=tuple(entry.get("host", ())),
            part=tuple(entry.get("part", ())),
            database=entry.get("database"),
        )
        for number, entry in enumerate(_document()["metric"])
    )


@cache
def _candidates(metric: str) -> tuple[MetricRule, ...]:
    return tuple(rule for rule in metric_rules() if rule.metrics.fullmatch(metric))


def _matches(rule: MetricRule, names: SeriesNames, point: Attributes, resource: Attributes) -> bool:
    return (
        (not rule.kinds or names.kind in rule.kinds)
        and rule.scope.fullmatch(names.scope) is not None
        and all(_first([key], point, resource) in values for key, values in rule.where.items())
    )


def _state(rule: MetricRule, point: Attributes) -> str | None:
    if not rule.state_from:
        return rule.state
    sent = (_first(rule.state_from, point) or "").lower()
    known: str | None = _document()["states"].get(sent)
    return known or ("busy" if rule.name == "cpu.state" else sent)


def _first(keys: Iterable[str], *attributes: Attributes) -> str | None:
    """Return the first of these attributes that has a value; of one map before the next."""
    return next(_values(keys, *attributes), None)


def _values(keys: Iterable[str], *attributes: Attributes) -> Iterator[str]:
    for key in keys:
        for found in attributes:
            if value := found.get(key) or _member(found, key):
                yield value


def _member(attributes: Attributes, key: str) -> str | None:
    """Return the member that `attribute.member` names, of an attribute that is a map."""
    name, dot, member = key.partition(".")
    text = attributes.get(name) if dot else None
    if not text or not text.startswith("{"):
        return None
    try:
        value = json.loads(text).get(member)
    except ValueError:
        return None
    return value if isinstance(value, str) else None


def _host_names(values: Sequence[str]) -> Iterator[str]:
    for value in values:
        for text in _elements(value):
            name = _PORT.sub("", text.strip().lower())
            if name and not name.startswith(_UNKNOWN_SERVICE):
                yield name
                if not _is_address(name):
                    yield name.partition(".")[0]


def _elements(text: str) -> list[str]:
    """Return the elements of an attribute that is a list of texts, else the text alone.

    Of a list of addresses those that every host has are none of its names.
    """
    if text.startswith("["):
        try:
            elements = [element for element in json.loads(text) if isinstance(element, str)]
        except ValueError:
            return [text]
        return [element for element in elements if not _is_address(element, loopback_only=True)]
    return [text]


def _is_address(name: str, *, loopback_only: bool = False) -> bool:
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback if loopback_only else True


def _database_sign(rule: MetricRule, point: Attributes, resource: Attributes) -> tuple[str | None, str | None]:
    """Return what says that the host is a database, and which system it is as far as that shows."""
    document = _document()
    db_system = _first(document["keys"]["db_system"], point, resource)
    if rule.database is not None:
        return rule.database, db_system
    if db_system is not None:
        return f"its resource: db.system.name {db_system}", db_system
    names = document["database_names"]
    for key in names["keys"]:
        value = _first([key], point, resource) or ""
        words = [word.rstrip("0123456789") or word for word in _WORD.split(value.lower())]
        found = next((word for word in words if word in names["words"]), None)
        if found is not None and not set(words) & set(names["not"]):
            return f"its name: {key} {value}", names["systems"].get(found)
    return None, None
