"""The page as users get it: from the command line, and from a server's UI port."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

import tracelens
from tracelens.cli import main
from tracelens.model import Scope
from tracelens.report.html import render_html
from tracelens.report.json import report_from_dict
from tracelens.server import ServeAddresses, Server
from tracelens.settings import Settings

RECORDING = Path(__file__).parents[2] / "sample_traces" / "n_plus_one" / "bad.otlp.pb.gz"
FREE = "127.0.0.1:0"


def test_the_command_writes_the_page_of_the_analysis(tmp_path: Path) -> None:
    output = tmp_path / "report.html"
    outcome = CliRunner().invoke(main, ["report", str(RECORDING), "--format", "html", "--output", str(output)])
    assert (outcome.exit_code, outcome.output) == (0, "")
    page = output.read_text(encoding="utf-8")
    assert page == render_html(tracelens.analyze(RECORDING))
    assert "n_plus_one" in page


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path / "t.duckdb", ServeAddresses(FREE, FREE, FREE), Settings())


def test_the_ui_port_answers_the_page_of_what_was_received(server: Server) -> None:
    server.start()
    try:
        ui = f"http://{server.ui.address}"
        assert "No spans to analyse" in httpx.get(ui, timeout=30).text
        sent = CliRunner().invoke(main, ["replay", str(RECORDING), "--to", f"http://{server.http.address}"])
        assert sent.exit_code == 0, sent.output
        answer = httpx.get(ui, timeout=30)
        question = {"scope": asdict(Scope()), "settings": {"thresholds": {}, "objectives": []}}
        report = report_from_dict(httpx.post(f"{ui}/api/report", json=question, timeout=30).json())
        assert httpx.post(ui, content=json.dumps(question), timeout=30).status_code == 405
    finally:
        server.stop()
    assert answer.status_code == 200
    assert answer.text == render_html(report)
    assert {finding.pass_name for finding in report.findings} >= {"n_plus_one"}
    assert {name: answer.headers[name] for name in ("content-type", "cache-control", "content-security-policy")} == {
        "content-type": "text/html; charset=utf-8",
        "cache-control": "no-store",
        "content-security-policy": "frame-ancestors 'none'",
    }
