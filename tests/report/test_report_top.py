from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_samples import SHOP, TOP_QUERIES
from report_strategies import reports

from tracelens.errors import DamagedInputError
from tracelens.report.json_reader import queries_from_dict
from tracelens.report.layout import cell_width
from tracelens.report.top import TOP_SORTS, TopFormat, TopSort, render_top

if TYPE_CHECKING:
    from report_snapshots import Snapshot

    from tracelens.findings import Report

EXTENSIONS: dict[TopFormat, str] = {"terminal": "txt", "markdown": "md", "json": "json"}


@pytest.mark.parametrize("output_format", EXTENSIONS)
def test_top(output_format: TopFormat, snapshot: Snapshot) -> None:
    snapshot(f"top.{EXTENSIONS[output_format]}", render_top(TOP_QUERIES, output_format=output_format))


@pytest.mark.parametrize("output_format", EXTENSIONS)
def test_top_of_nothing(output_format: TopFormat, snapshot: Snapshot) -> None:
    snapshot(f"top_empty.{EXTENSIONS[output_format]}", render_top((), output_format=output_format))


def test_shares_are_of_all_and_not_of_those_shown(snapshot: Snapshot) -> None:
    snapshot("top_limit_1.txt", render_top(TOP_QUERIES, sort="calls", limit=1))


@pytest.mark.parametrize(
    ("sort", "order"), [("total", [0, 1, 2, 3]), ("mean", [0, 1, 2, 3]), ("p95", [0, 1, 2, 3]), ("calls", [3, 1, 2, 0])]
)
def test_largest_first(sort: TopSort, order: list[int]) -> None:
    written = json.loads(render_top(TOP_QUERIES[::-1], sort=sort, output_format="json"))["top_queries"]
    assert [query["query_shape"] for query in written] == [TOP_QUERIES[place].query_shape for place in order]


def test_what_is_not_finite_comes_last() -> None:
    broken = replace(TOP_QUERIES[0], total_ms=math.nan)
    written = json.loads(render_top((broken, *TOP_QUERIES[1:]), output_format="json"))["top_queries"]
    assert [(query["total_ms"], query["share_percent"]) for query in written] == [
        (3744.0, 59.686),
        (2035.2, 32.445),
        (493.6, 7.869),
        (None, None),
    ]


def test_json_is_read_back() -> None:
    assert queries_from_dict(json.loads(render_top(TOP_QUERIES, output_format="json"))) == TOP_QUERIES


def test_a_report_is_not_read_as_top() -> None:
    with pytest.raises(DamagedInputError, match=r"^tracelens\.top/1: the document's schema is 'tracelens\.report/1'"):
        queries_from_dict({"schema": "tracelens.report/1", "top_queries": []})


@settings(max_examples=40, deadline=None)
@given(report=reports(), width=st.integers(60, 120), sort=st.sampled_from(sorted(TOP_SORTS)), unicode=st.booleans())
def test_any_queries_fit_the_terminal(report: Report, width: int, sort: TopSort, *, unicode: bool) -> None:
    text = render_top(report.top_queries, width=width, sort=sort, unicode=unicode)
    assert [line for line in text.split("\n") if cell_width(line) > width or not line.isprintable()] == []
    for output_format in EXTENSIONS:
        assert render_top(report.top_queries, output_format=output_format, sort=sort).encode().endswith(b"\n")


def test_report_and_top_show_the_same_queries() -> None:
    assert SHOP.top_queries == TOP_QUERIES
