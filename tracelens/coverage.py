"""What the spans let the passes see: a thin report must never look like a clean bill of health."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from tracelens.findings import BlindPass, ChecklistItem, ServiceCoverage
from tracelens.store.database import read_sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracelens.findings import Finding
    from tracelens.passes.registry import Pass
    from tracelens.store.store import Reader


@cache
def needs() -> dict[str, str]:
    """Return what passes may need: a column of the coverage relation, and what to tell a reader who lacks it."""
    document = tomllib.loads(files("tracelens.passes").joinpath("needs.toml").read_text(encoding="utf-8"))
    return {name: entry["why"] for name, entry in document.items()}


def service_coverage(
    reader: Reader, passes: Sequence[Pass], failed: Sequence[str], service_name: str | None
) -> tuple[ServiceCoverage, ...]:
    """Return, for each service, the passes that cannot see it and why."""
    rows = reader.rows(read_sql("analysis/coverage.sql"))
    return tuple(
        ServiceCoverage(
            service_name=row["service_name"],
            spans=row["spans"],
            db_calls=row["db_calls"],
            db_calls_with_text=row["query_text"],
            blind=tuple(
                BlindPass(pass_name=entry.name, why=why)
                for entry in passes
                if (why := _blindness(entry, row, failed)) is not None
            ),
        )
        for row in rows
        if service_name is None or row["service_name"] == service_name
    )


def _blindness(entry: Pass, row: dict[str, int], failed: Sequence[str]) -> str | None:
    if entry.name in failed:
        return "error: its query failed; run with -v to see why"
    return next((needs()[need] for need in entry.needs if not row[need]), None)


@cache
def _checklist_items() -> dict[str, dict[str, str | list[str]]]:
    return tomllib.loads(files("tracelens.passes").joinpath("checklist.toml").read_text(encoding="utf-8"))


def checklist(
    findings: Sequence[Finding], passes: Sequence[Pass], coverage: Sequence[ServiceCoverage]
) -> tuple[ChecklistItem, ...]:
    """Return the source document's checklist: pass or fail only with evidence, else unknown and what would show it."""
    return tuple(_item(name, entry, findings, passes, coverage) for name, entry in _checklist_items().items())


def _item(
    name: str,
    entry: dict[str, str | list[str]],
    findings: Sequence[Finding],
    passes: Sequence[Pass],
    coverage: Sequence[ServiceCoverage],
) -> ChecklistItem:
    if name == "query_logging":
        return _query_logging(coverage)
    judging = {found.name for found in passes} & set(entry["passes"])
    offences = [finding for finding in findings if finding.pass_name in judging]
    if offences:
        worst = offences[0]
        more = f" and {len(offences) - 1} more" if len(offences) > 1 else ""
        return ChecklistItem(name, "fail", f"{worst.pass_name} on {worst.endpoint}{more}")
    if not judging or not coverage:
        return ChecklistItem(name, "unknown", str(entry["unknown"]))
    blind = sorted(
        {
            f"{service.service_name}: {found.why}"
            for service in coverage
            for found in service.blind
            if found.pass_name in judging
        }
    )
    if blind:
        return ChecklistItem(name, "unknown", "; ".join(blind))
    return ChecklistItem(name, "pass", str(entry["pass"]))


def _query_logging(coverage: Sequence[ServiceCoverage]) -> ChecklistItem:
    """Query text on database spans is what the source document calls query logging."""
    calls = sum(service.db_calls for service in coverage)
    texts = sum(service.db_calls_with_text for service in coverage)
    if not calls:
        return ChecklistItem("query_logging", "unknown", needs()["db_calls"])
    silent = sorted(service.service_name for service in coverage if service.db_calls and not service.db_calls_with_text)
    if silent:
        return ChecklistItem("query_logging", "fail", f"no query text from {', '.join(silent)}")
    return ChecklistItem("query_logging", "pass", f"{texts} of {calls} database calls carry their query text")
