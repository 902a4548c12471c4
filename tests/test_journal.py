"""The journal keeps what it acknowledged, through crashes, full disks and damage."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import logging
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from tracelens.errors import StoreBusyError, StoreError
from tracelens.journal import Journal
from tracelens.otlp.framing import JOURNAL_HEADER, JOURNAL_RECORD

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.segment"))


def records(folder: Path, after: int = 0) -> list[tuple[int, bytes]]:
    journal = Journal(folder)
    try:
        return list(journal.replay(after))
    finally:
        journal.close()


def write(folder: Path, *groups: list[bytes], segment_bytes: int = 1 << 20) -> None:
    journal = Journal(folder, segment_bytes=segment_bytes)
    for group in groups:
        journal.append(group)
    journal.close()


def test_a_new_journal_is_empty(folder: Path) -> None:
    journal = Journal(folder)
    assert journal.last_sequence == 0
    assert list(journal.replay(0)) == []
    assert journal.append([]) == 0
    journal.close()


def test_the_file_is_laid_out_as_documented(folder: Path) -> None:
    write(folder, [b"one", b""])
    first, second = xxhash.xxh3_128_digest(b"one"), xxhash.xxh3_128_digest(b"")
    assert (folder / "00000000000000000001.segment").read_bytes() == (
        b"TLJRNL01" + bytes([0] * 7 + [1]) + bytes([0, 0, 0, 3]) + first + b"one" + bytes(4) + second
    )


def test_append_numbers_the_payloads_and_replay_gives_them_back(folder: Path) -> None:
    journal = Journal(folder)
    assert journal.append([b"a", b"b"]) == 2
    assert journal.append([b"c"]) == 3
    assert journal.last_sequence == 3
    assert list(journal.replay(0)) == [(1, b"a"), (2, b"b"), (3, b"c")]
    assert list(journal.replay(2)) == [(3, b"c")]
    assert list(journal.replay(3)) == []
    journal.close()


def test_a_group_larger_than_one_system_call_takes(folder: Path) -> None:
    payloads = [b"%d" % number for number in range(5000)]
    write(folder, payloads)
    assert records(folder) == list(enumerate(payloads, start=1))


def test_segments_follow_each_other_at_their_size(folder: Path) -> None:
    payload = bytes(100)
    write(folder, *[[payload]] * 10, segment_bytes=300)
    assert [path.name for path in segments(folder)] == [f"{first:020}.segment" for first in (1, 4, 7, 10)]
    assert records(folder) == [(number, payload) for number in range(1, 11)]


def test_a_reopened_journal_goes_on_in_a_new_segment(folder: Path) -> None:
    write(folder, [b"a", b"b"])
    journal = Journal(folder)
    assert journal.last_sequence == 2
    assert journal.append([b"c"]) == 3
    journal.close()
    assert [path.name for path in segments(folder)] == [f"{first:020}.segment" for first in (1, 3)]
    assert records(folder, after=1) == [(2, b"b"), (3, b"c")]


def test_opening_again_and_again_leaves_one_empty_segment(folder: Path) -> None:
    write(folder, [b"a"])
    for _ in range(3):
        write(folder)
    assert [path.name for path in segments(folder)] == [f"{first:020}.segment" for first in (1, 2)]


def test_release_deletes_only_segments_that_are_wholly_committed(folder: Path) -> None:
    journal = Journal(folder, segment_bytes=1)
    for payload in (b"a", b"b", b"c"):
        journal.append([payload, payload])
    journal.release(3)
    assert list(journal.replay(0)) == [(3, b"b"), (4, b"b"), (5, b"c"), (6, b"c")]
    journal.release(4)
    assert list(journal.replay(0)) == [(5, b"c"), (6, b"c")]
    journal.release(6)
    assert list(journal.replay(0)) == [(5, b"c"), (6, b"c")]
    journal.close()


def test_sequence_numbers_survive_the_release_of_everything(folder: Path) -> None:
    write(folder, [b"a", b"b"])
    journal = Journal(folder)
    journal.release(2)
    journal.close()
    assert records(folder) == []
    journal = Journal(folder)
    assert journal.append([b"c"]) == 3
    journal.close()


def test_sequence_numbers_go_on_above_the_stores_mark_when_the_folder_was_removed(folder: Path) -> None:
    journal = Journal(folder, after=41)
    assert journal.last_sequence == 41
    assert journal.append([b"a"]) == 42
    journal.close()
    assert records(folder, after=41) == [(42, b"a")]


def test_a_second_journal_on_the_same_folder_is_refused_until_the_first_is_closed(folder: Path) -> None:
    journal = Journal(folder)
    with pytest.raises(StoreBusyError, match=f"{folder} is open in another process"):
        Journal(folder)
    journal.close()
    Journal(folder).close()


def test_a_closed_journal_takes_nothing(folder: Path) -> None:
    journal = Journal(folder)
    journal.close()
    with pytest.raises(StoreError, match="closed"):
        journal.append([b"a"])


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match=f"{tmp_path / 'file' / 'journal'} failed: Not a directory"):
        Journal(tmp_path / "file" / "journal")


def test_replay_during_appends_sees_whole_records_only(folder: Path) -> None:
    journal = Journal(folder, segment_bytes=4096)
    done = threading.Event()

    def append() -> None:
        for number in range(200):
            journal.append([b"%d" % number] * 7)
        done.set()

    writer = threading.Thread(target=append)
    writer.start()
    expected = [(number * 7 + copy, b"%d" % number) for number in range(200) for copy in range(1, 8)]
    while not done.is_set():
        seen = list(journal.replay(0))
        assert seen == expected[: len(seen)]
    writer.join()
    assert list(journal.replay(0)) == expected
    journal.close()


payload_groups = st.lists(st.lists(st.binary(max_size=40), min_size=1, max_size=4), min_size=1, max_size=4)


@settings(max_examples=60, deadline=None)
@given(groups=payload_groups, choice=st.data())
def test_a_torn_end_costs_only_the_record_it_tore(groups: list[list[bytes]], choice: st.DataObject) -> None:
    payloads = [payload for group in groups for payload in group]
    ends = list(
        itertools.accumulate((JOURNAL_RECORD.size + len(payload) for payload in payloads), initial=JOURNAL_HEADER.size)
    )
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent)
        write(folder, *groups)
        torn = segments(folder)[-1]
        size = choice.draw(st.integers(JOURNAL_HEADER.size, ends[-1]), label="size")
        with torn.open("rb+") as file:
            file.truncate(size)
        whole = sum(end <= size for end in ends) - 1
        survivors = list(enumerate(payloads[:whole], start=1))

        journal = Journal(folder)
        assert journal.last_sequence == whole
        assert list(journal.replay(0)) == survivors
        assert journal.torn_bytes == size - ends[whole]
        next_sequence = journal.append([b"later"])
        assert next_sequence > whole
        assert list(journal.replay(0)) == [*survivors, (next_sequence, b"later")]
        journal.close()


def test_damage_is_reported_and_reading_goes_on_in_the_next_segment(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(folder, [b"a" * 30], [b"b" * 30], [b"c" * 30], [b"d" * 30], segment_bytes=100)
    damaged, _ = segments(folder)
    content = bytearray(damaged.read_bytes())
    offset = JOURNAL_HEADER.size + JOURNAL_RECORD.size + 30
    content[offset + JOURNAL_RECORD.size + 5] ^= 1
    damaged.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert records(folder) == [(1, b"a" * 30), (3, b"c" * 30), (4, b"d" * 30)]
    reason = "the record does not match its digest"
    assert caplog.messages == [f"{damaged} is damaged at byte {offset}, {reason}: the rest of it is left out"]


def test_a_damaged_length_never_makes_a_number_come_back(folder: Path) -> None:
    write(folder, [b"a", b"b", b"c", b"d"])
    path = segments(folder)[0]
    content = bytearray(path.read_bytes())
    content[JOURNAL_HEADER.size + JOURNAL_RECORD.size + 1] = 0xFF  # the second record's length
    path.write_bytes(content)
    journal = Journal(folder)
    assert journal.last_sequence == 1
    assert journal.append([b"e"]) > 4
    journal.close()


def test_a_foreign_file_among_the_segments_is_left_out(folder: Path) -> None:
    write(folder, [b"a"])
    foreign = folder / f"{7:020}.segment"
    foreign.write_bytes(b"something else entirely")
    journal = Journal(folder)
    assert list(journal.replay(0)) == [(1, b"a")]
    assert journal.append([b"b"]) > 6
    journal.close()


APPENDER = """
import sys
from pathlib import Path
from tracelens.journal import Journal
import hashlib

journal = Journal(Path(sys.argv[1]), segment_bytes=20_000)
number = 0
while True:
    group = [hashlib.sha256(b"%d" % (number + index)).digest() * 20 for index in range(number % 7 + 1)]
    number = journal.append(group)
    print(number, flush=True)
"""


def test_everything_acknowledged_survives_a_kill(folder: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", APPENDER, str(folder)], stdout=subprocess.PIPE) as appender:
        assert appender.stdout is not None
        for line in appender.stdout:
            if int(line) > 500:
                break
        appender.kill()
        acknowledged = max([int(line), *(int(rest) for rest in appender.stdout.read().split())])
    survivors = records(folder)
    assert len(survivors) >= acknowledged
    assert survivors == [
        (number, hashlib.sha256(b"%d" % (number - 1)).digest() * 20) for number in range(1, len(survivors) + 1)
    ]


FULL_DISK = """
import resource, sys
from pathlib import Path
from tracelens.errors import StoreError
from tracelens.journal import Journal

journal = Journal(Path(sys.argv[1]), segment_bytes=1_000_000)
journal.append([b"a" * 500])
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
for _ in range(2):
    try:
        journal.append([b"b" * 300, b"c" * 300])
    except StoreError as error:
        print(error)
    [segment] = Path(sys.argv[1]).glob("*.segment")
    assert segment.stat().st_size == 16 + 20 + 500
assert journal.append([b"d" * 200]) == 2
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert journal.append([b"e" * 2000]) == 3
assert [sequence for sequence, _ in journal.replay(0)] == [1, 2, 3]
"""


def test_a_full_disk_refuses_the_group_and_leaves_the_journal_valid(folder: Path) -> None:
    child = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(folder)], capture_output=True, text=True, check=False, timeout=30
    )
    line = (
        f"the journal {folder} failed: File too large: make room or repair that disk, or choose another store with --db"
    )
    assert (child.returncode, child.stderr, child.stdout.splitlines()) == (0, "", [line, line])
    assert records(folder) == [(1, b"a" * 500), (2, b"d" * 200), (3, b"e" * 2000)]


def test_a_segment_that_cannot_be_repaired_is_left_and_its_numbers_are_not_reused(folder: Path) -> None:
    journal = Journal(folder)
    journal.append([b"a"])
    assert journal._file is not None
    broken = os.open("/dev/full", os.O_WRONLY)  # refuses to be written with ENOSPC, and to be truncated
    os.dup2(broken, journal._file)
    os.close(broken)
    with pytest.raises(StoreError, match="No space left on device"):
        journal.append([b"b", b"c"])
    assert journal.append([b"d"]) == 4
    assert list(journal.replay(0)) == [(1, b"a"), (4, b"d")]
    journal.close()


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    mount = tmp_path / "disk"
    mount.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(mount)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("a file system of our own cannot be mounted here")
    yield mount
    subprocess.run(["umount", str(mount)], check=True)


def test_a_disk_that_fills_up_and_is_cleared_again(tiny_disk: Path) -> None:
    journal = Journal(tiny_disk / "journal", segment_bytes=10_000)
    journal.append([b"a" * 9_990])
    ballast = tiny_disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    for room in (0, 16_384):  # not enough for another segment, then enough for its beginning
        with ballast.open("rb+") as file:
            file.truncate(ballast.stat().st_size - room)
        for _ in range(3):
            with pytest.raises(StoreError, match="No space left on device"):
                journal.append([b"b" * 100_000])
            assert list(journal.replay(0)) == [(1, b"a" * 9_990)]
        assert len(segments(tiny_disk / "journal")) == (2 if room else 1)
    ballast.unlink()
    assert journal.append([b"c" * 100_000]) == 2
    assert list(journal.replay(0)) == [(1, b"a" * 9_990), (2, b"c" * 100_000)]
    journal.close()
