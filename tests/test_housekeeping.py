"""What retention let go of is told, and may come again."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import httpx
from prometheus_client.parser import text_string_to_metric_families
from span_requests import request, span
from traffic import n_plus_one, request_of

from tracelens.ingest import Ingest, IngestStatistics, set_aside_folder
from tracelens.ingest.housekeeping import Housekeeper
from tracelens.journal import Journal
from tracelens.settings import ReceiverSettings, StoreSettings
from tracelens.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest
    from processes import ServerProcess

DAY_S = 86_400
DEADLINE_S = 20.0


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something holds; it fails the test only where it never comes to hold."""
    end = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < end, "it did not come to hold"
        time.sleep(0.002)


def stored(store: Store) -> int:
    with store.reader() as reader:
        return int(reader.rows("select count(*) as spans from spans")[0]["spans"])


def test_a_request_whose_spans_expired_is_kept_when_it_comes_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = StoreSettings(flush_interval_s=0.001, keep_s=DAY_S)
    with ExitStack() as opened:
        store = Store(tmp_path / "s.duckdb")
        opened.callback(store.close)
        journal = Journal(tmp_path / "journal")
        opened.callback(journal.close)
        ingest = Ingest(store, journal, set_aside_folder(tmp_path / "s.duckdb"), settings, ReceiverSettings())
        keeper = Housekeeper(store, settings, on_expired=ingest.forget_requests)
        ingest.start()
        opened.callback(ingest.stop)
        body = request(span(1), span(2))
        ingest.submit(body).result()
        eventually(lambda: stored(store) == 2)
        keeper.clean(time.time_ns())  # nothing is too old: a repetition is one still
        ingest.submit(body).result()
        assert ingest.statistics == IngestStatistics(requests=2, spans=2, repeated_requests=1)
        assert caplog.messages == []
        keeper.clean(time.time_ns() + 2 * DAY_S * 1_000_000_000)
        assert (keeper.expired_spans, stored(store)) == (2, 0)
        assert caplog.messages == ["let go of the 2 oldest spans, by store.keep_s and store.max_size"]
        assert caplog.records[0].levelname == "WARNING"  # which `serve` shows
        ingest.submit(body).result()
        eventually(lambda: stored(store) == 2)
        ingest.submit(body).result()
        assert ingest.statistics == IngestStatistics(requests=4, spans=4, repeated_requests=2)


def test_a_server_counts_what_it_lets_go_of(tmp_path: Path, start_server: Callable[..., ServerProcess]) -> None:
    server = start_server()
    assert server.send(request_of(n_plus_one(1))) == 200
    assert server.end()[0] == 0
    config = tmp_path / "c.toml"
    config.write_text('[store]\nkeep_s = "1ms"\n')
    again = start_server("--config", config)

    def expired() -> float:
        page = httpx.get(f"{again.ui}/metrics", timeout=30).text
        return next(
            family.samples[0].value
            for family in text_string_to_metric_families(page)
            if family.name == "tracelens_store_expired_spans"
        )

    eventually(lambda: expired() == 10)
