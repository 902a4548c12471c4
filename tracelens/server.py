"""Wires receiver, journal, store, analysis and escalation for `serve`."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tracelens.errors import StoreError
from tracelens.escalation.watch import Watch
from tracelens.ingest import Ingest
from tracelens.journal import Journal
from tracelens.query_api import QueryApi
from tracelens.receiver.grpc import GrpcReceiver
from tracelens.receiver.http import OtlpApp
from tracelens.receiver.http_server import HttpServer
from tracelens.sources import address_file
from tracelens.store.database import StoreLimits
from tracelens.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracelens.settings import Settings

_log = logging.getLogger(__name__)

_GRACE_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class ServeAddresses:
    """Where a server listens, each as host:port; port 0 takes any free one."""

    grpc: str = "127.0.0.1:4317"
    http: str = "127.0.0.1:4318"
    ui: str = "127.0.0.1:4320"


class Server:
    """A running `tracelens serve`.

    Args:
        db: the store's file; the journal is the folder `<db>.journal` beside it.
        addresses: where to listen.
        settings: of the store, the receiver and the rules.
        emit: called with each escalation event, a line of JSON without its end.

    Attributes:
        recovered_spans: what the last process had acknowledged and not stored.
    """

    def __init__(
        self, db: Path, addresses: ServeAddresses, settings: Settings, emit: Callable[[str], None]
    ) -> None:
        self.db = db
        self.recovered_spans = 0
        self._settings = settings
        self._closing = ExitStack()
        try:
            self._open(addresses, emit)
        except BaseException:
            self._closing.close()
            raise

    def _open(self, addresses: ServeAddresses, emit: Callable[[str], None]) -> None:
        try:
            self.db.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{self.db.parent}: cannot make the store's folder: {error.strerror}") from error
        limits = StoreLimits(memory=self._settings.store.memory_limit)
        self._store = Store(self.db, limits)
        self._closing.callback(self._store.close)
        journal = Journal(self.db.with_name(self.db.name + ".journal"), after=self._store.applied_sequence)
        self._closing.callback(journal.close)
        self._watch = Watch(self._store, self._settings, emit)
        self.ingest = Ingest(
            self._store,
            journal,
            self.db.with_name(self.db.name + ".set-aside"),
            self._settings.store,
            self._settings.receiver,
            self._watch.notice,
        )
        limits_of = self._settings.receiver
        self.grpc = GrpcReceiver(addresses.grpc, self.ingest, max_request_bytes=limits_of.max_request_bytes)
        otlp = OtlpApp(
            self.ingest,
            max_request_bytes=limits_of.max_request_bytes,
            allowed_origins=limits_of.allowed_origins,
            healthy=self._healthy,
        )
        self.http = HttpServer(addresses.http, otlp)
        self.ui = HttpServer(addresses.ui, QueryApi(self._store, self._settings, self._healthy), option="--ui")

    def _healthy(self) -> bool:
        return self.ingest.failure is None

    def start(self) -> None:
        """Recover what a previous process left, then listen.

        Raises:
            ServerError: an address cannot be listened on; nothing is left running.
        """
        try:
            self.recovered_spans = self.ingest.recover()
            self.ingest.start()
            self._closing.callback(self.ingest.stop)
            self._watch.start()
            self._closing.callback(self._watch.stop)
            for receiver in (self.ui, self.grpc, self.http):
                receiver.start()
                self._closing.callback(receiver.stop, _GRACE_S)
            self._write_addresses()
        except BaseException:
            self._closing.close()
            raise

    def stop(self) -> None:
        """Answer what has arrived, store what is acknowledged, and let go of everything."""
        self._closing.close()

    def _write_addresses(self) -> None:
        """Leave the addresses beside the store, whole at once: a reader never sees half of them."""
        path = address_file(self.db)
        addresses = {
            "ui": f"http://{self.ui.address}",
            "http": f"http://{self.http.address}",
            "grpc": self.grpc.address,
            "pid": os.getpid(),
        }
        try:
            with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
                json.dump(addresses, file)
            Path(file.name).replace(path)
        except OSError as error:
            full = " (the disk is full)" if error.errno == errno.ENOSPC else ""
            raise StoreError(f"{path}: cannot leave the server's address there{full}: {error.strerror}") from error
        self._closing.callback(_remove, path)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


