"""A pass's page, made from the pass itself: `tracelens explain` prints it, `docs/passes/` holds it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracelens.findings import Report, Summary
from tracelens.report.json_reader import finding_from_dict
from tracelens.report.layout import Canvas
from tracelens.report.terminal_finding import FindingBlocks

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracelens.passes.registry import Pass, Threshold


def render_pass_page(entry: Pass) -> str:
    """Return the page as Markdown, ending in a newline."""
    severity = entry.severity or "depends on the numbers, see the thresholds and the query"
    blocks = [
        f"# {entry.title} (`{entry.name}`)",
        entry.question,
        entry.why,
        f"Severity: {severity}. Blind without: {', '.join(f'`{need}`' for need in entry.needs)}.",
        "## Thresholds",
        _table(
            ("name", "default", "counts", "where the number comes from"),
            ((f"`{t.name}`", _default(t), t.unit, t.source) for t in entry.thresholds),
        ),
        f"Each can be set in `tracelens.toml`, section `[thresholds.{entry.name}]`.",
        "## Evidence",
        _table(("name", "unit", "meaning"), ((f"`{e.name}`", e.unit, e.meaning) for e in entry.evidence)),
        *(_example(entry.example) if entry.example else ()),
        "## Query",
        f"```sql\n{entry.query.strip()}\n```",
    ]
    return "\n\n".join(blocks) + "\n"


def _example(finding: dict[str, Any]) -> tuple[str, ...]:
    report = Report(None, None, Summary(0, 0, 0, 0), (finding_from_dict(finding),), (), (), ())
    blocks = FindingBlocks(Canvas.of(80, colour=False, unicode=True), report, siblings={0: ()}, everything=False)
    text = "\n".join(blocks.block(0)).rstrip()
    return ("## Example and fix", "A finding in a recorded trace, and the advice on it:", f"```text\n{text}\n```")


def _default(threshold: Threshold) -> str:
    files = "" if threshold.file_default is None else f" ({threshold.file_default:g} over trace files)"
    return f"{threshold.default:g}{files}"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
