"""Gathers what comes one by one to groups that are worth one transaction or one synchronisation of a disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

_Item = TypeVar("_Item")


def gathered(items: Iterable[_Item], size_of: Callable[[_Item], int], enough: int) -> Iterator[list[_Item]]:
    """Yield the items in groups, each of which ends with the item that makes it large enough; the last may be small."""
    group: list[_Item] = []
    size = 0
    for item in items:
        group.append(item)
        size += size_of(item)
        if size >= enough:
            yield group
            group, size = [], 0
    if group:
        yield group


def first_group(
    waiting: Sequence[_Item], size_of: Callable[[_Item], int], *, most_items: int, most_size: int
) -> Sequence[_Item]:
    """Return the first items that are not too many or too large together; one at least, where any waits."""
    count = size = 0
    for item in waiting[:most_items]:
        size += size_of(item)
        if count and size > most_size:
            break
        count += 1
    return waiting[:count]
