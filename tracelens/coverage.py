"""What the spans let the passes see, and how far they can be trusted: no thin report may look like a clean bill."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from tracelens.findings import BlindPass, CoverageNote, ServiceCoverage
from tracelens.report.quantities import count, duration
from tracelens.store.database import read_sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracelens.passes.registry import Pass
    from tracelens.store.store import Reader

Facts: TypeAlias = Mapping[str, Any]
"""A row of the coverage relation: what one service's spans carry, counted; see `coverage.sql` and `signs.sql`."""

_WITHOUT_RESULT: Final = "error: its query failed; run with -v to see why"
_SHOWN_REMEDIES: Final = 2


@dataclass(frozen=True, slots=True)
class Lack:
    """What spans may lack, and how to mend it.

    Attributes:
        why: what to tell the reader of a service that lacks it; a note's holds columns of the relation in braces.
        remedy: what to do where no entry of `by` fits.
        by: what to do with one instrumentation (a pattern of scope names) or one language's SDK.
        moot: the column that tells that a service has nothing of the kind; None where none does.
    """

    why: str
    remedy: str
    by: tuple[Mapping[str, str], ...]
    moot: str | None

    def remedy_for(self, facts: Facts) -> str:
        """Return what to do, in the words of the service's instrumentations, else of its language, where known."""
        scope_names: list[str] = facts["scope_names"] or []
        fitting = [
            entry["remedy"]
            for entry in self.by
            if "scope" in entry and any(re.search(entry["scope"], name) for name in scope_names)
        ]
        fitting = fitting or [entry["remedy"] for entry in self.by if entry.get("language") == facts["sdk_language"]]
        return "; ".join(fitting[:_SHOWN_REMEDIES]) or self.remedy


@dataclass(frozen=True, slots=True)
class _Note:
    """One entry of `notes.toml`."""

    name: str
    column: str
    of: str
    from_share: float
    beside: str | None
    lack: Lack

    def applies(self, facts: Facts) -> bool:
        amount, whole = facts[self.column] or 0, facts[self.of] or 0
        return amount > 0 and amount >= self.from_share * whole and (self.beside is None or bool(facts[self.beside]))


def service_facts(reader: Reader, min_requests: float, service_name: str | None) -> list[Facts]:
    """Return what each service's spans carry, counted.

    Args:
        reader: holds the model.
        min_requests: endpoints with fewer are not judged by their p95.
        service_name: of this service alone; of all where None.
    """
    rows = reader.rows(read_sql("analysis/coverage.sql"), {"min_requests": min_requests})
    signs = {row["service_name"]: row for row in reader.rows(read_sql("analysis/signs.sql"))}
    return [
        row | signs[row["service_name"]] | {"min_requests": round(min_requests)}
        for row in rows
        if service_name is None or row["service_name"] == service_name
    ]


def service_coverage(
    facts: Sequence[Facts], passes: Sequence[Pass], failed: Sequence[str]
) -> tuple[ServiceCoverage, ...]:
    """Return, for each service, the passes that cannot see it, what is wrong with its data, and what mends it."""
    return tuple(
        ServiceCoverage(
            service_name=row["service_name"],
            spans=row["spans"],
            db_calls=row["db_calls"] or 0,
            db_calls_with_text=row["query_text"] or 0,
            blind=tuple(blind for entry in passes if (blind := _blindness(entry, row, failed)) is not None),
            notes=tuple(
                CoverageNote(note.name, told(note.lack.why, row), note.lack.remedy_for(row))
                for note in _notes()
                if note.applies(row)
            ),
        )
        for row in facts
    )


def _blindness(entry: Pass, facts: Facts, failed: Sequence[str]) -> BlindPass | None:
    if entry.name in failed:
        return BlindPass(entry.name, _WITHOUT_RESULT)
    for need in entry.needs:
        lack = needs()[need]
        if not facts[need] and not (lack.moot and facts[lack.moot]):
            return BlindPass(entry.name, lack.why, lack.remedy_for(facts))
    return None


def told(text: str, facts: Facts) -> str:
    """Return a text with what its braces name: columns of the coverage relation, counts and `_ms` durations."""
    return text.format_map(_Readable(facts))


class _Readable(dict[str, str]):
    """Columns of the coverage relation as a reader wants them."""

    def __init__(self, facts: Facts) -> None:
        super().__init__({name: _readable(name, value) for name, value in facts.items()})


def _readable(name: str, value: object) -> str:
    amount = float(value) if isinstance(value, (int, float)) or hasattr(value, "__float__") else 0.0
    if name.endswith("_ms"):
        return duration(amount)
    return count(int(amount)) if amount == int(amount) else f"{amount:,.1f}"


@cache
def needs() -> dict[str, Lack]:
    """Return what passes may need of spans, by the column of the coverage relation that counts it."""
    return {name: _lack(entry) for name, entry in _document("needs.toml").items()}


@cache
def _notes() -> tuple[_Note, ...]:
    return tuple(
        _Note(name, entry["column"], entry["of"], entry["from_share"], entry.get("beside"), _lack(entry))
        for name, entry in _document("notes.toml").items()
    )


def _lack(entry: Mapping[str, Any]) -> Lack:
    mended = needs()[entry["mended_as"]] if "mended_as" in entry else None
    return Lack(
        why=entry["why"],
        remedy=mended.remedy if mended else entry["remedy"],
        by=mended.by if mended else tuple(entry.get("by", ())),
        moot=entry.get("moot"),
    )


def _document(name: str) -> dict[str, dict[str, Any]]:
    return tomllib.loads(files("tracelens.passes").joinpath(name).read_text(encoding="utf-8"))
