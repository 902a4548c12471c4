"""What findings gain from their exemplars, asked of the store once and remembered until the trace changes."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from uuid import UUID

    from tracelens.store.store import Reader

_Answers: TypeAlias = dict[tuple[str, str], list[dict[str, Any]]]


class RememberedExemplars:
    """Answers to the questions of `enrichment.Exemplars`, by trace."""

    def __init__(self) -> None:
        self._answers: dict[UUID, _Answers] = {}

    @property
    def traces(self) -> list[UUID]:
        """The traces of which something is remembered."""
        return list(self._answers)

    def forget(self, traces: Iterable[UUID]) -> None:
        """Ask again about these traces: they have changed, or nobody needs them."""
        for trace in traces:
            self._answers.pop(trace, None)

    @contextmanager
    def answering(
        self, open_reader: Callable[[], AbstractContextManager[Reader]], oldest_ns: int
    ) -> Iterator[ExemplarReader]:
        """Lend a reader for some findings' exemplars.

        Args:
            open_reader: opens one that finds the window's relations.
            oldest_ns: no span of the window was received before.
        """
        with ExitStack() as opened:
            yield ExemplarReader(self._answers, lambda: opened.enter_context(open_reader()), oldest_ns)


class ExemplarReader:
    """Stands in for the reader of `enrichment.Exemplars`, and reads only what is not remembered."""

    def __init__(self, answers: dict[UUID, _Answers], open_reader: Callable[[], Reader], oldest_ns: int) -> None:
        self._answers = answers
        self._open_reader = open_reader
        self._oldest_ns = oldest_ns
        self._wanted: list[UUID] = []
        self._readers: dict[UUID, Reader] = {}

    def run_file(self, name: str, parameters: Mapping[str, Any]) -> None:
        """Take note of which traces are the exemplars."""
        del name
        self._wanted = parameters["trace_ids"]

    def rows(self, statement: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the rows of a statement about one exemplar."""
        trace: UUID = parameters["trace_id"]
        known = self._answers.setdefault(trace, {})
        question = (statement, repr(sorted(parameters.items())))
        if question not in known:
            if trace not in self._readers:
                self._load(trace)
            known[question] = self._readers[trace].rows(statement, parameters)
        return known[question]

    def _load(self, trace: UUID) -> None:
        """Read the spans of a trace, and those of all others of which nothing is known either."""
        unknown = {trace, *(wanted for wanted in self._wanted if not self._answers.get(wanted))} - self._readers.keys()
        reader = self._open_reader()
        reader.run_file("live/exemplar_spans.sql", {"trace_ids": sorted(unknown), "oldest_ns": self._oldest_ns})
        reader.run_file("analysis/exemplars.sql", {"trace_ids": sorted(unknown)})
        self._readers |= dict.fromkeys(unknown, reader)
