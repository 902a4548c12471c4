"""The compiled core makes tracelens faster, and changes nothing else."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from processes import command
from recorded_traces import SAMPLES

from tracelens.native import library as native

from .told_rows import core

ROOT = Path(__file__).resolve().parents[2]

RECORDINGS = ("demo/shop-1", "db_cpu/bad", "n_plus_one/bad", "uncompressed_response/bad", "missing_cache/bad")


def build_hook(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the module that builds the core; hatchling, which calls it, need not be there."""
    for name in ("hatchling", "hatchling.builders", "hatchling.builders.hooks", "hatchling.builders.hooks.plugin"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    interface = ModuleType("hatchling.builders.hooks.plugin.interface")
    interface.BuildHookInterface = object  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, interface.__name__, interface)
    specification = importlib.util.spec_from_file_location("hatch_build", ROOT / "core" / "hatch_build.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_core_is_there_on_every_platform_that_it_is_built_for(monkeypatch: pytest.MonkeyPatch) -> None:
    tag = build_hook(monkeypatch)._tag_here()
    if tag is None:
        pytest.skip("the core is not built for this platform")
    native.library.cache_clear()
    assert native.library() is not None, "build it with `pip install -e .`"


@pytest.mark.parametrize("name", RECORDINGS)
def test_reports_are_the_same_without_the_core(name: str) -> None:
    core()
    path = SAMPLES / f"{name}.otlp.pb.gz"
    reports = []
    for switch in ("", "0"):
        native.library.cache_clear()
        done = command("report", path, "--format", "json", env={"TRACELENS_NATIVE": switch})
        assert (done.code, done.errors) == (0, "")
        assert (native.library() is None) == (switch == "0"), "what was used"
        reports.append(done.output)
    native.library.cache_clear()
    assert reports[0] == reports[1]
