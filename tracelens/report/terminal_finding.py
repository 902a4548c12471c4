"""One finding for a terminal: in full as a block, or folded into a line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracelens.report.facts import facts
from tracelens.report.layout import cell_width
from tracelens.report.quantities import duration, listed
from tracelens.report.query_text import clauses, is_query

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracelens.findings import Finding, Report
    from tracelens.report.layout import Canvas, Line

MARKS: Final = {"critical": ("✖", "bold red"), "warning": ("▲", "bold yellow"), "info": ("•", "bold blue")}
_LABEL_WIDTH: Final = 16
_WIDEST_LABEL: Final = 22
_SUBJECT_LINES: Final = 8
_TAB: Final = 4


@dataclass(frozen=True, slots=True)
class FindingBlocks:
    """The findings of one report as lines of text; a finding is named by its place in the report, shown from 1.

    Attributes:
        siblings: by place, the places of the other findings on the same endpoint.
        everything: whether subjects and lists are written out, with ids and times.
    """

    canvas: Canvas
    report: Report
    siblings: Mapping[int, Sequence[int]]
    everything: bool

    def block(self, place: int) -> list[str]:
        """Return the finding in full: what, what it costs, where, how to fix it."""
        finding = self.report.findings[place]
        mark, style = MARKS[finding.severity]
        number = f"{place + 1:>{len(str(len(self.report.findings)))}}"
        lead: Line = [(f"{mark} ", style), (f"{number}  ", "dim")]
        indent = " " * sum(cell_width(self.canvas.clean(text)) for text, _ in lead)
        likely = [("(likely)", "dim")] if finding.confidence == "likely" else []
        lines = self.canvas.flow(
            (finding.pass_name, style),
            *likely,
            ("·", "dim"),
            (finding.endpoint, "bold"),
            (f"in {finding.service_name}", ""),
            lead=lead,
        )
        lines += self.canvas.flow((finding.message, ""), lead=[(indent, "")])
        lines += self._subject(finding, indent)
        lines += ["", *self._facts(place, indent), "", *self._fix(place, indent)]
        return lines

    def rows(self, places: Sequence[int]) -> list[str]:
        """Return the findings as a table of one line each."""
        rows: list[Line] = []
        digits = len(str(len(self.report.findings)))
        for place in places:
            finding = self.report.findings[place]
            mark, style = MARKS[finding.severity]
            avoidable_ms = finding.impact.avoidable_ms
            rows.append([
                (f"{mark} {place + 1:>{digits}}", style),
                (self.canvas.clip(finding.pass_name, _WIDEST_LABEL), style),
                (duration(avoidable_ms) if avoidable_ms > 0 else "", ""),
                (f"{finding.endpoint} in {finding.service_name}", ""),
            ])  # fmt: skip
        return self.canvas.columns(rows, right={2}, flex=3)

    def _subject(self, finding: Finding, indent: str) -> list[str]:
        if finding.subject in {finding.endpoint, finding.service_name, ""}:
            return []
        parts = clauses(finding.subject) if is_query(finding.subject) else [finding.subject]
        whole = self.canvas.flow((" ".join(parts), "cyan"), lead=[(indent + "  ", "")])
        if len(whole) > 1:
            whole = [line for part in parts for line in self.canvas.flow((part, "cyan"), lead=[(indent + "  ", "")])]
        if len(whole) > _SUBJECT_LINES and not self.everything:
            hidden = len(whole) - _SUBJECT_LINES + 1
            note = f"… {hidden:,} more lines; -v shows them."
            whole = [*whole[: _SUBJECT_LINES - 1], *self.canvas.flow((note, "dim"), lead=[(indent + "  ", "")])]
        return ["", *whole]

    def _facts(self, place: int, indent: str) -> list[str]:
        rows = facts(self.report.findings[place], everything=self.everything)
        others = self.siblings[place]
        if others:
            names = [f"{other + 1} {self.report.findings[other].pass_name}" for other in others]
            rows.append(("same endpoint", listed(names)))
        labels = [self.canvas.clip(label, _WIDEST_LABEL) for label, _ in rows]
        width = max(_LABEL_WIDTH, *map(cell_width, labels))
        return [
            line
            for label, (_, text) in zip(labels, rows, strict=True)
            for line in self.canvas.flow(
                (text, ""), lead=[(indent, ""), (label + " " * (width + 2 - cell_width(label)), "dim")]
            )
        ]

    def _fix(self, place: int, indent: str) -> list[str]:
        advice = self.report.findings[place].advice
        lead: Line = [(indent, ""), ("Fix  ", "bold green")]
        earlier = next((each for each in range(place) if self.report.findings[each].advice == advice), None)
        if earlier is not None:
            return self.canvas.flow((f"{advice.summary} (as for {earlier + 1})", ""), lead=lead)
        lines = self.canvas.flow((advice.summary, ""), lead=lead)
        inner = indent + " " * len("Fix  ")
        for number, step in enumerate(advice.steps, start=1):
            lines += self.canvas.flow((step, ""), lead=[(inner, ""), (f"{number}. ", "dim")])
        if advice.snippet is not None:
            lines += ["", *self.canvas.flow((f"{advice.snippet.framework}:", "dim"), lead=[(inner, "")])]
            lines += [self._code_line(line, inner + "  ") for line in advice.snippet.code.rstrip().split("\n")]
        return lines

    def _code_line(self, line: str, indent: str) -> str:
        """Return a line of code, never wrapped and with no gutter, so that it can be copied."""
        code = self.canvas.clean(line.expandtabs(_TAB).rstrip())
        return indent + self.canvas.paint(code, "cyan") if code else ""
