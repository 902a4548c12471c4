"""The relations that passes read: which scripts make them, how far each looks, and what they are bound to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from tracelens.semconv.span_roles import span_role_rows
from tracelens.store.database import read_sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tracelens.settings import Settings
    from tracelens.store.store import Reader

CATALOGUE_MODEL: Final = (
    "00_configured", "06_catalogue", "66_write_batches", "73_index_columns", "76_read_extents",
)  # fmt: skip
"""Scripts whose relations follow from the settings and the store's catalogue, whatever the window."""

SHARED_MODEL: Final = ("08_shared_facts",)
"""Scripts whose relations are each trace's own, and tell the next scripts something about other traces."""

TRACE_MODEL: Final = (
    "10_nodes", "20_tree", "30_requests", "40_calls", "45_tables", "50_call_groups", "60_round_trips", "65_waits",
    "67_serial_reads", "68_late_starts", "70_responses", "71_paged_reads", "72_connections", "78_shared_reads",
    "79_trace_evidence",
)  # fmt: skip
"""Scripts whose rows about a trace follow from its spans, and from the relations above."""

WINDOW_MODEL: Final = (
    "46_shared_times", "69_weights", "74_connection_waits", "75_service_loads", "77_openings",
    "80_metric_points", "82_host_cpu", "84_databases", "85_database_loads", "86_pools",
)  # fmt: skip
"""Scripts that look across traces."""

MODEL: Final = (*CATALOGUE_MODEL, *SHARED_MODEL, *TRACE_MODEL, *WINDOW_MODEL)
"""The model's scripts in the order in which they build on each other."""

ROWS_FROM: Final = {
    "shape_tables": ("query_shapes",), "paging_shapes": ("query_shapes",), "write_batches": ("query_shapes",),
    "index_columns": ("query_shapes",), "read_extents": ("query_shapes",),
    "prepared_spans": ("name_roles",), "prepared_texts": ("prepared_spans",),
    "folded": ("call_candidates",), "counted_rows": ("call_candidates",), "outer_facts": ("folded",),
    "doubled_spans": ("folded",),
    "call_facts": ("call_candidates",), "call_details": ("call_facts",), "call_rows": ("call_facts",),
    "call_kinds": ("call_rows",), "call_counts": ("call_rows",),
    "table_writes": ("calls",), "repeating": ("calls",), "repeat_facts": ("repeating",),
    "call_groups": ("repeating",), "group_calls": ("repeating",), "identical_calls": ("group_calls",),
    "round_trips": ("group_calls",), "long_calls": ("calls",), "answers": ("long_calls",), "passed_on": ("long_calls",),
    "waits": ("long_calls",), "slow_requests": ("calls",), "slow_request_nodes": ("slow_requests",),
    "writing_transactions": ("slow_requests",), "callers": ("slow_requests",), "serial_reads": ("slow_requests",),
    "late_starts": ("calls",), "paging_texts": ("query_shapes",), "recorded_pages": ("paging_texts",),
    "paged_reads": ("recorded_pages",), "pool_spans": ("connection_names",), "connection_spans": ("pool_spans",),
    "connections": ("connection_spans",), "prompt_starts": ("late_starts",), "handovers": ("prompt_starts",),
    "connection_waits": ("connections", "handovers"), "service_loads": ("connections", "connection_waits"),
    "openings": ("connections",), "marked_entries": ("marked_shapes",), "entry_attributes": ("marked_entries",),
    "described_responses": ("responses",), "response_counts": ("responses",), "repeated_reads": ("shared_reads",),
    "shared_reads": ("calls",), "written_seconds": ("table_writes",),
    "metric_points": ("data_points",), "host_utilization": ("metric_points",), "host_cpu": ("host_utilization",),
    "measured_hosts": ("host_cpu",), "called_addresses": ("measured_hosts",), "measured_addresses": ("measured_hosts",),
    "databases": ("measured_hosts",), "database_calls": ("databases",), "database_cpu": ("databases",),
    "database_loads": ("database_calls",), "pools": ("metric_points",),
}  # fmt: skip
"""Relations that have no rows where none of these has: the model need not ask for them."""

ROWS_AND_KINDS: Final = {"requests": ("request_rows", "request_kinds"), "calls": ("call_rows", "call_kinds")}
"""Views: of their rows, each has a kind, which holds what it has in common with many."""

WEIGHTS: Final = "69_weights"
"""Makes no relation; every percentile depends on it."""

_EMPTY: Final = "model/empty.sql"
_STATEMENT: Final = re.compile(r"^(?=create or replace temp |set variable )", re.MULTILINE)
_MADE: Final = re.compile(r"create or replace temp (?:table|view) (\w+)")
_PARAMETER: Final = re.compile(r"\$(\w+)")

_EARLIEST_NS: Final = -(2**63) + 1
_LATEST_NS: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Scope:
    """What to analyse and what to show of it.

    Attributes:
        start_ns: spans that start earlier are left out; None for no bound.
        end_ns: spans that start at it or later are left out; None for no bound.
        received_since_ns: spans that were received earlier are left out; None for no bound.
        settled_before_ns: a span received later whose parent is missing is not taken for a request: the parent may
            still be on its way. None takes every such span for one.
        service_name: show only this service.
        endpoint: show only endpoints that contain this text.
        pass_names: run only these passes; all where empty.
        from_files: the spans are a recording, for which some thresholds have a default of their own.
    """

    start_ns: int | None = None
    end_ns: int | None = None
    received_since_ns: int | None = None
    settled_before_ns: int | None = None
    service_name: str | None = None
    endpoint: str | None = None
    pass_names: tuple[str, ...] = ()
    from_files: bool = False


def build_model(reader: Reader, settings: Settings, scope: Scope) -> dict[str, bool]:
    """Make the relations that passes read, for the scope's window; return as `make_relations` does."""
    return make_relations(reader, MODEL, model_parameters(settings, scope))


def make_relations(reader: Reader, scripts: Iterable[str], parameters: Mapping[str, object]) -> dict[str, bool]:
    """Run scripts of the model, in their order; they make temporary tables, the reader's own.

    What can have no rows is made as an empty table at once: to plan a statement takes longer than to run it over a few
    thousand spans, and most windows show little of what the model looks for.

    Args:
        reader: has the relations that the scripts read.
        scripts: of MODEL.
        parameters: see `model_parameters`.

    Returns:
        For each relation that was made, and some of those that were read, whether it has rows.
    """
    has_rows: dict[str, bool] = {}
    for script in scripts:
        for relation, statement in model_statements(script):
            if relation is None:
                reader.run_script(statement, parameters)
                continue
            if relation in ROWS_AND_KINDS:
                reader.run_script(statement)
                has_rows[relation] = has_rows[ROWS_AND_KINDS[relation][0]]
                continue
            for source in ROWS_FROM.get(relation, ()):
                if source not in has_rows:
                    has_rows[source] = not is_empty(reader, source)
            if relation in ROWS_FROM and not any(has_rows[source] for source in ROWS_FROM[relation]):
                reader.run_script(empty_relations()[relation])
                has_rows[relation] = False
            else:
                has_rows[relation] = make(reader, statement, parameters) > 0
        if script == WEIGHTS:
            differ = reader.rows("select getvariable('weights_differ') as differ")[0]["differ"]
            reader.run_file(f"weights/{'different' if differ else 'equal'}.sql")
    return has_rows


def make(reader: Reader, statement: str, parameters: Mapping[str, object]) -> int:
    """Run a statement that makes a table, with those of the parameters that it names; return how many rows that has."""
    named = set(_PARAMETER.findall(statement))
    made = reader.rows(statement, {name: value for name, value in parameters.items() if name in named})
    rows: int = next(iter(made[0].values()))
    return rows


def is_empty(reader: Reader, relation: str) -> bool:
    """Say whether a relation has no rows."""
    return not reader.rows(f"select 1 from {relation} limit 1")  # noqa: S608  (a name of our own, or of a pass)


@cache
def made_by(script: str) -> tuple[str, ...]:
    """Return the relations that a script of the model makes, in their order."""
    return tuple(_MADE.findall(read_sql(f"model/{script}.sql")))


@cache
def empty_relations() -> dict[str, str]:
    """Return the statement that makes each relation of ROWS_FROM as an empty table."""
    statements = _STATEMENT.split(read_sql(_EMPTY))[1:]
    return {_MADE.findall(statement)[0]: statement for statement in statements}


@cache
def model_statements(script: str) -> tuple[tuple[str | None, str], ...]:
    """Return the statements of a script, each with the relation that it makes, None where it makes none."""
    _, *texts = _STATEMENT.split(read_sql(f"model/{script}.sql"))
    return tuple((next(iter(_MADE.findall(text)), None), text) for text in texts)


def model_parameters(settings: Settings, scope: Scope) -> dict[str, object]:
    """Return what the model's scripts are bound to."""
    roles, orm_patterns = span_role_rows()
    objectives = settings.objectives
    return {
        "roles": [role for role, _ in roles],
        "role_patterns": [pattern for _, pattern in roles],
        "orm_patterns": orm_patterns,
        "objective_services": [f"^(?:{entry.service})$" for entry in objectives],
        "objective_endpoints": [f"^(?:{entry.endpoint})$" for entry in objectives],
        "objectives_ms": [entry.p95_ms for entry in objectives],
        "database_hosts": list(settings.databases.hosts),
        "start_ns": _EARLIEST_NS if scope.start_ns is None else scope.start_ns,
        "end_ns": _LATEST_NS if scope.end_ns is None else scope.end_ns,
        "received_since_ns": _EARLIEST_NS if scope.received_since_ns is None else scope.received_since_ns,
        "settled_before_ns": _LATEST_NS if scope.settled_before_ns is None else scope.settled_before_ns,
    }
