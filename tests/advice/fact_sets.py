"""Facts as the engine gives them, over every pass, framework and form of query that advice knows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tracelens.advice import AdviceFacts
from tracelens.advice.catalogue import advised_passes, pass_advice
from tracelens.advice.dialects import dialects
from tracelens.advice.frameworks import framework_entries

if TYPE_CHECKING:
    from collections.abc import Iterator

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

FORMS = (
    BY_FOREIGN_KEY,
    BY_PRIMARY_KEY,
    PLAIN_FILTER,
    LAST_FEW,
    TOTALS,
    PAGE,
    LOWERED,
    INSERT,
    UPDATE,
    DELETE,
    TABLE_ONLY,
    HTTP_CALL,
    CACHE_READ,
    NOTHING,
)
DB_SYSTEMS = ("postgresql", "mysql", "sqlite", "microsoft.sql_server", "oracle.db", "mongodb", "clickhouse", None)


def every_fact_set() -> Iterator[AdviceFacts]:
    """Every form for every pass, emitted by every framework whose kind the pass asks for, on fitting databases."""
    assert {dialect.title for dialect in dialects()}
    for pass_name in advised_passes():
        advice = pass_advice(pass_name)
        assert advice is not None
        for form in FORMS:
            facts = replace(form, pass_name=pass_name)
            for db_system in DB_SYSTEMS:
                yield replace(facts, db_system=db_system)
            for entry in framework_entries():
                if not set(entry.kinds) & {*advice.kinds, "language"} or not entry.scopes:
                    continue
                for db_system in ("postgresql", "mysql"):
                    yield replace(
                        facts,
                        db_system=db_system,
                        scope_names=(entry.scopes[0].replace("*", "1.0"),),
                        sdk_language=SDK_LANGUAGES[entry.language],
                    )
