"""Facts as the engine gives them, over every pass, framework and form of query that advice knows."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from tracelens.advice import AdviceFacts, advise
from tracelens.advice.catalogue import advised_passes, pass_advice, snippet_languages, snippets
from tracelens.advice.frameworks import framework_entries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracelens.advice.frameworks import FrameworkEntry
    from tracelens.findings import Advice

SDK_LANGUAGES = {
    "javascript": "nodejs",
    "python": "python",
    "java": "java",
    "csharp": "dotnet",
    "ruby": "ruby",
    "php": "php",
    "go": "go",
}

BY_FOREIGN_KEY = AdviceFacts(
    pass_name="n_plus_one",
    service_name="shop",
    endpoint="GET /api/users/{id}",
    subject="SELECT id, user_id, status FROM orders WHERE user_id = ? AND status = 'open'",
    tables=("orders",),
    written_tables=("orders", "order_items"),
    parent_table="users",
    filter_columns=(("user_id", "equal"), ("status", "equal")),
    selected_columns=("id", "user_id", "status"),
    constant_predicates=("status = 'open'",),
    evidence=(("repeats", 12), ("ttl_s", 45), ("hit_rate", 0.9), ("concurrency", 30), ("objective_ms", 2000.0)),
)
WHOLE_LOOKUP = replace(
    BY_FOREIGN_KEY,
    subject="SELECT id, user_id, status FROM orders WHERE user_id = ?",
    filter_columns=(("user_id", "equal"),),
    constant_predicates=(),
)
BY_PRIMARY_KEY = replace(
    BY_FOREIGN_KEY,
    subject="SELECT id, name FROM users WHERE id = ? LIMIT ?",
    tables=("users",),
    written_tables=(),
    parent_table="orders",
    filter_columns=(("id", "equal"),),
    selected_columns=("id", "name"),
    constant_predicates=(),
    has_limit=True,
    evidence=(),
)
PLAIN_FILTER = replace(
    BY_FOREIGN_KEY,
    subject="SELECT a.id FROM audit_log AS a WHERE a.actor = ? AND a.created_at > ? ORDER BY a.created_at DESC",
    tables=("audit_log",),
    parent_table=None,
    filter_columns=(("actor", "equal"), ("created_at", "range")),
    sort_columns=("created_at",),
    selected_columns=("id",),
    constant_predicates=(),
    evidence=(("ttl_s", 45),),
)
UNWRITTEN = replace(
    BY_FOREIGN_KEY, evidence=(("ttl_s", 300.0), ("writes_seen", False), ("observed_s", 11.0), ("hit_rate", 0.917))
)
LAST_FEW = replace(
    BY_FOREIGN_KEY,
    subject="SELECT * FROM orders WHERE user_id = ? ORDER BY created_at DESC LIMIT 3",
    sort_columns=("created_at desc",),
    selected_columns=(),
    constant_predicates=(),
    has_limit=True,
    limit_rows=3,
)
TOTALS = replace(BY_FOREIGN_KEY, subject="SELECT COUNT(*) FROM orders WHERE user_id = ?", constant_predicates=())
PAGE = replace(
    PLAIN_FILTER,
    subject="SELECT id, kind FROM events ORDER BY id LIMIT ? OFFSET ?",
    tables=("events",),
    filter_columns=(),
    sort_columns=("id",),
    selected_columns=("id", "kind"),
    has_limit=True,
)
LOWERED = replace(
    BY_FOREIGN_KEY,
    subject="SELECT e.id FROM events e JOIN users u ON u.id = e.user_id WHERE lower(e.ref) = lower(?)",
    tables=("events", "users"),
    filter_columns=(("ref", "other"),),
    join_columns=("id", "user_id"),
    constant_predicates=(),
)
SORTED_ONLY = replace(
    PAGE,
    subject="SELECT id FROM events ORDER BY kind",
    sort_columns=("kind",),
    selected_columns=("id",),
    has_limit=False,
)
OF_A_HOST = replace(
    BY_FOREIGN_KEY,
    subject="db-1.internal",
    endpoint="",
    tables=(),
    filter_columns=(),
    constant_predicates=(),
    evidence=(("host", "db-1.internal"), ("pool_max", 20), ("concurrency", 30)),
)
INSERT = replace(
    BY_FOREIGN_KEY,
    subject="INSERT INTO audit_log (actor, action) VALUES (?, ?)",
    tables=("audit_log",),
    parent_table=None,
    filter_columns=(),
    constant_predicates=(),
    selected_columns=(),
)
UPDATE = replace(
    INSERT,
    subject="UPDATE orders SET status = ? WHERE id = ?",
    tables=("orders",),
    filter_columns=(("id", "equal"),),
)
DELETE = replace(UPDATE, subject="DELETE FROM orders WHERE id = ?")
TABLE_ONLY = replace(
    INSERT, subject="find users", tables=("users",), endpoint="a job without a route", written_tables=(), evidence=()
)
HTTP_CALL = replace(TABLE_ONLY, subject="GET http://users:3000/api/users/{id}", tables=(), endpoint="GET /v1/feed")
CACHE_READ = replace(HTTP_CALL, subject="get banner:?")
NOTHING = AdviceFacts(pass_name="n_plus_one", service_name="", endpoint="", subject="")

QUERY_FORMS = (
    BY_FOREIGN_KEY,
    WHOLE_LOOKUP,
    BY_PRIMARY_KEY,
    PLAIN_FILTER,
    LAST_FEW,
    UNWRITTEN,
    TOTALS,
    PAGE,
    SORTED_ONLY,
    LOWERED,
    OF_A_HOST,
    INSERT,
    UPDATE,
    DELETE,
    TABLE_ONLY,
    NOTHING,
)
ON_TWO_DATABASES = (BY_FOREIGN_KEY, WHOLE_LOOKUP, PLAIN_FILTER, INSERT)
CALL_FORMS = (BY_FOREIGN_KEY, WHOLE_LOOKUP, HTTP_CALL, CACHE_READ, TABLE_ONLY, NOTHING)
DB_SYSTEMS = ("postgresql", "mysql", "sqlite", "microsoft.sql_server", "oracle.db", "mongodb", "clickhouse", None)


def every_fact_set() -> Iterator[AdviceFacts]:
    """Every form for every pass, on every database, and emitted by every framework that the pass has a snippet for."""
    for pass_name in advised_passes():
        advice = pass_advice(pass_name)
        assert advice is not None
        for form in QUERY_FORMS if "orm" in advice.kinds else CALL_FORMS:
            facts = replace(form, pass_name=pass_name)
            for db_system in DB_SYSTEMS:
                yield replace(facts, db_system=db_system)
            for entry in emitting(pass_name):
                for db_system in ("postgresql", "mysql") if form in ON_TWO_DATABASES else ("postgresql",):
                    yield emitted_by(entry.name, replace(facts, db_system=db_system))


@cache
def every_advice() -> tuple[tuple[AdviceFacts, Advice], ...]:
    """The advice for every fact set; of equal snippets one, since they are what takes time to check."""
    by_snippet = {}
    for facts in every_fact_set():
        advice = advise(facts)
        by_snippet[(facts.db_system, advice.snippet)] = (facts, advice)
    return tuple(by_snippet.values())


def emitting(pass_name: str) -> list[FrameworkEntry]:
    """The frameworks that a pass has snippets for, itself or through another pass."""
    advice = pass_advice(pass_name)
    assert advice is not None
    named = {
        snippet.framework
        for source in (pass_name, *advice.snippets_of)
        for language in snippet_languages(source)
        for snippet in snippets(source, language)
    }
    return [entry for entry in framework_entries() if entry.scopes and named & {entry.name, *entry.falls_back_to}]


def emitted_by(framework: str, facts: AdviceFacts) -> AdviceFacts:
    """The same facts from spans of a framework."""
    entry = next(entry for entry in framework_entries() if entry.name == framework)
    scope = entry.scopes[0].replace("*", "1.0")
    return replace(facts, scope_names=(scope,), sdk_language=SDK_LANGUAGES[entry.language])
