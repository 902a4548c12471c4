"""A job without a mapper: psycopg alone. It asks for the same setting wherever it needs it."""

import os

import psycopg
from opentelemetry import trace

tracer = trace.get_tracer("pricing")


def tax_rate(connection):
    return float(connection.execute("SELECT value FROM settings WHERE key = %s", ("tax.rate",)).fetchone()[0])


def main():
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        for _ in range(3):
            with tracer.start_as_current_span("price the basket"):
                prices = [10 * (1 + tax_rate(connection)) for _ in range(8)]
                print(sum(prices))


main()
