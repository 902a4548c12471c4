"""Anti-patterns to find again: scenarios whose traces show one each, on an endpoint of its own."""

# ruff: noqa: S608  (texts of spans, which nobody runs)
from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from instrumentations import express, ioredis, known_number, new_number, pg, undici
from mix import Mix
from shop import HEALTHY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mix import Trace

_SHARE_PERCENT: Final = 0.5
"""Of the traces, for each planted pattern."""


def _n_plus_one(trace: Trace) -> None:
    with express(trace, "GET", "/planted/orders", "/planted/orders"):
        pg(trace, 'SELECT "id", "total" FROM "orders" AS "Order" WHERE "Order"."state" = \'open\' LIMIT 12')
        for _ in range(12):
            pg(
                trace,
                'SELECT "id", "sku", "amount" FROM "order_lines" AS "OrderLine" WHERE "OrderLine"."orderId" = '
                f"{new_number(trace)}",
            )


def _n_plus_one_http(trace: Trace) -> None:
    with express(trace, "GET", "/planted/prices", "/planted/prices"):
        for _ in range(12):
            with undici(trace, "prices.shop.svc", f"/prices/{new_number(trace)}"):
                trace.work(8)


def _n_plus_one_cache(trace: Trace) -> None:
    with express(trace, "GET", "/planted/carts", "/planted/carts"):
        for _ in range(25):
            ioredis(trace, f"get cart:{new_number(trace)}", 2)


def _repeated_query(trace: Trace) -> None:
    number = new_number(trace)
    with express(trace, "GET", "/planted/profile", "/planted/profile"):
        for _ in range(6):
            pg(trace, f'SELECT "id", "name" FROM "profiles" AS "Profile" WHERE "Profile"."id" = {number}', 4)


def _slow_query(trace: Trace) -> None:
    with express(trace, "GET", "/planted/report", "/planted/report"):
        pg(trace, "SELECT day, sum(total) FROM sales GROUP BY day ORDER BY day", 1_500, spread=0.0)


def _single_row_writes(trace: Trace) -> None:
    with express(trace, "POST", "/planted/import", "/planted/import"):
        for _ in range(30):
            pg(trace, f'INSERT INTO "items" ("sku","stock") VALUES (\'{new_number(trace)}\',1)', 3)


def _few_lookups(trace: Trace) -> None:
    """A healthy look-alike: three lookups by key are no N+1."""
    with express(trace, "GET", "/planted/few", "/planted/few"):
        for _ in range(3):
            pg(trace, f'SELECT "id" FROM "carts" AS "Cart" WHERE "Cart"."id" = {known_number(trace)}')


PLANTED: Final[Mapping[tuple[str, str], Callable[[Trace], None]]] = {
    ("n_plus_one", "GET /planted/orders"): _n_plus_one,
    ("n_plus_one_http", "GET /planted/prices"): _n_plus_one_http,
    ("n_plus_one_cache", "GET /planted/carts"): _n_plus_one_cache,
    ("repeated_query", "GET /planted/profile"): _repeated_query,
    ("slow_query", "GET /planted/report"): _slow_query,
    ("single_row_writes", "POST /planted/import"): _single_row_writes,
}
"""Pass and endpoint of the finding to each scenario."""


@dataclass(slots=True)
class PlantedMix:
    """Traces of the shop with planted patterns among them.

    Attributes:
        planted: how many traces show each pattern, by pass and endpoint.
    """

    seed: int
    start_ns: int
    planted: Counter[tuple[str, str]] = field(default_factory=Counter)

    def requests(self, spans: int) -> Iterator[bytes]:
        """Yield requests with about so many spans in all; their traces are complete."""
        mix = Mix(self.seed, self.start_ns)
        scenarios = {
            **HEALTHY,
            _few_lookups: _SHARE_PERCENT,
            **{self._counted(name, scenario): _SHARE_PERCENT for name, scenario in PLANTED.items()},
        }
        yield from mix.complete_requests(scenarios, spans)

    def _counted(self, name: tuple[str, str], scenario: Callable[[Trace], None]) -> Callable[[Trace], None]:
        def counted(trace: Trace) -> None:
            self.planted[name] += 1
            scenario(trace)

        return counted
