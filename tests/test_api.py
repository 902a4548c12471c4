"""`tracelens.analyze`, for those who call it from Python."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from processes import command, environment
from traffic import n_plus_one, request_of, slow_request

import tracelens
from tracelens.errors import DamagedInputError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


def test_files_folders_and_contents_are_the_same_to_it(tmp_path: Path) -> None:
    one, two = request_of(n_plus_one(1)), request_of(slow_request(2))
    (tmp_path / "one.pb").write_bytes(one)
    (tmp_path / "two.pb").write_bytes(two)
    report = tracelens.analyze(tmp_path)
    assert report == tracelens.analyze(one, two) == tracelens.analyze(str(tmp_path / "one.pb"), tmp_path / "two.pb")
    assert [(finding.pass_name, finding.endpoint) for finding in report.findings] == [
        ("slow_query", "GET /reports"),
        ("n_plus_one", "GET /users/{id}/orders"),
    ]
    assert report.to_dict() == command("report", tmp_path, "--format", "json").json()


def test_a_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = request_of(n_plus_one(1))
    (tmp_path / "tracelens.toml").write_text("[thresholds.n_plus_one]\nmin_repeats = 100\n")
    assert len(tracelens.analyze(trace).findings) == 1
    assert tracelens.analyze(trace, config=tmp_path / "tracelens.toml").findings == ()
    monkeypatch.chdir(tmp_path)
    assert tracelens.analyze(trace).findings == ()
    with pytest.raises(UsageError, match="no such file"):
        tracelens.analyze(trace, config="none.toml")


def test_damage_is_warned_of_and_nothing_readable_is_an_error() -> None:
    good = request_of(n_plus_one(1))
    with pytest.warns(UserWarning, match="input 2 is empty") as warned:
        assert tracelens.analyze(good, b"") == tracelens.analyze(good)
    assert warned[0].filename == __file__
    with pytest.raises(DamagedInputError, match="input 1 is empty"):
        tracelens.analyze(b"")


def test_no_sources_no_spans() -> None:
    assert tracelens.analyze().summary.spans == 0


def test_importing_it_is_cheap() -> None:
    script = "import sys, tracelens; print({'duckdb', 'pyarrow', 'click'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, env=environment(), check=True)
    assert done.stdout == b"set()\n"
