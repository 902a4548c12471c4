"""The command line as processes of its own, as users meet it: servers on free ports, and commands."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, Final

from click.testing import CliRunner

from tracelens.cli import main

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

PROGRAM: Final = (sys.executable, "-m", "tracelens")
FREE_PORTS: Final = tuple(word for option in ("--grpc", "--http", "--ui") for word in (option, "127.0.0.1:0"))

_LIMIT_S: Final = 60
"""Far above what anything here takes: a process that hangs fails its test and not the whole run."""


def environment(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment in which nothing but the changes speaks to tracelens or to an exporter."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
    own = {name: value for name, value in os.environ.items() if not name.startswith(("TRACELENS", "OTEL", "NO_COLOR"))}
    return own | {"PYTHONPATH": root, "PYTHONUTF8": "1"} | dict(changes or {})


@dataclass(frozen=True)
class Done:
    """What a command did."""

    code: int
    output: bytes
    errors: str

    def json(self) -> Any:
        """Return what it printed, once it is sure that all went well."""
        assert (self.code, self.errors) == (0, "")
        return json.loads(self.output)


def command(*arguments: str | Path, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> Done:
    """Run a command to its end in this process, which saves it the start."""
    quiet = {name: None for name in os.environ if name.startswith(("TRACELENS", "OTEL", "NO_COLOR"))}
    done = CliRunner().invoke(main, [*map(str, arguments)], input=stdin, env=quiet | dict(env or {}))
    return Done(done.exit_code, done.stdout_bytes, done.stderr)


def tracelens(
    *arguments: str | Path,
    cwd: Path,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
) -> Done:
    """Run a command to its end as a process of its own, in a folder of its own."""
    done = subprocess.run(
        [*PROGRAM, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        cwd=cwd,
        env=environment(env),
        timeout=_LIMIT_S,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr.decode())


@dataclass
class Follower:
    """A process whose output is read line by line while it runs."""

    process: subprocess.Popen[str]
    _watchdog: threading.Timer = field(init=False)

    def __post_init__(self) -> None:
        self._watchdog = threading.Timer(_LIMIT_S, self.process.kill)
        self._watchdog.start()

    def line(self) -> str:
        """Return the next line of standard output, without its end; wait for it."""
        return _line(self.process.stdout)

    def error_line(self) -> str:
        """Return the next line of standard error, without its end; wait for it."""
        return _line(self.process.stderr)

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        """Send a signal and return the exit code and what was written that has not been read."""
        self.process.send_signal(number)
        return self.wait()

    def as_server(self, db: Path) -> ServerProcess:
        """Return this `tracelens serve` once it listens."""
        self._watchdog.cancel()
        server = ServerProcess(self.process, db)
        server.read_addresses()
        return server

    def wait(self) -> tuple[int, str, str]:
        """Wait for the end; return the exit code and what was written that has not been read."""
        try:
            output, errors = self.process.communicate(timeout=_LIMIT_S)
        finally:
            self._watchdog.cancel()
            self.process.kill()
        return self.process.returncode, output or "", errors or ""


def follow(
    *arguments: str | Path,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    program: Sequence[str] = PROGRAM,
    stdin: bool = False,
) -> Follower:
    """Start a command."""
    return Follower(
        subprocess.Popen(
            [*program, *map(str, arguments)],
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=environment(env),
            text=True,
        )
    )


@dataclass
class ServerProcess(Follower):
    """A running `tracelens serve` that has said where it listens."""

    db: Path
    grpc: str = ""
    http: str = ""
    ui: str = ""
    recovered: str = ""

    def read_addresses(self) -> None:
        said: dict[str, str] = {}
        while "store" not in said:
            line = self.error_line()
            if not line:
                raise AssertionError(f"no server: {said}, {self.wait()}")
            name, _, value = line.partition(" ")
            said[name] = value.strip()
        self.grpc, self.http, self.ui = said["OTLP/gRPC"], said["OTLP/HTTP"], said["reports"]
        self.recovered = said.get("recovered", "")

    def send(self, body: bytes) -> int:
        """Send a request over HTTP and return the answer's status."""
        connection = http.client.HTTPConnection(self.http.removeprefix("http://"), timeout=_LIMIT_S)
        try:
            connection.request("POST", "/v1/traces", body, {"content-type": "application/x-protobuf"})
            return connection.getresponse().status
        finally:
            connection.close()


def serve(db: Path, *options: str | Path, env: Mapping[str, str] | None = None) -> ServerProcess:
    """Start a server on free ports and return once it listens."""
    return follow("serve", "--db", db, *FREE_PORTS, *options, cwd=db.parent, env=env).as_server(db)


def _line(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline().rstrip("\n")
