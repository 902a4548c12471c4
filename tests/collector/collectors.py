"""The real Collector as processes of its own, with the configurations of docs/collector."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from collector.build import collector_binary
from processes import environment

if TYPE_CHECKING:
    from collections.abc import Mapping

_ROOT: Final = Path(__file__).resolve().parents[2]
DOCUMENTED: Final = _ROOT / "docs" / "collector"
DEMO: Final = _ROOT / "sample_traces" / "demo"
BACKEND: Final = Path(__file__).with_name("backend.yaml")
_QUIET: Final = Path(__file__).with_name("quiet.yaml")

_ADDRESS: Final = re.compile(r'Starting (GRPC|HTTP) server\t.*"endpoint": "([^"]+)"')
_LIMIT_S: Final = 60
"""Far above what anything here takes: a process that hangs fails its test and not the whole run."""

_SIGNALS: Final = {
    "traces": ("resourceSpans", "scopeSpans", "spans"),
    "metrics": ("resourceMetrics", "scopeMetrics", "metrics"),
    "logs": ("resourceLogs", "scopeLogs", "logRecords"),
}


@dataclass
class Collector:
    """A running Collector.

    Attributes:
        folder: its own; what waits on disk and what a backend writes is there.
        grpc: host:port of its OTLP receiver, "" where it has none.
        http: its address for OTLP over HTTP, "" where it has none.
    """

    process: subprocess.Popen[str]
    folder: Path
    grpc: str = ""
    http: str = ""
    _log: list[str] = field(default_factory=list)
    _has_ended: bool = False
    _heard: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        threading.Thread(target=self._listen, daemon=True).start()
        self.wait_for("Everything is ready")
        found = {match[1]: match[2] for line in self._log if (match := _ADDRESS.search(line))}
        self.grpc = found.get("GRPC", "")
        self.http = f"http://{found['HTTP']}" if "HTTP" in found else ""

    def wait_for(self, text: str) -> None:
        """Wait until it has said a text."""
        with self._heard:
            self._heard.wait_for(lambda: self._has_said(text) or self._has_ended, _LIMIT_S)
            assert self._has_said(text), "\n".join(self._log)

    def stop(self) -> None:
        """Tell it to end, on which it delivers what waits in memory, and wait until it has ended."""
        self.process.terminate()
        assert self.process.wait(_LIMIT_S) == 0, "\n".join(self._log)

    def received(self, signal: str) -> list[dict[str, Any]]:
        """Return the spans, metrics or log records that a backend has written, in OTLP's JSON."""
        path = self.folder / f"{signal}.jsonl"
        written = path.read_text(encoding="utf-8") if path.exists() else ""
        lines = written.rpartition("\n")[0].splitlines()  # the last may be under way
        outer, middle, inner = _SIGNALS[signal]
        return [
            record
            for line in lines
            for resource in json.loads(line)[outer]
            for scope in resource[middle]
            for record in scope[inner]
        ]

    def _has_said(self, text: str) -> bool:
        return any(text in line for line in self._log)

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._heard:
                self._log.append(line.rstrip())
                self._heard.notify_all()
        with self._heard:
            self._has_ended = True
            self._heard.notify_all()


def start_collector(config: Path, folder: Path, env: Mapping[str, str]) -> Collector:
    """Start a Collector on free ports and return once it receives."""
    folder.mkdir(exist_ok=True)
    own = {
        "COLLECTOR_STORAGE": str(folder / "storage"),
        "FOLDER": str(folder),
        "OTLP_GRPC": "127.0.0.1:0",
        "OTLP_HTTP": "127.0.0.1:0",
        "TRACELENS_RETRY_INTERVAL": "200ms",
    }
    return Collector(
        subprocess.Popen(
            [collector_binary(), "--config", config, "--config", _QUIET],
            env=environment(own | dict(env)),
            stderr=subprocess.PIPE,
            text=True,
        ),
        folder,
    )
