"""A user's own pass: a folder like ours, named in the configuration, that cannot reach beyond the store."""

from __future__ import annotations

from pathlib import Path

import pytest

import tracelens
from tracelens.errors import UsageError

SAMPLE = Path(__file__).resolve().parents[1] / "sample_traces" / "n_plus_one" / "bad.otlp.pb.gz"

PASS = """
title = "Any request"
question = "Which requests are there?"
severity = "info"
message = "A request of {duration_ms} ms"
why = "It is there."
needs = ["server_spans"]

[evidence.duration_ms]
unit = "ms"
meaning = "how long it took"
"""
QUERY = """
select
  r.service_name, r.endpoint, r.endpoint as subject, r.trace_id, r.request_span_id,
  ordered_list(r.request_span_id, r.start_ns) as offender_span_ids, 0.0 as avoidable_ms, 'certain' as confidence,
  max(r.duration_ms) as duration_ms
from {relation} as r
where r.entry_kind = 'server'
group by r.service_name, r.endpoint, r.trace_id, r.request_span_id
order by r.trace_id, r.request_span_id
"""


@pytest.fixture
def configure(tmp_path: Path) -> Path:
    folder = tmp_path / "our-passes" / "any_request"
    folder.mkdir(parents=True)
    (folder / "pass.toml").write_text(PASS)
    (folder / "query.sql").write_text(QUERY.format(relation="requests"))
    (tmp_path / "tracelens.toml").write_text('[passes]\nfolders = ["our-passes"]\n')
    return tmp_path


def test_it_runs_beside_ours(configure: Path) -> None:
    report = tracelens.analyze(SAMPLE, config=configure / "tracelens.toml")
    found = [finding for finding in report.findings if finding.pass_name == "any_request"]
    assert [(finding.service_name, finding.endpoint, finding.severity) for finding in found] == [
        ("storefront", "GET /users/:id/orders", "info")
    ]
    assert {finding.pass_name for finding in report.findings} == {"any_request", "n_plus_one"}


@pytest.mark.parametrize(
    "relation",
    [
        "read_csv('/etc/hostname')",
        "read_text('/etc/hostname')",
        "'/etc/hostname'",
        "read_parquet('https://127.0.0.1:1/x.parquet')",
    ],
)
def test_it_reaches_no_file_and_no_network(configure: Path, relation: str) -> None:
    (configure / "our-passes" / "any_request" / "query.sql").write_text(QUERY.format(relation=relation))
    report = tracelens.analyze(SAMPLE, config=configure / "tracelens.toml")
    assert {finding.pass_name for finding in report.findings} == {"n_plus_one"}
    assert "error: its query failed; run with -v to see why" in {
        blind.why for service in report.coverage for blind in service.blind if blind.pass_name == "any_request"
    }


@pytest.mark.parametrize(
    "query", ["drop table spans", "select 1; drop table spans", "copy spans to '/tmp/spans.csv'", "set threads = 1"]
)
def test_it_is_one_select(configure: Path, query: str) -> None:
    (configure / "our-passes" / "any_request" / "query.sql").write_text(query)
    report = tracelens.analyze(SAMPLE, config=configure / "tracelens.toml")
    assert {finding.pass_name for finding in report.findings} == {"n_plus_one"}


def test_a_folder_that_is_no_pass_stops_the_start(configure: Path) -> None:
    (configure / "our-passes" / "any_request" / "pass.toml").write_text("title = 1")
    with pytest.raises(UsageError, match=r"any_request/pass\.toml: not a pass"):
        tracelens.analyze(SAMPLE, config=configure / "tracelens.toml")


def test_a_taken_name_stops_the_start(configure: Path) -> None:
    (configure / "our-passes" / "any_request").rename(configure / "our-passes" / "n_plus_one")
    with pytest.raises(UsageError, match="a pass named n_plus_one exists already"):
        tracelens.analyze(SAMPLE, config=configure / "tracelens.toml")


def test_it_is_not_asked_where_nothing_is_in_what_it_reads(configure: Path) -> None:
    document = configure / "our-passes" / "any_request" / "pass.toml"
    found = []
    for relation in ("requests", "metric_points"):
        document.write_text(PASS.replace("needs =", f'rows_from = ["{relation}"]\nneeds ='))
        report = tracelens.analyze(SAMPLE, config=configure / "tracelens.toml")
        found.append({finding.pass_name for finding in report.findings})
    assert found == [{"any_request", "n_plus_one"}, {"n_plus_one"}]


def test_what_it_reads_is_named(configure: Path) -> None:
    document = configure / "our-passes" / "any_request" / "pass.toml"
    document.write_text(PASS.replace("needs =", 'rows_from = ["requests; drop table spans"]\nneeds ='))
    with pytest.raises(UsageError, match=r"any_request/pass\.toml: not a pass: .* not the name of a relation"):
        tracelens.analyze(SAMPLE, config=configure / "tracelens.toml")
