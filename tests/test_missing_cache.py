"""When a cache is missing: what hidden parameters allow to say, and how long the observed writes let a value live."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from traffic import SECOND, START_NS, query_spans, request_of, server_span

import tracelens

HIDDEN = "SELECT name, price FROM products WHERE category = ?"
PLAIN = "SELECT name, price FROM products WHERE category = 'tea'"
UNWRITTEN = {"ttl_s": 300.0, "writes_seen": False, "observed_s": 11.0}
WRITE = "UPDATE products SET price = 3 WHERE id = 9"


def request(
    number: int,
    text: str,
    *,
    at_s: float,
    route: str = "/products",
    url: str | None = "/products?page=1",
    method: str = "GET",
) -> bytes:
    """Return a request that runs one query, some seconds after the start."""
    start_ns = START_NS + round(at_s * SECOND)
    entry = server_span(number, route=route, duration_ms=20, start_ns=start_ns)
    entry.attributes[0].value.string_value = method
    if url:
        path, _, query = url.partition("?")
        for key, value in (("url.path", path), ("url.query", query)):
            entry.attributes.append(KeyValue(key=key, value=AnyValue(string_value=value)))
    return request_of([entry, *query_spans(number, [text], duration_ms=9, start_ns=start_ns)])


def found(*requests: bytes) -> list[tuple[str, dict[str, Any]]]:
    report = tracelens.analyze(*requests)
    return [
        (finding.confidence, dict(finding.evidence))
        for finding in report.findings
        if finding.pass_name == "missing_cache"
    ]


def reads(text: str, **others: Any) -> list[bytes]:
    return [request(number + 1, text, at_s=number, **others) for number in range(12)]


def test_equal_parameters_make_it_certain() -> None:
    ((confidence, evidence),) = found(*reads(PLAIN))
    assert confidence == "certain"
    assert evidence == {"reads": 12, "requests": 12, "hit_rate": 0.917, "saved_ms": 99.0, **UNWRITTEN}


def test_hidden_parameters_of_one_url_make_it_likely() -> None:
    ((confidence, evidence),) = found(*reads(HIDDEN))
    assert (confidence, evidence["reads"]) == ("likely", 12)


@pytest.mark.parametrize(
    "others", [{"url": None, "route": "/products/{category}"}, {"method": "POST"}], ids=["no URL", "no GET"]
)
def test_hidden_parameters_alone_tell_nothing(others: dict[str, Any]) -> None:
    assert found(*reads(HIDDEN, **others)) == []


def test_hidden_parameters_of_many_urls_tell_nothing() -> None:
    pages = [request(number + 1, HIDDEN, at_s=number, url=f"/products?page={number}") for number in range(30)]
    assert found(*pages) == []


def test_a_write_between_the_reads_keeps_it_silent() -> None:
    assert found(*reads(PLAIN), request(99, WRITE, at_s=5.5)) == []


@pytest.mark.parametrize(
    ("writes_at_s", "ttl_s"),
    [([], 300.0), ([-40], 51.0), ([100], 100.0), ([-40, 100], 51.0), ([-4000, 4000], 300.0)],
)
def test_the_lifetime_is_what_the_writes_around_the_reads_allow(writes_at_s: list[float], ttl_s: float) -> None:
    writes = [request(100 + place, WRITE, at_s=at_s) for place, at_s in enumerate(writes_at_s)]
    ((_, evidence),) = found(*reads(PLAIN), *writes)
    assert (evidence["ttl_s"], evidence["writes_seen"]) == (ttl_s, bool(writes_at_s))


def test_a_lifetime_that_no_write_allows_is_told_as_a_beginning() -> None:
    def advised(*requests: bytes) -> str:
        (finding,) = (found for found in tracelens.analyze(*requests).findings if found.pass_name == "missing_cache")
        assert finding.advice is not None
        return finding.advice.steps[1]

    assert advised(*reads(PLAIN)).startswith("No write was seen in the 11 s observed, so the data set no limit: start")
    assert advised(*reads(PLAIN), request(99, WRITE, at_s=100)).startswith("Start with 100 s: the interval between")


def test_names_alone_are_no_reads_to_cache() -> None:
    def textless(number: int) -> bytes:
        message = ExportTraceServiceRequest.FromString(request(number + 1, PLAIN, at_s=number))
        del message.resource_spans[0].scope_spans[0].spans[1].attributes[1]  # its query text
        return message.SerializeToString()

    assert found(*map(textless, range(12))) == []
