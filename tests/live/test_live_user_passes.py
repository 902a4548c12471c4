"""Users' own passes in the live analysis: at any relation, across traces unless they say otherwise."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from live_stores import LiveStore
from traffic import n_plus_one, request_of, slow_request

from tracelens.errors import UsageError
from tracelens.live import LiveAnalysis
from tracelens.passes.registry import load_passes

if TYPE_CHECKING:
    from pathlib import Path

PASS = """
title = "Busy services"
question = "Which spans are there?"
severity = "info"
message = "{spans} spans"
why = "They are there."
needs = []
reach = "REACH"

[evidence.spans]
unit = "spans"
meaning = "how many"
"""

# It reads what no shipped pass reads across traces.
QUERY = """
select
  r.service_name, r.endpoint, 'spans' as subject, r.trace_id, r.request_span_id,
  [r.request_span_id] as offender_span_ids, 0.0 as avoidable_ms, 'certain' as confidence, count(*) as spans
from requests as r
inner join tree as t on r.trace_id = t.trace_id and r.request_span_id = t.request_span_id
inner join nodes as n on t.trace_id = n.trace_id and t.span_id = n.span_id
group by r.service_name, r.endpoint, r.trace_id, r.request_span_id
order by r.trace_id, r.request_span_id
"""


def own_pass(folder: Path, reach: str, query: str = QUERY) -> Path:
    (folder / "busy_service").mkdir(parents=True)
    (folder / "busy_service" / "pass.toml").write_text(PASS.replace("REACH", reach))
    (folder / "busy_service" / "query.sql").write_text(query)
    return folder


@pytest.mark.parametrize("reach", ["trace", "window"])
def test_an_own_pass(tmp_path: Path, reach: str) -> None:
    live = LiveStore()
    live.settings = replace(live.settings, pass_folders=(own_pass(tmp_path, reach),))
    live.live = LiveAnalysis(live.store, live.settings, share=None)
    entry, *queries = n_plus_one(1)
    live.receive(request_of([entry]), request_of(slow_request(2)))
    live.report()
    live.receive(request_of(queries))
    report = live.report()
    spans = {finding.endpoint: finding.evidence for finding in report.findings if finding.pass_name == "busy_service"}
    assert spans == {"GET /users/{id}/orders": (("spans", 10),), "GET /reports": (("spans", 2),)}
    assert report == live.analysed()
    live.close()


@pytest.mark.parametrize("reach", ["trace", "window"])
def test_an_own_pass_that_fails_costs_no_other(tmp_path: Path, reach: str) -> None:
    live = LiveStore()
    broken = own_pass(tmp_path, reach, QUERY.replace("nodes", "nowhere"))
    live.settings = replace(live.settings, pass_folders=(broken,))
    live.live = LiveAnalysis(live.store, live.settings, share=None)
    live.receive(request_of(slow_request(2)))
    report = live.report()
    assert [finding.pass_name for finding in report.findings] == ["slow_query"]
    assert [blind.pass_name for blind in report.coverage[0].blind if blind.why.startswith("error")] == ["busy_service"]
    assert report == live.analysed()
    live.close()


def test_there_are_two_reaches(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="reach = 'service': one of trace, window"):
        load_passes([own_pass(tmp_path, "service")])
