"""docs/deploy: what is there fits the program, and each other."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

import tracelens
from tracelens.cli import main
from tracelens.escalation.notifiers import load_notifiers
from tracelens.self_metrics import FIGURES
from tracelens.settings import load_settings

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "docs" / "deploy"

COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
MANIFEST: list[dict[str, Any]] = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8")))
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((DEPLOY / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "dashboard.json").read_text(encoding="utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]

PROMETHEUS_OWN = {"up": {"job", "instance"}}
PROCESS = {name: {"job", "instance"} for name in ("process_cpu_seconds_total", "process_resident_memory_bytes")}
"""What Prometheus itself, and its library for every process, have of each target."""

PORTS = {"otlp-grpc": 4317, "otlp-http": 4318, "ui": 4320}


def known_series() -> dict[str, set[str]]:
    """Return the labels of every series that a scrape of tracelens gives."""
    series = PROMETHEUS_OWN | PROCESS
    for figure in FIGURES:
        labels = {*figure.labels, "job", "instance"}
        series[figure.sample_name] = labels
        if figure.kind == "histogram":
            series |= {f"{figure.sample_name}_{part}": labels for part in ("sum", "count")}
            series[f"{figure.sample_name}_bucket"] = labels | {"le"}
    return series


SERIES = known_series()


def expressions() -> list[tuple[str, str]]:
    rules = [(rule["alert"], rule["expr"]) for rule in RULES]
    shown = [(panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"]]
    return rules + shown


def selectors(expression: promql_parser.Expr) -> list[promql_parser.VectorSelector]:
    found: list[promql_parser.VectorSelector] = []

    def visit(node: promql_parser.Expr) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        if isinstance(node, promql_parser.MatrixSelector):
            found.append(node.vector_selector)
        return True

    promql_parser.walk(expression, visit)
    return found


def grouping(expression: promql_parser.Expr) -> list[tuple[set[str], set[str]]]:
    """Return the labels by which each aggregation groups, with the series that it is over."""
    found: list[tuple[set[str], set[str]]] = []

    def visit(node: promql_parser.Expr) -> bool:
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier:
            found.append((set(node.modifier.labels), {each.name or "" for each in selectors(node.expr)}))
        return True

    promql_parser.walk(expression, visit)
    return found


@pytest.mark.parametrize(("name", "expression"), expressions(), ids=[name for name, _ in expressions()])
def test_rules_and_panels_ask_for_metrics_that_there_are(name: str, expression: str) -> None:
    parsed = promql_parser.parse(expression.replace("$__rate_interval", "5m"))
    asked = selectors(parsed)
    assert asked, name
    for selector in asked:
        assert selector.name in SERIES
        assert {matcher.name for matcher in selector.matchers.matchers} <= SERIES[selector.name]
    for labels, series in grouping(parsed):
        for each in series:
            assert labels <= SERIES[each]


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_what_a_rule_says_uses_labels_that_it_has(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"warning", "critical"}
    used = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
    parsed = promql_parser.parse(rule["expr"])
    grouped = [labels for labels, _ in grouping(parsed)]
    kept = grouped or [SERIES[selector.name or ""] for selector in selectors(parsed)]
    assert all(used <= labels for labels in kept)


@pytest.mark.skipif(not shutil.which("promtool"), reason="no promtool")
def test_prometheus_takes_the_rules() -> None:
    done = subprocess.run(["promtool", "check", "rules", DEPLOY / "alerts.yaml"], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_panels_of_the_dashboard_do_not_overlap() -> None:
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [document for document in MANIFEST if document["kind"] == kind]


STATEFUL_SET = of_kind("StatefulSet")[0]
POD = STATEFUL_SET["spec"]["template"]["spec"]
CONTAINER = POD["containers"][0]


def served(arguments: list[str]) -> dict[str, Any]:
    """Return the options of a `tracelens serve` with these arguments."""
    assert arguments[0] == "serve"
    command = main.commands["serve"]
    return command.make_context("serve", arguments[1:], resilient_parsing=False).params


def test_kubernetes_starts_the_server_that_it_probes(tmp_path: Path) -> None:
    options = served(CONTAINER["args"])
    ports = {port["name"]: port["containerPort"] for port in CONTAINER["ports"]}
    assert ports == PORTS
    listens = {name: options[option] for name, option in (("otlp-grpc", "grpc"), ("otlp-http", "http"), ("ui", "ui"))}
    assert listens == {name: f"0.0.0.0:{port}" for name, port in PORTS.items()}
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        (check,) = [value for key, value in CONTAINER[name].items() if key in {"httpGet", "tcpSocket"}]
        assert check["port"] in ports
        assert check.get("path", "/healthz") == "/healthz"
    (config,) = of_kind("ConfigMap")
    written = tmp_path / options["config"].name
    written.write_text(config["data"][options["config"].name])
    load_settings(written)


def test_kubernetes_names_belong_together() -> None:
    (config,) = of_kind("ConfigMap")
    labels = STATEFUL_SET["spec"]["template"]["metadata"]["labels"]
    assert STATEFUL_SET["spec"]["selector"]["matchLabels"] == labels
    services = {service["metadata"]["name"]: service["spec"] for service in of_kind("Service")}
    assert services[STATEFUL_SET["spec"]["serviceName"]]["clusterIP"] == "None"
    for service in services.values():
        assert service["selector"] == labels
        assert {port["name"]: port["port"] for port in service["ports"]} == PORTS
        assert {port["targetPort"] for port in service["ports"]} == set(PORTS)
    volumes = {volume["name"]: volume for volume in POD["volumes"]}
    assert volumes["config"]["configMap"]["name"] == config["metadata"]["name"]
    claims = {claim["metadata"]["name"] for claim in STATEFUL_SET["spec"]["volumeClaimTemplates"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in CONTAINER["volumeMounts"]}
    assert set(mounts) == {*volumes, *claims}
    assert claims == {"store"}
    balanced = (ROOT / "docs" / "collector" / "load-balancing.yaml").read_text(encoding="utf-8")
    name, service = STATEFUL_SET["metadata"]["name"], STATEFUL_SET["spec"]["serviceName"]
    assert f"[{name}-0.{service}:4317, {name}-1.{service}:4317]" in balanced


def test_kubernetes_asks_for_no_privileges() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    user = POD["securityContext"]
    assert f"USER {user['runAsUser']}:{user['runAsGroup']}\n" in dockerfile
    assert user["runAsNonRoot"] is True
    assert user["fsGroup"] == user["runAsGroup"]
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_images_are_of_this_version_and_every_other_is_pinned() -> None:
    images = [service["image"] for service in COMPOSE["services"].values()] + [CONTAINER["image"]]
    own = {image for image in images if image.startswith("tracelens")}
    assert own == {f"tracelens:{tracelens.__version__}"}
    for image in images:
        assert re.fullmatch(r"[a-z/-]+:v?\d+\.\d+\.\d+", image)


def test_compose_starts_the_server_and_the_demo() -> None:
    services = COMPOSE["services"]
    assert served(services["tracelens"]["command"])["ui"] == "0.0.0.0:4320"
    command, *arguments = services["demo"]["command"]
    replay = main.commands[command].make_context(command, arguments).params
    assert replay["to"] == services["collector"]["environment"]["TRACELENS_HTTP"].replace("tracelens", "collector")
    (mounted,) = [volume for volume in services["demo"]["volumes"] if volume.endswith(":ro")]
    folder, _, place = mounted.removesuffix(":ro").rpartition(":")
    assert replay["files"] == (place,)
    assert list((DEPLOY / folder).glob("*.otlp.pb.gz"))


def test_compose_names_belong_together() -> None:
    services = COMPOSE["services"]
    named = {config["source"] for service in services.values() for config in service.get("configs", [])}
    assert named == set(COMPOSE["configs"])
    volumes = {
        volume.partition(":")[0]
        for service in services.values()
        for volume in service.get("volumes", [])
        if not volume.startswith(".")
    }
    assert volumes == set(COMPOSE["volumes"])
    for config in COMPOSE["configs"].values():
        assert "content" in config or (DEPLOY / config["file"]).is_file()
    for service in services.values():
        assert set(service.get("depends_on", [])) <= set(services)
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_compose_leads_prometheus_and_grafana_to_each_other() -> None:
    contents = {
        name: yaml.safe_load(config["content"]) for name, config in COMPOSE["configs"].items() if "content" in config
    }
    (scrape,) = contents["prometheus"]["scrape_configs"]
    assert scrape["job_name"] == "tracelens"
    assert scrape["static_configs"] == [{"targets": ["tracelens:4320"]}]
    rule_files = contents["prometheus"]["rule_files"]
    targets = {Path(config["target"]) for config in COMPOSE["services"]["prometheus"]["configs"]}
    assert {Path("/etc/prometheus") / name for name in rule_files} < targets
    grafana = COMPOSE["services"]["grafana"]
    dashboard = next(Path(each["target"]) for each in grafana["configs"] if each["source"] == "dashboard")
    assert grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] == str(dashboard)
    assert contents["dashboards"]["providers"][0]["options"]["path"] == str(dashboard.parent)
    assert contents["datasources"]["datasources"][0]["url"] == "http://prometheus:9090"


def test_the_collector_page_leads_to_every_configuration_and_nowhere_else() -> None:
    folder = ROOT / "docs" / "collector"
    page = (folder / "README.md").read_text(encoding="utf-8")
    linked = {(folder / link).resolve() for link in re.findall(r"\]\(([^)#]+)\)", page)}
    assert {path for path in linked if not path.exists()} == set()
    assert {path.resolve() for path in folder.iterdir()} - linked == {folder / "README.md"}
    assert {path.resolve() for path in DEPLOY.iterdir()} <= linked


def test_the_configuration_that_sends_findings_back_is_valid() -> None:
    settings = load_settings(ROOT / "docs" / "collector" / "findings.toml")
    (notifier,) = load_notifiers(settings.notifiers)
    assert notifier.name == "collector"
