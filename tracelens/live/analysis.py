"""The report of the window that ends now, again and again, at the cost of what is new."""

from __future__ import annotations

import logging
import math
import threading
from typing import TYPE_CHECKING, Any, Final, cast
from uuid import UUID

from tracelens.analysis import choose_passes, finding_of, overview, report_of
from tracelens.enrichment import Exemplars
from tracelens.errors import TracelensError
from tracelens.live.exemplars import RememberedExemplars
from tracelens.live.pace import share_out
from tracelens.live.window import Bounds, LiveWindow
from tracelens.model import Scope, make_relations, model_parameters
from tracelens.pass_rows import fold_rows, run_pass, thresholds_of
from tracelens.relations import OVERVIEW, scripts_for, texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracelens.findings import Finding, Report
    from tracelens.live.pace import Part
    from tracelens.passes.registry import Pass
    from tracelens.settings import Settings
    from tracelens.store.store import Reader, Store

_log = logging.getLogger(__name__)

SETTLE_S: Final = 10.0
"""Children are exported before their parent ends. A span whose parent is not there yet waits this long for it before it
is taken for a request of its own: two export intervals of the SDKs."""

SHARE: Final = 0.25
"""What working out the findings of a large window may use of one core, beside what is spent on new spans."""

_NS_PER_S: Final = 1_000_000_000

_REST_PER_SPAN_NS: Final = 200_000
"""A span takes some ten microseconds to make anew: a trace that grows for ever takes a twentieth of a core at most."""

_OVERVIEW: Final = "the overview"


class LiveAnalysis:
    """Says of the window that ends now what `analysis.analyse` would, without going through it again.

    New spans cost the model of their traces. What looks across traces, and folding rows to findings, costs what the
    window holds: each such part is worked out again as often as its share of a core allows, at once where it is cheap.

    Args:
        store: holds the spans.
        settings: thresholds, objectives, and the window's length.
        urgent: the passes whose findings somebody waits for.
        share: part of one core for what costs the whole window; None works out everything at every step.

    Raises:
        UsageError: the settings name a pass or threshold that does not exist.
    """

    def __init__(
        self, store: Store, settings: Settings, urgent: Iterable[str] = (), share: float | None = SHARE
    ) -> None:
        self._settings = settings
        self._scope = Scope()
        passes = choose_passes(settings, ())
        self._passes = {entry.name: (entry, thresholds_of(entry, settings, self._scope)) for entry in passes}
        self._urgent, self._share = tuple(urgent), share
        self._lock = threading.Lock()
        self._is_noticed = False
        self._window = LiveWindow(store, settings, tuple(self._passes.values()))
        self._forget()

    def notice(self, received_ns: int) -> None:
        """Something received at this time is in the store: the next step looks at it, new spans or not."""
        del received_ns
        self._is_noticed = True

    def advance(self, now_ns: int) -> Report:
        """Return the report of the window that ends now.

        Args:
            now_ns: nanoseconds since 1970; never less than the last time.

        Raises:
            StoreError: the store cannot be read now; the next step begins anew with what it holds.
        """
        with self._lock:
            try:
                return self._advance(now_ns)
            except BaseException:
                self._forget()
                raise

    def wait_s(self, now_ns: int) -> float | None:
        """Return in how many seconds the report can change without new spans; None where it is up to date."""
        waits_s = [part.wait_s(now_ns) for part in self._parts.values() if part.is_stale]
        wait_s = max(0.0, min([*waits_s, (self._due_ns - now_ns) / _NS_PER_S]))
        return None if wait_s == math.inf else wait_s

    def close(self) -> None:
        """Let go of what is kept."""
        with self._lock:
            self._forget()
            self._window.close()

    def _forget(self) -> None:
        self._is_noticed = False
        self._due_ns = math.inf
        self._report: Report | None = None
        self._failed: set[str] = set()
        self._exemplars = RememberedExemplars()
        self._parts = share_out([_OVERVIEW, *self._passes], self._share, self._urgent)
        self._window.forget()

    def _advance(self, now_ns: int) -> Report:
        bounds = self._bounds(now_ns)
        self._is_noticed, is_noticed = False, self._is_noticed
        changes = self._window.catch_up(bounds, self._exemplars.traces)
        self._due_ns = changes.due_ns
        self._exemplars.forget(changes.traces)
        if changes.is_any or is_noticed:
            for part in self._parts.values():
                part.is_stale = True
        due = [part for part in self._parts.values() if part.is_due(now_ns)]
        if due or self._report is None:
            self._work_out(due, bounds, now_ns)
            self._report = self._compose()
        return self._report

    def _bounds(self, now_ns: int) -> Bounds:
        window_ns = int(self._settings.escalation.window_s * _NS_PER_S)
        return Bounds(
            now_ns=now_ns,
            since_ns=now_ns - window_ns,
            oldest_ns=now_ns - 2 * window_ns,
            settled_before_ns=now_ns - int(SETTLE_S * _NS_PER_S),
            rest_per_span_ns=0 if self._share is None else _REST_PER_SPAN_NS,
        )

    def _work_out(self, due: Sequence[Part], bounds: Bounds, now_ns: int) -> None:
        """Work out parts of the report over the window as it is now."""
        scope = Scope(received_since_ns=bounds.since_ns, settled_before_ns=bounds.settled_before_ns)
        parameters = model_parameters(self._settings, scope)
        folded: dict[str, list[dict[str, Any]]] = {}
        done = set[str]()
        with self._window.reader() as reader:
            for part in due:
                with part.run(now_ns):
                    query = texts(OVERVIEW) if part.name == _OVERVIEW else self._query(part.name)
                    scripts = [script for script in scripts_for(query) if script not in done]
                    make_relations(reader, scripts, parameters)
                    done.update(scripts)
                    if part.name == _OVERVIEW:
                        passes = [entry for entry, _ in self._passes.values()]
                        part.latest = overview(reader, passes, self._settings, self._scope)
                    else:
                        folded[part.name] = self._folded(reader, *self._passes[part.name])
        with self._exemplars.answering(self._window.reader, bounds.oldest_ns) as reader_of_exemplars:
            rows = [row for rows in folded.values() for row in rows]
            exemplars = Exemplars(cast("Reader", reader_of_exemplars), rows)
            for name, found in folded.items():
                self._parts[name].latest = [finding_of(exemplars, self._passes[name][0], row) for row in found]

    def _query(self, pass_name: str) -> str:
        entry, _ = self._passes[pass_name]
        return "" if entry.reach == "trace" else entry.query

    def _folded(self, reader: Reader, entry: Pass, thresholds: dict[str, float]) -> list[dict[str, Any]]:
        """Return a pass's folded rows: over what is kept of it, or over the window."""
        self._failed.discard(entry.name)
        try:
            if entry.reach != "trace":
                return run_pass(reader, entry, thresholds)
            return fold_rows(reader) if self._window.rows.load(reader, entry.name) else []
        except TracelensError:
            raise
        except Exception:  # noqa: BLE001  (one broken pass, a user's perhaps, must not cost the others)
            _log.exception("pass %s failed", entry.name)
            self._failed.add(entry.name)
            return []

    def _compose(self) -> Report:
        findings: list[Finding] = [finding for name in self._passes for finding in self._parts[name].latest]
        needed = {UUID(finding.exemplar.trace_id) for finding in findings if finding.exemplar.trace_id}
        self._exemplars.forget(set(self._exemplars.traces) - needed)
        passes = [entry for entry, _ in self._passes.values()]
        failed = sorted(self._failed | self._window.rows.failed)
        return report_of(self._parts[_OVERVIEW].latest, findings, passes, failed)
