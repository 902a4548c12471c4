"""A window of the store to a report: the model is built, every pass runs over it, their rows become findings."""

from __future__ import annotations

import hashlib
import logging
import math
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tracelens.checklist import checklist
from tracelens.coverage import service_coverage, service_facts
from tracelens.enrichment import Exemplars, code_location
from tracelens.errors import UsageError
from tracelens.findings import (
    EvidenceValue,
    Exemplar,
    Finding,
    Impact,
    Occurrences,
    QueryStatistics,
    Report,
    Summary,
    whole_percent,
)
from tracelens.model import MODEL, make_relations, model_parameters
from tracelens.pass_rows import thresholds_of
from tracelens.passes.registry import load_passes, message_names
from tracelens.report.quantities import listed
from tracelens.severities import SEVERITIES
from tracelens.sliced_model import WHOLE_SPANS, WholeModel, sliced_model
from tracelens.store.database import read_sql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tracelens.coverage import Facts
    from tracelens.model import Scope
    from tracelens.passes.registry import Pass
    from tracelens.settings import Settings
    from tracelens.sliced_model import Model
    from tracelens.store.store import Reader

_log = logging.getLogger(__name__)

_NAMED_SERVICES: Final = 20


def choose_passes(settings: Settings, names: Sequence[str]) -> tuple[Pass, ...]:
    """Return the passes to run.

    Raises:
        UsageError: a name, or a configured threshold, belongs to no pass.
    """
    passes = load_passes(settings.pass_folders)
    by_name = {entry.name: entry for entry in passes}
    for pass_name, thresholds in settings.thresholds.items():
        if pass_name not in by_name:
            raise UsageError(f"thresholds.{pass_name}: no such pass; `tracelens passes` lists them")
        for name in thresholds.keys() - {threshold.name for threshold in by_name[pass_name].thresholds}:
            raise UsageError(f"thresholds.{pass_name}.{name}: no such threshold; see `tracelens explain {pass_name}`")
    for name in names:
        if name not in by_name:
            raise UsageError(f"--pass {name}: no such pass; `tracelens passes` lists them")
    return tuple(entry for entry in passes if not names or entry.name in names)


def analyse(
    reader: Reader,
    settings: Settings,
    scope: Scope,
    on_pass: Callable[[str], None] | None = None,
    spans_at_once: int | None = None,
) -> Report:
    """Return everything there is to say about the scope.

    The same store, settings and scope give an equal report.

    Args:
        reader: gets the model as temporary tables.
        settings: thresholds and objectives.
        scope: what to analyse and show.
        on_pass: called with each pass's name before it runs, for progress.
        spans_at_once: a store with more spans is worked through in slices of about so many, None for what is
            quickest. The report is the same.

    Raises:
        UsageError: the scope or the settings name a pass, threshold or service that does not exist.
    """
    passes = [(entry, thresholds_of(entry, settings, scope)) for entry in choose_passes(settings, scope.pass_names)]
    with _model(reader, settings, scope, passes, spans_at_once) as model:
        _check_service(reader, scope)
        folded: list[tuple[Pass, dict[str, Any]]] = []
        failed: list[str] = []
        for entry, thresholds in passes:
            if on_pass:
                on_pass(entry.name)
            try:
                rows = model.rows(entry, thresholds)
            except Exception:  # noqa: BLE001  (one broken pass, a user's perhaps, must not cost the others)
                _log.exception("pass %s failed", entry.name)
                failed.append(entry.name)
            else:
                folded += [(entry, row) for row in rows if _is_shown(row, scope)]
        exemplars = Exemplars(reader, [row for _, row in folded])
        shown = [finding_of(exemplars, entry, row) for entry, row in folded]
        chosen = [entry for entry, _ in passes]
        return report_of(overview(reader, chosen, settings, scope), shown, chosen, failed)


@contextmanager
def _model(
    reader: Reader,
    settings: Settings,
    scope: Scope,
    passes: Sequence[tuple[Pass, dict[str, float]]],
    spans_at_once: int | None,
) -> Iterator[Model]:
    """Make the model of the scope's window: at once where the store is small, else slice by slice."""
    parameters = model_parameters(settings, scope)
    (stored,) = reader.rows("select count(*) as spans from span_rows")
    if stored["spans"] <= (WHOLE_SPANS if spans_at_once is None else spans_at_once):
        yield WholeModel(reader, make_relations(reader, MODEL, parameters))
    else:
        with sliced_model(reader, parameters, passes, spans_at_once) as model:
            yield model


@dataclass(frozen=True, slots=True)
class Overview:
    """What a model says besides its findings: see `summary.sql`, `coverage.sql` and `top_queries.sql`."""

    summary: Mapping[str, Any]
    facts: Sequence[Facts]
    top_queries: tuple[QueryStatistics, ...]


def overview(reader: Reader, passes: Sequence[Pass], settings: Settings, scope: Scope) -> Overview:
    """Return what the model that the reader holds says besides findings."""
    return Overview(
        summary=reader.rows(read_sql("analysis/summary.sql"))[0],
        facts=service_facts(reader, _min_requests(passes, settings, scope), scope.service_name),
        top_queries=tuple(query_statistics(reader, scope)),
    )


def report_of(seen: Overview, findings: Sequence[Finding], passes: Sequence[Pass], failed: Sequence[str]) -> Report:
    """Return the report of findings, in any order, and of what was seen besides.

    Args:
        seen: of the same model.
        findings: what the passes found.
        passes: those that ran.
        failed: the names of those among them that failed.
    """
    coverage = service_coverage(seen.facts, passes, failed)
    ordered = tuple(sorted(findings, key=urgency))
    return Report(
        window_start_ns=seen.summary["start_ns"],
        window_end_ns=seen.summary["end_ns"],
        summary=Summary(
            spans=seen.summary["spans"],
            traces=seen.summary["traces"],
            requests=seen.summary["requests"],
            services=seen.summary["services"],
        ),
        findings=ordered,
        coverage=coverage,
        checklist=checklist(ordered, passes, coverage, seen.facts),
        top_queries=seen.top_queries,
    )


def _check_service(reader: Reader, scope: Scope) -> None:
    """Refuse a service that the store has never heard of: its empty report would look like a clean bill of health."""
    if scope.service_name is None or not reader.rows("select 1 from trace_services limit 1"):
        return
    known = [row["service_name"] for row in reader.rows(read_sql("analysis/known_services.sql"))]
    if scope.service_name not in known:
        names = listed(known, _NAMED_SERVICES)
        raise UsageError(f"--service {scope.service_name}: no such service; there are: {names}")


def _min_requests(passes: Sequence[Pass], settings: Settings, scope: Scope) -> float:
    """Return with how many requests an endpoint is judged by its p95."""
    judging = [thresholds_of(entry, settings, scope) for entry in passes if entry.name == "p95_breach"]
    return judging[0]["min_requests"] if judging else 0


def query_statistics(reader: Reader, scope: Scope) -> Iterable[QueryStatistics]:
    """Return statistics of every query shape of the model, costliest first: of the calls that the scope shows."""
    shown = {"service_name": scope.service_name, "endpoint": scope.endpoint}
    for row in reader.rows(read_sql("analysis/top_queries.sql"), shown):
        yield QueryStatistics(
            query_shape=row["query_shape"],
            db_system=row["db_system"],
            calls=row["calls"],
            mean_ms=round(row["mean_ms"], 3),
            p95_ms=round(row["p95_ms"], 3),
            max_ms=round(row["max_ms"], 3),
            total_ms=round(row["total_ms"], 3),
            endpoints=tuple(row["endpoints"]),
        )


def fingerprint(pass_name: str, service_name: str, endpoint: str, subject: str) -> str:
    """Return a finding's identity, 16 hex digits: the same over runs and windows."""
    identity = f"{pass_name}\0{service_name}\0{endpoint}\0{subject}"
    return hashlib.blake2b(identity.encode(), digest_size=8).hexdigest()


def finding_of(exemplars: Exemplars, entry: Pass, row: dict[str, Any]) -> Finding:
    """Return the finding of one folded row of a pass."""
    evidence = tuple((column.name, _plain(row[column.name])) for column in entry.evidence)
    ancestry = exemplars.ancestry(row)
    service_name = row["service_name"] or "unknown_service"
    return Finding(
        fingerprint=fingerprint(entry.name, service_name, row["endpoint"], row["subject"]),
        pass_name=entry.name,
        severity=SEVERITIES[row["severity_rank"]],
        confidence=row["worst_confidence"],
        service_name=service_name,
        endpoint=row["endpoint"],
        subject=row["subject"],
        message=_message(entry, evidence),
        occurrences=Occurrences(requests=round(row["occurrence_requests"]), spans=round(row["occurrence_spans"])),
        impact=Impact(
            avoidable_ms=round(float(row["total_avoidable_ms"]), 3),
            endpoint_p95_ms=_rounded(row["endpoint_p95_ms"]),
            endpoint_p95_if_fixed_ms=_rounded(row["endpoint_p95_if_fixed_ms"]),
            endpoint_share=_rounded(row["endpoint_share"]),
        ),
        exemplar=Exemplar(
            trace_id=row["trace_id"].hex if row["trace_id"] else "",
            offender_span_ids=tuple(f"{span_id:016x}" for span_id in row["offender_span_ids"]),
        ),
        evidence=evidence,
        code=code_location(ancestry),
        advice=exemplars.advice(entry.name, service_name, row, ancestry, evidence),
        first_seen_ns=row["first_seen_ns"] or 0,
        last_seen_ns=row["last_seen_ns"] or 0,
    )


def _message(entry: Pass, evidence: Iterable[tuple[str, EvidenceValue]]) -> str:
    units = {column.name: column.unit for column in entry.evidence}
    known = {name: _readable(value, units[name]) for name, value in evidence if value is not None}
    texts = (text for text in (entry.message, *entry.other_messages) if message_names(text) <= known.keys())
    return next(texts, entry.message).format(**dict.fromkeys(units, "unknown") | known)


def _readable(value: EvidenceValue, unit: str) -> str:
    """Return a number as a reader wants it: whole from ten on, a ratio in percent, and percent rounded down."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if unit == "ratio":
        return whole_percent(value)
    if unit == "%":
        return f"{math.floor(round(value, 6))}"
    return f"{value:,.0f}" if abs(value) >= 10 or value == int(value) else f"{value:.1f}"  # noqa: PLR2004


def _plain(value: Any) -> EvidenceValue:
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, list):
        return tuple(_plain(item) for item in value)  # type: ignore[misc]  # lists in evidence are flat
    if value is None or isinstance(value, (str, int, bool)):
        return value
    return round(float(value), 3)  # a decimal


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 3)


def _is_shown(row: dict[str, Any], scope: Scope) -> bool:
    return (scope.service_name is None or row["service_name"] == scope.service_name) and (
        scope.endpoint is None or scope.endpoint in row["endpoint"]
    )


def urgency(finding: Finding) -> tuple[int, float, str]:
    """Return the key by which a report orders its findings."""
    return (-SEVERITIES.index(finding.severity), -finding.impact.avoidable_ms, finding.fingerprint)
