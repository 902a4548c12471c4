"""The recordings under sample_traces/: each is labelled, names no machine, and comes with its counterpart."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

SAMPLES = Path(__file__).parent.parent / "sample_traces"
STACKS = SAMPLES / "stacks"
LABELS = json.loads((STACKS / "labels.json").read_text())
RECORDINGS = sorted(SAMPLES.rglob("*.otlp.pb.gz"))
MACHINE_PATHS = (b"/root/", b"/home/", b"/work/", b"/tmp/")
MAX_TOTAL_BYTES = 12_000_000
MAX_DEMO_BYTES = 1_500_000


def test_every_recording_of_a_stack_has_one_label_and_every_label_a_recording() -> None:
    assert sorted(entry["file"] for entry in LABELS) == [
        str(path.relative_to(STACKS)) for path in sorted(STACKS.rglob("*.otlp.pb.gz"))
    ]


@pytest.mark.parametrize("entry", LABELS, ids=lambda entry: entry["file"])
def test_a_label_puts_each_pass_into_one_list_only(entry: dict[str, Any]) -> None:
    lists = [set(entry[key]) for key in ("expected", "acceptable", "optional", "must_not")]
    assert sum(map(len, lists)) == len(set().union(*lists))
    assert bool(entry["expected"]) <= (entry["variant"] == "bad")


# The stacks show neither the size of a body nor metrics: these pairs are of others, see sample_traces/README.md.
ELSEWHERE = {"db_cpu", "uncompressed_response"}
OF_STACKS = [path for path in sorted(SAMPLES.glob("*/bad.otlp.pb.gz")) if path.parent.name not in ELSEWHERE]


@pytest.mark.parametrize("bad", OF_STACKS, ids=lambda path: path.parent.name)
def test_each_pass_folder_holds_a_pattern_and_its_repair_as_labelled(bad: Path) -> None:
    recorded = {(STACKS / entry["file"]).read_bytes(): entry for entry in LABELS}
    known = [path.read_bytes() in recorded for path in (bad, bad.with_name("good.otlp.pb.gz"))]
    assert known == [True, True], "not a recording of stacks/: copy it with record.py --labels"
    pattern, repair = recorded[bad.read_bytes()], recorded[bad.with_name("good.otlp.pb.gz").read_bytes()]
    assert bad.parent.name in pattern["expected"]
    assert (repair["app"], repair["route"], repair["variant"], repair["expected"]) == (
        pattern["app"],
        pattern["route"],
        "fixed",
        [],
    )
    assert repair["n_spans"] > 0


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: str(path.relative_to(SAMPLES)))
def test_a_recording_names_no_path_of_the_machine_it_was_made_on(path: Path) -> None:
    content = gzip.decompress(path.read_bytes())
    assert [word for word in MACHINE_PATHS if word in content] == []


def test_the_recordings_stay_small() -> None:
    assert sum(path.stat().st_size for path in RECORDINGS) < MAX_TOTAL_BYTES
    assert sum(path.stat().st_size for path in (SAMPLES / "demo").iterdir()) < MAX_DEMO_BYTES
