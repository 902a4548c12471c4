"""Processes under measurement: what they cost, from the kernel's own accounts, and the machine they ran on."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import signal
import socket
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT: Final = Path(__file__).resolve().parents[1]
CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tracelens"
"""Where rivals are installed, as the Collector is."""

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_LIMIT_S: Final = 120.0
_LONGEST_S: Final = 3600.0
_POLL_S: Final = 0.005
_PEAK: Final = re.compile(r"^VmHWM:\s+(\d+) kB", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process used in all: CPU time of it and its children in seconds, its largest resident size in bytes."""

    cpu_s: float
    peak_bytes: int
    code: int


@dataclass
class Server:
    """A running process and what it has said, on standard error and output alike."""

    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)
    _heard: threading.Condition = field(default_factory=threading.Condition)
    _has_ended: bool = False

    @classmethod
    def start(cls, command: Sequence[str | Path], folder: Path, env: Mapping[str, str] | None = None) -> Server:
        """Start a command in a folder."""
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=folder,
            env=environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        server = cls(process)
        threading.Thread(target=server._listen, daemon=True).start()
        return server

    def wait_for(self, text: str) -> str:
        """Wait until it says a text, and return the line.

        Raises:
            RuntimeError: it ended before, or says nothing for minutes.
        """

        def found() -> list[str]:
            return [line for line in self.said if text in line]

        with self._heard:
            self._heard.wait_for(lambda: found() or self._has_ended, _LIMIT_S)
            if lines := found():
                return lines[0]
        self.process.kill()
        raise RuntimeError(f"{self.process.args!r} did not say {text!r}:\n" + "\n".join(self.said[-40:]))

    def wait_for_port(self, address: str) -> None:
        """Wait until something listens at host:port.

        Raises:
            RuntimeError: it ended before, or nothing listens for minutes.
        """
        host, port = address.rsplit(":", 1)
        end = time.monotonic() + _LIMIT_S
        while time.monotonic() < end and not self._has_ended:
            with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1):
                return
            time.sleep(0.1)
        self.process.kill()
        raise RuntimeError(f"{self.process.args!r} does not listen at {address}:\n" + "\n".join(self.said[-40:]))

    def cpu_s(self) -> float:
        """Return the CPU time so far, of its children too."""
        return sum(_cpu_s(pid) for pid in _tree(self.process.pid))

    def rest(self, share: float = 0.05, limit_s: float = 60.0) -> None:
        """Wait until it uses less than this share of a core."""
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            before, begun = self.cpu_s(), time.monotonic()
            time.sleep(1.0)
            if self.cpu_s() - before < share * (time.monotonic() - begun):
                return

    def stop(self) -> Cost:
        """Tell it to end and return what it used in its life."""
        self.process.send_signal(signal.SIGTERM)
        return cost_of(self.process)

    def _listen(self) -> None:
        assert self.process.stdout is not None  # noqa: S101  (asked for above)
        for line in self.process.stdout:
            with self._heard:
                self.said.append(line.rstrip())
                self._heard.notify_all()
        with self._heard:
            self._has_ended = True
            self._heard.notify_all()


def cost_of(process: subprocess.Popen[Any]) -> Cost:
    """Wait for a process to end and return what it used; SIGKILL ends one that does not.

    Its largest size is asked of the running process: the kernel's account at the end would begin with the size of the
    process that started it.
    """
    end = time.monotonic() + _LONGEST_S
    peak_bytes = 0
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        peak_bytes = max(peak_bytes, _peak_bytes(process.pid))
        if time.monotonic() > end:
            process.kill()
        time.sleep(_POLL_S)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Cost(usage.ru_utime + usage.ru_stime, peak_bytes, process.returncode)


def _peak_bytes(pid: int) -> int:
    """Return the largest resident size of a process so far, 0 when it is gone."""
    with contextlib.suppress(OSError):
        found = _PEAK.search(Path(f"/proc/{pid}/status").read_text())
        return int(found[1]) * 1024 if found else 0
    return 0


def _tree(pid: int) -> list[int]:
    """Return a process and its descendants."""
    found = [pid]
    for parent in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def _cpu_s(pid: int) -> float:
    """Return user and system time of a process, and of its children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / _TICKS


def free_port() -> int:
    """Return a port that nobody listens at now, for programs that cannot choose one themselves."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment in which nothing but the changes speaks to tracelens or to an exporter."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("TRACELENS_", "OTEL_"))}
    return own | {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"} | dict(changes or {})


def size_of(*paths: Path) -> int:
    """Return the bytes of files, and of everything in folders."""
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*"))]
    return sum(file.stat().st_size for file in files if file.is_file())


def machine() -> str:
    """Describe the machine and the code, in one line."""
    model = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name"))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    commit = _git("rev-parse", "--short", "HEAD") + (" with changes" if _git("status", "--porcelain") else "")
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{os.cpu_count()} x {model.split(':', 1)[1].strip()}, {memory:.0f} GiB, Linux {platform.release()}, "
        f"Python {platform.python_version()}; {time.strftime('%Y-%m-%d %H:%M')}, commit {commit}; "
        f"load average at the end {load}"
    )


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
