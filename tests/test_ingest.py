"""Every acknowledged span is stored once: under load, failures, defects, stops and kills."""

from __future__ import annotations

import http.client
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from span_requests import as_traces, request, span

from tracelens.errors import InvalidRequestError, OverloadedError, StoreBusyError, StoreError
from tracelens.ingest import Ingest, IngestStatistics, recover_journal, set_aside_folder, store_requests
from tracelens.journal import Journal
from tracelens.otlp.framing import MAX_MESSAGE_BYTES
from tracelens.settings import ReceiverSettings, StoreSettings
from tracelens.store.appended import AppendResult
from tracelens.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from processes import ServerProcess

AT_ONCE = StoreSettings(flush_interval_s=0.001)
NEVER = StoreSettings(flush_interval_s=3600, flush_rows=1_000_000)
UNLIMITED = ReceiverSettings()
DAMAGED = b"\xff"
DEADLINE_S = 20.0


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something holds; it fails the test only where it never comes to hold."""
    end = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < end, "it did not come to hold"
        time.sleep(0.002)


@dataclass
class Running:
    """An ingest with a real store and a real journal, which can be opened again."""

    db: Path
    settings: StoreSettings = AT_ONCE
    limits: ReceiverSettings = UNLIMITED

    def open(self) -> Ingest:
        self.store = Store(self.db)
        self.journal = Journal(self.db.with_name("s.duckdb.journal"), after=self.store.applied_sequence)
        self.ingest = Ingest(self.store, self.journal, set_aside_folder(self.db), self.settings, self.limits)
        return self.ingest

    def close(self) -> None:
        self.ingest.stop()
        self.journal.close()
        self.store.close()

    def names(self) -> list[str]:
        return names(self.store)


def names(store: Store) -> list[str]:
    """Return the names of all spans; one that is stored twice is there twice."""
    with store.reader() as reader:
        return [row["name"] for row in reader.rows("select name from spans order by start_ns, name")]


def one_span(number: int) -> bytes:
    return request(span(number))


def expected(*numbers: int) -> list[str]:
    return [f"span {number}" for number in numbers]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    opened = Running(tmp_path / "s.duckdb")
    opened.open()
    yield opened
    opened.close()


class Blocked:
    """Keeps the store from committing spans, as a failing disk does, without failing anything else."""

    def __init__(self, store: Store) -> None:
        self._reader = store.reader()

    def __enter__(self) -> None:
        self._reader.run_script("begin; update journal_position set applied_sequence = -1")

    def __exit__(self, *_: object) -> None:
        self._reader.run_script("rollback")
        self._reader.close()


def test_what_is_acknowledged_is_stored(running: Running) -> None:
    running.ingest.start()
    assert running.ingest.submit(request(span(1), span(2))).result() is None
    eventually(lambda: running.names() == expected(1, 2))
    assert running.ingest.statistics == IngestStatistics(requests=1, spans=2)
    eventually(lambda: running.store.applied_sequence == running.journal.last_sequence == 1)


def test_rows_wait_for_a_transaction_worth_its_while_and_not_for_ever(running: Running) -> None:
    running.close()
    running.settings = StoreSettings(flush_interval_s=0.2, flush_rows=1_000_000)
    running.open().start()
    running.ingest.submit(one_span(1)).result()
    eventually(lambda: running.names() == expected(1))


def test_stopping_answers_and_stores_everything(running: Running) -> None:
    running.close()
    running.settings = NEVER
    ingest = running.open()
    before = [ingest.submit(one_span(number)) for number in range(300)]
    ingest.start()
    after = [ingest.submit(one_span(number)) for number in range(300, 400)]
    ingest.stop()
    assert [future.result(timeout=0) for future in before + after] == [None] * 400
    assert running.names() == expected(*range(400))
    with pytest.raises(OverloadedError, match="tracelens is stopping"):
        ingest.submit(one_span(1))


def test_many_senders_at_once(running: Running) -> None:
    running.ingest.start()

    def send(sender: int) -> None:
        for number in range(sender * 100, sender * 100 + 30):
            running.ingest.submit(request(span(3 * number), span(3 * number + 1), span(3 * number + 2))).result()

    with ThreadPoolExecutor(8) as senders:
        list(senders.map(send, range(8)))
    sent = [3 * (sender * 100 + number) + i for sender in range(8) for number in range(30) for i in range(3)]
    eventually(lambda: len(running.names()) >= len(sent))
    assert running.names() == expected(*sent)
    assert running.ingest.statistics == IngestStatistics(requests=240, spans=720)
    eventually(lambda: running.store.applied_sequence == 240)


def test_a_group_with_bad_and_repeated_requests(running: Running) -> None:
    bodies = [one_span(1), DAMAGED, one_span(2), one_span(1), DAMAGED, b"", request(span(3, span_id=b"1")), request()]
    futures = [running.ingest.submit(body) for body in bodies]  # before the start: they form one group
    running.ingest.start()
    reasons = [future.exception() for future in futures]
    assert [type(reason) for reason in reasons] == [
        type(None),
        InvalidRequestError,
        type(None),
        type(None),
        InvalidRequestError,
        type(None),
        InvalidRequestError,
        type(None),
    ]
    assert str(reasons[1]) == str(reasons[4])
    assert str(reasons[1]).startswith("not an ExportTraceServiceRequest: ")
    assert str(reasons[6]) == "a span_id has 1 bytes, not 8"
    assert running.ingest.statistics == IngestStatistics(
        requests=5, spans=2, repeated_requests=1, refused_requests=3, duplicate_spans=0
    )
    eventually(lambda: running.names() == expected(1, 2))


def test_a_request_that_comes_again_adds_nothing(running: Running) -> None:
    running.ingest.start()
    for _ in range(3):
        running.ingest.submit(one_span(1)).result()
    assert running.ingest.statistics == IngestStatistics(requests=3, spans=1, repeated_requests=2)
    assert running.journal.last_sequence == 1
    # The same span in another request: known by its ids.
    running.ingest.submit(request(span(1), span(2))).result()
    eventually(lambda: running.ingest.statistics.duplicate_spans == 1)
    eventually(lambda: running.names() == expected(1, 2))


def test_damaged_requests_alone_are_not_kept(running: Running) -> None:
    running.ingest.start()
    assert isinstance(running.ingest.submit(DAMAGED).exception(), InvalidRequestError)
    assert isinstance(running.ingest.submit(DAMAGED).exception(), InvalidRequestError)
    assert running.ingest.submit(b"").result() is None
    assert running.journal.last_sequence == 0


def test_a_sender_that_goes_away_changes_nothing(running: Running) -> None:
    futures = [running.ingest.submit(one_span(number)) for number in (1, 2)]
    assert not futures[0].cancel()
    running.ingest.start()
    assert futures[1].result() is None
    eventually(lambda: running.names() == expected(1, 2))


def test_a_request_too_long_for_the_journal(running: Running) -> None:
    with pytest.raises(InvalidRequestError, match="send smaller batches"):
        running.ingest.submit(bytes(MAX_MESSAGE_BYTES + 1))


def test_what_was_held_is_let_go_whatever_became_of_it(running: Running) -> None:
    running.close()
    size = 4 * len(one_span(1))
    running.limits = ReceiverSettings(max_pending_bytes=size)
    running.open().start()
    with running.store.reader() as reader:
        reader.run_script("create unique index one_of_each on span_rows (start_ns)")
    for number in range(1, 11):
        # One to store, one repeated, one refused, one empty, one that cannot be stored.
        for body in (one_span(number), one_span(number), b"\xff" * 50, b"", request(span(number, span_id=bytes(8)))):
            eventually(lambda body=body: _is_taken(running.ingest, body))  # type: ignore[misc]
    eventually(lambda: running.ingest.statistics.set_aside_requests == 10)
    assert running.names() == expected(*range(1, 11))


def _is_taken(ingest: Ingest, body: bytes) -> bool:
    try:
        ingest.submit(body).exception()
    except OverloadedError:
        return False
    return True


def test_a_single_request_larger_than_the_limit_is_taken(running: Running) -> None:
    running.close()
    running.limits = ReceiverSettings(max_pending_bytes=1)
    running.open()
    large = running.ingest.submit(one_span(1))
    with pytest.raises(OverloadedError, match="more data is waiting for the store than is allowed"):
        running.ingest.submit(one_span(2))
    running.ingest.start()
    assert large.result() is None


def test_senders_wait_while_the_store_cannot_be_written(running: Running) -> None:
    running.close()
    running.limits = ReceiverSettings(max_pending_bytes=50_000)
    ingest = running.open()
    ingest.start()
    taken = 0
    with Blocked(running.store):
        ingest.submit(one_span(0)).result()
        eventually(lambda: ingest.failure is not None)
        refusals: list[str] = []
        while not refusals:
            taken += 1
            try:
                assert ingest.submit(one_span(taken)).result() is None
            except OverloadedError as error:
                refusals.append(str(error))
        assert refusals == [ingest.failure]
        assert refusals[0].startswith(f"{running.db}: cannot write to the store: TransactionContext Error: ")
        assert running.names() == []
    eventually(lambda: running.names() == expected(*range(taken)))
    eventually(lambda: ingest.failure is None)
    assert ingest.submit(one_span(taken)).result() is None


def test_what_cannot_be_stored_before_a_stop_is_stored_after_the_next_start(running: Running) -> None:
    ingest = running.ingest
    ingest.start()
    with Blocked(running.store):
        ingest.submit(one_span(1)).result()
        eventually(lambda: ingest.failure is not None)
        ingest.submit(one_span(2)).result()
        ingest.stop()
    assert (running.names(), running.store.applied_sequence) == ([], 0)
    running.close()
    ingest = running.open()
    assert ingest.recover() == 2
    assert (running.names(), running.store.applied_sequence) == (expected(1, 2), 2)
    assert ingest.recover() == 0


def test_a_journal_that_fails_makes_senders_try_again(running: Running) -> None:
    running.ingest.start()
    running.journal.close()
    error = running.ingest.submit(one_span(1)).exception()
    assert isinstance(error, StoreError)
    assert str(error) == running.ingest.failure
    assert running.names() == []


def test_a_request_that_meets_a_defect_is_set_aside_alone(running: Running) -> None:
    with running.store.reader() as reader:  # what the store refuses stands for what we failed to foresee
        reader.run_script("create unique index one_of_each on span_rows (start_ns)")
    bad = request(span(11), span(3, span_id=(12).to_bytes(8)))
    futures = [running.ingest.submit(body) for body in (*map(one_span, range(7)), bad, *map(one_span, range(7, 10)))]
    running.ingest.start()
    assert [future.result() for future in futures] == [None] * 11
    eventually(lambda: running.store.applied_sequence == 11)
    assert running.names() == expected(*range(10))
    [aside] = set_aside_folder(running.db).iterdir()
    assert (aside.name, aside.read_bytes()) == ("00000000000000000008.otlp.pb", bad)
    assert running.ingest.statistics.set_aside_requests == 1
    running.ingest.submit(one_span(20)).result()
    eventually(lambda: running.names() == expected(*range(10), 20))
    running.close()
    assert running.open().recover() == 0


def test_a_defect_met_while_recovering_is_set_aside_too(running: Running) -> None:
    bodies = [one_span(1), request(span(1, span_id=bytes(8))), DAMAGED, one_span(2)]
    running.journal.append(bodies)
    with running.store.reader() as reader:
        reader.run_script("create unique index one_of_each on span_rows (start_ns)")
    assert running.ingest.recover() == 2
    assert (running.names(), running.store.applied_sequence) == (expected(1, 2), 4)
    aside = {path.name: path.read_bytes() for path in set_aside_folder(running.db).iterdir()}
    assert aside == {"00000000000000000002.otlp.pb": bodies[1], "00000000000000000003.otlp.pb": DAMAGED}


def test_a_defect_in_a_file_is_told_and_the_rest_is_stored() -> None:
    store = Store(None)
    with store.reader() as reader:
        reader.run_script("create unique index one_of_each on span_rows (start_ns)")
    refused: list[str] = []
    bodies = [one_span(1), DAMAGED, request(span(1, span_id=bytes(8))), one_span(2), one_span(1)]
    assert store_requests(store, as_traces(bodies), refused.append) == AppendResult(2, 1)
    assert names(store) == expected(1, 2)
    assert [reason.split(":")[0] for reason in refused] == [
        "not an ExportTraceServiceRequest",
        "a defect of tracelens, please report it",
    ]
    store.close()


def test_files_of_any_size_are_stored_in_several_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracelens.ingest.loading._TRANSACTION_BYTES", 500)
    store = Store(None)
    assert store_requests(store, as_traces(map(one_span, range(20))), pytest.fail).stored == 20
    assert store_requests(store, as_traces(map(one_span, range(21))), pytest.fail) == AppendResult(1, 20)
    assert store_requests(store, [], pytest.fail) == AppendResult(0, 0)
    assert names(store) == expected(*range(21))
    store.close()


def test_recovering_a_journal_beside_a_store(tmp_path: Path) -> None:
    db = tmp_path / "s.duckdb"
    store = Store(db)
    assert recover_journal(store, db) == 0
    assert not (tmp_path / "s.duckdb.journal").exists()
    journal = Journal(tmp_path / "s.duckdb.journal")
    journal.append([one_span(1), one_span(2)])
    with pytest.raises(StoreBusyError):
        recover_journal(store, db)
    journal.close()
    link = tmp_path / "link.duckdb"
    link.symlink_to(db)
    assert recover_journal(store, link) == 2
    assert recover_journal(store, db) == 0
    assert (names(store), store.applied_sequence) == (expected(1, 2), 2)
    store.close()


def test_a_journal_is_recovered_from_where_the_store_is(running: Running) -> None:
    running.journal.append([one_span(1), one_span(2), one_span(3)])
    store_requests(running.store, as_traces([one_span(2)]), pytest.fail)
    running.store.append([], applied_sequence=1)
    assert running.ingest.recover() == 1
    assert running.names() == expected(2, 3)


def test_large_loads_are_stored_in_several_transactions(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracelens.ingest.writer._TRANSACTION_BYTES", 1_000_000)
    running.close()
    running.settings = replace(NEVER, flush_rows=100)
    commits: list[int] = []
    running.open()
    ingest = Ingest(
        running.store,
        running.journal,
        set_aside_folder(running.db),
        running.settings,
        running.limits,
        on_stored=lambda _: commits.append(len(running.names())),
    )
    futures = [ingest.submit(request(*(span(10 * number + i) for i in range(10)))) for number in range(1000)]
    ingest.start()
    assert [future.result() for future in futures] == [None] * 1000
    ingest.stop()
    assert len(commits) > 1
    assert commits[-1] == 10_000
    assert running.names() == expected(*range(10_000))


def test_kills_under_load_lose_and_double_nothing(start_server: Callable[..., ServerProcess]) -> None:
    acknowledged: list[int] = []
    sent = 0
    for _ in range(3):
        server = start_server()
        first, sent = sent, sent + 100_000
        stopped = threading.Event()
        senders = [
            threading.Thread(target=_send, args=(server.http, range(first + k, sent, 4), acknowledged, stopped))
            for k in range(4)
        ]
        for sender in senders:
            sender.start()
        wanted = len(acknowledged) + 60
        eventually(lambda wanted=wanted: len(acknowledged) > wanted)  # type: ignore[misc]
        server.end(signal.SIGKILL)
        for sender in senders:
            sender.join()
    server = start_server()
    assert server.end()[0] == 0
    store = Store(server.db)
    found = names(store)
    store.close()
    assert set(expected(*acknowledged)) <= set(found)
    assert len(found) == len(set(found))


def _send(url: str, numbers: range, acknowledged: list[int], stopped: threading.Event) -> None:
    """Send requests of two spans, one after the other, until the server dies."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=DEADLINE_S)
    for number in numbers:
        if stopped.is_set():
            return
        body = request(span(2 * number), span(2 * number + 1))
        try:
            connection.request("POST", "/v1/traces", body, {"content-type": "application/x-protobuf"})
            status: Any = connection.getresponse()
            status.read()
        except (OSError, http.client.HTTPException):
            return
        if status.status == http.client.OK:
            acknowledged += [2 * number, 2 * number + 1]
