"""Whole advice for the findings that a service most often has."""

from __future__ import annotations

import ast
import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracelens.advice import AdviceFacts, advise
from tracelens.advice.catalogue import advised_passes
from tracelens.findings import Advice, Snippet

from .fact_sets import LAST_FEW, PAGE, PLAIN_FILTER, WHOLE_LOOKUP, emitted_by
from .test_snippets_parse import parses_as_sql


def snippet_for(pass_name: str, facts: AdviceFacts, framework: str, db_system: str = "postgresql") -> Snippet | None:
    return advise(emitted_by(framework, replace(facts, pass_name=pass_name, db_system=db_system))).snippet


def test_n_plus_one_names_the_models_of_the_query() -> None:
    facts = emitted_by("sequelize", replace(WHOLE_LOOKUP, db_system="postgresql"))
    steps = """
Find the code that lists users and then reads orders by user_id in a loop, a serializer, a template or a resolver.
Ask for the related rows where the list is loaded, so that the ORM joins them or fetches them with one IN query; \
without an ORM, collect the user_id values and query once.
Check that orders has an index that starts with user_id; the batched query needs it as much as the single one did.
For very long lists, send the keys in chunks of about 1000: parameter limits and plan quality both suffer beyond that.
Keep it fixed: assert the number of queries of GET /api/users/{id} in a test.
"""
    assert advise(facts) == Advice(
        summary="Load the orders of all users in one query instead of one query per row.",
        steps=tuple(steps.strip().split("\n")),
        snippet=Snippet(
            "sequelize",
            "javascript",
            "const users = await User.findAll({\n"
            "  include: [{ model: Order }], // add `as` where the association User -> Order has an alias\n"
            "});",
        ),
    )


def test_sequelize_is_known_by_its_sql_where_only_pg_is_instrumented() -> None:
    text = 'SELECT "id", "user_id" FROM "orders" AS "Order" WHERE "Order"."user_id" = ?'
    snippet = snippet_for("n_plus_one", replace(WHOLE_LOOKUP, subject=text), "pg")
    assert snippet is not None
    assert snippet.framework == "sequelize"


def test_prose_says_a_table_without_quotes_and_without_the_usual_schema() -> None:
    facts = replace(WHOLE_LOOKUP, tables=('"public"."orders"',), db_system="postgresql")
    assert advise(facts).summary == "Load the orders of all users in one query instead of one query per row."
    facts = replace(facts, tables=("sales.orders",))
    assert advise(facts).summary == "Load the sales.orders of all users in one query instead of one query per row."


def test_a_driver_gets_the_query_itself_with_its_own_markers() -> None:
    assert snippet_for("n_plus_one", WHOLE_LOOKUP, "psycopg") == Snippet(
        "psycopg",
        "python",
        "rows = connection.execute(\n"
        '    """\n'
        "    SELECT id, user_id, status FROM orders WHERE user_id = ANY(%s)\n"
        '    """,\n'
        "    [user_ids],\n"
        ").fetchall()",
    )


def test_a_limit_per_parent_is_kept() -> None:
    assert snippet_for("n_plus_one", LAST_FEW, "prisma") == Snippet(
        "prisma",
        "javascript",
        "const users = await prisma.user.findMany({\n"
        "  include: { orders: { orderBy: { createdAt: 'desc' }, take: 3 } },\n"
        "});",
    )


def test_slow_query_is_explained_and_indexed() -> None:
    advice = advise(replace(PLAIN_FILTER, pass_name="slow_query", db_system="postgresql"))
    assert advice.summary == (
        "Read the plan of this query on audit_log, then serve its conditions on actor and created_at from an index."
    )
    assert advice.snippet == Snippet(
        "sql",
        "sql",
        "-- 1. The plan, with real parameter values:\n"
        "EXPLAIN (ANALYZE, BUFFERS)\n"
        "SELECT a.id FROM audit_log AS a WHERE a.actor = $1 AND a.created_at > $2 ORDER BY a.created_at DESC;\n"
        "\n"
        "-- 2. The index for actor and created_at, before and after which the plan is to be compared:\n"
        "CREATE INDEX CONCURRENTLY idx_audit_log_actor_created_at ON audit_log (actor, created_at);",
    )


def test_the_cache_has_the_ttl_that_the_evidence_allows() -> None:
    facts = emitted_by("django", replace(WHOLE_LOOKUP, pass_name="missing_cache", db_system="postgresql"))
    advice = advise(facts)
    assert advice.summary == (
        "Cache this read of orders with a TTL of 45 s; 90 % of the calls seen would have been hits."
    )
    assert "Delete the key after every write to orders and order_items commits" in advice.steps[2]
    assert advice.snippet == Snippet(
        "django",
        "python",
        "def cached_orders(user_id):\n"
        "    return cache.get_or_set(\n"
        '        f"orders:user_id:{user_id}",\n'
        "        lambda: list(Order.objects.filter(user_id=user_id)),\n"
        "        timeout=45,\n"
        "    )\n"
        "\n"
        "\n"
        "@receiver([post_save, post_delete], sender=Order)\n"
        "def forget_orders(instance, **kwargs):\n"
        '    cache_key = f"orders:user_id:{instance.user_id}"\n'
        "    transaction.on_commit(lambda: cache.delete(cache_key))",
    )


def test_a_read_with_further_conditions_is_not_cached_under_one_key() -> None:
    snippet = snippet_for("missing_cache", PLAIN_FILTER, "sequelize")
    assert snippet is not None
    assert snippet.framework == "javascript"
    assert snippet.code.startswith("// The key holds everything that the query depends on.")
    assert "actor" not in snippet.code


def test_paging_keeps_the_direction_of_the_order() -> None:
    snippet = snippet_for("offset_pagination", PLAIN_FILTER, "efcore")
    assert snippet == Snippet(
        "efcore",
        "csharp",
        "// last: the last row seen.\n"
        "var auditLogs = await context.AuditLogs\n"
        "    .Where(row => row.CreatedAt < last.CreatedAt\n"
        "        || (row.CreatedAt == last.CreatedAt && row.Id < last.Id))\n"
        "    .OrderByDescending(row => row.CreatedAt)\n"
        "    .ThenByDescending(row => row.Id)\n"
        "    .Take(limit)\n"
        "    .AsNoTracking()\n"
        "    .ToListAsync();",
    )


def test_without_a_framework_there_is_sql_and_without_sql_the_shell() -> None:
    page = replace(PAGE, pass_name="offset_pagination")
    assert advise(replace(page, db_system="mysql")).snippet == Snippet(
        "sql",
        "sql",
        "-- The added parameters are the sort values of the last row of the page before.\n"
        "SELECT id, kind FROM events WHERE id > ? ORDER BY id LIMIT ?;",
    )
    assert advise(replace(page, db_system="mongodb")).snippet == Snippet(
        "mongosh",
        "javascript",
        "db.getCollection('events').find({ _id: { $gt: cursor } }).sort({ _id: 1 }).limit(20);",
    )
    assert advise(replace(page, db_system="redis")).snippet is None


@pytest.mark.parametrize(
    "subject", ["SELECT id FROM orders WHERE user_id = ? AND note = 'a...", "", "\x00", "(" * 5000]
)
def test_text_that_does_not_parse_still_gets_advice_by_name(subject: str) -> None:
    facts = emitted_by("sequelize", replace(WHOLE_LOOKUP, subject=subject, db_system="postgresql"))
    snippet = advise(facts).snippet
    assert snippet is not None
    assert "User.findAll" in snippet.code


def test_a_strange_name_goes_into_sql_quoted_and_into_code_not_at_all() -> None:
    table = 'orders"; DROP TABLE users; --'
    quoted = '"' + table.replace('"', '""') + '"'
    text = f"SELECT * FROM {quoted} WHERE user_id = ?"  # noqa: S608 - parsed, never run
    facts = replace(WHOLE_LOOKUP, tables=(table,), parent_table=None, subject=text)
    snippet = snippet_for("n_plus_one", facts, "sequelize")
    assert snippet == Snippet(
        "sql",
        "sql",
        f"-- Once for all keys, in place of once per user_id:\nSELECT * FROM {quoted} WHERE user_id = ANY($1);",
    )


NAMES = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ['a"b', "a`b", "a'b", "a;b", "--", "${x}", "#{x}", "{{model}}", "class", "é", "select", "a\nb", "SQL"]
    ),
    st.from_regex(r"[a-z_]{1,12}(\.[a-z]{1,8})?", fullmatch=True),
)


@st.composite
def strange_facts(draw: st.DrawFn) -> AdviceFacts:
    """Facts of a query whose names are anything that a database lets an application call them."""
    table, column, sort = draw(NAMES), draw(NAMES), draw(NAMES)
    db_system = draw(st.sampled_from(["postgresql", "mysql", "sqlite", "microsoft.sql_server", "mongodb", None]))
    mark = "`" if db_system == "mysql" else '"'
    names = [mark + name.replace(mark, mark * 2) + mark for name in (table, column, sort)]
    forms = (
        "SELECT {1}, id FROM {0} WHERE {1} = ? ORDER BY {2} LIMIT ? OFFSET ?",
        "UPDATE {0} SET {2} = ? WHERE {1} = ?",
        "INSERT INTO {0} ({1}) VALUES (?)",
        "{0} {1}",
    )
    framework = draw(
        st.sampled_from(["sequelize", "pg", "sqlalchemy", "django", "psycopg", "efcore", "gorm", "laravel"])
    )
    facts = AdviceFacts(
        pass_name=draw(st.sampled_from(advised_passes())),
        service_name=draw(NAMES),
        endpoint="GET /" + draw(NAMES),
        subject=draw(st.sampled_from(forms)).format(*names),
        db_system=db_system,
        tables=(table,),
        written_tables=(draw(NAMES),),
        parent_table=draw(st.none() | NAMES),
        filter_columns=((column, draw(st.sampled_from(["equal", "in", "range", "like", "null_check", "other"]))),),
        sort_columns=(sort,),
        selected_columns=(column, draw(NAMES)),
        constant_predicates=(f"{draw(NAMES)} = 1",),
        has_limit=draw(st.booleans()),
        evidence=(("ttl_s", draw(st.floats() | st.integers() | NAMES)), ("concurrency", draw(st.floats()))),
    )
    return emitted_by(framework, facts)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(strange_facts())
def test_no_name_breaks_advice_or_its_snippet(facts: AdviceFacts) -> None:
    advice = advise(facts)
    assert all(text.isprintable() for text in (advice.summary, *advice.steps))
    json.dumps([advice.summary, advice.steps])
    if advice.snippet is None:
        return
    if advice.snippet.language == "python":
        compile(advice.snippet.code, "snippet", "exec", flags=ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    if advice.snippet.language == "sql":
        assert parses_as_sql(advice.snippet.code, facts.db_system), advice.snippet.code
