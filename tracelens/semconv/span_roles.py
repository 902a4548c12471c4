"""`span_roles.toml` as rows: which spans are no queries, and which scopes belong to object-relational mappers."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files


@cache
def span_role_rows() -> tuple[list[tuple[str, str]], list[str]]:
    """Return (role, pattern) for every pattern of a span's name, and the patterns of mapper scopes."""
    document = tomllib.loads(files("tracelens.semconv").joinpath("span_roles.toml").read_text(encoding="utf-8"))
    roles = [(role, pattern) for role, patterns in document["roles"].items() for pattern in patterns]
    return roles, list(document["orm"]["patterns"])
