"""Imports point one way, and what belongs in one place is imported nowhere else."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "tracelens"
MODULES = sorted(PACKAGE.rglob("*.py"))

# From the ground up: a module may import what stands in its own layer or a lower one.
LAYERS = (
    {"errors", "severities", "findings", "settings", "background", "grouping", "retry_after"},
    {"otlp", "semconv", "native", "store", "journal", "ingest", "passes", "advice", "report"},
    {"receiver", "coverage", "checklist", "enrichment", "waivers"}
    | {"analysis", "model", "relations", "pass_rows", "slices", "sliced_model"},
    {"sources", "live", "escalation", "forwarding", "api", "replay", "run"},
    {"query_api", "self_metrics", "server"},
    {"cli", "__main__"},
)
# Within their layer, who may not import whom.
FORBIDDEN = {
    "receiver": {"passes", "analysis", "store", "ingest"},
    "report": {"store", "semconv", "otlp", "journal", "ingest", "advice"},
    "otlp": {"store", "semconv", "native", "journal", "ingest", "passes", "advice", "report"},
    "native": {"store", "journal", "ingest", "passes", "advice", "report"},
    "semconv": {"store", "native", "journal", "ingest", "passes", "advice", "report"},
    "store": {"journal", "ingest", "passes", "advice", "report"},
    "journal": {"store", "semconv", "ingest", "passes", "advice", "report"},
    "advice": {"store", "otlp", "journal", "ingest", "passes", "report"},
    "passes": {"store", "semconv", "otlp", "journal", "ingest", "advice", "report"},
}
# Report.to_dict() is promised to users of the Python API.
ALLOWED = {("findings", "report")}
ONLY_IN = {"duckdb": "store", "click": "cli"}


def imports(module: Path) -> set[str]:
    found = set[str]()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def place(dotted: str) -> str | None:
    parts = dotted.split(".")
    return parts[1] if parts[0] == "tracelens" and len(parts) > 1 else None


def room(module: Path) -> str:
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py")


def layer(name: str) -> int:
    return next(number for number, names in enumerate(LAYERS) if name in names)


each_module = pytest.mark.parametrize("module", MODULES, ids=[str(path.relative_to(PACKAGE)) for path in MODULES])


@each_module
def test_imports_point_one_way(module: Path) -> None:
    own = room(module)
    if own == "__init__":
        return
    for target in filter(None, map(place, imports(module))):
        if (own, target) in ALLOWED:
            continue
        assert layer(target) <= layer(own), f"{own} imports {target} from a layer above it"
        assert target not in FORBIDDEN.get(own, set()), f"{own} must not know {target}"


@each_module
def test_single_owners(module: Path) -> None:
    for library, owner in ONLY_IN.items():
        if any(name.split(".")[0] == library for name in imports(module)):
            assert room(module) == owner


@each_module
def test_modules_stay_small(module: Path) -> None:
    assert len(module.read_text(encoding="utf-8").splitlines()) <= 300


@each_module
def test_only_the_command_line_prints_or_exits(module: Path) -> None:
    if room(module) == "cli":
        return
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"print", "exit", "quit"}
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            assert (ast.unparse(node.func)) not in {"sys.exit", "os._exit"}


def test_no_shelves_without_a_name() -> None:
    assert not {path.stem for path in MODULES} & {"utils", "helpers", "common", "misc", "base", "manager"}


def test_budgets_of_pass_files() -> None:
    for path in (PACKAGE / "passes").glob("*/query.sql"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 80, path
