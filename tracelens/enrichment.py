"""What a finding gains from its exemplar's spans: where the code is, and how to fix it in the framework that ran it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tracelens.advice.advise import advise
from tracelens.advice.facts import AdviceFacts
from tracelens.findings import CodeLocation
from tracelens.semconv.stack_trace import application_frame, is_application
from tracelens.store.database import read_sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracelens.findings import Advice, EvidenceValue
    from tracelens.store.store import Reader


_ENTRY_KINDS: Final = frozenset({2, 5})
"""SERVER and CONSUMER."""
_FAILED: Final = 2


class Exemplars:
    """The exemplar traces of some findings.

    Args:
        reader: holds the model; gets `exemplar_spans` and `exemplar_calls` beside it.
        rows: folded rows of passes, see `analysis/fold.sql`; each names its exemplar.
    """

    def __init__(self, reader: Reader, rows: Sequence[dict[str, Any]]) -> None:
        self._reader = reader
        reader.run_file(
            "analysis/exemplars.sql", {"trace_ids": list({row["trace_id"] for row in rows if row["trace_id"]})}
        )

    def ancestry(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the exemplar's first offender and the spans above it, nearest first; see `ancestry.sql`."""
        return self._asked("ancestry", row, _offender(row))

    def advice(
        self,
        pass_name: str,
        service_name: str,
        row: dict[str, Any],
        ancestry: Sequence[dict[str, Any]],
        evidence: tuple[tuple[str, EvidenceValue], ...],
    ) -> Advice:
        """Return the advice on one folded row of a pass, of which `ancestry` was asked before."""
        call = self._call(row)
        scopes = [call.get("orm_scope_name"), *(span["scope_name"] for span in ancestry)]
        if not call:  # the request itself is the subject: what serves it may show only further down
            scopes += self._request_scopes(row)
        return advise(
            AdviceFacts(
                pass_name=pass_name,
                service_name=service_name,
                endpoint=row["endpoint"],
                subject=row["subject"],
                scope_names=tuple(dict.fromkeys(scope for scope in scopes if scope)),
                sdk_language=call.get("sdk_language") or self._sdk_language(row),
                db_system=call.get("db_system") or _text(dict(evidence).get("db_system")),
                tables=tuple(call.get("tables") or ()),
                written_tables=tuple(call.get("written_tables") or ()),
                parent_table=self._source_table(row),
                filter_columns=tuple((use["column_name"], use["operator"]) for use in call.get("filter_columns") or ()),
                join_columns=tuple(use["column_name"] for use in call.get("join_columns") or ()),
                sort_columns=tuple(_sorted_by(use) for use in call.get("sort_columns") or ()),
                constant_predicates=tuple(call.get("constant_predicates") or ()),
                has_limit=bool(call.get("has_limit")),
                limit_rows=call.get("limit_rows"),
                evidence=evidence,
            )
        )

    def _asked(self, question: str, row: dict[str, Any], parameters: dict[str, object]) -> list[dict[str, Any]]:
        """Return the answer of a file of `analysis/` about a row's exemplar; nothing where it has none."""
        return self._reader.rows(read_sql(f"analysis/{question}.sql"), parameters) if row["trace_id"] else []

    def _call(self, row: dict[str, Any]) -> dict[str, Any]:
        found = self._asked("shape_facts", row, _offender(row))
        return found[0] if found else {}

    def _request_scopes(self, row: dict[str, Any]) -> list[str]:
        found = self._asked("request_scopes", row, {"trace_id": row["trace_id"]})
        return [scope["scope_name"] for scope in found]

    def _source_table(self, row: dict[str, Any]) -> str | None:
        found = self._asked("source_table", row, _request(row) | {"shape": row["subject"]})
        table: str | None = found[0]["table_name"] if found else None
        return table

    def _sdk_language(self, row: dict[str, Any]) -> str | None:
        found = self._asked("sdk_language", row, _request(row))
        language: str | None = found[0]["sdk_language"] if found else None
        return language


def code_location(ancestry: Sequence[dict[str, Any]]) -> CodeLocation | None:
    """Return where in the application an offender was made; None where nothing tells.

    The nearest span of the request that tells decides: by `code.*`, unless that names a library; by the stack trace
    that some span processors record; by that of an exception. An exception of a span above tells of the offender only
    if that failed itself: else it was thrown elsewhere. What serves the request is not asked for its exceptions at all.
    """
    for depth, span in enumerate(ancestry):
        is_entry = span["kind"] in _ENTRY_KINDS
        place = CodeLocation(function=span["code_function"], file=span["code_file"], line=span["code_line"])
        if (place.function or place.file) and is_application(place):
            return place
        stack_traces = [span["stack_trace"]]
        if not is_entry and (depth == 0 or ancestry[0]["status_code"] == _FAILED):
            stack_traces.append(span["exception_stack_trace"])
        for stack_trace in filter(None, stack_traces):
            found = application_frame(stack_trace)
            if found is not None:
                return found
        if is_entry:  # what stands above belongs to the caller, another service
            return None
    return None


def _text(value: EvidenceValue) -> str | None:
    return value if isinstance(value, str) else None


def _offender(row: dict[str, Any]) -> dict[str, object]:
    offenders: list[int] = row["offender_span_ids"]
    return {"trace_id": row["trace_id"], "span_id": offenders[0] if offenders else row["request_span_id"]}


def _request(row: dict[str, Any]) -> dict[str, object]:
    return {"trace_id": row["trace_id"], "request_span_id": row["request_span_id"]}


def _sorted_by(use: dict[str, str]) -> str:
    return f"{use['column_name']} desc" if use["direction"] == "desc" else use["column_name"]
