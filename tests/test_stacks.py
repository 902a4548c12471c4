"""The passes over labelled recordings of four stacks: what is there is found, and nothing else.

The patterns and the controls built to look like one; `make score` judges the rest as well.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from score import Score, judge

import tracelens
from tracelens.passes.registry import load_passes

STACKS = Path(__file__).resolve().parents[1] / "sample_traces" / "stacks"
EVERY_LABEL = json.loads((STACKS / "labels.json").read_text(encoding="utf-8"))
LABELS = [label for label in EVERY_LABEL if label["variant"] == "bad" or label["hard"]]
PASSES = {entry.name for entry in load_passes()}


@pytest.mark.parametrize("label", LABELS, ids=[label["file"].removesuffix(".otlp.pb.gz") for label in LABELS])
def test_findings_are_those_of_the_label(label: dict[str, Any]) -> None:
    score = Score()
    judge(label, tracelens.analyze(STACKS / label["file"]).findings, PASSES, score)
    assert score.wrong == []
