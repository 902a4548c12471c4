"""The passes: every folder here with a `pass.toml` and a `query.sql` is one. There is no list to add to."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from string import Formatter
from typing import TYPE_CHECKING, Any, Final

from tracelens.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib.resources.abc import Traversable
    from pathlib import Path

CONTRACT_COLUMNS: Final = (
    "service_name",
    "endpoint",
    "subject",
    "trace_id",
    "request_span_id",
    "offender_span_ids",
    "avoidable_ms",
    "confidence",
)
"""What every query returns first, in this order; `severity` may follow, then the pass's evidence."""

OPTIONAL_COLUMNS: Final = {"first_seen_ns": "null::bigint", "last_seen_ns": "null::bigint", "exemplar_order": "0"}
"""What a query may return besides, after `severity`, where pass.toml lists it under `optional`; and what holds else.

`first_seen_ns` and `last_seen_ns` are for rows whose times are not those of a request. Of rows with equal avoidable
time the one with the largest `exemplar_order` is the exemplar. A row that is about no request has no trace_id.
"""

PASS_FILES: Final = frozenset({"pass.toml", "query.sql", "example.json"})
"""A pass's files. The example is a real finding, made from its recorded bad trace; users' own passes may lack it."""

REACHES: Final = ("trace", "window")
"""How far a pass looks. What `serve` keeps of a pass that looks at single traces costs it nothing until they change."""

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Threshold:
    """A bound that users can move.

    Attributes:
        default: its value where nobody moved it.
        unit: what it counts.
        source: where the number comes from.
        file_default: the default over trace files, where it differs: a recording is short.
    """

    name: str
    default: float
    unit: str
    source: str
    file_default: float | None = None


@dataclass(frozen=True, slots=True)
class EvidenceColumn:
    """A further column of a pass's query: its unit ("" where it is no quantity) and its meaning."""

    name: str
    unit: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Pass:
    """One analysis.

    Attributes:
        name: its folder's name.
        title: a few words for a heading.
        question: what the query answers.
        severity: one severity for all findings, or None where the query has a `severity` column.
        message: the finding in a sentence, with `{evidence}` names.
        other_messages: what is said instead where evidence that `message` names is null: the first that names none.
        why: what ignoring it costs.
        needs: what spans must carry, by the names of `needs.toml`; without it the pass is blind.
        thresholds: parameters of the query.
        evidence: further columns of the query, in its order.
        query: the SQL.
        reach: "trace" where its rows about a trace follow from that trace alone, else "window".
        optional: those of OPTIONAL_COLUMNS that the query has.
        rows_from: relations of the model; the query, which takes longer to plan than to run over a small window, is not
            asked where none of them has rows, since then it has none either. Where none is named, it is always asked.
        example: a real finding of it in the report's JSON form; None where there is none.
    """

    name: str
    title: str
    question: str
    severity: str | None
    message: str
    why: str
    needs: tuple[str, ...]
    thresholds: tuple[Threshold, ...]
    evidence: tuple[EvidenceColumn, ...]
    query: str
    example: dict[str, Any] | None
    other_messages: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    reach: str = "window"
    rows_from: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """What the query must return, in order."""
        severity = ("severity",) if self.severity is None else ()
        return (*CONTRACT_COLUMNS, *severity, *self.optional, *(column.name for column in self.evidence))


def builtin_folder() -> Traversable:
    """Return the folder of the passes that are shipped."""
    return files("tracelens.passes")


def load_passes(extra_folders: Sequence[Path] = ()) -> tuple[Pass, ...]:
    """Return every pass, shipped ones and users' own, sorted by name.

    Raises:
        UsageError: a folder does not hold a pass, or a name is taken.
    """
    passes = {entry.name: entry for entry in _shipped()}
    for folder in extra_folders:
        if not folder.is_dir():
            raise UsageError(f"{folder}: no such folder of passes; correct `passes` in the configuration")
        for entry in _pass_folders(folder):
            if entry.name in passes:
                raise UsageError(f"{entry}: a pass named {entry.name} exists already; rename the folder")
            passes[entry.name] = load_pass(entry)
    return tuple(passes[name] for name in sorted(passes))


@cache
def _shipped() -> tuple[Pass, ...]:
    return tuple(load_pass(entry) for entry in _pass_folders(builtin_folder()))


def _pass_folders(folder: Traversable) -> Iterator[Traversable]:
    return (entry for entry in folder.iterdir() if entry.is_dir() and entry.joinpath("pass.toml").is_file())


def load_pass(folder: Traversable) -> Pass:
    """Return the pass of one folder.

    Raises:
        UsageError: its files do not make a pass; the text names the file.
    """
    source = folder.joinpath("pass.toml")
    if not _NAME.fullmatch(folder.name):
        raise UsageError(f"{folder}: a pass is named in snake_case; rename the folder")
    try:
        document = tomllib.loads(source.read_text(encoding="utf-8"))
        severity = document["severity"]
        messages = document["message"]
        message, *other_messages = [messages] if isinstance(messages, str) else messages
        return Pass(
            name=folder.name,
            title=document["title"],
            question=document["question"],
            severity=None if severity == "column" else severity,
            message=message,
            why=document["why"].strip(),
            needs=tuple(document["needs"]),
            thresholds=tuple(Threshold(name=name, **entry) for name, entry in document.get("thresholds", {}).items()),
            evidence=tuple(EvidenceColumn(name=name, **entry) for name, entry in document.get("evidence", {}).items()),
            query=folder.joinpath("query.sql").read_text(encoding="utf-8"),
            example=_example(folder.joinpath("example.json")),
            other_messages=tuple(other_messages),
            optional=tuple(name for name in OPTIONAL_COLUMNS if name in document.get("optional", ())),
            reach=_reach(document.get("reach", "window")),
            rows_from=tuple(_relation(name) for name in document.get("rows_from", ())),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{source}: not a pass: {type(error).__name__}: {error}") from error


def _reach(reach: str) -> str:
    if reach not in REACHES:
        raise ValueError(f"reach = {reach!r}: one of {', '.join(REACHES)}")
    return reach


def _relation(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"rows_from = {name!r}: not the name of a relation")
    return name


def message_names(message: str) -> frozenset[str]:
    """Return the evidence that a message names."""
    return frozenset(name for _, name, _, _ in Formatter().parse(message) if name)


def _example(file: Traversable) -> dict[str, Any] | None:
    if not file.is_file():
        return None
    finding: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return finding
