"""Recall and precision of the passes over labelled recordings.

    python bench/score.py FOLDER [--passes n_plus_one,slow_query] [--wrong]

FOLDER holds `labels.json` and the trace files that it names. Each file is one window, analysed alone. A label's
`expected` pass counts as found when a finding of it, or of an `acceptable` one, is on the culprit's route and query; a
finding of a pass in `must_not` is a false positive. What `visible_by_kind` says the spans do not show is left out.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tracelens
from tracelens.passes.registry import load_passes

if TYPE_CHECKING:
    from tracelens.findings import Finding


# Passes whose subject is a query shape, which is what a label's pattern describes.
ABOUT_QUERIES = {
    "n_plus_one", "repeated_query", "missing_cache", "slow_query", "missing_index", "offset_pagination",
    "over_fetching", "single_row_writes",
}  # fmt: skip


@dataclass
class Score:
    """Counts per pass, and a line for each thing that is wrong."""

    found: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    invented: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--passes", help="comma-separated: score only these")
    parser.add_argument("--wrong", action="store_true", help="list every miss and every false positive")
    arguments = parser.parse_args()
    labels = json.loads((arguments.folder / "labels.json").read_text())
    names = {entry.name for entry in load_passes()}
    scored = set(arguments.passes.split(",")) & names if arguments.passes else names
    score = Score()
    for label in labels:
        path = arguments.folder / label["file"]
        if "spans" in label or not str(path).endswith(".metrics.pb.gz"):
            judge(label, tracelens.analyze(path).findings, scored, score)
    print_table(score, len(labels), arguments.wrong)


def judge(label: dict[str, Any], findings: tuple[Finding, ...], scored: set[str], score: Score) -> None:
    """Add one file's outcome to the score."""
    expected = [name for name in label["expected"] if name in scored]
    visible = label.get("visible_by_kind") or {}
    for name in expected:
        allowed = {name, *label["acceptable"]}
        if any(finding.pass_name in allowed and is_culprit(finding, label, name) for finding in findings):
            score.found[name] += 1
        elif visible.get(name, True):
            score.missed[name] += 1
            score.wrong.append(f"missed   {name:22} {label['file']}")
    for finding in findings:
        if finding.pass_name in scored and finding.pass_name in label["must_not"]:
            score.invented[finding.pass_name] += 1
            where = f"{finding.endpoint}: {finding.subject[:70]}"
            score.wrong.append(f"invented {finding.pass_name:22} {label['file']}: {where}")


def is_culprit(finding: Finding, label: dict[str, Any], name: str) -> bool:
    """Return whether a finding is where the label says: the route, and the query where it names one."""
    culprit = label.get("culprit") or {}
    route = culprit.get("routes", {}).get(name) or culprit.get("route")
    if route and normal_route(route) not in normal_route(finding.endpoint):
        return False
    pattern = culprit.get("query_regex") or culprit.get("pattern")
    if not pattern or finding.pass_name not in ABOUT_QUERIES:
        return True
    return bool(re.search(pattern, finding.subject, re.IGNORECASE))


def normal_route(route: str) -> str:
    """Return a route with its parameters alike, whatever the framework's notation."""
    return re.sub(r"(:\w+|\{[^}]*\}|<[^>]*>)", "{}", route).rstrip("/")


def print_table(score: Score, files: int, wrong: bool) -> None:  # noqa: FBT001
    """Print recall and precision per pass and over all."""
    print(f"{files} files\n{'pass':24}{'found':>7}{'missed':>8}{'invented':>10}{'recall':>8}{'precision':>11}")
    names = sorted({*score.found, *score.missed, *score.invented})
    for name in [*names, "all"]:
        counters = (score.found, score.missed, score.invented)
        found, missed, invented = (sum(c.values()) if name == "all" else c[name] for c in counters)
        recall = found / (found + missed) if found + missed else 1.0
        precision = found / (found + invented) if found + invented else 1.0
        print(f"{name:24}{found:7}{missed:8}{invented:10}{recall:8.3f}{precision:11.3f}")
    if wrong:
        print(*score.wrong, sep="\n")


if __name__ == "__main__":
    main()
