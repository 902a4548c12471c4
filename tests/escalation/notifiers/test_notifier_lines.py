"""Lines of JSON: on standard output, and in a file that may be moved, torn or full."""

from __future__ import annotations

import errno
import json
import os
import resource
import stat
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from processes import PROGRAM, environment
from told_events import event, hostile_event

from tracelens.errors import DeliveryError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tracelens.escalation.notifiers import Notifier

    Load = Callable[[str], Notifier]

FILE = 'kind = "file"\npath = "events.jsonl"'


def lines(path: Path) -> list[object]:
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def test_standard_output(notifier: Load, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    told = [event(), hostile_event("\ud800 é\n")]
    notifier('kind = "stdout"').deliver(told)
    assert [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()] == told


def test_lines_of_several_threads_stay_whole(notifier: Load, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    it = notifier('kind = "stdout"')
    threads = [threading.Thread(target=it.deliver, args=([event(number=number)] * 50,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]) == 400


@pytest.mark.parametrize(
    ("where", "why"),
    [("/dev/full", "No space left on device"), (None, "nobody reads it")],
    ids=["a full disk", "a closed pipe"],
)
def test_output_that_nobody_can_read(where: str | None, why: str, tmp_path: Path) -> None:
    arguments = [*PROGRAM, "notify", "test", "stdout"]
    if where is None:
        reading, output = os.pipe()
        os.close(reading)
    else:
        output = os.open(where, os.O_WRONLY)
    done = subprocess.run(
        arguments, stdout=output, stderr=subprocess.PIPE, cwd=tmp_path, env=environment(), timeout=60, check=False
    )
    os.close(output)
    told = f"tracelens: notifier stdout: standard output cannot be written: {why}; see `tracelens events`\n"
    assert (done.returncode, done.stderr.decode()) == (4, told)


def test_a_file_is_appended_to(notifier: Load, tmp_path: Path) -> None:
    it = notifier(FILE)
    it.deliver([event(), event(number=2)])
    it.deliver([hostile_event("\ud800 é\n")])
    path = tmp_path / "events.jsonl"
    assert lines(path) == [event(), event(number=2), hostile_event("\ud800 é\n")]
    assert stat.S_IMODE(path.stat().st_mode) & 0o007 == 0
    assert it.channel.target == str(path)


def test_a_file_is_rotated(notifier: Load, tmp_path: Path) -> None:
    it, path = notifier(FILE), tmp_path / "events.jsonl"
    it.deliver([event(number=1)])
    path.rename(tmp_path / "events.jsonl.1")
    it.deliver([event(number=2)])
    path.unlink()
    it.deliver([event(number=3)])
    assert (lines(tmp_path / "events.jsonl.1"), lines(path)) == ([event(number=1)], [event(number=3)])


def test_half_a_line_of_a_crash_does_not_spoil_the_next(notifier: Load, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"specversion":"1.')
    notifier(FILE).deliver([event()])
    assert path.read_bytes().splitlines()[0] == b'{"specversion":"1.'
    assert json.loads(path.read_bytes().splitlines()[1]) == event()


def test_what_does_not_fit_is_taken_back(notifier: Load, tmp_path: Path) -> None:
    it, path = notifier(FILE), tmp_path / "events.jsonl"
    it.deliver([event(number=1)])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # As on a full disk, a part is written and then nothing more.
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 100, hard))
    try:
        with pytest.raises(DeliveryError) as raised:
            it.deliver([event(number=2)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    told = f"notifier it: {path} cannot be written: {os.strerror(errno.EFBIG)}; correct its path"
    assert (str(raised.value), raised.value.is_final) == (told, False)
    assert lines(path) == [event(number=1)]
    it.deliver([event(number=2)])
    assert lines(path) == [event(number=1), event(number=2)]


def test_several_processes_append_to_one_file(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib, json\n"
        "from tracelens.escalation.notifiers import load_notifiers\n"
        "from tracelens.settings.notifying import NotifierSettings\n"
        "(it,) = load_notifiers([NotifierSettings('it', 'file', options={'path': sys.argv[1]})])\n"
        "for number in range(100): it.deliver([{'n': number, 'pad': 'x' * 3000}])\n"
    )
    path = tmp_path / "shared.jsonl"
    running = [subprocess.Popen([sys.executable, "-c", script, path], env=environment()) for _ in range(2)]
    assert [process.wait(60) for process in running] == [0, 0]
    assert sorted(line["n"] for line in lines(path)) == sorted([*range(100)] * 2)  # type: ignore[index]


@pytest.mark.parametrize(("path", "why"), [("none/x", "no such folder"), (".", "it is a folder")])
def test_a_file_that_cannot_be_stops_the_start(path: str, why: str, notifier: Load, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        notifier(f'kind = "file"\npath = "{path}"')
    told = f"notifier it: {tmp_path / path} cannot be written: {why}; correct its path"
    assert str(raised.value) == f"test.toml: notifiers[0]: {told}"


def test_a_folder_that_goes_away(notifier: Load, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    it = notifier('kind = "file"\npath = "logs/events.jsonl"')
    (tmp_path / "logs").rmdir()
    with pytest.raises(DeliveryError) as raised:
        it.deliver([event()])
    assert not raised.value.is_final
    assert "No such file or directory" in str(raised.value)
