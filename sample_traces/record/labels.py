"""Labels the recordings: what the scenario's code does, checked against counts made in the recorded file.

The counting here is plain and knows only these applications: it reads spans, never a detector's answer. `write` fails when a
recording does not hold what its scenario promises, so that a label cannot be wrong unnoticed.
"""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import stacks
from recorder import read_recording
from scenarios import PASSES, SCENARIOS, Scenario

if TYPE_CHECKING:
    from pathlib import Path

TEXT_KEYS = ("db.query.text", "db.statement")
URL_KEYS = ("url.full", "http.url")
# An ORM's span over a driver's span for one query: only the driver's counts.
ORM_SCOPES = ("instrumentation-knex", "hibernate", "spring-data")
# What the instrumentation of a stack cannot show, so that no analysis of its spans alone can find it.
BLIND = {
    ("django-psycopg", "uncompressed_response"): "the size of the body is on no span",
    (
        "django-psycopg",
        "connection_churn",
    ): "no span for a connect; only the set_config query that Django sends on each new connection",
    ("django-psycopg", "repeated_query"): "parameters are hidden",
    ("django-psycopg", "missing_cache"): "parameters are hidden",
    (
        "spring-hibernate",
        "connection_churn",
    ): "the agent emits no span for a connect unless jdbc-datasource is switched on, and never for DriverManager",
    ("spring-hibernate", "repeated_query"): "parameters are hidden",
    ("spring-hibernate", "missing_cache"): "parameters are hidden",
    ("spring-hibernate", "offset_pagination"): "the offset is a hidden parameter; only the time grows with it",
    ("express-knex-mysql2", "repeated_query"): "parameters are hidden",
    ("express-knex-mysql2", "missing_cache"): "parameters are hidden",
    ("express-knex-mysql2", "offset_pagination"): "the offset is a hidden parameter; only the time grows with it",
}
# Which recording is the clear example of a pass.
EXAMPLES = {
    "n_plus_one": ("express-sequelize-pg", "n_plus_one"),
    "n_plus_one_http": ("express-sequelize-pg", "n_plus_one_http"),
    "n_plus_one_cache": ("express-sequelize-pg", "n_plus_one_cache"),
    "n_plus_one_messaging": ("django-psycopg", "n_plus_one_messaging"),
    "repeated_query": ("express-sequelize-pg", "repeated_query"),
    "repeated_call": ("express-knex-mysql2", "repeated_call"),
    "missing_cache": ("express-sequelize-pg", "missing_cache"),
    "missing_http_cache": ("django-psycopg", "missing_http_cache"),
    "slow_query": ("express-sequelize-pg", "slow_query"),
    "slow_call": ("express-sequelize-pg", "slow_call"),
    "missing_index": ("express-sequelize-pg", "missing_index"),
    "offset_pagination": ("express-sequelize-pg", "offset_pagination"),
    "over_fetching": ("express-knex-mysql2", "over_fetching"),
    "single_row_writes": ("express-knex-mysql2", "single_row_writes"),
    "pool_wait": ("express-sequelize-pg", "pool_wait"),
    "connection_churn": ("express-sequelize-pg", "connection_churn"),
    "blocking_side_effect": ("express-sequelize-pg", "blocking_side_effect"),
    "serial_calls": ("express-sequelize-pg", "serial_calls"),
    "excessive_fanout": ("express-sequelize-pg", "excessive_fanout"),
    "p95_breach": ("express-sequelize-pg", "p95_breach"),
}


@dataclass(frozen=True)
class Seen:
    """One span, reduced to what is counted."""

    trace: bytes
    name: str
    kind: int
    scope: str
    service: str
    text: str
    ms: float
    attributes: dict[str, object]


def read_spans(path: Path) -> list[Seen]:
    """All spans of a recording."""
    spans = []
    for raw in read_recording(path):
        for resource in ExportTraceServiceRequest.FromString(raw).resource_spans:
            service = next((a.value.string_value for a in resource.resource.attributes if a.key == "service.name"), "")
            for scope in resource.scope_spans:
                for span in scope.spans:
                    attributes = {
                        a.key: getattr(a.value, a.value.WhichOneof("value") or "string_value") for a in span.attributes
                    }
                    text = next((str(attributes[k]) for k in (*TEXT_KEYS, *URL_KEYS) if k in attributes), "")
                    ms = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e6
                    spans.append(
                        Seen(span.trace_id, span.name, span.kind, scope.scope.name, service, text, ms, attributes)
                    )
    return spans


def is_call(span: Seen) -> bool:
    """A driver's, HTTP client's or producer's span: not the ORM's copy of it, not a connect."""
    return span.kind in {3, 4} and not any(word in span.scope for word in ORM_SCOPES)


def shape(text: str) -> str:
    """Query text without its literals, good enough to count these applications' statements."""
    return re.sub(r"'(?:[^']|'')*'|\b\d+\b|\$\d+", "?", text)


def facts(spans: list[Seen]) -> dict[str, object]:
    """What is counted in a file, whatever its label."""
    calls = [s for s in spans if is_call(s) and s.text and any(k in s.attributes for k in TEXT_KEYS)]
    same, identical, across = Counter(), Counter(), defaultdict(set)
    for call in calls:
        same[call.trace, shape(call.text)] += 1
        identical[call.trace, call.text] += 1
        across[call.text].add(call.trace)
    servers = sorted(s.ms for s in spans if s.kind == 2)
    return {
        "n_traces": len({s.trace for s in spans}),
        "server_spans": len(servers),
        "server_p95_ms": round(servers[max(0, -(-len(servers) * 95 // 100) - 1)], 1) if servers else None,
        "server_max_ms": round(servers[-1], 1) if servers else None,
        "max_same_statement_in_trace": max(same.values(), default=0),
        "max_identical_statement_in_trace": max(identical.values(), default=0),
        "max_traces_sharing_identical_statement": max(map(len, across.values()), default=0),
        "top_statement": max(same, key=lambda key: same[key])[1] if same else None,
        "max_db_ms": round(max((c.ms for c in calls), default=0), 1),
        "orm_spans_over_driver_spans": sum(any(word in s.scope for word in ORM_SCOPES) for s in spans),
        "connect_spans": dict(
            sorted(Counter(s.name for s in spans if "connect" in s.name.lower() or "acquire" in s.name).items())
        ),
        "response_header_attributes": sorted(
            {k for s in spans for k in s.attributes if k.startswith("http.response.header.")}
        ),
        "routes": dict(
            sorted(Counter(str(s.attributes.get("http.route", s.name)) for s in spans if s.kind == 2).items())
        ),
    }


def culprit_calls(spans: list[Seen], scenario: Scenario) -> list[Seen]:
    """The calls that the scenario's pattern names."""
    if scenario.pattern is None:
        return []
    pattern = re.compile(scenario.pattern, re.IGNORECASE | re.DOTALL)
    return [s for s in spans if is_call(s) and (pattern.search(s.text) or pattern.search(s.name))]


def verify(stack: stacks.Stack, scenario: Scenario, variant: str, spans: list[Seen]) -> tuple[int | None, list[str]]:
    """The most culprit calls in one trace, and what in the file contradicts the scenario."""
    wrong = []
    calls = culprit_calls(spans, scenario)
    repeats = max(Counter(c.trace for c in calls).values(), default=0) if scenario.pattern else None
    servers = [s for s in spans if s.kind == 2]
    requests = scenario.fixed_requests if variant == "fixed" and scenario.fixed_requests else scenario.requests
    if len(servers) < len(requests):
        wrong.append(f"{len(servers)} server spans for {len(requests)} requests")
    slowest = max((c.ms for c in calls), default=0.0)
    if variant == "bad":
        if scenario.repeats is not None and repeats < scenario.repeats:
            wrong.append(f"the culprit repeats {repeats} times, not {scenario.repeats}")
        if scenario.min_ms is not None and slowest < scenario.min_ms:
            wrong.append(f"the culprit takes {slowest:.0f} ms, not {scenario.min_ms:.0f}")
        if "p95_breach" in scenario.expected and sorted(s.ms for s in servers)[int(len(servers) * 0.95) - 1] < 2000:
            wrong.append("p95 is under 2 s")
    elif variant == "fixed":
        if (
            scenario.repeats is not None
            and scenario.repeats > 1
            and repeats >= scenario.repeats
            and "apply_async" not in scenario.pattern
        ):
            wrong.append(f"the culprit still repeats {repeats} times")
        if scenario.min_ms is not None and slowest >= scenario.min_ms:
            wrong.append(f"the culprit still takes {slowest:.0f} ms")
        if (
            max(
                (
                    s.ms
                    for s in spans
                    if is_call(s)
                    and "apply_async" not in s.name
                    and s.service == stack.service
                    and "blpop" not in s.text.lower()
                ),
                default=0,
            )
            >= 500
            and scenario.name != "blocking_side_effect"
        ):
            wrong.append("a call of the fixed version takes more than 500 ms")
    elif facts(spans)["max_db_ms"] > 300 and scenario.name != "long_poll":
        wrong.append("a query of a control takes more than 300 ms")
    return repeats, wrong


def culprit(
    scenario: Scenario, counted: dict[str, object], repeats: int | None, sample: str | None
) -> dict[str, object]:
    """Where the defect is, with the endpoint in the framework's own spelling (`/users/:id`, `users/<int:pk>`, `/users/{id}`)."""
    spelled = {re.sub(r":\w+|<[^>]*>|\{\w+\}", "*", route).strip("/"): route for route in counted["routes"]}

    def as_recorded(route: str) -> str:
        return spelled[re.sub(r":\w+", "*", route).strip("/")]

    where = (
        {"routes": {name: as_recorded(route) for name, route in scenario.routes.items()}}
        if scenario.routes
        else {"route": as_recorded(scenario.route)}
    )
    return where | {"pattern": scenario.pattern, "repeats": repeats, "sample": sample}


def label(stack: stacks.Stack, scenario: Scenario, variant: str, path: Path) -> tuple[dict[str, object], list[str]]:
    """One entry of labels.json, in the schema of README.md, and what in the file contradicts it."""
    spans = read_spans(path)
    repeats, wrong = verify(stack, scenario, variant, spans)
    bad = variant == "bad"
    expected = scenario.expected if bad else ()
    acceptable = list(scenario.acceptable if bad else ())
    optional = list((scenario.fixed_optional if variant == "fixed" else scenario.optional))
    if "repeated_query" in expected and (stack.name, "repeated_query") in BLIND:
        acceptable.append("n_plus_one")
    visible = {name: (stack.name, name) not in BLIND for name in expected}
    counted = facts(spans)
    blind = [BLIND[stack.name, name] for name in expected if (stack.name, name) in BLIND]
    note = "; ".join(filter(None, [scenario.note, *blind])) or None
    first = next(iter(culprit_calls(spans, scenario)), None)
    entry = {
        "file": f"{stack.name}/{path.name}", "app": stack.name, "service": stack.service, "stack": stack.title,
        "route": scenario.name, "variant": variant, "semconv": stack.semconv, "protocol": stack.protocol,
        "expected": list(expected), "acceptable": acceptable, "optional": optional,
        "must_not": [name for name in PASSES if name not in {*expected, *acceptable, *optional}],
        "visible_by_kind": visible or None,
        "culprit": culprit(scenario, counted, repeats, first.text if first else None) if bad else None,
        "borderline": scenario.optional_bad and not scenario.expected, "hard": scenario.hard, "note": note,
        "n_requests": len(scenario.requests), "n_spans": len(spans), "facts": counted,
    }  # fmt: skip
    return entry, [f"{entry['file']}: {what}" for what in wrong]


def write(samples: Path) -> None:
    """Write stacks/labels.json and the pass folders' bad and good files; raise if a recording contradicts its label."""
    entries, wrong = [], []
    for stack in stacks.STACKS:
        for scenario in SCENARIOS:
            for variant in scenario.variants():
                path = samples / "stacks" / stack.name / f"{scenario.name}__{variant}.otlp.pb.gz"
                if path.exists():
                    entry, contradictions = label(stack, scenario, variant, path)
                    entries.append(entry)
                    wrong += contradictions
    (samples / "stacks" / "labels.json").write_text(json.dumps(entries, indent=1) + "\n")
    for name, (stack_name, scenario_name) in EXAMPLES.items():
        for variant, target in (("bad", "bad"), ("fixed", "good")):
            source = samples / "stacks" / stack_name / f"{scenario_name}__{variant}.otlp.pb.gz"
            if source.exists():
                (samples / name).mkdir(exist_ok=True)
                shutil.copyfile(source, samples / name / f"{target}.otlp.pb.gz")
    print(f"{len(entries)} recordings labelled")
    if wrong:
        raise SystemExit("the recordings contradict their labels:\n" + "\n".join(wrong))
