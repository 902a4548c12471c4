"""Hypothesis strategies for whole reports: any text, any number."""

from __future__ import annotations

from hypothesis import strategies as st

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
)
from tracelens.severities import SEVERITIES

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=30) | st.sampled_from(
    [
        "GET /users/{id}/orders",
        "select a, b, c, d, e, f, g, h, i, j, k from t where x = ? order by y limit ?",
        "\x1b[31mred\x1b[0m\r\n\x00\x07",
        "a" * 300,
        "漢字" * 60,
        "e\u0301" * 90,
        "| ` </details> <script> **x** [l](u) \n# h\n- i\n1. j\n```\n~~~\n===\n\\|",
        "\u202eabc\u2066\u200b\ufeff\ud800",
        "    indented",
        "n_plus_one",
    ]
)
"""Also lone surrogates, which no UTF-8 can carry."""

VALID_TEXT = st.text(max_size=30)
COUNTS = st.integers(min_value=0, max_value=2**53)
TIMES_NS = st.integers(min_value=0, max_value=2**64 - 1)


def reports(
    texts: st.SearchStrategy[str] = ANY_TEXT,
    numbers: st.SearchStrategy[float] | None = None,
    times_ns: st.SearchStrategy[int] = TIMES_NS,
    code: st.SearchStrategy[str] | None = None,
) -> st.SearchStrategy[Report]:
    """Return a strategy for reports; by default of any text and any number, infinite ones and NaN too."""
    amounts = st.floats() if numbers is None else numbers
    scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | amounts | texts
    names = (
        st.sampled_from(["repeats", "wait_ms", "ttl_s", "body_bytes", "hit_ratio", "cpu_percent", "calls_per_s"])
        | texts
    )
    evidence = st.dictionaries(names, scalars | st.lists(scalars, max_size=7).map(tuple), max_size=4)
    strings = st.lists(texts, max_size=3).map(tuple)
    snippets = st.builds(Snippet, framework=texts, language=texts, code=texts if code is None else code)
    findings = st.builds(
        Finding,
        fingerprint=texts,
        pass_name=texts,
        severity=st.sampled_from(SEVERITIES),
        confidence=st.sampled_from(CONFIDENCES),
        service_name=texts,
        endpoint=texts,
        subject=texts,
        message=texts,
        occurrences=st.builds(Occurrences, requests=COUNTS, spans=COUNTS),
        impact=st.builds(
            Impact,
            avoidable_ms=amounts,
            endpoint_p95_ms=st.none() | amounts,
            endpoint_p95_if_fixed_ms=st.none() | amounts,
        ),
        exemplar=st.builds(Exemplar, trace_id=texts, offender_span_ids=strings),
        evidence=evidence.map(lambda facts: tuple(facts.items())),
        code=st.none()
        | st.builds(CodeLocation, function=st.none() | texts, file=st.none() | texts, line=st.none() | COUNTS),
        advice=st.builds(Advice, summary=texts, steps=strings, snippet=st.none() | snippets),
        first_seen_ns=times_ns,
        last_seen_ns=times_ns,
    )
    queries = st.builds(
        QueryStatistics,
        query_shape=texts,
        db_system=texts,
        calls=COUNTS,
        mean_ms=amounts,
        p95_ms=amounts,
        max_ms=amounts,
        total_ms=amounts,
        endpoints=strings,
    )
    coverage = st.builds(
        ServiceCoverage,
        service_name=texts,
        spans=COUNTS,
        db_calls=COUNTS,
        db_calls_with_text=COUNTS,
        blind=st.lists(st.builds(BlindPass, pass_name=texts, why=texts, remedy=st.none() | texts), max_size=3).map(
            tuple
        ),
        notes=st.lists(
            st.builds(CoverageNote, note=texts | st.just("no_entry_spans"), why=texts, remedy=texts), max_size=3
        ).map(tuple),
    )
    states = st.sampled_from(["pass", "fail", "unknown"])
    windows = st.none() | st.tuples(times_ns, times_ns)
    return st.builds(
        lambda window, **parts: Report(*(window or (None, None)), **parts),
        window=windows,
        summary=st.builds(Summary, spans=COUNTS, traces=COUNTS, requests=COUNTS, services=COUNTS),
        findings=st.lists(findings, max_size=3).map(tuple),
        coverage=st.lists(coverage, max_size=3).map(tuple),
        checklist=st.lists(st.builds(ChecklistItem, item=texts, state=states, why=texts), max_size=3).map(tuple),
        top_queries=st.lists(queries, max_size=3).map(tuple),
    )
