"""Names for code out of names from SQL."""

from __future__ import annotations

import keyword
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracelens.advice import AdviceFacts, naming
from tracelens.advice.relations import Relation, relation_of


@pytest.mark.parametrize(
    ("name", "model", "models", "camel", "snake"),
    [
        ("orders", "Order", "Orders", "orders", "orders"),
        ("order_items", "OrderItem", "OrderItems", "orderItems", "order_items"),
        ("public.order_items", "OrderItem", "OrderItems", "orderItems", "order_items"),
        ('"OrderItems"', "OrderItem", "OrderItems", "orderItems", "order_items"),
        ("ORDER_ITEMS", "OrderItem", "OrderItems", "orderItems", "order_items"),
        ("tblCustomer", "Customer", "Customers", "customers", "customers"),
        ("audit_log", "AuditLog", "AuditLogs", "auditLogs", "audit_logs"),
        ("categories", "Category", "Categories", "categories", "categories"),
        ("addresses", "Address", "Addresses", "addresses", "addresses"),
        ("order_status", "OrderStatus", "OrderStatuses", "orderStatuses", "order_statuses"),
        ("warehouses", "Warehouse", "Warehouses", "warehouses", "warehouses"),
        ("purchases", "Purchase", "Purchases", "purchases", "purchases"),
        ("people", "Person", "People", "people", "people"),
        ("movies", "Movie", "Movies", "movies", "movies"),
        ("boxes", "Box", "Boxes", "boxes", "boxes"),
        ("metadata", "Metadata", "Metadata", "metadata", "metadata"),
        ("events", "Event", "Events", "events", "events"),
        ("classes", "Class_", "Classes", "classes", "classes"),
        ("2fa_tokens", "n2faToken", "n2faTokens", "n2faTokens", "n2fa_tokens"),
    ],
)
def test_a_table_name_becomes_names(name: str, model: str, models: str, camel: str, snake: str) -> None:
    parts = naming.words(name)
    many = naming.many(parts)
    made = (naming.pascal(naming.one(parts)), naming.pascal(many), naming.camel(many), naming.snake(many))
    assert made == (model, models, camel, snake)


@pytest.mark.parametrize("name", ["", "größe", "a;b", 'a"b', "a\nb", "${x}", "'", "x" * 64])
def test_a_name_that_is_not_plain_gives_no_words_and_no_literal(name: str) -> None:
    assert (naming.words(name), naming.literal(name)) == ((), None)


@given(st.text(max_size=30) | st.sampled_from([*keyword.kwlist, "Order", "order id", "a-b"]))
def test_what_is_made_is_an_identifier(name: str) -> None:
    parts = naming.words(name)
    for made in (naming.snake(parts), naming.camel(parts), naming.pascal(parts), naming.attribute(parts)):
        assert made is None or (made.isascii() and made.isidentifier() and not keyword.iskeyword(made))


@pytest.mark.parametrize(
    "noun",
    [
        *(
            "user",
            "order",
            "item",
            "status",
            "address",
            "category",
            "box",
            "batch",
            "cache",
            "size",
            "purchase",
            "response",
        ),
        *(
            "house",
            "bonus",
            "day",
            "key",
            "menu",
            "taxi",
            "hero",
            "person",
            "child",
            "index",
            "analysis",
            "movie",
            "quiz",
        ),
        *("invoice", "news"),
    ],
)
def test_a_plural_leads_back_to_its_noun_and_is_left_alone(noun: str) -> None:
    assert naming.singular(naming.plural(noun)) == noun
    assert naming.plural(naming.plural(noun)) == naming.plural(noun)


MANY = {"to_many": True, "unique": False}
ONE = {"to_many": False, "unique": True}
NEITHER = {"to_many": None, "unique": False}


@pytest.mark.parametrize(
    ("table", "parent", "columns", "key", "owner", "form"),
    [
        ("orders", None, ["user_id"], "user_id", ("user",), MANY),
        ("orders", "users", ["o.userId"], "userId", ("users",), MANY),
        ("orders", "reviews", ["user_id"], "user_id", ("user",), MANY),
        ("orders", "shop_users", ["user_id"], "user_id", ("shop", "users"), MANY),
        ("posts", "users", ["author_id"], "author_id", ("users",), MANY),
        ("orders", None, ["status", "user_id"], "user_id", ("user",), MANY),
        ("users", "orders", ["id"], "id", ("orders",), ONE),
        ("users", "users", ["id"], "id", (), ONE),
        ("users", None, ["user_id"], "user_id", (), ONE),
        ("settings", "users", ["key"], "key", (), NEITHER),
        ("orders", None, [], "", (), NEITHER),
    ],
)
def test_the_filter_tells_what_hangs_on_what(
    *,
    table: str,
    parent: str | None,
    columns: list[str],
    key: str,
    owner: tuple[str, ...],
    form: dict[str, Any],
) -> None:
    filters = tuple((column, "equal") for column in columns)
    facts = AdviceFacts("n_plus_one", "", "", "", tables=(table,), parent_table=parent, filter_columns=filters)
    assert relation_of(facts) == Relation((table,), key, naming.words(key), owner, **form)


def test_a_constant_is_no_key() -> None:
    filters = (("tenant_id", "equal"), ("kind", "equal"))
    facts = AdviceFacts(
        "n_plus_one", "", "", "", tables=("t",), filter_columns=filters, constant_predicates=("tenant_id = 7",)
    )
    assert relation_of(facts).key == "kind"
