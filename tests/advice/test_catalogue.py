"""What every pass's advice must have, and that every passage written is one that some finding gets."""

from __future__ import annotations

import pytest

from tracelens.advice import AdviceFacts, advise
from tracelens.advice.catalogue import Passage, advised_passes, pass_advice, snippet_languages, snippets
from tracelens.advice.frameworks import candidates, framework_entries
from tracelens.advice.render import PLACEHOLDER, first_rendered
from tracelens.advice.sql_values import SQL_PLACEHOLDERS
from tracelens.advice.values import CONDITIONS, Values

from .fact_sets import every_fact_set

CONTRACT_PASSES = [
    "blocking_side_effect",
    "connection_churn",
    "db_cpu",
    "excessive_fanout",
    "missing_cache",
    "missing_http_cache",
    "missing_index",
    "n_plus_one",
    "n_plus_one_cache",
    "n_plus_one_http",
    "n_plus_one_messaging",
    "offset_pagination",
    "over_fetching",
    "p95_breach",
    "pool_wait",
    "repeated_call",
    "repeated_query",
    "serial_calls",
    "single_row_writes",
    "slow_call",
    "slow_query",
    "uncompressed_response",
]
ORMS = {
    "sequelize",
    "prisma",
    "typeorm",
    "knex",
    "mongoose",
    "sqlalchemy",
    "django",
    "hibernate",
    "spring_data",
    "efcore",
    "active_record",
    "laravel",
    "doctrine",
    "gorm",
}
KNOWN_PLACEHOLDERS = SQL_PLACEHOLDERS | Values(AdviceFacts("n_plus_one", "", "", "")).prepared.keys()


def passages(pass_name: str) -> list[Passage]:
    advice = pass_advice(pass_name)
    assert advice is not None
    code = [entry.passage for language in snippet_languages(pass_name) for entry in snippets(pass_name, language)]
    return [*advice.summary, *(way for step in advice.steps for way in step), *code]


def test_every_pass_of_the_contract_has_advice_and_nothing_else_has() -> None:
    assert list(advised_passes()) == CONTRACT_PASSES


@pytest.mark.parametrize("pass_name", CONTRACT_PASSES)
def test_placeholders_conditions_and_frameworks_are_known(pass_name: str) -> None:
    frameworks = {entry.name for entry in framework_entries()}
    for passage in passages(pass_name):
        assert set(PLACEHOLDER.findall(passage.text)) <= KNOWN_PLACEHOLDERS, passage
        assert {condition.removeprefix("!") for condition in passage.when} <= CONDITIONS.keys(), passage
        assert "{{" not in PLACEHOLDER.sub("", passage.text), passage
    for language in snippet_languages(pass_name):
        named = {entry.framework for entry in snippets(pass_name, language)}
        assert named <= frameworks
        assert {entry.language for entry in framework_entries() if entry.name in named} == {language}


@pytest.mark.parametrize("pass_name", CONTRACT_PASSES)
def test_prose_is_plain_sentences(pass_name: str) -> None:
    advice = pass_advice(pass_name)
    assert advice is not None
    for passage in [*advice.summary, *(way for step in advice.steps for way in step)]:
        text = passage.text
        assert text[0].isupper() or text.startswith(("{{", "`")), text
        assert text.endswith("."), text
        assert "!" not in text, text
        assert "\n" not in text, text


@pytest.mark.parametrize(
    "pass_name",
    [
        "n_plus_one",
        "missing_cache",
        "repeated_query",
        "missing_index",
        "slow_query",
        "offset_pagination",
        "single_row_writes",
    ],
)
def test_every_orm_is_covered_where_orms_differ(pass_name: str) -> None:
    advice = pass_advice(pass_name)
    assert advice is not None
    fallbacks = {entry.name: {entry.name, *entry.falls_back_to} for entry in framework_entries()}
    named = {
        entry.framework
        for source in (pass_name, *advice.snippets_of)
        for language in snippet_languages(source)
        for entry in snippets(source, language)
    }
    assert {orm for orm in ORMS if not fallbacks[orm] & named} == set()


def test_every_passage_is_used_by_some_finding() -> None:
    """A passage that no facts reach is dead text, or its condition is wrong."""
    used: set[tuple[str, Passage]] = set()
    for facts in every_fact_set():
        values = Values(facts)
        advice = pass_advice(facts.pass_name)
        assert advice is not None
        for alternatives in (advice.summary, *advice.steps):
            used |= {(facts.pass_name, passage) for passage in _chosen(alternatives, values)}
        frameworks = candidates(
            facts.scope_names, facts.sdk_language, facts.db_system, query_text=facts.subject, kinds=advice.kinds
        )
        for framework in frameworks:
            for source in (facts.pass_name, *advice.snippets_of):
                own = [entry for entry in snippets(source, framework.language) if entry.framework == framework.name]
                used |= {(source, passage) for passage in _chosen([entry.passage for entry in own], values)}
    written = {(name, passage) for name in CONTRACT_PASSES for passage in passages(name)}
    assert written - used == set()


def _chosen(alternatives: tuple[Passage, ...] | list[Passage], values: Values) -> list[Passage]:
    return next(([passage] for passage in alternatives if first_rendered([passage], values) is not None), [])


def test_a_users_own_pass_gets_no_advice_instead_of_an_error() -> None:
    for name in ("our_own_pass", "../n_plus_one", "", "naming.toml"):
        advice = advise(AdviceFacts(name, "shop", "GET /", "select 1"))
        assert (advice.summary, advice.steps, advice.snippet) == ("", (), None)
