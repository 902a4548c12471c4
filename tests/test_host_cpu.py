"""CPU of a host is the same number whatever its metric is called, and in whichever unit and temporality it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metric_requests import as_metrics, cumulative, delta, gauge, metrics_of, summary
from span_requests import START_NS

from tracelens.ingest import store_requests
from tracelens.model import Scope, model_parameters
from tracelens.settings import Settings
from tracelens.store.store import Reader, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

HOST = {"host.name": "db-1"}
INTERVAL_S = 10
CPUS = 2

Shares: TypeAlias = "Sequence[tuple[float, float]]"
"""Of each interval: user and system time as shares of the whole host; the rest is idle and waiting for disks."""


def measure(reader: Reader, scope: Scope) -> None:
    for name in ("80_metric_points", "82_host_cpu"):
        reader.run_file(f"model/{name}.sql", model_parameters(Settings(), scope))


def host_cpu(*requests: bytes) -> list[tuple[str, float, float]]:
    """Return host, seconds after the start and utilisation of every sample, as the model has them."""
    store = Store(None)
    try:
        store_requests(store, as_metrics(requests), pytest.fail)
        with store.reader() as reader:
            measure(reader, Scope())
            rows = reader.rows("select host, time_ns, utilization from host_cpu order by host, time_ns")
    finally:
        store.close()
    return [(row["host"], (row["time_ns"] - START_NS) / 1e9, row["utilization"]) for row in rows]


def states(user: float, system: float) -> dict[str, float]:
    idle = 1 - user - system
    return {"user": user, "system": system, "idle": idle * 0.75, "iowait": idle * 0.25}


def even(shares: Shares, state_key: str, cpu_key: str, scale: float = 1) -> list[tuple[float, float, dict[str, Any]]]:
    return [
        ((number + 1) * INTERVAL_S, scale * value, {state_key: state, cpu_key: cpu})
        for number, (user, system) in enumerate(shares)
        for cpu in range(CPUS)
        for state, value in states(user, system).items()
    ]


def added_up(
    samples: list[tuple[float, float, dict[str, Any]]], before: float
) -> list[tuple[float, float, dict[str, Any]]]:
    """Return increases as counters, which stand at `before` at the start."""
    totals: dict[tuple[Any, ...], float] = {}
    found = [(0.0, before, attributes) for seconds, _, attributes in samples if seconds == INTERVAL_S]
    for seconds, value, attributes in samples:
        key = tuple(attributes.values())
        totals[key] = totals.get(key, before) + value
        found.append((seconds, totals[key], attributes))
    return found


FORMS: Mapping[str, Callable[[Shares], Metric]] = {
    "ratio per core, old attributes": lambda shares: gauge("system.cpu.utilization", even(shares, "state", "cpu")),
    "ratio per core, new attributes": lambda shares: gauge(
        "system.cpu.utilization", even(shares, "cpu.mode", "cpu.logical_number")
    ),
    "percent per core": lambda shares: gauge("system.cpu.utilization", even(shares, "state", "cpu", 100), "%"),
    "without the idle states": lambda shares: gauge(
        "system.cpu.utilization", [s for s in even(shares, "state", "cpu") if s[2]["state"] in {"user", "system"}]
    ),
    "one value for all cores": lambda shares: gauge(
        "system.cpu.utilization", [((n + 1) * INTERVAL_S, sum(pair), {}) for n, pair in enumerate(shares)]
    ),
    "seconds, cumulative": lambda shares: cumulative(
        "system.cpu.time", added_up(even(shares, "state", "cpu", INTERVAL_S), 1000)
    ),
    "milliseconds, cumulative": lambda shares: cumulative(
        "system.cpu.time", added_up(even(shares, "cpu.mode", "cpu", INTERVAL_S * 1000), 0), "ms"
    ),
    "seconds, delta": lambda shares: delta("system.cpu.time", even(shares, "state", "cpu", INTERVAL_S), INTERVAL_S),
    "seconds without idle, delta": lambda shares: delta(
        "system.cpu.time",
        [s for s in even(shares, "state", "cpu", INTERVAL_S) if s[2]["state"] in {"user", "system"}],
        INTERVAL_S,
    ),
    "Prometheus node exporter": lambda shares: cumulative(
        "node_cpu_seconds_total",
        added_up(even(shares, "mode", "cpu", INTERVAL_S), 500),
        "",
    ),
    "guests counted twice": lambda shares: delta(
        "system.cpu.time",
        even(shares, "state", "cpu", INTERVAL_S)
        + [((n + 1) * INTERVAL_S, 7.0, {"state": "guest", "cpu": 0}) for n in range(len(shares))],
        INTERVAL_S,
    ),
}
each_form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)


@each_form
@given(
    shares=st.lists(st.tuples(st.floats(0.01, 0.7), st.floats(0, 0.3)), min_size=1, max_size=4).map(
        lambda pairs: [(round(user, 4), round(system, 4)) for user, system in pairs]
    )
)
@settings(deadline=None, max_examples=4)
def test_every_form_gives_the_same_utilisation(form: Callable[[Shares], Metric], shares: Shares) -> None:
    resource = HOST | {"instance": "db-1:9100"}
    found = host_cpu(metrics_of(form(shares), resource=resource))
    expected = [("db-1", (number + 1) * INTERVAL_S, user + system) for number, (user, system) in enumerate(shares)]
    assert [row[:2] for row in found] == [row[:2] for row in expected]
    assert [row[2] for row in found] == pytest.approx([row[2] for row in expected], abs=1e-6)


SHARES = (0.5, 0.9)
MODELS: Mapping[str, tuple[Sequence[Metric], dict[str, Any], str]] = {
    "RDS, as a metric stream sends it": (
        [
            summary(
                "amazonaws.com/AWS/RDS/CPUUtilization",
                [
                    (10, 50, {"Dimensions": {"DBInstanceIdentifier": "db-1"}}),
                    (20, 90, {"Dimensions": {"DBInstanceIdentifier": "db-1"}}),
                ],
                count=5,
            )
        ],
        {"cloud.provider": "aws"},
        "",
    ),
    "RDS, by its resource": (
        [
            summary(
                "CPUUtilization",
                [(t, v, {"Dimensions": {"DBInstanceIdentifier": "db-1"}}) for t, v in ((10, 50), (20, 90))],
            )
        ],
        {"service.namespace": "AWS", "service.name": "RDS"},
        "",
    ),
    "RDS, average as a gauge beside the maximum": (
        [
            gauge(
                "amazonaws.com/AWS/RDS/CPUUtilization",
                [
                    (t, v, {"stat": stat, "DBInstanceIdentifier": "db-1"})
                    for t, v, stat in ((10, 50, "Average"), (20, 90, "Average"), (10, 99, "Maximum"))
                ],
                "Percent",
            )
        ],
        {},
        "",
    ),
    "RDS, through an exporter for Prometheus": (
        [
            gauge(
                "aws_rds_cpuutilization_average",
                [(t, v, {"dimension_DBInstanceIdentifier": "db-1"}) for t, v in ((10, 50), (20, 90))],
                "",
            ),
            gauge("aws_rds_cpuutilization_maximum", [(10, 99, {"dimension_DBInstanceIdentifier": "db-1"})], ""),
        ],
        {},
        "",
    ),
    "Cloud SQL": (
        [gauge("cloudsql.googleapis.com/database/cpu/utilization", [(10, 0.5, {}), (20, 0.9, {})])],
        {"database_id": "db-1"},
        "",
    ),
    "Azure": (
        [
            gauge(
                "azure_cpu_percent_average",
                [
                    (10, 50, {"name": "db-1", "type": "Microsoft.DBforPostgreSQL/flexibleServers"}),
                    (20, 90, {"name": "db-1", "type": "Microsoft.DBforPostgreSQL/flexibleServers"}),
                ],
            )
        ],
        {},
        "",
    ),
    "a pod's limit": (
        [gauge("k8s.pod.cpu_limit_utilization", [(10, 0.5, {}), (20, 0.9, {})])],
        {"k8s.pod.name": "db-1"},
        "",
    ),
    "cores of a container of which the limit is known": (
        [
            gauge("container.cpu.usage", [(10, 1.0, {}), (20, 1.8, {})], "{cpu}"),
            gauge("k8s.container.cpu_limit", [(10, 2, {})], "{cpu}"),
        ],
        {"k8s.pod.name": "db-1", "k8s.container.name": "postgres"},
        "",
    ),
    "kubeletstats' old name for cores": (
        [
            gauge("container.cpu.utilization", [(10, 1.0, {}), (20, 1.8, {})]),
            gauge("k8s.container.cpu_limit", [(10, 2, {})], "{cpu}"),
        ],
        {"k8s.pod.name": "db-1", "k8s.container.name": "postgres"},
        "otelcol/kubeletstatsreceiver",
    ),
    "Docker's percent of a core": (
        [
            gauge("container.cpu.utilization", [(10, 100.0, {}), (20, 180.0, {})]),
            gauge("container.cpu.logical.count", [(10, 2, {})], "{cpus}"),
        ],
        {"container.name": "db-1"},
        "github.com/open-telemetry/opentelemetry-collector-contrib/receiver/dockerstatsreceiver",
    ),
    "Docker's nanoseconds": (
        [
            cumulative("container.cpu.usage.total", [(0, 5e9, {}), (10, 15e9, {}), (20, 33e9, {})], "ns"),
            gauge("container.cpu.limit", [(10, 2, {})], "{cpus}"),
        ],
        {"container.name": "db-1"},
        "",
    ),
}


@pytest.mark.parametrize(("metrics", "resource", "scope"), MODELS.values(), ids=MODELS)
def test_clouds_and_containers(metrics: Sequence[Metric], resource: dict[str, Any], scope: str) -> None:
    found = host_cpu(metrics_of(*metrics, resource=resource, scope=scope))
    assert [row[:2] for row in found] == [("db-1", 10), ("db-1", 20)]
    assert [row[2] for row in found] == pytest.approx(SHARES)


def test_cores_without_a_limit_say_nothing() -> None:
    assert host_cpu(metrics_of(gauge("k8s.pod.cpu.usage", [(10, 7.5, {})]), resource={"k8s.pod.name": "db-1"})) == []


def test_an_aggregate_over_all_instances_is_no_host() -> None:
    dimensions = {"Dimensions": {"EngineName": "postgres"}}
    assert host_cpu(metrics_of(summary("amazonaws.com/AWS/RDS/CPUUtilization", [(10, 90, dimensions)]))) == []


def test_the_preferred_source_counts_alone() -> None:
    shares = [(0.4, 0.1), (0.8, 0.1)]
    both = metrics_of(
        FORMS["ratio per core, old attributes"](shares), FORMS["seconds, delta"]([(0.1, 0), (0.1, 0)]), resource=HOST
    )
    assert [round(row[2], 6) for row in host_cpu(both)] == [0.5, 0.9]


def test_a_first_sample_without_any_time_says_nothing() -> None:
    """As the Python instrumentation sends it: every state is 0 until there is something to compare with."""
    first = [(0.0, 0.0, attributes) for _, _, attributes in even([(0.4, 0.1)], "state", "cpu")]
    found = host_cpu(
        metrics_of(gauge("system.cpu.utilization", first + even([(0.4, 0.1)], "state", "cpu")), resource=HOST)
    )
    assert [(seconds, round(value, 6)) for _, seconds, value in found] == [(10, 0.5)]


@pytest.mark.parametrize("start", [0, 35])
def test_a_counter_that_starts_again_costs_one_sample(start: int) -> None:
    before = added_up(even([(0.4, 0.1)] * 3, "state", "cpu", INTERVAL_S), 1000)
    again = [(seconds + 40, value - 1000, attributes) for seconds, value, attributes in before]
    requests = [
        metrics_of(cumulative("system.cpu.time", before), resource=HOST),
        metrics_of(cumulative("system.cpu.time", again, start=start), resource=HOST),
    ]
    found = host_cpu(*requests)
    assert [seconds for _, seconds, _ in found] == [10, 20, 30, 50, 60, 70]
    assert {round(value, 6) for _, _, value in found} == {0.5}


def test_a_state_that_goes_back_does_not_falsify_the_others() -> None:
    samples = added_up(even([(0.4, 0.1)] * 3, "state", "cpu", INTERVAL_S), 1000)
    shaken = [(s, v - 9 if (s, a) == (20, {"state": "idle", "cpu": 0}) else v, a) for s, v, a in samples]
    found = host_cpu(metrics_of(cumulative("system.cpu.time", shaken), resource=HOST))
    assert [(s, round(v, 2)) for _, s, v in found if s != 30] == [(10, 0.5)]


def test_points_outside_the_window_are_left_out() -> None:
    store = Store(None)
    metric = gauge("system.cpu.utilization", even([(0.5, 0.0)] * 5, "state", "cpu"))
    store_requests(store, as_metrics([metrics_of(metric, resource=HOST)]), pytest.fail)
    with store.reader() as reader:
        scope = Scope(start_ns=START_NS + 20_000_000_000, end_ns=START_NS + 40_000_000_000)
        measure(reader, scope)
        rows = reader.rows("select time_ns from host_cpu order by time_ns")
    assert [(row["time_ns"] - START_NS) // 10**9 for row in rows] == [20, 30]
    store.close()
