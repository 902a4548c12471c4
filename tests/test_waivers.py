"""Waivers: findings that somebody decided to live with until a day."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

import tracelens
from tracelens.errors import UsageError
from tracelens.findings import Report, WaivedFinding
from tracelens.report.html import render_html
from tracelens.report.json import render_json, report_from_dict
from tracelens.report.markdown import render_markdown
from tracelens.report.terminal import render_terminal
from tracelens.settings import Waiver, load_settings, parse_settings
from tracelens.waivers import waive

SAMPLE = Path(__file__).resolve().parents[1] / "sample_traces" / "n_plus_one" / "bad.otlp.pb.gz"
DAY = date(2027, 1, 31)
REASON = "the page is going away"


@pytest.fixture(scope="module")
def report() -> Report:
    return tracelens.analyze(SAMPLE)


@pytest.mark.parametrize(
    "waiver",
    [
        Waiver(REASON, DAY, pass_name="n_plus_one"),
        Waiver(REASON, DAY, service="store.*"),
        Waiver(REASON, DAY, endpoint="GET /users/.*"),
        Waiver(REASON, DAY, pass_name="n_plus_one", service="storefront", endpoint=".*orders"),
    ],
)
def test_a_waiver_moves_what_it_matches(report: Report, waiver: Waiver) -> None:
    (finding,) = report.findings
    left = waive(report, [waiver], DAY)
    assert left.findings == ()
    assert left.waived == (
        WaivedFinding(
            fingerprint=finding.fingerprint,
            pass_name="n_plus_one",
            severity=finding.severity,
            service_name="storefront",
            endpoint="GET /users/:id/orders",
            subject=finding.subject,
            reason=REASON,
            expires="2027-01-31",
        ),
    )
    assert left.checklist == report.checklist


def test_a_fingerprint_waives_one_finding(report: Report) -> None:
    fingerprint = report.findings[0].fingerprint
    assert waive(report, [Waiver(REASON, DAY, fingerprint=fingerprint)], DAY).findings == ()
    assert waive(report, [Waiver(REASON, DAY, fingerprint="0" * 16)], DAY) == report


@pytest.mark.parametrize(
    "waiver",
    [
        Waiver(REASON, DAY, pass_name="slow_query"),
        Waiver(REASON, DAY, service="store"),
        Waiver(REASON, DAY, pass_name="n_plus_one", endpoint="GET /users"),
    ],
)
def test_all_that_is_given_must_match(report: Report, waiver: Waiver) -> None:
    assert waive(report, [waiver], DAY) == report


def test_a_waiver_ends(report: Report) -> None:
    assert waive(report, [Waiver(REASON, DAY, pass_name="n_plus_one")], date(2027, 2, 1)) == report


def test_every_reporter_names_what_was_waived(report: Report) -> None:
    left = waive(report, [Waiver(REASON, DAY, pass_name="n_plus_one")], DAY)
    for render in (render_terminal, render_markdown, render_html):
        text = " ".join(render(left).split())
        assert REASON in text
        assert "2027-01-31" in text
    assert report_from_dict(json.loads(render_json(left))) == report_from_dict(left.to_dict())
    assert report_from_dict(left.to_dict()).waived == left.waived


def test_they_are_read_from_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "tracelens.toml"
    file.write_text(
        f'[[waivers]]\npass = "n_plus_one"\nservice = "storefront"\nreason = "{REASON}"\nexpires = 2999-12-31\n'
    )
    assert load_settings(file).waivers == (
        Waiver(REASON, date(2999, 12, 31), pass_name="n_plus_one", service="storefront"),
    )
    report = tracelens.analyze(SAMPLE, config=file)
    assert (len(report.findings), len(report.waived)) == (0, 1)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"expires": DAY, "pass": "n_plus_one"}, "waivers[0].reason is missing"),
        ({"reason": "", "expires": DAY, "pass": "x"}, "waivers[0].reason must say why"),
        ({"reason": "r", "pass": "n_plus_one"}, "waivers[0].expires is missing"),
        ({"reason": "r", "expires": "2027-01-31", "pass": "x"}, "waivers[0].expires must be a day without quotes"),
        ({"reason": "r", "expires": DAY}, "waivers[0] must name a fingerprint, a pass, a service or an endpoint"),
        ({"reason": "r", "expires": DAY, "service": "("}, "waivers[0].service '(' must be a regular expression"),
        ({"reason": "r", "expires": DAY, "colour": "x"}, "unknown setting waivers[0].colour"),
    ],
)
def test_a_wrong_waiver_stops_the_start(entry: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_settings({"waivers": [entry]}, source="tracelens.toml", folder=Path())
    assert str(caught.value).startswith(f"tracelens.toml: {message}")
