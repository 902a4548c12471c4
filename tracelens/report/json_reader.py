"""The report's JSON read back: what a running server answers becomes a `Report` again.

The text may come from another version or another program, so each value is checked as it is read, and
an error names its place. Keys that the schema does not know are passed over: the schema may grow.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar

from tracelens.errors import DamagedInputError
from tracelens.findings import (
    CONFIDENCES,
    Advice,
    BlindPass,
    ChecklistItem,
    CodeLocation,
    CoverageNote,
    Exemplar,
    Finding,
    Impact,
    Occurrences,
    QueryStatistics,
    Report,
    ServiceCoverage,
    Snippet,
    Summary,
    WaivedFinding,
)
from tracelens.report.quantities import EPOCH
from tracelens.severities import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracelens.findings import EvidenceValue, Scalar

T = TypeVar("T")

REPORT_SCHEMA: Final = "tracelens.report/1"
TOP_SCHEMA: Final = "tracelens.top/1"
CHECKLIST_STATES: Final = ("pass", "fail", "unknown")


def report_from_dict(document: Mapping[str, object]) -> Report:
    """Return the report that `report_to_dict` wrote; values are as rounded there.

    A required duration that was not finite comes back as NaN.

    Raises:
        DamagedInputError: another schema version, or a value that is missing or of the wrong kind.
    """
    report = _open(document, REPORT_SCHEMA)
    window = report.optional("window", lambda times: (times.time_ns("start"), times.time_ns("end")))
    summary = report.child("summary")
    return Report(
        window_start_ns=None if window is None else window[0],
        window_end_ns=None if window is None else window[1],
        summary=Summary(
            spans=summary.integer("spans"),
            traces=summary.integer("traces"),
            requests=summary.integer("requests"),
            services=summary.integer("services"),
        ),
        findings=report.children("findings", _finding),
        coverage=report.children("coverage", _coverage),
        checklist=report.children("checklist", _checklist_item),
        top_queries=report.children("top_queries", _query),
        waived=report.children("waived", _waived) if report.has("waived") else (),
    )


def queries_from_dict(document: Mapping[str, object]) -> tuple[QueryStatistics, ...]:
    """Return the query statistics of a document that `top --format json` wrote, in its order.

    Raises:
        DamagedInputError: another schema version, or a value that is missing or of the wrong kind.
    """
    return _open(document, TOP_SCHEMA).children("top_queries", _query)


def finding_from_dict(document: Mapping[str, object]) -> Finding:
    """Return the finding that `finding_to_dict` wrote.

    Raises:
        DamagedInputError: a value that is missing or of the wrong kind.
    """
    return _finding(_Object(document, ""))


def _open(document: object, schema: str) -> _Object:
    if not isinstance(document, Mapping):
        raise DamagedInputError(f"{schema}: expected a JSON object; is this a tracelens server's answer?")
    found = document.get("schema")
    if found != schema:
        raise DamagedInputError(
            f"{schema}: the document's schema is {found!r:.60}; use the same tracelens version on both sides"
        )
    return _Object(document, "")


class _Object:
    """A JSON object and the place where it stands, for errors."""

    def __init__(self, values: Mapping[str, object], place: str) -> None:
        self._values = values
        self._place = place

    def _refuse(self, key: str, expected: str) -> NoReturn:
        place = f"{self._place}.{key}".lstrip(".")
        found = "nothing" if key not in self._values else f"{self._values[key]!r:.60}"
        raise DamagedInputError(f"{place}: should be {expected}, found {found}; is this a tracelens server's answer?")

    def has(self, key: str) -> bool:
        return key in self._values

    def string(self, key: str) -> str:
        value = self._values.get(key)
        return value if isinstance(value, str) else self._refuse(key, "a string")

    def optional_string(self, key: str) -> str | None:
        return None if self._values.get(key) is None else self.string(key)

    def word(self, key: str, words: tuple[str, ...]) -> str:
        value = self.string(key)
        return value if value in words else self._refuse(key, f"one of {', '.join(words)}")

    def integer(self, key: str) -> int:
        value = self._values.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else self._refuse(key, "an integer")

    def optional_integer(self, key: str) -> int | None:
        return None if self._values.get(key) is None else self.integer(key)

    def optional_number(self, key: str) -> float | None:
        value = self._values.get(key)
        if value is None and key in self._values:
            return None
        if isinstance(value, int | float) and not isinstance(value, bool):
            with suppress(OverflowError):  # an integer beyond every float
                return float(value)
        return self._refuse(key, "a number or null")

    def number(self, key: str) -> float:
        value = self.optional_number(key)
        return math.nan if value is None else value

    def time_ns(self, key: str) -> int:
        try:
            moment = datetime.fromisoformat(self.string(key))
            return (moment - EPOCH) // timedelta(microseconds=1) * 1000
        except (ValueError, TypeError):  # TypeError: a time without its offset
            self._refuse(key, "an RFC 3339 time")

    def child(self, key: str) -> _Object:
        value = self._values.get(key)
        if not isinstance(value, Mapping):
            self._refuse(key, "an object")
        return _Object(value, f"{self._place}.{key}")

    def optional(self, key: str, build: Callable[[_Object], T]) -> T | None:
        return None if self._values.get(key) is None else build(self.child(key))

    def strings(self, key: str) -> tuple[str, ...]:
        value = self._values.get(key)
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            self._refuse(key, "a list of strings")
        return tuple(value)

    def children(self, key: str, build: Callable[[_Object], T]) -> tuple[T, ...]:
        value = self._values.get(key)
        if not isinstance(value, list) or not all(isinstance(each, Mapping) for each in value):
            self._refuse(key, "a list of objects")
        return tuple(build(_Object(each, f"{self._place}.{key}[{index}]")) for index, each in enumerate(value))

    def scalars(self) -> tuple[tuple[str, EvidenceValue], ...]:
        return tuple(
            (
                name,
                tuple(self._scalar(name, each) for each in value)
                if isinstance(value, list)
                else self._scalar(name, value),
            )
            for name, value in self._values.items()
        )

    def _scalar(self, name: str, value: object) -> Scalar:
        if isinstance(value, int) and abs(value) > sys.float_info.max:
            self._refuse(name, "a number that a double can hold")
        if value is None or isinstance(value, str | int | float):
            return value
        return self._refuse(name, "a string, number, boolean, null or a list of them")


def _finding(finding: _Object) -> Finding:
    occurrences, impact, exemplar = finding.child("occurrences"), finding.child("impact"), finding.child("exemplar")
    advice = finding.child("advice")
    return Finding(
        fingerprint=finding.string("fingerprint"),
        pass_name=finding.string("pass"),
        severity=finding.word("severity", SEVERITIES),
        confidence=finding.word("confidence", CONFIDENCES),
        service_name=finding.string("service_name"),
        endpoint=finding.string("endpoint"),
        subject=finding.string("subject"),
        message=finding.string("message"),
        occurrences=Occurrences(requests=occurrences.integer("requests"), spans=occurrences.integer("spans")),
        impact=Impact(
            avoidable_ms=impact.number("avoidable_ms"),
            endpoint_p95_ms=impact.optional_number("endpoint_p95_ms"),
            endpoint_p95_if_fixed_ms=impact.optional_number("endpoint_p95_if_fixed_ms"),
            endpoint_share=impact.optional_number("endpoint_share"),
        ),
        exemplar=Exemplar(
            trace_id=exemplar.string("trace_id"), offender_span_ids=exemplar.strings("offender_span_ids")
        ),
        evidence=finding.child("evidence").scalars(),
        code=finding.optional("code", _code),
        advice=Advice(
            summary=advice.string("summary"),
            steps=advice.strings("steps"),
            snippet=advice.optional("snippet", _snippet),
        ),
        first_seen_ns=finding.time_ns("first_seen"),
        last_seen_ns=finding.time_ns("last_seen"),
    )


def _waived(finding: _Object) -> WaivedFinding:
    return WaivedFinding(
        fingerprint=finding.string("fingerprint"),
        pass_name=finding.string("pass"),
        severity=finding.word("severity", SEVERITIES),
        service_name=finding.string("service_name"),
        endpoint=finding.string("endpoint"),
        subject=finding.string("subject"),
        reason=finding.string("reason"),
        expires=finding.string("expires"),
    )


def _code(code: _Object) -> CodeLocation:
    return CodeLocation(
        function=code.optional_string("function"),
        file=code.optional_string("file"),
        line=code.optional_integer("line"),
    )


def _snippet(snippet: _Object) -> Snippet:
    return Snippet(
        framework=snippet.string("framework"), language=snippet.string("language"), code=snippet.string("code")
    )


def _coverage(service: _Object) -> ServiceCoverage:
    return ServiceCoverage(
        service_name=service.string("service_name"),
        spans=service.integer("spans"),
        db_calls=service.integer("db_calls"),
        db_calls_with_text=service.integer("db_calls_with_text"),
        blind=service.children(
            "blind",
            lambda blind: BlindPass(blind.string("pass"), blind.string("why"), blind.optional_string("remedy")),
        ),
        notes=service.children(
            "notes", lambda note: CoverageNote(note.string("note"), note.string("why"), note.string("remedy"))
        )
        if service.has("notes")
        else (),
    )


def _checklist_item(item: _Object) -> ChecklistItem:
    return ChecklistItem(item=item.string("item"), state=item.word("state", CHECKLIST_STATES), why=item.string("why"))


def _query(query: _Object) -> QueryStatistics:
    return QueryStatistics(
        query_shape=query.string("query_shape"),
        db_system=query.string("db_system"),
        calls=query.integer("calls"),
        mean_ms=query.number("mean_ms"),
        p95_ms=query.number("p95_ms"),
        max_ms=query.number("max_ms"),
        total_ms=query.number("total_ms"),
        endpoints=query.strings("endpoints"),
    )
