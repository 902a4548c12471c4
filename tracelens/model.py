"""The relations that passes read: which scripts make them, how far each looks, and what they are bound to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracelens.semconv.span_roles import span_role_rows

if TYPE_CHECKING:
    from tracelens.settings import Settings
    from tracelens.store.store import Reader

CATALOGUE_MODEL: Final = (
    "00_configured", "05_call_names", "06_catalogue", "66_write_batches", "73_index_columns", "76_read_extents",
)  # fmt: skip
"""Scripts whose relations follow from the settings and the store's catalogue, whatever the window."""

SHARED_MODEL: Final = ("08_shared_facts",)
"""Scripts whose relations are each trace's own, and tell the next scripts something about other traces."""

TRACE_MODEL: Final = (
    "10_nodes", "20_tree", "30_requests", "40_calls", "45_tables", "50_call_groups", "60_round_trips", "65_waits",
    "67_serial_reads", "68_late_starts", "70_responses", "71_paged_reads", "72_connections", "79_trace_evidence",
)  # fmt: skip
"""Scripts whose rows about a trace follow from its spans, and from the relations above."""

WINDOW_MODEL: Final = (
    "69_weights", "74_connection_waits", "75_service_loads", "77_openings", "78_shared_reads",
    "80_metric_points", "82_host_cpu", "84_databases", "85_database_loads", "86_pools",
)  # fmt: skip
"""Scripts that look across traces."""

MODEL: Final = (*CATALOGUE_MODEL, *SHARED_MODEL, *TRACE_MODEL, *WINDOW_MODEL)
"""The model's scripts in the order in which they build on each other."""

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


def build_model(reader: Reader, settings: Settings, scope: Scope) -> None:
    """Make the relations that passes read, for the scope's window, as the reader's own temporary tables."""
    parameters = model_parameters(settings, scope)
    for name in MODEL:
        reader.run_file(f"model/{name}.sql", parameters)


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
