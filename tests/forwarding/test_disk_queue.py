"""The queue on disk against a model of it, over restarts, with its memory and its segments far too small."""

from __future__ import annotations

import shutil
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tracelens.errors import StoreBusyError, StoreError
from tracelens.forwarding.position import Position, PositionFile
from tracelens.forwarding.queue import DiskQueue

if TYPE_CHECKING:
    from tracelens.forwarding.queue import Entry


class QueueOverRestarts(RuleBasedStateMachine):
    """Whatever is appended is taken in order, once by each process until it is settled, and never afterwards."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="queue-"))
        self.number = 0
        self.unsettled: dict[int, bytes] = {}  # by sequence number
        self.waiting: list[int] = []
        self.taken: dict[int, Entry] = {}
        self.queue = self.opened()

    def opened(self) -> DiskQueue:
        return DiskQueue(self.folder, memory_bytes=100, segment_bytes=300)

    @rule(sizes=st.lists(st.integers(0, 60), min_size=1, max_size=6))
    def append(self, sizes: list[int]) -> None:
        payloads = [b"%d " % (self.number + index) + b"x" * size for index, size in enumerate(sizes, start=1)]
        self.queue.append(payloads)
        for payload in payloads:
            self.number += 1
            self.unsettled[self.number] = payload
            self.waiting.append(self.number)

    @precondition(lambda self: self.waiting)
    @rule()
    def take(self) -> None:
        entry = self.queue.take()
        assert entry is not None
        assert entry == (self.waiting.pop(0), self.unsettled[entry.sequence])
        self.taken[entry.sequence] = entry

    @precondition(lambda self: self.taken)
    @rule(choice=st.randoms(use_true_random=False))
    def settle(self, choice: object) -> None:
        sequence = choice.choice(sorted(self.taken))  # type: ignore[attr-defined]
        self.queue.settle(sequence)
        del self.taken[sequence], self.unsettled[sequence]

    @rule(is_clean=st.booleans())
    def restart(self, is_clean: bool) -> None:  # noqa: FBT001
        if is_clean:
            self.queue.stop()
            assert self.queue.take() is None
        self.queue.close()
        self.queue = self.opened()
        self.taken = {}
        self.waiting = sorted(self.unsettled)

    @invariant()
    def counts(self) -> None:
        assert self.queue.requests == len(self.unsettled)
        assert self.queue.size_bytes == sum(map(len, self.unsettled.values()))
        assert self.queue.lost == 0

    def teardown(self) -> None:
        self.queue.close()
        shutil.rmtree(self.folder)


TestQueueOverRestarts = QueueOverRestarts.TestCase
TestQueueOverRestarts.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)


def drained(queue: DiskQueue) -> list[bytes]:
    found = []
    while queue.requests:
        entry = queue.take()
        assert entry is not None
        found.append(entry.payload)
        queue.settle(entry.sequence)
    return found


def test_settled_records_leave_the_disk(tmp_path: Path) -> None:
    queue = DiskQueue(tmp_path, segment_bytes=100)
    for number in range(20):
        queue.append([b"%02d" % number * 50])
    before = len(list(tmp_path.glob("*.segment")))
    drained(queue)
    assert (before, len(list(tmp_path.glob("*.segment")))) == (20, 1)
    queue.close()


@pytest.mark.parametrize("memory_bytes", [0, 1 << 20])
def test_a_damaged_record_loses_itself_and_its_segment_only(tmp_path: Path, memory_bytes: int) -> None:
    queue = DiskQueue(tmp_path, segment_bytes=100)
    for number in range(4):
        queue.append([b"%d" % number * 90])
    queue.close()
    damaged = sorted(tmp_path.glob("*.segment"))[1]
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    again = DiskQueue(tmp_path, segment_bytes=100, memory_bytes=memory_bytes)
    again.append([b"new"])
    assert drained(again) == [b"0" * 90, b"2" * 90, b"3" * 90, b"new"]
    again.close()
    third = DiskQueue(tmp_path)
    assert third.requests == 0
    third.close()


@pytest.mark.parametrize("left", [b"", b"torn", b"0123456789abcdef\t{}\n", bytes(50)])
def test_without_its_position_everything_on_disk_is_sent_again(tmp_path: Path, left: bytes) -> None:
    queue = DiskQueue(tmp_path)
    queue.append([b"a", b"b"])
    entry = queue.take()
    assert entry is not None
    queue.settle(entry.sequence)
    queue.close()
    (tmp_path / "position").write_bytes(left)
    again = DiskQueue(tmp_path)
    assert drained(again) == [b"a", b"b"]
    again.close()


def test_a_position_says_what_is_settled(tmp_path: Path) -> None:
    file = PositionFile(tmp_path / "position")
    assert file.read() == Position(1, ())
    assert file.write(1000, [999, 7]) == Position(1000, (7, 999))
    assert file.write(12, []) == file.read() == Position(12, ())  # shorter than what stood there
    file.close()
    assert file.write(13, []) == Position(13, ())  # written by nobody any more
    assert PositionFile(tmp_path / "position").read() == Position(12, ())
    assert Position(12, (7, 9)).settled_through == 6
    assert Position(12, ()).settled_through == 11


def test_one_process_at_a_time(tmp_path: Path) -> None:
    queue = DiskQueue(tmp_path)
    with pytest.raises(StoreBusyError):
        DiskQueue(tmp_path)
    queue.close()


def test_a_segment_that_cannot_be_read_now_is_read_later(tmp_path: Path) -> None:
    queue = DiskQueue(tmp_path, memory_bytes=0)
    queue.append([b"a"])
    (segment,) = tmp_path.glob("*.segment")
    segment.rename(tmp_path / "away")
    with pytest.raises(StoreError):
        queue.take()
    (tmp_path / "away").rename(segment)
    queue.append([b"b"])
    assert drained(queue) == [b"a", b"b"]
    queue.close()


def test_many_threads_take_and_settle(tmp_path: Path) -> None:
    queue = DiskQueue(tmp_path, memory_bytes=500, segment_bytes=2000)
    found: list[bytes] = []

    def work() -> None:
        while (entry := queue.take()) is not None:
            found.append(entry.payload)
            queue.settle(entry.sequence)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(300):
        queue.append([b"%03d" % number])
    queue.wait_empty(30)
    queue.stop()
    for thread in threads:
        thread.join()
    assert sorted(found) == [b"%03d" % number for number in range(300)]
    queue.close()
