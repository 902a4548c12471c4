"""What a report says of the data it rests on: silence must never read as health, and every gap says what closes it.

Each scene is a service of its own, and all of them are analysed together.
"""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span
from span_requests import START_NS, key_values, span

import tracelens
from tracelens.checklist import checklist
from tracelens.coverage import service_coverage, service_facts
from tracelens.model import Scope, build_model
from tracelens.passes.registry import load_passes
from tracelens.report.terminal import render_terminal
from tracelens.settings import Settings
from tracelens.sources import load_files
from tracelens.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracelens.findings import ServiceCoverage

SERVER, CLIENT, INTERNAL, CONSUMER = (
    Span.SPAN_KIND_SERVER,
    Span.SPAN_KIND_CLIENT,
    Span.SPAN_KIND_INTERNAL,
    Span.SPAN_KIND_CONSUMER,
)
MS: Final = 1_000_000
KNEX: Final = "@opentelemetry/instrumentation-knex"
PG: Final = "@opentelemetry/instrumentation-pg"

_numbers = count(1)
_requests: list[bytes] = []


def scene(*spans: Span, scope: str = "test", language: str | None = None) -> str:
    """A service with these spans; its name."""
    name = f"service-{len(_requests)}"
    attributes = {"service.name": name} | ({"telemetry.sdk.language": language} if language else {})
    scoped = ScopeSpans(scope=InstrumentationScope(name=scope), spans=spans)
    resource = Resource(attributes=key_values(attributes))
    message = ExportTraceServiceRequest(resource_spans=[ResourceSpans(resource=resource, scope_spans=[scoped])])
    _requests.append(message.SerializeToString())
    return name


def made(
    kind: Span.SpanKind.ValueType,
    attributes: Mapping[str, Any],
    *,
    below: Span | None = None,
    start_ms: float = 0,
    duration_ms: float = 10,
    **fields: Any,
) -> Span:
    """A span of its own trace, or below another; its start is in milliseconds from its parent's."""
    start_ns = (below.start_time_unix_nano if below else START_NS) + round(start_ms * MS)
    parent = {"trace_id": below.trace_id, "parent_span_id": below.span_id} if below else {}
    times = {"start_time_unix_nano": start_ns, "end_time_unix_nano": start_ns + round(duration_ms * MS)}
    return span(next(_numbers), attributes, kind=kind, **times | parent | fields)


def served(route: str | None = "/orders", **options: Any) -> Span:
    attributes: dict[str, Any] = {"http.request.method": "GET", "url.path": "/orders", "http.response.status_code": 200}
    attributes |= {"http.route": route} if route else {}
    return made(SERVER, attributes | options.pop("attributes", {}), name="GET", **options)


def query(below: Span | None, text: str = "select id from orders where user_id = $1", **options: Any) -> Span:
    attributes = {"db.system.name": "postgresql", "db.query.text": text} | options.pop("attributes", {})
    return made(CLIENT, attributes, below=below, start_ms=options.pop("start_ms", 1), duration_ms=2, **options)


class Seen:
    """What is said of scenes: of one alone, or of several together."""

    def __init__(self) -> None:
        self._passes = load_passes()
        store = Store(None)
        load_files(store, _requests, pytest.fail)
        with store.reader() as reader:
            build_model(reader, Settings(), Scope(from_files=True))
            self._facts = {row["service_name"]: row for row in service_facts(reader, 5, None)}
        store.close()

    def service(self, name: str) -> ServiceCoverage:
        (found,) = service_coverage([self._facts[name]], self._passes, ())
        return found

    def notes(self, name: str) -> dict[str, str]:
        return {note.note: note.why for note in self.service(name).notes}

    def remedy(self, name: str, note: str) -> str:
        return next(found.remedy for found in self.service(name).notes if found.note == note)

    def item(self, item: str, *names: str) -> tuple[str, str]:
        """The checklist's word on an item, where no pass found anything."""
        facts = [self._facts[name] for name in names]
        coverage = service_coverage(facts, self._passes, ())
        found = checklist((), self._passes, coverage, facts)
        return next((entry.state, entry.why) for entry in found if entry.item == item)


@pytest.fixture(scope="module")
def seen() -> Seen:
    return Seen()


def healthy(requests: int = 20, **options: Any) -> list[Span]:
    """Requests with a query each, of which nothing is to be said."""
    entries = [served(**options) for _ in range(requests)]
    return [*entries, *(query(entry) for entry in entries)]


HEALTHY = scene(*healthy())
MIXED = [served(trace_state="ot=th:c" if number < 3 else "") for number in range(20)]
SAMPLED = scene(*MIXED, *(query(entry) for entry in MIXED))
LOST = made(INTERNAL, {}, parent_span_id=b"\1" * 8)
PIECES = scene(*healthy(), LOST, query(LOST))
UNSEEN_CALLERS = scene(*healthy(parent_span_id=b"\1" * 8))
MISSING = {"http.request.method": "GET", "url.path": "/x", "http.response.status_code": 404}
NO_ROUTE = scene(*healthy(), *healthy(7, route=None), made(SERVER, MISSING, name="GET"), language="nodejs")
LONG = healthy()
CUT_OFF = scene(
    *LONG, *(query(LONG[0], "select id from orders where id in (" + "1, " * 30 + "..") for _ in range(3)), scope=KNEX
)
SHOWING = healthy()
PARTLY_HIDDEN = scene(*SHOWING, query(SHOWING[0], attributes={"db.query.parameter.0": "17"}), scope=PG)
FEW = scene(*healthy(4))
ENTRIES_ALONE = scene(*(served() for _ in range(20)), language="python")
CALLS_ALONE = scene(*(query(None) for _ in range(20)))
KNOWN = [served() for _ in range(30)]
HEALTHY_KNOWN = scene(*KNOWN, *(query(entry, f"select id from orders where id = {n}") for n, entry in enumerate(KNOWN)))  # noqa: S608 - never run
KNOWN_CALLS_ALONE = scene(*(query(None, f"select id from orders where id = {n}") for n in range(30)))  # noqa: S608 - never run
SLOW_ENTRY = served(duration_ms=3_100)
SLOW_TEXT = {"db.system.name": "postgresql", "db.query.text": "select id from orders where user_id = $1"}
SLOW_ONCE = scene(SLOW_ENTRY, made(CLIENT, SLOW_TEXT, below=SLOW_ENTRY, duration_ms=3_000))
MESSAGES = [made(CONSUMER, {"messaging.system": "kafka"}, name="orders process") for _ in range(20)]
CONSUMER_ALONE = scene(*MESSAGES, *(query(message) for message in MESSAGES))


def test_good_data_has_no_notes(seen: Seen) -> None:
    assert seen.notes(HEALTHY) == {}


@pytest.mark.parametrize(
    ("name", "notes"),
    [
        (SAMPLED, {"sampled": "3 of 20 requests were sampled, each standing for 4 on average: counts, costs and p95"}),
        (PIECES, {"lost_parents": "1 of 21 requests are pieces of others whose parent span never came"}),
        (UNSEEN_CALLERS, {"unseen_callers": "the callers of 20 of 20 requests sent no spans here"}),
        (NO_ROUTE, {"no_route": "7 of 27 HTTP requests name no route (http.route)", "few_requests": ""}),
        (CUT_OFF, {"truncated_query_text": "the text of 3 of 23 queries is cut off"}),
        (PARTLY_HIDDEN, {"hidden_parameters": "the parameters of 20 of 21 queries are hidden"}),
        (FEW, {"few_requests": "endpoints with fewer than 5 requests, which p95_breach does not judge: 1 of 1"}),
        (ENTRIES_ALONE, {"no_spans_below": "no span stands below any of 20 requests"}),
        (CALLS_ALONE, {"no_entry_spans": "none of 20 spans shows a request being served or a message being consumed"}),
        (CONSUMER_ALONE, {}),
    ],
)
def test_what_is_wrong_with_the_data(seen: Seen, name: str, notes: dict[str, str]) -> None:
    found = seen.notes(name)
    assert found.keys() == notes.keys()
    for note, start in notes.items():
        assert found[note].startswith(start)


@pytest.mark.parametrize(
    ("name", "note", "remedy"),
    [
        (SAMPLED, "sampled", "OTEL_TRACES_SAMPLER=parentbased_always_on"),
        (NO_ROUTE, "no_route", "instrumentation-express"),
        (CUT_OFF, "truncated_query_text", "raise maxQueryLength in instrumentation-knex"),
        (PARTLY_HIDDEN, "hidden_parameters", "enhancedDatabaseReporting: true"),
        (ENTRIES_ALONE, "no_spans_below", "opentelemetry-instrument"),
    ],
)
def test_what_mends_it(seen: Seen, name: str, note: str, remedy: str) -> None:
    assert remedy in seen.remedy(name, note)


@pytest.mark.parametrize(
    ("hint", "name"),
    [
        (hint, scene(*healthy(attributes={hint: 10})))
        for hint in ("sampler.param", "SampleRate", "sampling.probability", "microsoft.sample_rate")
    ],
)
def test_sampling_that_nothing_counts_with_is_told(seen: Seen, hint: str, name: str) -> None:
    assert seen.notes(name)["sampled_elsewhere"].startswith("20 of 20 requests"), hint


def called(start_ms: float, duration_ms: float) -> str:
    """A service that is called 20 times; its first answer is given at these times of the call."""
    entries = [served(duration_ms=100) for _ in range(20)]
    url = {"http.request.method": "GET", "url.full": "http://users/u"}
    calls = [made(CLIENT, url, below=entry, duration_ms=30) for entry in entries]
    scene(*entries, *calls)
    answers = [served("/u", below=call, start_ms=1, duration_ms=20) for call in calls[1:]]
    answers.append(served("/u", below=calls[0], start_ms=start_ms, duration_ms=duration_ms))
    return scene(*answers, *(query(answer) for answer in answers))


@pytest.mark.parametrize(("name", "worst"), [(called(-41, 20), "41 ms"), (called(45, 20), "35 ms")])
def test_clocks_that_differ_are_told(seen: Seen, name: str, worst: str) -> None:
    start = f"1 of 20 requests begin before, or end after, the call that made them, by up to {worst}"
    assert seen.notes(name)["clock_skew"].startswith(start)


@pytest.mark.parametrize(
    "name",
    [called(-9, 20), called(19, 20), called(5, 2_000)],
    ids=["a little early", "a little late", "worked on when its caller had given up"],
)
def test_what_is_no_skew(seen: Seen, name: str) -> None:
    assert seen.notes(name) == {}


def with_below(attributes: Mapping[str, Any], name: str, scope: str) -> str:
    entries = [served() for _ in range(20)]
    kind = CLIENT if attributes else INTERNAL
    return scene(*entries, *(made(kind, attributes, below=entry, name=name) for entry in entries), scope=scope)


@pytest.mark.parametrize(
    "name",
    [
        with_below({}, "Session.find shop.User", "io.opentelemetry.hibernate-6.0"),
        with_below({"db.system.name": "postgresql"}, "pg.connect", PG),
    ],
    ids=["a mapper", "connections"],
)
def test_a_database_whose_queries_do_not_show(seen: Seen, name: str) -> None:
    assert "silent_database" in seen.notes(name)


def test_a_consumer_needs_no_server_spans(seen: Seen) -> None:
    blind = {found.pass_name for found in seen.service(CONSUMER_ALONE).blind}
    assert not blind & {"p95_breach", "serial_calls", "pool_wait"}


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        (scene(*healthy(), scope=scope, language=language), remedy)
        for language, scope, remedy in (
            ("nodejs", "@opentelemetry/instrumentation-http", "headersToSpanAttributes"),
            (
                "python",
                "opentelemetry.instrumentation.flask",
                "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_RESPONSE",
            ),
            ("java", "io.opentelemetry.tomcat-10.0", "OTEL_INSTRUMENTATION_HTTP_SERVER_CAPTURE_RESPONSE_HEADERS"),
            ("ruby", "OpenTelemetry::Instrumentation::Rack", "allowed_response_headers"),
            ("php", "io.opentelemetry.contrib.php.slim", "OTEL_PHP_INSTRUMENTATION_HTTP_RESPONSE_HEADERS"),
            ("rust", "opentelemetry-rust", "let the HTTP instrumentation record Cache-Control"),
        )
    ],
)
def test_a_remedy_speaks_the_service_s_language(seen: Seen, name: str, remedy: str) -> None:
    (found,) = (blind for blind in seen.service(name).blind if blind.pass_name == "missing_http_cache")
    assert found.why == "no response header on any SERVER span"
    assert remedy in (found.remedy or "")


def test_every_gap_says_what_closes_it() -> None:
    """Also in the words of each language and instrumentation, whose patterns must compile."""
    for name in ("needs.toml", "notes.toml"):
        document = tomllib.loads(files("tracelens.passes").joinpath(name).read_text(encoding="utf-8"))
        for key, entry in document.items():
            assert entry["why"], key
            assert entry.get("remedy") or entry.get("mended_as"), key
            for way in entry.get("by", ()):
                assert way.keys() in ({"language", "remedy"}, {"scope", "remedy"}), key
                re.compile(way.get("scope", ""))


def test_the_checklist_passes_only_on_evidence(seen: Seen) -> None:
    judged = {
        name: seen.item(name, HEALTHY)
        for name in tomllib.loads(files("tracelens.passes").joinpath("checklist.toml").read_text(encoding="utf-8"))
    }
    assert {name: verdict for name, verdict in judged.items() if verdict[0] != "unknown"} == {
        "no_n_plus_one": ("pass", "none of 20 database calls in 20 requests repeats a query once per row"),
        "query_logging": ("pass", "20 of 20 database calls carry their query text"),
    }


def test_a_few_requests_pass_nothing(seen: Seen) -> None:
    assert seen.item("no_n_plus_one", FEW) == ("unknown", "4 requests are too few to tell")


def test_calls_that_belong_to_no_request_show_no_request(seen: Seen) -> None:
    alone = "no span shows a request that the database calls belong to"
    for item in ("no_n_plus_one", "cache_for_frequent_data"):
        assert seen.item(item, KNOWN_CALLS_ALONE) == ("unknown", alone)
        assert seen.item(item, HEALTHY_KNOWN)[0] == "pass"
        assert seen.item(item, HEALTHY_KNOWN, KNOWN_CALLS_ALONE) == ("unknown", f"{KNOWN_CALLS_ALONE}: {alone}")


def test_a_slow_query_is_not_called_fast(seen: Seen) -> None:
    state, why = seen.item("indexed_filters_and_sorts", SLOW_ONCE)
    assert state == "unknown"
    assert why == (
        "queries that filter or sort: 1, the slowest in 3.00 s; none is slow so regularly that an index must be "
        "missing, but spans do not show indexes: run EXPLAIN on the top queries"
    )


NO_DATABASE = with_below({}, "work", "test")
TEXTLESS = with_below({"db.system.name": "postgresql", "db.operation.name": "SELECT"}, "SELECT", "test")


def test_one_blind_service_keeps_an_item_unknown(seen: Seen) -> None:
    assert seen.item("no_n_plus_one", HEALTHY, NO_DATABASE) == ("unknown", f"{NO_DATABASE}: no database span")


def test_query_logging_is_judged_service_by_service(seen: Seen) -> None:
    why = f"database calls without query text: 20 of 20 in {TEXTLESS}"
    assert seen.item("query_logging", HEALTHY, TEXTLESS) == ("fail", why)


POOLING = healthy()
CHECKOUT = {"db.system.name": "postgresql"}
POOLED = scene(
    *POOLING, *(made(CLIENT, CHECKOUT, below=entry, duration_ms=0.1, name="pg-pool.connect") for entry in POOLING[:20])
)


def test_a_pool_that_opens_nothing(seen: Seen) -> None:
    why = "connections opened for 20 requests: 0; and none waited long for one"
    assert seen.item("connection_pooling", POOLED) == ("pass", why)


KEYSET = "select id from orders where id > $1 order by id limit $2"
OFFSET = "select id from orders order by id limit 20 offset 40"
DEPTH = (
    "20 reads page by OFFSET, at most 40 rows deep where that shows: "
    "cheap so far, but nothing bounds how far clients may go"
)


def also_asking(*texts: str) -> str:
    spans = healthy()
    return scene(*spans, *(query(entry, text, start_ms=4) for entry in spans[:20] for text in texts))


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        (also_asking(KEYSET), ("pass", "20 reads page by key, none by OFFSET")),
        (also_asking(KEYSET, OFFSET), ("unknown", DEPTH)),
        (HEALTHY, ("unknown", "no query that pages was seen")),
    ],
    ids=["by key", "by both", "not at all"],
)
def test_cursor_pagination(seen: Seen, name: str, verdict: tuple[str, str]) -> None:
    assert seen.item("cursor_pagination", name) == verdict


def with_redis(*texts: str) -> str:
    spans = healthy()
    spans += [
        made(CLIENT, {"db.system.name": "redis", "db.query.text": text}, below=spans[0], start_ms=4, duration_ms=1)
        for text in texts
    ]
    return scene(*spans)


@pytest.mark.parametrize(
    ("name", "state"),
    [
        (with_redis("SETEX user:1 60 ?"), "pass"),
        (with_redis("set user:1 [3 other arguments]"), "pass"),
        (with_redis("SET ? ? ? ?"), "pass"),
        (with_redis("SET user:1 value EX 60"), "pass"),
        (with_redis("SET user:1 ?"), "unknown"),
        (with_redis("set user:1 [1 other arguments]", "SETEX user:1 60 ?"), "unknown"),
        (with_redis("GET user:1"), "unknown"),
    ],
)
def test_lifetimes_in_a_cache(seen: Seen, name: str, state: str) -> None:
    assert seen.item("sensible_ttls", name)[0] == state


@pytest.mark.parametrize(
    ("item", "name"),
    [
        (item, scene(*healthy(attributes=attributes)))
        for item, attributes in (
            ("rate_limiting", {"http.response.status_code": 429}),
            ("rate_limiting", {"http.response.header.x-ratelimit-remaining": ["3"]}),
            ("field_selection", {"url.query": "page=2&fields=id,total"}),
            ("field_selection", {"http.route": "/graphql"}),
            ("http_cache", {"http.response.header.etag": ['"a"']}),
            (
                "compression",
                {"http.response.header.content-encoding": ["gzip"], "http.response.header.content-length": ["900"]},
            ),
        )
    ],
)
def test_what_answers_show(seen: Seen, item: str, name: str) -> None:
    assert seen.item(item, HEALTHY)[0] == "unknown"
    assert seen.item(item, name)[0] == "pass"


def calling(**options: Any) -> str:
    spans = healthy()
    url = {"http.request.method": "GET", "url.full": "http://users/u"}
    return scene(*spans, made(CLIENT, url, below=spans[0], duration_ms=5, **options))


GIVEN_UP = calling(status={"code": 2, "message": "timeout of 500ms exceeded"})
ANSWERED = calling()


def test_a_call_that_was_given_up_shows_a_timeout(seen: Seen) -> None:
    assert seen.item("timeouts", GIVEN_UP) == ("pass", "calls that were given up after their time-out: 1")
    assert seen.item("timeouts", ANSWERED)[0] == "unknown"


def one_request_each(*spans: Span) -> bytes:
    scene(*spans)
    return _requests.pop()


def test_a_report_over_calls_alone_says_so() -> None:
    text = render_terminal(tracelens.analyze(one_request_each(*(query(None) for _ in range(20)))), width=120)
    assert "No span shows a request being served" in text
    assert "That is not a clean bill of health" in text


def test_a_failed_item_names_the_finding() -> None:
    spans = healthy(5)
    spans += [
        query(entry, f"select name from users where id = {number}", start_ms=4 + number * 3)  # noqa: S608 - never run
        for entry in spans[:5]
        for number in range(6)
    ]
    found = tracelens.analyze(one_request_each(*spans)).checklist
    (why,) = (item.why for item in found if item.item == "no_n_plus_one" and item.state == "fail")
    assert why.startswith("n_plus_one on GET /orders: ")


def prisma(rows_on: str) -> list[Span]:
    """Queries as Prisma 6 with a driver adapter emits them: their rows stand on a span of their own."""
    entries = [served(f"/{rows_on}", duration_ms=50) for _ in range(5)]
    spans = list(entries)
    text = {"db.query.text": "SELECT * FROM orders", "db.system": "postgresql"}
    rows = {"db.response.returned_rows": 4_000}
    for entry in entries:
        outer = made(CLIENT, text, below=entry, duration_ms=20, name="prisma:engine:db_query")
        spans += [outer, made(CLIENT, rows, below=outer, start_ms=10, name="prisma:engine:js:query:result")]
        if rows_on == "parent":
            continue
        args = {"prisma.db_query.params.count": 0}
        sql = made(CLIENT, text, below=outer, start_ms=1, duration_ms=8, name="prisma:engine:js:query:sql")
        spans += [made(CLIENT, args, below=outer, name="prisma:engine:js:query:args"), sql]
        if rows_on == "outer":
            spans.append(made(CLIENT, text, below=sql, start_ms=1, duration_ms=6, name="pg.query:SELECT shop"))
    return spans


def test_rows_that_a_span_of_its_own_counts() -> None:
    kinds = ("sibling", "parent", "outer")
    report = tracelens.analyze(*(one_request_each(*prisma(kind)) for kind in kinds))
    assert sum(service.db_calls for service in report.coverage) == 15
    findings = {found.endpoint: found for found in report.findings if found.pass_name == "over_fetching"}
    assert findings.keys() == {f"GET /{kind}" for kind in kinds}
    for found in findings.values():
        assert found.confidence == "certain"
        assert dict(found.evidence)["rows"] == 4_000
