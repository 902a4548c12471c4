"""`tracelens run`: a command with its exporter pointed at a receiver of our own, and the report on what it sent."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tracelens.analysis import analyse
from tracelens.errors import UsageError
from tracelens.ingest import Ingest
from tracelens.journal import Journal
from tracelens.model import Scope
from tracelens.receiver.grpc import GrpcReceiver
from tracelens.receiver.http import OtlpApp
from tracelens.receiver.http_server import HttpServer
from tracelens.store.database import StoreLimits
from tracelens.store.store import Store
from tracelens.waivers import waive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tracelens.findings import Report
    from tracelens.settings import Settings

_GRACE_S: Final = 5.0

_LOCAL: Final = "127.0.0.1"


def run_command(command: Sequence[str], settings: Settings, protocol: str) -> tuple[Report, int]:
    """Run a command and analyse what it exported.

    Args:
        command: the program and its arguments; its standard output goes to our standard error, where the report is not.
        settings: thresholds, objectives and limits.
        protocol: grpc or http/protobuf, as OTEL_EXPORTER_OTLP_PROTOCOL names them.

    Returns:
        The report, and the command's exit code (128 + the signal's number where one ended it).

    Raises:
        UsageError: the command cannot be started.
    """
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="tracelens-run-")))
        store = Store(None, StoreLimits(memory=settings.store.memory_limit))
        opened.callback(store.close)
        with _receiver(store, settings, folder, protocol) as endpoint:
            exit_code = _run(command, _environment(os.environ, endpoint, protocol))
        with store.reader() as reader:
            report = analyse(reader, settings, Scope(from_files=True))
        return waive(report, settings.waivers, datetime.now(UTC).date()), exit_code


@contextmanager
def _receiver(store: Store, settings: Settings, folder: Path, protocol: str) -> Iterator[str]:
    """Receive on a free port until the block ends; yield the endpoint's URL. Everything is stored afterwards."""
    with ExitStack() as running:
        journal = Journal(folder / "journal")
        running.callback(journal.close)
        ingest = Ingest(store, journal, folder / "set-aside", settings.store, settings.receiver)
        ingest.start()
        running.callback(ingest.stop)
        limit = settings.receiver.max_request_bytes
        receiver = (
            GrpcReceiver(f"{_LOCAL}:0", ingest, max_request_bytes=limit)
            if protocol == "grpc"
            else HttpServer(f"{_LOCAL}:0", OtlpApp(ingest, max_request_bytes=limit))
        )
        receiver.start()
        running.callback(receiver.stop, _GRACE_S)
        yield f"http://{receiver.address}"


def _environment(own: Mapping[str, str], endpoint: str, protocol: str) -> dict[str, str]:
    """Return the command's environment: ours, in which every OpenTelemetry SDK exports traces to the endpoint."""
    changed = dict(own)
    changed.pop("OTEL_SDK_DISABLED", None)
    for name in ("ENDPOINT", "PROTOCOL"):
        for signal_name in ("TRACES_", "METRICS_", "LOGS_"):  # the more specific variable would win over ours
            changed.pop(f"OTEL_EXPORTER_OTLP_{signal_name}{name}", None)
    changed["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint
    changed["OTEL_EXPORTER_OTLP_PROTOCOL"] = protocol
    changed["OTEL_TRACES_EXPORTER"] = "otlp"
    for name in ("no_proxy", "NO_PROXY"):
        changed[name] = ",".join(filter(None, (own.get(name), _LOCAL)))
    return changed


def _run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    with _passing_on_signals() as started:
        try:
            process = subprocess.Popen(list(command), env=environment, stdout=2)  # noqa: S603  (the user's own command)
        except OSError as error:
            raise UsageError(
                f"{command[0]}: cannot be started: {error.strerror}; write the command as you would without tracelens"
            ) from error
        started(process)
        code = process.wait()
    return code if code >= 0 else 128 - code


@contextmanager
def _passing_on_signals() -> Iterator[Callable[[subprocess.Popen[bytes]], None]]:
    """Outlive Ctrl-C, which a terminal sends to the command too, and pass SIGTERM on: we report on what was sent.

    Yields what to call with the process once it is started; a signal that came before is passed on then.
    """
    running: list[subprocess.Popen[bytes]] = []
    early: list[int] = []

    def pass_on(number: int, _frame: object) -> None:
        if running:
            running[0].send_signal(number)
        else:
            early.append(number)

    def started(process: subprocess.Popen[bytes]) -> None:
        running.append(process)
        for number in early:
            process.send_signal(number)

    handlers = {signal.SIGINT: lambda *_: None, signal.SIGTERM: pass_on}
    previous = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield started
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
