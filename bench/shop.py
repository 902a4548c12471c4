"""What happens in a shop: the scenarios whose traces the benchmarks send.

Four services in three languages. No request repeats a call often enough, nor takes long enough, to be a finding:
`planted.py` adds those.
"""

# ruff: noqa: S608  (texts of spans, which nobody runs)
from __future__ import annotations

from typing import TYPE_CHECKING, Final

from instrumentations import (
    django,
    express,
    hibernate,
    ioredis,
    java_http,
    kafka,
    known_number,
    new_number,
    pg,
    psycopg,
    redis_py,
    tomcat,
    undici,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mix import Trace


def browse(trace: Trace) -> None:
    """A product's page."""
    product = known_number(trace)
    with express(trace, "GET", "/products/:id", f"/products/{product}"):
        ioredis(trace, f"get session:{new_number(trace)}")
        ioredis(trace, f"get product:{product}")
        if trace.rng.random() < 0.3:
            pg(trace, 'SELECT "id", "name", "price", "stock" FROM "products" AS "Product" WHERE "Product"."id" = $1')
        with (
            undici(trace, "catalogue.shop.svc", f"/api/products/{product}/related"),
            django(trace, "api/products/<int:pk>/related", f"/api/products/{product}/related"),
        ):
            redis_py(trace, "GET", 1)
            psycopg(
                trace,
                'SELECT "catalogue_product"."id", "catalogue_product"."name", "catalogue_product"."price" FROM '
                '"catalogue_product" INNER JOIN "catalogue_relation" ON ("catalogue_product"."id" = '
                '"catalogue_relation"."target_id") WHERE "catalogue_relation"."source_id" = %s LIMIT 12',
            )


def search(trace: Trace) -> None:
    """A search."""
    words = f"q={trace.rng.choice(('shoes', 'red+dress', 'lamp', 'kettle', 'desk'))}&visitor={new_number(trace)}"
    with (
        express(trace, "GET", "/search", "/search", words),
        undici(trace, "catalogue.shop.svc", "/api/search"),
        django(trace, "api/search", f"/api/search?{words}"),
    ):
        psycopg(trace, "SELECT id, name, price, rank FROM product_search(%s) ORDER BY rank DESC LIMIT 24", 9)
        psycopg(trace, 'SELECT "catalogue_facet"."name", count(*) FROM "catalogue_facet" WHERE "kind" IN (%s, %s)')
        redis_py(trace, "SETEX", 3)


def account(trace: Trace) -> None:
    """A customer's orders: Sequelize writes its literals into the text."""
    customer = new_number(trace)
    with express(trace, "GET", "/account/orders", "/account/orders"):
        ioredis(trace, f"get session:{customer}")
        pg(
            trace,
            'SELECT "id", "email", "name", "locale" FROM "customers" AS "Customer" '
            f'WHERE "Customer"."id" = \'{customer}\'',
        )
        pg(
            trace,
            'SELECT "Order"."id", "Order"."total", "Order"."placedAt", "lines"."id" AS "lines.id", "lines"."sku" AS '
            '"lines.sku" FROM "orders" AS "Order" LEFT OUTER JOIN "order_lines" AS "lines" ON "Order"."id" = '
            f'"lines"."orderId" WHERE "Order"."customerId" = \'{customer}\' '
            'ORDER BY "Order"."placedAt" DESC LIMIT 20',
            2.5,
        )


def checkout(trace: Trace) -> None:
    """A purchase, through all the services."""
    order, product = new_number(trace), known_number(trace)
    with express(trace, "POST", "/checkout", "/checkout"):
        ioredis(trace, f"get cart:{order}")
        pg(trace, f'UPDATE "stock" SET "reserved"="reserved" + 1 WHERE "productId" = {product} AND "free" > 0')
        pg(
            trace,
            'INSERT INTO "orders" ("id","customerId","total","currency","placedAt") VALUES '
            f"({order},{new_number(trace)},149.90,'EUR','2026-11-23 06:32:25.000 +00:00') RETURNING \"id\"",
            1.4,
        )
        with (
            undici(trace, "billing.shop.svc", f"/payments/{order}"),
            tomcat(trace, "POST", "/payments/{order}", f"/payments/{order}"),
        ):
            hibernate(trace, "Customer", "select c1_0.id,c1_0.iban,c1_0.name from customers c1_0 where c1_0.id=?")
            java_http(trace, "https://api.payments.example/v2/charges", fails=trace.rng.random() < 0.02)
            hibernate(trace, "Payment", "insert into payments (amount,currency,order_id,state,id) values (?,?,?,?,?)")
            with kafka(trace, "orders.paid"):
                pass
        ioredis(trace, f"del cart:{order}")


def health(trace: Trace) -> None:
    """A probe of the cluster."""
    with express(trace, "GET", "/healthz", "/healthz"):
        pg(trace, "SELECT 1", 0.3)


HEALTHY: Final[Mapping[Callable[[Trace], None], float]] = {
    browse: 50,
    search: 18,
    account: 16,
    checkout: 12,
    health: 4,
}
"""Each scenario with its share of the traces, in percent."""
