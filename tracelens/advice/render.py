"""Placeholders replaced by their values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracelens.advice.catalogue import Passage
    from tracelens.advice.values import Values

PLACEHOLDER: Final = re.compile(r"\{\{([a-z_]+)\}\}")


def render(text: str, values: Values) -> str | None:
    """Replace every placeholder; None where one has no value. Further lines of a value keep the first one's indent."""
    lines = [_render_line(line, values) for line in text.split("\n")]
    return None if None in lines else "\n".join(line for line in lines if line is not None)


def first_rendered(passages: Iterable[Passage], values: Values) -> str | None:
    """Return the first passage whose conditions hold and whose placeholders all have a value."""
    for passage in passages:
        if all(values.holds(condition) for condition in passage.when):
            rendered = render(passage.text, values)
            if rendered is not None:
                return rendered
    return None


def _render_line(line: str, values: Values) -> str | None:
    found = {name: values.get(name) for name in PLACEHOLDER.findall(line)}
    if None in found.values():
        return None
    indent = line[: len(line) - len(line.lstrip())]
    return PLACEHOLDER.sub(lambda match: (found[match[1]] or "").replace("\n", f"\n{indent}"), line)
