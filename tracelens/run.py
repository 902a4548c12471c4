"""`tracelens run`: a command with its exporter pointed at a receiver of our own, and the report on what it sent."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tracelens.analysis import Scope, analyse
from tracelens.errors import UsageError
from tracelens.ingest import Ingest
from tracelens.journal import Journal
from tracelens.receiver.grpc import GrpcReceiver
from tracelens.receiver.http import OtlpApp
from tracelens.receiver.http_server import HttpServer
from tracelens.store.database import StoreLimits
from tracelens.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracelens.findings import Report
    from tracelens.settings import Settings

_GRACE_S = 5.0


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
    with tempfile.TemporaryDirectory(prefix="tracelens-run-") as folder:
        store = Store(None, StoreLimits(memory=settings.store.memory_limit))
        journal = Journal(Path(folder) / "journal")
        ingest = Ingest(store, journal, Path(folder) / "set-aside", settings.store, settings.receiver)
        grpc_receiver = GrpcReceiver("127.0.0.1:0", ingest, max_request_bytes=settings.receiver.max_request_bytes)
        app = OtlpApp(ingest, max_request_bytes=settings.receiver.max_request_bytes)
        http_receiver = HttpServer("127.0.0.1:0", app)
        ingest.start()
        grpc_receiver.start()
        http_receiver.start()
        try:
            address = grpc_receiver.address if protocol == "grpc" else http_receiver.address
            exit_code = _run(command, f"http://{address}", protocol)
        finally:
            grpc_receiver.stop(_GRACE_S)
            http_receiver.stop(_GRACE_S)
            ingest.stop()
            journal.close()
        try:
            with store.reader() as reader:
                return analyse(reader, settings, Scope(from_files=True)), exit_code
        finally:
            store.close()


def _run(command: Sequence[str], endpoint: str, protocol: str) -> int:
    environment = os.environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
    for signal_name in ("TRACES", "METRICS", "LOGS"):  # a more specific variable would win over ours
        environment.pop(f"OTEL_EXPORTER_OTLP_{signal_name}_ENDPOINT", None)
        environment.pop(f"OTEL_EXPORTER_OTLP_{signal_name}_PROTOCOL", None)
    try:
        process = subprocess.Popen(list(command), env=environment, stdout=2)  # noqa: S603  (the user's own command)
    except OSError as error:
        raise UsageError(f"{command[0]}: cannot be started: {error.strerror}") from error
    previous = signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C is the command's; we report on what it sent
    try:
        code = process.wait()
    finally:
        signal.signal(signal.SIGINT, previous)
    return code if code >= 0 else 128 - code
