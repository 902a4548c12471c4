"""What a finding gains from its exemplar's spans: where the code is, and how to fix it in the framework that ran it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracelens.advice.advise import advise
from tracelens.advice.facts import AdviceFacts
from tracelens.findings import CodeLocation
from tracelens.store.database import read_sql

if TYPE_CHECKING:
    from tracelens.findings import Advice, EvidenceValue
    from tracelens.store.store import Reader


def code_location(reader: Reader, row: dict[str, Any]) -> CodeLocation | None:
    """Return where the exemplar's first offender was made: its own `code.*`, else the nearest above it."""
    for span in _ancestry(reader, row):
        if span["code_function"] or span["code_file"]:
            return CodeLocation(function=span["code_function"], file=span["code_file"], line=span["code_line"])
    return None


def advice_for(
    reader: Reader, pass_name: str, service_name: str, row: dict[str, Any], evidence: tuple[tuple[str, EvidenceValue], ...]
) -> Advice:
    """Return the advice on one folded row of a pass."""
    scopes = tuple(dict.fromkeys(span["scope_name"] for span in _ancestry(reader, row) if span["scope_name"]))
    ids = {"trace_id": row["trace_id"], "span_id": _first_offender(row)}
    found = reader.rows(read_sql("analysis/shape_facts.sql"), ids)
    call = found[0] if found else {}
    source = reader.rows(
        read_sql("analysis/source_table.sql"),
        {"trace_id": row["trace_id"], "request_span_id": row["request_span_id"], "shape": row["subject"]},
    )
    orm = tuple(scope for scope in (call.get("orm_scope_name"),) if scope)
    return advise(
        AdviceFacts(
            pass_name=pass_name,
            service_name=service_name,
            endpoint=row["endpoint"],
            subject=row["subject"],
            scope_names=orm + scopes,
            sdk_language=call.get("sdk_language") or _sdk_language(reader, row),
            db_system=call.get("db_system"),
            tables=tuple(call.get("tables") or ()),
            written_tables=tuple(call.get("written_tables") or ()),
            parent_table=source[0]["table_name"] if source else None,
            filter_columns=tuple((use["column_name"], use["operator"]) for use in call.get("filter_columns") or ()),
            join_columns=tuple(use["column_name"] for use in call.get("join_columns") or ()),
            sort_columns=tuple(use["column_name"] for use in call.get("sort_columns") or ()),
            selected_columns=(),
            constant_predicates=tuple(call.get("constant_predicates") or ()),
            has_limit=bool(call.get("has_limit")),
            limit_rows=call.get("limit_rows"),
            evidence=evidence,
        )
    )


def _first_offender(row: dict[str, Any]) -> int:
    offenders: list[int] = row["offender_span_ids"]
    return offenders[0] if offenders else int(row["request_span_id"])


def _ancestry(reader: Reader, row: dict[str, Any]) -> list[dict[str, Any]]:
    return reader.rows(
        read_sql("analysis/ancestry.sql"), {"trace_id": row["trace_id"], "span_id": _first_offender(row)}
    )


def _sdk_language(reader: Reader, row: dict[str, Any]) -> str | None:
    found = reader.rows(
        "select sdk_language from requests where trace_id = $trace_id and request_span_id = $request_span_id",
        {"trace_id": row["trace_id"], "request_span_id": row["request_span_id"]},
    )
    language: str | None = found[0]["sdk_language"] if found else None
    return language
