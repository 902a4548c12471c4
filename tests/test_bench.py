"""The benchmarks at small sizes: that what they measure is right, whatever it costs here."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from analysis import analyse, write_json, wrong
from collector.build import collector_binary
from contenders import Collector, Kept, Tracelens
from filling import START_NS, fill
from ingest import Case, measure
from latency import cold, from_span_to_event
from load import Load, parse_all
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from planted import PLANTED, PlantedMix
from tables import table, write_section

import tracelens

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

BENCH = Path(__file__).resolve().parents[1] / "bench"
REQUESTS = 10
TEMPLATES = 4


def load(seed: int = 1) -> Load:
    return Load(REQUESTS * 512, seed, end_ns=START_NS, templates=TEMPLATES)


@pytest.fixture(scope="module")
def bodies() -> Sequence[bytes]:
    """Requests of the load: two rounds of its templates, and a part of the third."""
    return list(load().bodies())


def spans_of(bodies: Sequence[bytes]) -> Iterator[Span]:
    for body in bodies:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                yield from scope.spans


def texts_of(spans: Sequence[Span]) -> Counter[str]:
    keys = {"db.query.text", "db.statement"}
    return Counter(pair.value.string_value for span in spans for pair in span.attributes if pair.key in keys)


def test_no_two_spans_of_the_load_are_alike(bodies: Sequence[bytes]) -> None:
    spans = list(spans_of(bodies))
    again = load()
    assert list(again.bodies()) == list(bodies)
    assert (again.requests, again.spans) == (len(bodies), len(spans)) == (REQUESTS, REQUESTS * 512)
    ids = {int.from_bytes(span.span_id, "big") for span in spans}
    assert len(ids) == len(spans)
    combined = 0
    for number in ids:
        combined ^= number
    assert again.span_id_xor == combined
    assert not set(load(seed=2).bodies()) & set(bodies)


def test_children_of_the_load_stay_within_their_parents(bodies: Sequence[bytes]) -> None:
    spans = {span.span_id: span for span in spans_of(bodies)}
    for span in spans.values():
        if parent := spans.get(span.parent_span_id):
            assert parent.trace_id == span.trace_id
            assert parent.start_time_unix_nano <= span.start_time_unix_nano
            assert span.end_time_unix_nano <= parent.end_time_unix_nano
        assert all(event.time_unix_nano == span.end_time_unix_nano for event in span.events)
    orphans = [span for span in spans.values() if span.parent_span_id and span.parent_span_id not in spans]
    assert len(orphans) < len(spans) / 4  # their parents wait for their exporters' requests to fill


def test_a_round_of_the_load_brings_literals_that_were_not_there_before(bodies: Sequence[bytes]) -> None:
    one, other = (texts_of(list(spans_of(bodies[first : first + TEMPLATES]))) for first in (0, TEMPLATES))
    literal = {text for text in other if re.search("[ :'(]9[0-9]{7}", text)}
    assert len(literal) > 100
    assert not literal & set(one)
    assert set(other) - literal <= set(one)


def test_the_load_is_as_large_as_it_says(bodies: Sequence[bytes]) -> None:
    spans = list(spans_of(bodies))
    assert 300 < sum(map(len, bodies)) / len(spans) < 400
    assert 8 < sum(len(span.attributes) for span in spans) / len(spans) < 10
    parsed = parse_all(bodies)
    assert (parsed.spans, parsed.requests, parsed.bytes) == (len(spans), REQUESTS, sum(map(len, bodies)))


@pytest.mark.bench
def test_everything_that_tracelens_acknowledged_is_read_back() -> None:
    case = Case(Tracelens("tracelens, analysis off", analyses=False), "http")
    measured = measure(case, 4 * 512, senders=2, warming_spans=512, warming_s=0)
    assert measured.is_whole
    assert (measured.kept.spans, measured.sent.spans, measured.outcome.spans) == (2560, 2560, 2048)
    assert measured.outcome.refused == 0
    xor = measured.sent.span_id_xor
    for wrong_spans, wrong_xor in ((2559, xor), (2560, xor ^ 1)):
        measured.kept = Kept(wrong_spans, wrong_xor)
        assert not measured.is_whole


@pytest.mark.bench
@pytest.mark.skipif(not collector_binary().exists(), reason="`make collector` has not been run")
def test_everything_that_the_collector_wrote_is_read_back() -> None:
    case = Case(Collector("Collector", "file", "written"))
    measured = measure(case, 4 * 512, senders=2, warming_spans=512, warming_s=0)
    assert measured.is_whole
    assert measured.kept.spans == 2560


@pytest.mark.bench
def test_planted_patterns_are_found_as_often_as_they_were_planted(tmp_path: Path) -> None:
    filled = fill(tmp_path / "store.duckdb", 20_000, block_spans=10_000)
    assert filled.planted.keys() == PLANTED.keys()
    reading = analyse(tmp_path / "store.duckdb", filled, "1GiB")
    assert reading.wrong == ()
    report = json.loads((tmp_path / "store.json").read_text())
    filled.planted["n_plus_one", "GET /planted/orders"] += 1
    assert len(wrong(report, filled)) == 1


@pytest.mark.bench
def test_the_traces_for_perf_sentinel_are_the_same(tmp_path: Path) -> None:
    path = tmp_path / "traces.jsonl"
    assert write_json(path, 5_000)
    own = [*spans_of(list(PlantedMix(1, START_NS).requests(5_000)))]
    report = tracelens.analyze(path)
    assert report.summary.spans == len(own)
    assert report.summary.traces == len({span.trace_id for span in own})


@pytest.mark.bench
def test_steps_account_for_all_the_time() -> None:
    command = [sys.executable, str(BENCH / "steps.py"), "--spans", "15360", "--transaction", "5000"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=BENCH.parent)
    rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if line.startswith("| ")]
    steps = {cells[0]: float(cells[1]) for cells in rows if cells[1:] and re.match(r"[a-z]+: |other", cells[0])}
    (total,) = (float(cells[1]) for cells in rows if cells[0] == "all" and cells[1].strip())
    assert {"transport: gRPC", "core: read spans", "store: insert into span_rows"} <= steps.keys()
    assert 0.7 * total < sum(steps.values()) < 1.1 * total


@pytest.mark.bench
def test_an_event_follows_a_breach() -> None:
    seconds = from_span_to_event(rounds=1, rate=0)
    assert {name: len(values) for name, values in seconds.items()} == {
        "acknowledged, from the request": 1,
        "seen by a report, with its findings": 1,
        "told by an event": 1,
    }


@pytest.mark.bench
def test_cold_starts_are_told(tmp_path: Path) -> None:
    rows = cold(tmp_path, 1)
    assert [row[0] for row in rows] == ["python -c pass", "tracelens --help", "tracelens report, 1,000 spans"]
    assert tracelens.analyze(tmp_path / "traces.otlp.pb").summary.spans >= 1_000


def test_a_section_is_replaced_and_the_rest_stays(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- x: begin -->\nold\n<!-- x: end -->\nafter\n")
    write_section("x", table(["name", "number"], [["a", "1.5"], ["b", "-"]]), readme)
    assert readme.read_text() == (
        "before\n<!-- x: begin -->\n\n| name | number |\n| :-- | --: |\n| a | 1.5 |\n| b | - |\n\n"
        "<!-- x: end -->\nafter\n"
    )
    with pytest.raises(ValueError, match="has no section y"):
        write_section("y", "", readme)
