"""GET /metrics of a running server: what Prometheus reads there, and what the page about it promises."""

from __future__ import annotations

import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from processes import command
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text
from traffic import n_plus_one, request_of

import tracelens
from tracelens.self_metrics import FIGURES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from processes import ServerProcess
    from prometheus_client.metrics_core import Metric

    StartServer = Callable[..., ServerProcess]

OPENMETRICS = {"accept": "application/openmetrics-text; version=1.0.0"}
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scraped(server: ServerProcess) -> str:
    answer = httpx.get(f"{server.ui}/metrics", headers=OPENMETRICS, timeout=30)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    return answer.text


def samples(families: Iterable[Metric]) -> Samples:
    return {
        (sample.name.removeprefix("tracelens_"), tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def post(server: ServerProcess, signal: str, body: bytes) -> int:
    headers = {"content-type": "application/x-protobuf"}
    return httpx.post(f"{server.http}/v1/{signal}", content=body, headers=headers, timeout=30).status_code


def test_what_was_received_and_stored(start_server: StartServer) -> None:
    server = start_server()
    body = request_of(n_plus_one(1))
    assert [post(server, "traces", sent) for sent in (body, body, b"1234")] == [200, 200, 400]
    assert post(server, "logs", b"") == 200
    summary = command("report", "--db", server.db, "--format", "json").json()["summary"]
    assert summary["spans"] == 10  # all is stored now
    found = samples(read_openmetrics(scraped(server)))

    def request(signal: str, outcome: str) -> tuple[tuple[str, str], ...]:
        return (("outcome", outcome), ("signal", signal), ("transport", "http"))

    expected = {
        ("build_info", (("python", platform.python_version()), ("version", tracelens.__version__))): 1,
        ("receiver_requests_total", request("traces", "ok")): 2,
        ("receiver_requests_total", request("traces", "invalid_argument")): 1,
        ("receiver_requests_total", request("logs", "ok")): 1,
        ("receiver_request_bytes_total", request("traces", "ok")): 2 * len(body),
        ("receiver_answer_seconds_count", (("transport", "http"),)): 3,
        ("ingest_spans_total", ()): 10,
        ("ingest_repeated_requests_total", ()): 1,
        ("ingest_refused_requests_total", ()): 1,
        ("ingest_duplicate_spans_total", ()): 0,
        ("ingest_waiting_spans", ()): 0,
        ("ingest_lag_seconds", ()): 0,
        ("ingest_pending_bytes", ()): 0,
        ("ingest_healthy", ()): 1,
        ("journal_segments", ()): 1,
        ("journal_unapplied_requests", ()): 0,
        ("store_spans", ()): 10,
        ("store_expired_spans_total", ()): 0,
    }
    assert {key: found[key] for key in expected} == expected
    assert found["store_bytes", ()] >= server.db.stat().st_size
    assert found["journal_bytes", ()] >= len(body)
    bounds = [
        (float(dict(labels)["le"]), value)
        for (name, labels), value in found.items()
        if name == "receiver_answer_seconds_bucket"
    ]
    assert sorted(bounds) == sorted(bounds, key=lambda bound: (bound[1], bound[0]))
    assert bounds[-1][1] == 3
    assert not [name for name, _ in found if name.startswith("forward_")]


def test_what_is_forwarded(start_server: StartServer, tmp_path: Path) -> None:
    hop = start_server(db=tmp_path / "hop.duckdb")
    server = start_server("--forward", f"grpc://{hop.grpc}")
    body = request_of(n_plus_one(1))
    assert [post(server, "traces", body), post(server, "logs", b"\x0a\x00")] == [200, 200]
    page, found = "", Samples()
    while found.get(("forward_queue_requests", ())) != 0:
        page = scraped(server)
        found = samples(read_openmetrics(page))
    expected = {
        ("forward_up", ()): 1,
        ("forward_queue_bytes", ()): 0,
        ("forward_sent_requests_total", (("signal", "traces"),)): 1,
        ("forward_sent_requests_total", (("signal", "logs"),)): 1,
        ("forward_sent_bytes_total", (("signal", "traces"),)): len(body),
        ("forward_dropped_requests_total", (("reason", "damaged"), ("signal", "unknown"))): 0,
    }
    assert {key: found[key] for key in expected} == expected

    # Now that there is something of everything, each figure is on the page, under its name, kind, help and labels.
    families = {family.name: family for family in read_openmetrics(page) if family.name.startswith("tracelens_")}
    assert {name: (family.type, family.documentation) for name, family in families.items()} == {
        figure.family_name: (figure.kind, figure.help) for figure in FIGURES
    }
    for figure in FIGURES:
        for sample in families[figure.family_name].samples:
            assert sample.name.startswith(figure.sample_name)
            assert set(sample.labels) - {"le"} == set(figure.labels)


def test_prometheus_own_text_is_the_default_and_tells_of_the_process(start_server: StartServer) -> None:
    answer = httpx.get(f"{start_server().ui}/metrics", timeout=30)
    assert answer.headers["content-type"].startswith("text/plain; version=")
    found = samples(read_text(answer.text))
    assert found["ingest_healthy", ()] == 1
    if sys.platform == "linux":  # the client reads /proc
        assert found["process_cpu_seconds_total", ()] > 0
        assert found["process_resident_memory_bytes", ()] > 1_000_000


def test_names_are_told_apart() -> None:
    names = [figure.name for figure in FIGURES]
    assert len(set(names)) == len(names)
    assert all(figure.kind in {"counter", "gauge", "histogram"} for figure in FIGURES)
    page = (Path(__file__).resolve().parents[1] / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")] == [
        figure.sample_name for figure in FIGURES
    ]
