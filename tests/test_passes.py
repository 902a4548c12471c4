"""Every pass against one contract. Nothing here names a pass: a new folder is tested by being there."""

from __future__ import annotations

import json
import os
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tracelens.analysis import analyse
from tracelens.coverage import needs
from tracelens.model import Scope, build_model
from tracelens.pass_rows import run_pass, thresholds_of
from tracelens.passes.registry import CONTRACT_COLUMNS, PASS_FILES, Pass, builtin_folder, load_passes
from tracelens.report.json import finding_to_dict
from tracelens.settings import Settings
from tracelens.severities import SEVERITIES
from tracelens.sources import open_files
from tracelens.sources.files import load_files
from tracelens.store.store import Reader, Store

if TYPE_CHECKING:
    from tracelens.findings import Finding

SAMPLES = Path(__file__).resolve().parents[1] / "sample_traces"
PASSES = load_passes()
FAR_BELOW, FAR_ABOVE = 0.0, 1e9

# One worker takes all tests of a pass, so each recording is analysed once.
each_pass = pytest.mark.parametrize(
    "entry", [pytest.param(entry, marks=pytest.mark.xdist_group(entry.name), id=entry.name) for entry in PASSES]
)


def sample(entry: Pass, kind: str) -> str:
    found = list((SAMPLES / entry.name).glob(f"{kind}.*"))
    assert len(found) == 1, f"sample_traces/{entry.name} needs exactly one {kind}.* trace"
    return str(found[0])


def findings_of(path: str, settings: Settings) -> tuple[Finding, ...]:
    damages: list[str] = []
    with open_files([path], settings, damages.append) as source:
        report = source.report(Scope(from_files=True))
    assert not damages
    assert report.summary.requests > 0
    return report.findings


@cache
def default_findings(path: str) -> tuple[Finding, ...]:
    return findings_of(path, Settings())


def empty_model() -> Reader:
    reader = Store(None).reader()
    build_model(reader, Settings(), Scope())
    return reader


@each_pass
def test_query_is_one_select_whose_parameters_are_the_thresholds(entry: Pass) -> None:
    with Store(None).reader() as reader:
        statements = reader.statements(entry.query)
    assert statements == [("SELECT", frozenset(threshold.name for threshold in entry.thresholds))]


@each_pass
def test_query_returns_the_contract_then_severity_then_its_evidence(entry: Pass) -> None:
    with empty_model() as reader:
        columns = reader.columns(entry.query, thresholds_of(entry, Settings(), Scope()))
    assert tuple(columns) == entry.columns
    assert tuple(columns[: len(CONTRACT_COLUMNS)]) == CONTRACT_COLUMNS


@each_pass
def test_texts_are_complete(entry: Pass) -> None:
    assert len(entry.title) <= 40
    assert entry.question.endswith("?")
    assert entry.severity is None or entry.severity in SEVERITIES
    assert entry.message.format(**{column.name: "" for column in entry.evidence})
    assert 2 <= entry.why.count(".") <= 6
    assert set(entry.needs) <= set(needs())
    for threshold in entry.thresholds:
        assert threshold.unit
        assert threshold.source.split(":")[0] in {"seed", "ours", "a published default"}
    for column in entry.evidence:
        assert column.meaning


def test_no_stray_files() -> None:
    folders = {folder for folder in builtin_folder().iterdir() if folder.is_dir() and folder.name != "__pycache__"}
    assert {folder.name for folder in folders} == {entry.name for entry in PASSES}
    for folder in folders:
        assert {file.name for file in folder.iterdir()} == PASS_FILES


@each_pass
def test_example_is_the_pass_s_worst_finding_in_its_bad_trace(entry: Pass) -> None:
    found = next(found for found in default_findings(sample(entry, "bad")) if found.pass_name == entry.name)
    file = Path(str(builtin_folder())) / entry.name / "example.json"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        file.write_text(json.dumps(finding_to_dict(found), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    assert json.loads(file.read_text(encoding="utf-8")) == finding_to_dict(found)


@each_pass
def test_bad_trace_gives_exactly_its_findings(entry: Pass) -> None:
    """Whole values, and of all passes: a bad trace fires nothing that its snapshot does not name."""
    snapshot = SAMPLES / entry.name / "findings.json"
    found = [finding_to_dict(finding) for finding in default_findings(sample(entry, "bad"))]
    if os.environ.get("UPDATE_SNAPSHOTS"):
        snapshot.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    assert found == json.loads(snapshot.read_text(encoding="utf-8"))
    assert entry.name in {finding["pass"] for finding in found}


@each_pass
def test_good_trace_is_silent_for_all_passes(entry: Pass) -> None:
    assert default_findings(sample(entry, "good")) == ()


@each_pass
def test_every_threshold_is_live(entry: Pass) -> None:
    """Moved far enough alone, each threshold changes what some recording of the pattern yields."""
    for threshold in entry.thresholds:
        live = any(is_live(entry, threshold.name, path) for path in recordings(entry))
        assert live, f"{threshold.name} changes nothing"


def recordings(entry: Pass) -> list[str]:
    """The bad trace, its variants (`bad-*.*`), then the labelled recordings of other stacks that show the pattern."""
    variants = sorted(str(path) for path in (SAMPLES / entry.name).glob("bad-*.*"))
    labels = json.loads((SAMPLES / "stacks" / "labels.json").read_text(encoding="utf-8"))
    shown = [str(SAMPLES / "stacks" / label["file"]) for label in labels if entry.name in label["expected"]]
    return [sample(entry, "bad"), *variants, *shown]


def is_live(entry: Pass, name: str, path: str) -> bool:
    reader = model_of(path)
    usual = thresholds_of(entry, Settings(), Scope(from_files=True))
    rows = run_pass(reader, entry, usual)
    return any(run_pass(reader, entry, usual | {name: value}) != rows for value in (FAR_BELOW, FAR_ABOVE))


@lru_cache(maxsize=4)
def model_of(path: str) -> Reader:
    """The model over one recording, ready for any number of runs of a pass."""
    store = Store(None)
    load_files(store, [path], print)
    reader = store.reader()
    build_model(reader, Settings(), Scope(from_files=True))
    return reader


def test_passes_run_on_an_empty_store() -> None:
    with Store(None).reader() as reader:
        report = analyse(reader, Settings(), Scope())
    assert report.summary.spans == 0
    assert report.findings == ()
    assert {item.state for item in report.checklist} == {"unknown"}


def test_equal_input_gives_an_equal_report() -> None:
    path = str(SAMPLES / "p95_breach")
    reports = []
    for _ in range(2):
        with open_files([path], Settings(), print) as source:
            reports.append(source.report(Scope(from_files=True)))
    assert reports[0] == reports[1]
