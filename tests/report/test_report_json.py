from __future__ import annotations

import json
import math
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_samples import NO_SPANS, SHOP
from report_strategies import VALID_TEXT, reports

from tracelens.errors import DamagedInputError
from tracelens.report.json import render_json, report_from_dict, report_to_dict, timestamp

if TYPE_CHECKING:
    from report_snapshots import Snapshot

    from tracelens.findings import Report

MICROSECONDS_NS = st.integers(min_value=0, max_value=2**54).map(lambda number: number * 1000)
ROUNDED = st.integers(min_value=-(2**40), max_value=2**40).map(lambda number: round(number / 1000, 3) + 0.0)


def test_json_is_the_contract_s(snapshot: Snapshot) -> None:
    snapshot("shop.json", render_json(SHOP))


def test_json_without_spans(snapshot: Snapshot) -> None:
    snapshot("no_spans.json", render_json(NO_SPANS))


def test_json_text_holds_exactly_the_dict() -> None:
    assert json.loads(render_json(SHOP)) == report_to_dict(SHOP)


@settings(max_examples=50, deadline=None)
@given(reports(texts=VALID_TEXT, numbers=ROUNDED, times_ns=MICROSECONDS_NS))
def test_round_trip_gives_the_same_report(report: Report) -> None:
    assert report_from_dict(json.loads(render_json(report))) == report


@settings(max_examples=50, deadline=None)
@given(reports())
def test_round_trip_of_any_values_gives_the_same_bytes(report: Report) -> None:
    text = render_json(report)
    assert render_json(report_from_dict(json.loads(text))) == text
    assert text.encode().endswith(b"}\n")
    assert "-0.0" not in {str(number) for number in _numbers(json.loads(text))}


def _numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [number for each in value.values() for number in _numbers(each)]
    if isinstance(value, list):
        return [number for each in value for number in _numbers(each)]
    return [value] if isinstance(value, float) else []


@pytest.mark.parametrize(
    ("given_ms", "written"),
    [(1.23456, 1.235), (-0.0001, 0.0), (2.0, 2.0), (math.nan, None), (math.inf, None), (-math.inf, None)],
)
def test_durations_are_rounded_and_finite(given_ms: float, written: float | None) -> None:
    finding = SHOP.findings[0]
    report = replace(SHOP, findings=(replace(finding, impact=replace(finding.impact, avoidable_ms=given_ms)),))
    found = report_to_dict(report)["findings"][0]["impact"]["avoidable_ms"]
    assert repr(found) == repr(written)


@pytest.mark.parametrize(
    ("time_ns", "written"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (1_772_442_000_123_456_999, "2026-03-02T09:00:00.123456Z"),
        (2**64 - 1, "2554-07-21T23:34:33.709551Z"),
    ],
)
def test_times_have_one_form(time_ns: int, written: str) -> None:
    assert timestamp(time_ns) == written


def _with(path: str, value: Any) -> dict[str, Any]:
    document: dict[str, Any] = deepcopy(json.loads(render_json(SHOP)))
    *parents, last = (int(key) if key.isdigit() else key for key in path.split("."))
    place: Any = document
    for key in parents:
        place = place[key]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return document


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            "schema",
            "tracelens.report/2",
            "tracelens.report/1: the document's schema is 'tracelens.report/2'; use the same",
        ),
        ("schema", ..., "tracelens.report/1: the document's schema is None; use the same"),
        ("summary", [], "summary: should be an object, found []"),
        ("summary.spans", "many", "summary.spans: should be an integer, found 'many'"),
        ("summary.spans", True, "summary.spans: should be an integer, found True"),
        ("findings", {}, "findings: should be a list of objects, found {}"),
        ("findings.0.pass", ..., "findings[0].pass: should be a string, found nothing"),
        (
            "findings.1.severity",
            "urgent",
            "findings[1].severity: should be one of info, warning, critical, found 'urgent'",
        ),
        (
            "findings.0.impact.avoidable_ms",
            "1",
            "findings[0].impact.avoidable_ms: should be a number or null, found '1'",
        ),
        (
            "findings.0.impact.avoidable_ms",
            10**400,
            "findings[0].impact.avoidable_ms: should be a number or null, found 1000",
        ),
        (
            "findings.0.evidence.repeats",
            {},
            "findings[0].evidence.repeats: should be a string, number, boolean, null or",
        ),
        (
            "findings.0.evidence.repeats",
            10**400,
            "findings[0].evidence.repeats: should be a number that a double can hold",
        ),
        ("findings.0.advice.steps", [1], "findings[0].advice.steps: should be a list of strings, found [1]"),
        ("findings.0.first_seen", "yesterday", "findings[0].first_seen: should be an RFC 3339 time, found 'yesterday'"),
        (
            "findings.0.first_seen",
            "2026-03-02T09:00:00",
            "findings[0].first_seen: should be an RFC 3339 time, found '2026",
        ),
        ("checklist.0.state", "maybe", "checklist[0].state: should be one of pass, fail, unknown, found 'maybe'"),
    ],
)
def test_damaged_document_is_refused_by_place(path: str, value: Any, message: str) -> None:
    with pytest.raises(DamagedInputError) as raised:
        report_from_dict(_with(path, value))
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)


def test_document_that_is_no_object_is_refused() -> None:
    with pytest.raises(DamagedInputError, match="expected a JSON object"):
        report_from_dict([])  # type: ignore[arg-type]  # what a foreign server may answer


def test_unknown_keys_are_passed_over() -> None:
    assert report_from_dict(_with("findings.0.score", 1)) == report_from_dict(json.loads(render_json(SHOP)))
