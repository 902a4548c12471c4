"""What a detector must not mistake, as recordings: each a situation of its own, most with one small change."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from recorded_traces import Recording, attribute, set_attributes

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

QUERY_TEXT: Final = ("db.query.text", "db.statement")
MS: Final = 1_000_000
FASTAPI: Final = "lookalikes/py-fastapi-new"
SEQUELIZE: Final = "lookalikes/node-sequelize-old"
PRISMA: Final = "lookalikes/node-prisma-only-new"


def text_of(span: Span) -> str:
    return str(attribute(span, *QUERY_TEXT) or "")


def set_text(span: Span, text: str) -> None:
    for name in QUERY_TEXT:
        if attribute(span, name) is not None:
            set_attributes(span, **{name.replace(".", "__"): text})


def masked(span: Span) -> None:
    """Hide every literal, as many instrumentations do."""
    if text_of(span):
        set_text(span, re.sub(r"(?<![\w$\"])\d+(?![\w\"])|'[^']*'", "?", text_of(span)))


def truncated(span: Span) -> None:
    """Cut the text short before its condition ends, as a length limit does."""
    if text_of(span):
        set_text(span, text_of(span)[:60] + "...")


def answered_from_memory(span: Span) -> None:
    """Let the repeated query take 30 µs: the mapper had the row already, and still emits the span."""
    if "order_items" in text_of(span) or "order_id" in text_of(span):
        span.end_time_unix_nano = span.start_time_unix_nano + 30_000


def on_whole_milliseconds(span: Span) -> None:
    """Cut start times to the millisecond and keep durations, as JavaScript's clock does: ends move with them."""
    duration = span.end_time_unix_nano - span.start_time_unix_nano
    span.start_time_unix_nano -= span.start_time_unix_nano % MS
    span.end_time_unix_nano = span.start_time_unix_nano + duration


def apart(span: Span) -> None:
    """Move the repeated queries of a request apart, to a tenth of a second after each other: a loop that waits."""
    if "from `orders`" in text_of(span):
        at = span.start_time_unix_nano
        later = int.from_bytes(span.span_id[:2]) % 97 * 100 * MS
        span.end_time_unix_nano += later
        span.start_time_unix_nano = at + later


def clock_ahead(service: str, by_ms: int) -> Callable[[Recording], Recording]:
    """Set the clock of one service's host wrong."""

    def change(recording: Recording) -> Recording:
        copy = recording.changed(lambda _: None)
        for resource in copy.message.resource_spans:
            names = [entry.value.string_value for entry in resource.resource.attributes if entry.key == "service.name"]
            for scope in resource.scope_spans if names == [service] else ():
                for span in scope.spans:
                    span.start_time_unix_nano += by_ms * MS
                    span.end_time_unix_nano += by_ms * MS
        return copy

    return change


def linked_instead(recording: Recording) -> Recording:
    """Start a trace of its own at each CONSUMER span, with a link to the span that published."""
    traces: dict[bytes, bytes] = {}
    copy = recording.changed(lambda _: None)
    spans = list(copy.spans())
    by_id = {span.span_id: span for span in spans}

    def entry_of(span: Span | None) -> Span | None:
        while span is not None and span.kind != span.SPAN_KIND_CONSUMER:
            span = by_id.get(span.parent_span_id)
        return span

    for span in spans:
        entry = entry_of(span)
        if entry is not None:
            traces[span.span_id] = entry.span_id + entry.trace_id[8:]
    for span in spans:
        if span.kind == span.SPAN_KIND_CONSUMER and span.parent_span_id:
            span.links.add(trace_id=span.trace_id, span_id=span.parent_span_id)
            span.parent_span_id = b""
        span.trace_id = traces.get(span.span_id, span.trace_id)
    return copy


def compressed_by_an_agent(span: Span) -> None:
    """Rename what the pruning processor writes as Elastic's intake receiver writes it: the count, without durations."""
    count = attribute(span, "aggregation.span_count")
    for entry in [entry for entry in span.attributes if entry.key.startswith("aggregation.")]:
        span.attributes.remove(entry)
    if count is not None:
        set_attributes(span, span__composite__count=count, span__composite__compression_strategy="exact_match")


def without_one(recording: Recording) -> Recording:
    """Keep one repeated query of each request out of its summary, as the pruning processor keeps outliers."""
    kept: set[bytes] = set()
    chosen: set[bytes] = set()
    for span in recording.spans():
        if "items" in text_of(span) and span.trace_id not in kept:
            kept.add(span.trace_id)
            chosen.add(span.span_id)
    rest = recording.only(lambda span: span.span_id not in chosen).pruned("db.*", "url.*")
    return rest + recording.only(lambda span: span.span_id in chosen)


def situations() -> dict[str, Recording]:
    """Return every situation by its name."""
    of = Recording.of
    literal, knex = of("n_plus_one/bad"), of("stacks/express-knex-mysql2/n_plus_one_list_50__bad")
    services = of(f"{FASTAPI}/n_plus_one_http_parallel__bad")
    worker = of(f"{FASTAPI}/n_plus_one_worker_job__bad")
    repeated = of("repeated_query/bad")
    return {
        "SQLAlchemy beside psycopg": of(f"{FASTAPI}/n_plus_one_10__bad"),
        "SQLAlchemy beside psycopg, three": of(f"{FASTAPI}/n_plus_one_3__bad"),
        "Prisma's spans around each query": of(f"{PRISMA}/n_plus_one_10__bad"),
        "Hibernate over JDBC": of("stacks/spring-hibernate/n_plus_one_nested__bad"),
        "Knex over mysql2": knex,
        "connections opened in between": of(f"{FASTAPI}/n_plus_one_parallel__bad"),
        "first request of a process": of(f"{SEQUELIZE}/cold_start__control"),
        "transaction": of(f"{FASTAPI}/checkout_tx__control"),
        "literals": literal,
        "masked literals": literal.changed(masked),
        "repeated, literals": repeated,
        "repeated, masked literals": repeated.changed(masked),
        "clock of milliseconds": literal.changed(on_whole_milliseconds),
        "answered from memory": literal.changed(answered_from_memory),
        "insertmanyvalues": of(f"{FASTAPI}/batch_import__control"),
        "executemany": of(f"{FASTAPI}/insert_loop__fixed"),
        "pipeline, a span a command": of(f"{SEQUELIZE}/n_plus_one_redis_pipeline__fixed"),
        "pipeline, one span": of(f"{FASTAPI}/n_plus_one_redis_pipeline__fixed"),
        "data loader": of(f"{PRISMA}/prisma_dataloader__control"),
        "repeated, truncated": repeated.changed(truncated),
        "another service": services,
        "another service, Node": of(f"{SEQUELIZE}/n_plus_one_http_parallel__bad"),
        "another service, its clock ahead": clock_ahead("users-service", 5000)(services),
        "another service, its clock behind": clock_ahead("users-service", -37)(services),
        "another service, folded": services.pruned(),
        "worker": worker,
        "worker behind a link": linked_instead(worker),
        "mail by a worker": of(f"{FASTAPI}/sync_side_effect__fixed"),
        "resolvers": of(f"{SEQUELIZE}/n_plus_one_graphql__bad"),
        "interleaved": of(f"{FASTAPI}/n_plus_one_interleaved__bad"),
        "nested": of(f"{SEQUELIZE}/n_plus_one_nested__bad"),
        "nested, folded": of("stacks/spring-hibernate/n_plus_one_nested__bad").pruned(),
        "folded by name": knex.pruned(),
        "folded by an agent": knex.pruned().changed(compressed_by_an_agent),
        "folded but for an outlier": without_one(of("stacks/django-psycopg/n_plus_one_nested__bad")),
        "folded, SQLAlchemy beside psycopg": of(f"{FASTAPI}/n_plus_one_10__bad").pruned("db.query.text"),
        "folded writes": of("single_row_writes/bad").pruned(),
        "folded calls": of("n_plus_one_http/bad").pruned(),
        "folded resolvers": of(f"{PRISMA}/n_plus_one_10__bad").pruned("db.*", minimum=2),
        "folded long poll": of("stacks/express-knex-mysql2/long_poll__control").pruned(minimum=2),
        "folded pages": of("stacks/express-sequelize-pg/keyset_export_loop__control").pruned(),
        "folded retries": of("stacks/django-psycopg/retries_with_backoff__control").pruned(minimum=2),
        "folded pipeline": of(f"{SEQUELIZE}/n_plus_one_redis_pipeline__fixed").pruned(),
        "folded waiting": knex.changed(apart).pruned(),
    }


def together(recordings: dict[str, Recording]) -> Recording:
    """Return all situations in one recording, whose services are named `<situation>/<service>`."""
    merged = Recording(type(next(iter(recordings.values())).message)())
    for number, (name, recording) in enumerate(recordings.items(), start=1):
        merged += recording.named(name, number)
    return merged
