"""What the engine knows about a finding when it asks for advice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracelens.findings import EvidenceValue


@dataclass(frozen=True, slots=True)
class AdviceFacts:
    """One finding, as far as its advice depends on it. Every string may come from a stranger's span.

    Attributes:
        pass_name: the pass that found it, e.g. `n_plus_one`.
        service_name: `service.name` of the spans.
        endpoint: the request's endpoint, e.g. `GET /users/{id}`.
        subject: what the finding is about: a query shape, a URL template, a cache command.
        scope_names: instrumentation scopes of the offender spans and of their ancestors in the request.
        sdk_language: `telemetry.sdk.language`, where sent.
        db_system: `db.system.name` or an older `db.system`, where there is one.
        tables: tables (or collections) that the query reads or writes, the main one first.
        written_tables: tables that the service was seen writing and that the subject depends on.
        parent_table: table of the query that ran just before the repeats, where known.
        filter_columns: (column, operator); operator is equal, in, range, like, null_check or other.
        join_columns: columns in join conditions.
        sort_columns: columns of ORDER BY, in order, each optionally followed by `desc`.
        selected_columns: columns of the select list, without `*`.
        constant_predicates: predicates whose value never changes, e.g. `status = 'pending'`.
        has_limit: whether the query has a LIMIT.
        limit_rows: its value, where it is known.
        evidence: the pass's own named facts.
    """

    pass_name: str
    service_name: str
    endpoint: str
    subject: str
    scope_names: tuple[str, ...] = ()
    sdk_language: str | None = None
    db_system: str | None = None
    tables: tuple[str, ...] = ()
    written_tables: tuple[str, ...] = ()
    parent_table: str | None = None
    filter_columns: tuple[tuple[str, str], ...] = ()
    join_columns: tuple[str, ...] = ()
    sort_columns: tuple[str, ...] = ()
    selected_columns: tuple[str, ...] = ()
    constant_predicates: tuple[str, ...] = ()
    has_limit: bool = False
    limit_rows: int | None = None
    evidence: tuple[tuple[str, EvidenceValue], ...] = ()
