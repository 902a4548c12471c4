"""A ledger: the balance of an account is the sum of its entries. Version 2 of its database has an index for that."""

import os

import psycopg_pool
import waitress
from flask import Flask

app = Flask(__name__)
pool = psycopg_pool.ConnectionPool(os.environ["DATABASE_URL"], min_size=8, max_size=8, open=True)


@app.get("/accounts/<int:account>/balance")
def balance(account):
    with pool.connection() as connection:
        connection.autocommit = True
        query = "SELECT sum(amount) FROM entries WHERE account_id = %s"
        return {"balance": connection.execute(query, (account,)).fetchone()[0]}


if __name__ == "__main__":
    pool.wait()
    waitress.serve(app, host="127.0.0.1", port=int(os.environ["PORT"]), threads=8)
