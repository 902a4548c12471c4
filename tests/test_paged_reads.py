"""How many rows a query skips: from its text, its parameters in every driver's form, or the URL that was asked for."""

from __future__ import annotations

import json

import tracelens

BASE_NS = 1_700_000_000_000_000_000


def attributes(values: dict[str, str]) -> list[dict[str, object]]:
    return [{"key": key, "value": {"stringValue": value}} for key, value in values.items()]


def service(name: str, text: str, recorded: dict[str, str], url: str) -> dict[str, object]:
    """A service whose one request, for the URL, runs one query of 100 ms, as OTLP JSON."""
    path, _, query = url.partition("?")
    asked = {"http.request.method": "GET", "http.route": "/events", "url.path": path, "url.query": query}
    spans = [
        {
            "traceId": name.encode().hex().rjust(32, "0"),
            "spanId": "a" * 16,
            "name": "GET /events",
            "kind": 2,
            "startTimeUnixNano": str(BASE_NS),
            "endTimeUnixNano": str(BASE_NS + 120_000_000),
            "attributes": attributes(asked),
        },
        {
            "traceId": name.encode().hex().rjust(32, "0"),
            "spanId": "b" * 16,
            "parentSpanId": "a" * 16,
            "name": "SELECT events",
            "kind": 3,
            "startTimeUnixNano": str(BASE_NS + 1_000_000),
            "endTimeUnixNano": str(BASE_NS + 101_000_000),
            "attributes": attributes({"db.system.name": "postgresql", "db.query.text": text} | recorded),
        },
    ]
    return {"resource": {"attributes": attributes({"service.name": name})}, "scopeSpans": [{"spans": spans}]}


def offsets(cases: list[tuple[str, dict[str, str], str]]) -> list[tuple[object, object, str] | None]:
    """Return (rows skipped, what shows it, confidence) for each (text, recorded parameters, URL), None where silent."""
    services = [service(f"s{number}", *case) for number, case in enumerate(cases)]
    findings = tracelens.analyze(json.dumps({"resourceSpans": services}).encode()).findings
    told = {
        finding.service_name: (
            dict(finding.evidence)["offset_rows"],
            dict(finding.evidence)["known_by"],
            finding.confidence,
        )
        for finding in findings
        if finding.pass_name == "offset_pagination"
    }
    return [told.get(f"s{number}") for number in range(len(cases))]


NUMBERED = "SELECT id FROM events WHERE kind = $1 ORDER BY id LIMIT $2 OFFSET $3"


def test_recorded_parameters_tell_the_offset() -> None:
    named = "SELECT id FROM events ORDER BY id LIMIT %(param_1)s::INTEGER OFFSET %(param_2)s::INTEGER"
    fetched = "SELECT id FROM events ORDER BY id OFFSET @__p_0 ROWS FETCH NEXT @__p_1 ROWS ONLY"
    marked = "SELECT id FROM events WHERE kind = ? ORDER BY id LIMIT ? OFFSET ?"
    cases = [
        (NUMBERED, {"db.query.parameter.2": "5000"}, "/events"),
        (NUMBERED, {"db.postgresql.values": '["click","20","5000"]'}, "/events"),
        ("SELECT id FROM events ORDER BY id OFFSET $1 LIMIT $2", {"db.postgresql.values": '["5000","20"]'}, "/events"),
        (marked, {"db.query.parameter.2": "5000"}, "/events"),
        ("SELECT id FROM events WHERE kind = ? ORDER BY id LIMIT ?, ?", {"mysql.values": "['x',5000,20]"}, "/events"),
        (named, {"db.statement.parameters": "{'param_1': 20, 'param_2': 5000}"}, "/events"),
        ("SELECT id FROM events ORDER BY id LIMIT %s OFFSET %s", {"db.statement.parameters": "(20, 5000)"}, "/events"),
        (fetched, {"db.query.parameter.__p_0": "5000", "db.query.parameter.__p_1": "20"}, "/events"),
    ]
    assert offsets(cases) == [(5000, "parameter", "certain")] * len(cases)


def test_the_text_tells_the_offset() -> None:
    texts = [
        "SELECT id FROM events ORDER BY id LIMIT 20 OFFSET 3000",
        "SELECT id FROM events ORDER BY id OFFSET 3000 ROWS FETCH NEXT 20 ROWS ONLY",
        "SELECT id FROM events ORDER BY id LIMIT 3000, 20",
    ]
    cases = [(text, dict[str, str](), "/events") for text in texts]
    assert offsets(cases) == [(3000, "text", "certain")] * len(cases)


def test_the_url_tells_what_placeholders_hide() -> None:
    queries = ["offset=5000", "kind=click&skip=5000", "page=101&per_page=50", "page%5Bnumber%5D=101&page%5Bsize%5D=50"]
    cases = [(NUMBERED, dict[str, str](), f"/events?{query}") for query in queries]
    assert offsets(cases) == [(5000, "url", "likely")] * len(cases)


def test_shallow_and_unknown_offsets_are_silent() -> None:
    cases = [
        (NUMBERED, dict[str, str](), "/events"),
        (NUMBERED, dict[str, str](), "/events?offset=40"),
        (NUMBERED, {"db.query.parameter.2": "0"}, "/events?offset=50000"),
        (NUMBERED, {"db.query.parameter.1": "40000"}, "/events"),
        ("SELECT id FROM orders WHERE user_id = $1 OFFSET $2", dict[str, str](), "/events?offset=50000"),
        ("SELECT id FROM events ORDER BY id LIMIT 20 OFFSET 40", dict[str, str](), "/events?offset=50000"),
    ]
    assert offsets(cases) == [None] * len(cases)
