"""A pass's page, made from the pass itself: `tracelens explain` prints it, `docs/passes/` holds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracelens.passes.registry import Pass


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
            ((f"`{t.name}`", f"{t.default:g}", t.unit, t.source) for t in entry.thresholds),
        ),
        f"Each can be set in `tracelens.toml`, section `[thresholds.{entry.name}]`.",
        "## Evidence",
        _table(("name", "unit", "meaning"), ((f"`{e.name}`", e.unit, e.meaning) for e in entry.evidence)),
        "## Query",
        f"```sql\n{entry.query.strip()}\n```",
    ]
    return "\n\n".join(blocks) + "\n"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
