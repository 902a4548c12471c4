"""Whatever order spans arrive in, the live analysis says of the window what an analysis of the whole of it says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from live_stores import WINDOW_S, LiveStore, picked, recorded

SAMPLES = Path(__file__).resolve().parents[2] / "sample_traces"
BAD = sorted(SAMPLES.glob("*/bad.otlp.pb.gz"))

Item = TypeVar("Item")

if TYPE_CHECKING:
    from random import Random

# To shrink what takes seconds takes minutes; the seed is enough to look at it.
few = settings(
    max_examples=3,
    deadline=None,
    phases=(Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],
)
any_order = st.randoms(use_true_random=False)


@few
@given(any_order, st.lists(st.sampled_from(BAD), min_size=2, max_size=3, unique=True))
def test_spans_in_any_order(rng: Random, paths: list[Path]) -> None:
    """Spans of all recordings are shuffled, slice by slice, far from their parents; some slices come twice."""
    live = LiveStore()
    tables = recorded(live.store, paths)
    spans = [(number, row) for number, table in enumerate(tables) for row in range(len(table.spans))]
    rng.shuffle(spans)
    for part in cut(spans, rng):
        slices = [picked(table, [row for at, row in part if at == number]) for number, table in enumerate(tables)]
        live.append(slices)
        live.wait(rng.choice([0.5, 2, 11]))
        live.report()
        if rng.random() < 0.5:
            live.append(slices)
    assert live.report() == live.analysed()
    live.close()


@few
@given(any_order, st.lists(st.sampled_from(BAD), min_size=2, max_size=3, unique=True))
def test_traces_come_and_go(rng: Random, paths: list[Path]) -> None:
    """Time passes until the first traces have left the window, some of them in the middle of arriving."""
    live = LiveStore()
    for table in recorded(live.store, paths):
        for part in cut(list(range(len(table.spans))), rng):
            live.append([picked(table, part)])
            live.wait(rng.choice([3, 20, WINDOW_S / 2]))
            live.report()
    assert live.report() == live.analysed()
    live.close()


def cut(items: list[Item], rng: Random) -> list[list[Item]]:
    """Return the items in two or three parts."""
    ends = sorted(rng.randrange(len(items) + 1) for _ in range(rng.randint(1, 2)))
    return [items[begin:end] for begin, end in zip([0, *ends], [*ends, len(items)], strict=True) if begin < end]
