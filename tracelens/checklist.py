"""The source document's checklist, judged item by item: a pass or a fail names its evidence, all else is unknown."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from tracelens.coverage import told
from tracelens.findings import ChecklistItem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracelens.coverage import Facts
    from tracelens.findings import Finding, ServiceCoverage
    from tracelens.passes.registry import Pass

_CALLS_ALONE: Final = "no span shows a request that the database calls belong to"


def checklist(
    findings: Sequence[Finding],
    passes: Sequence[Pass],
    coverage: Sequence[ServiceCoverage],
    facts: Sequence[Facts],
) -> tuple[ChecklistItem, ...]:
    """Return the checklist's items as `checklist.toml` judges them.

    Args:
        findings: of `passes`, worst first.
        passes: those that ran.
        coverage: of each service.
        facts: what each service's spans carry, counted.
    """
    whole = _summed(facts)
    return tuple(
        _query_logging(name, entry, coverage)
        if "least_share" in entry
        else _failed(name, entry, findings) or _judged(name, entry, _blindness(entry, passes, coverage, facts), whole)
        for name, entry in _items().items()
    )


def _failed(name: str, entry: Mapping[str, Any], findings: Sequence[Finding]) -> ChecklistItem | None:
    offences = [finding for finding in findings if finding.pass_name in entry["passes"]]
    if not offences:
        return None
    worst = offences[0]
    more = f" (and {len(offences) - 1} more)" if len(offences) > 1 else ""
    return ChecklistItem(name, "fail", f"{worst.pass_name} on {worst.endpoint}{more}: {worst.message}")


def _judged(name: str, entry: Mapping[str, Any], blind: str, whole: Facts) -> ChecklistItem:
    """Return what the first verdict that holds says; `blind` is which services could not be seen, and why."""
    for verdict in entry["verdicts"]:
        if not _holds(verdict, whole):
            continue
        if verdict["state"] == "pass" and blind and not verdict.get("seen_alone"):
            return ChecklistItem(name, "unknown", blind)
        if verdict["state"] == "unknown" and blind and "when" not in verdict:
            return ChecklistItem(name, "unknown", blind)
        return ChecklistItem(name, verdict["state"], told(verdict["why"], whole))
    raise AssertionError(name)  # the last verdict of every item holds always


def _holds(verdict: Mapping[str, Any], whole: Facts) -> bool:
    return (
        (not verdict.get("when") or bool(whole[verdict["when"]]))
        and (not verdict.get("unless") or not whole[verdict["unless"]])
        and all(whole[column] >= least for column, least in verdict.get("least", {}).items())
    )


def _blindness(
    entry: Mapping[str, Any], passes: Sequence[Pass], coverage: Sequence[ServiceCoverage], facts: Sequence[Facts]
) -> str:
    """Return which services the item's passes could not see and why, empty where they saw all."""
    missing = sorted(set(entry["passes"]) - {found.name for found in passes})
    if missing:
        return f"{', '.join(missing)} did not run"
    reasons: dict[str, list[str]] = {}
    for service in coverage:
        for blind in service.blind:
            names = reasons.setdefault(blind.why, [])
            if blind.pass_name in entry["passes"] and service.service_name not in names:
                names.append(service.service_name)
    if "within" in entry:
        alone = [row["service_name"] for row in facts if row["db_calls"] and not row[entry["within"]]]
        reasons[_CALLS_ALONE] = alone
    return "; ".join(f"{', '.join(names)}: {why}" for why, names in reasons.items() if names)


def _query_logging(name: str, entry: Mapping[str, Any], coverage: Sequence[ServiceCoverage]) -> ChecklistItem:
    """Judge each service by itself: one that shows all its queries does not make up for one that shows none."""
    calls = sum(service.db_calls for service in coverage)
    texts = sum(service.db_calls_with_text for service in coverage)
    if not calls:
        return ChecklistItem(name, "unknown", entry["verdicts"][0]["why"])
    silent = [
        f"{service.db_calls - service.db_calls_with_text:,} of {service.db_calls:,} in {service.service_name}"
        for service in coverage
        if service.db_calls_with_text < entry["least_share"] * service.db_calls
    ]
    if silent:
        return ChecklistItem(name, "fail", f"database calls without query text: {', '.join(silent)}")
    return ChecklistItem(name, "pass", f"{texts:,} of {calls:,} database calls carry their query text")


def _summed(facts: Sequence[Facts]) -> Facts:
    """Return the facts of all services together: counts added up, maxima (`slowest_…`, `deepest_…`) the largest."""
    whole: dict[str, Any] = defaultdict(int)
    for row in facts:
        for column, value in row.items():
            if isinstance(value, (str, list)):
                continue
            is_maximum = column.startswith(("slowest_", "deepest_"))
            whole[column] = max(whole[column], value or 0) if is_maximum else whole[column] + (value or 0)
    return whole


@cache
def _items() -> dict[str, dict[str, Any]]:
    return tomllib.loads(files("tracelens.passes").joinpath("checklist.toml").read_text(encoding="utf-8"))
