from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import report_samples as samples
from hypothesis import given, settings
from hypothesis import strategies as st
from report_strategies import reports

from tracelens.report.layout import cell_width
from tracelens.report.terminal import render_terminal

if TYPE_CHECKING:
    from report_snapshots import Snapshot

    from tracelens.findings import Report

ANSI = re.compile("\x1b\\[[0-9;]*m")
SHORT_CODE = st.text(st.characters(categories=["L", "N", "P", "Zs"], max_codepoint=127), max_size=20)


@pytest.mark.parametrize(
    "name", ["shop", "silent", "clean", "thin", "client_spans_only", "no_spans", "many", "hostile"]
)
def test_report_at_80_columns(name: str, snapshot: Snapshot) -> None:
    snapshot(f"{name}.txt", render_terminal(getattr(samples, name.upper())))


def test_report_in_a_narrow_terminal(snapshot: Snapshot) -> None:
    snapshot("shop_60_columns.txt", render_terminal(samples.SHOP, width=60))


def test_report_in_a_wide_terminal(snapshot: Snapshot) -> None:
    snapshot("shop_120_columns.txt", render_terminal(samples.SHOP, width=120))


def test_report_in_colour(snapshot: Snapshot) -> None:
    snapshot("shop_colour.txt", render_terminal(samples.SHOP, colour=True))


def test_report_in_ascii(snapshot: Snapshot) -> None:
    snapshot("shop_ascii.txt", render_terminal(samples.SHOP, unicode=False))


def test_report_with_everything(snapshot: Snapshot) -> None:
    snapshot("shop_verbose.txt", render_terminal(samples.SHOP, verbose=True))


def test_limit_folds_findings(snapshot: Snapshot) -> None:
    snapshot("shop_limit_1.txt", render_terminal(samples.SHOP, limit=1))


def test_limit_of_none_in_full(snapshot: Snapshot) -> None:
    snapshot("shop_limit_0.txt", render_terminal(samples.SHOP, limit=0))


def test_metric_findings_are_shown_without_spans() -> None:
    report = replace(samples.NO_SPANS, findings=(samples.P95_BREACH,))
    assert "p95_breach · GET /reports/revenue in reports" in render_terminal(report)


@settings(max_examples=60, deadline=None)
@given(
    report=reports(code=SHORT_CODE),
    width=st.integers(60, 120),
    unicode=st.booleans(),
    verbose=st.booleans(),
    limit=st.none() | st.integers(0, 3),
)
def test_no_line_is_wider_than_the_terminal(
    report: Report, width: int, limit: int | None, *, unicode: bool, verbose: bool
) -> None:
    text = render_terminal(report, width=width, unicode=unicode, verbose=verbose, limit=limit)
    assert [line for line in text.split("\n") if cell_width(line) > width] == []


@settings(max_examples=60, deadline=None)
@given(report=reports(), width=st.integers(-5, 200), unicode=st.booleans(), verbose=st.booleans())
def test_any_report_gives_printable_text_alike_in_colour(
    report: Report, width: int, *, unicode: bool, verbose: bool
) -> None:
    plain = render_terminal(report, width=width, unicode=unicode, verbose=verbose)
    coloured = render_terminal(report, width=width, unicode=unicode, verbose=verbose, colour=True)
    assert all(line.isprintable() for line in plain.split("\n"))
    assert [line for line in plain.split("\n") if line != line.rstrip()] == []
    assert ANSI.sub("", coloured) == plain
    assert unicode or plain.isascii()
    assert plain.encode()
    assert plain.endswith("\n")
    assert not plain.endswith("\n\n")


def test_every_colour_is_closed_on_its_line() -> None:
    for line in render_terminal(samples.SHOP, colour=True).split("\n"):
        codes = ANSI.findall(line)
        assert codes[1::2] == ["\x1b[0m"] * (len(codes) // 2)
        assert "\x1b[0m" not in codes[::2]
