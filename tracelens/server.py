"""Wires receiver, journal, store, analysis and escalation for `serve`."""

from __future__ import annotations

import os
import secrets
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracelens.analysis import choose_passes
from tracelens.escalation.watch import Watch
from tracelens.ingest import Ingest, journal_folder, set_aside_folder
from tracelens.journal import Journal
from tracelens.query_api import QueryApi
from tracelens.receiver.address import Address, parse_address
from tracelens.receiver.grpc import GrpcReceiver
from tracelens.receiver.http import OtlpApp
from tracelens.receiver.http_server import HttpServer
from tracelens.sources import ServerAddress, leave_address, open_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tracelens.settings import Settings

_GRACE_S: Final = 3.0

_CATCH_UP_S: Final = 10.0
_CATCH_UP_PAUSE_S: Final = 0.02

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_REACHED_AT: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  (where to ask what listens on every address)


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

    Raises:
        UsageError: an address is none, or the settings name a pass that does not exist; nothing was touched.
        StoreError: the store or its journal cannot be opened; nothing is left open.
    """

    def __init__(self, db: Path, addresses: ServeAddresses, settings: Settings, emit: Callable[[str], None]) -> None:
        for option, address in (("--grpc", addresses.grpc), ("--http", addresses.http), ("--ui", addresses.ui)):
            parse_address(address, option)
        choose_passes(settings, ())
        self.db = db.resolve()
        self.recovered_spans = 0
        self._settings = settings
        self._readers: list[Watch | QueryApi] = []
        self._instance = secrets.token_hex(8)
        with ExitStack() as opened:
            self._open(opened, db, addresses, emit)
            self._closing = opened.pop_all()

    def _open(self, opened: ExitStack, db: Path, addresses: ServeAddresses, emit: Callable[[str], None]) -> None:
        self._store = open_store(db, self._settings)
        opened.callback(self._close_store)
        self._watch = Watch(self._store, self._settings, emit)
        self._query_api = QueryApi(
            self._store,
            self._settings,
            self._instance,
            self._healthy,
            self._catch_up,
            is_local=parse_address(addresses.ui, "--ui").host in _LOOPBACK,
        )
        self._readers += [self._watch, self._query_api]
        self._journal = Journal(journal_folder(self.db), after=self._store.applied_sequence)
        opened.callback(self._journal.close)
        limits = self._settings.receiver
        self.ingest = Ingest(
            self._store,
            self._journal,
            set_aside_folder(self.db),
            self._settings.store,
            limits,
            on_stored=self._watch.notice,
        )
        self.grpc = GrpcReceiver(addresses.grpc, self.ingest, max_request_bytes=limits.max_request_bytes)
        otlp = OtlpApp(
            self.ingest,
            max_request_bytes=limits.max_request_bytes,
            allowed_origins=limits.allowed_origins,
            healthy=self._healthy,
        )
        self.http = HttpServer(addresses.http, otlp)
        self.ui = HttpServer(addresses.ui, self._query_api, option="--ui")

    def start(self) -> None:
        """Recover what a previous process left, then listen.

        Raises:
            ServerError: an address cannot be listened on; nothing is left running.
            StoreError: the store or its journal fails; nothing is left running.
        """
        with self._closing as running:
            self.recovered_spans = self.ingest.recover()
            self.ingest.start()
            running.callback(self.ingest.stop)
            for receiver in (self.ui, self.grpc, self.http):
                receiver.start()
                running.callback(receiver.stop, _GRACE_S)
            running.callback(self._query_api.stop)
            running.enter_context(leave_address(self.db, self._own_address()))
            self._watch.start()
            running.callback(self._watch.stop)
            self._closing = running.pop_all()

    def stop(self) -> None:
        """Answer what has arrived, store what is acknowledged, and let go of everything, within seconds.

        An analysis that nobody will hear of may go on, on a thread of its own: end the process without waiting for it.
        """
        self._closing.close()

    def _close_store(self) -> None:
        """Close the store's file, unless it is still being read: that cannot be ended, and all of it is on disk."""
        if all(reader.is_idle for reader in self._readers):
            self._store.close()

    def _healthy(self) -> bool:
        return self.ingest.failure is None

    def _catch_up(self) -> None:
        """Wait until the store holds what the journal holds now, unless it cannot be written."""
        wanted = self._journal.last_sequence
        end = time.monotonic() + _CATCH_UP_S
        while self._store.applied_sequence < wanted and self._healthy() and time.monotonic() < end:
            time.sleep(_CATCH_UP_PAUSE_S)

    def _own_address(self) -> ServerAddress:
        return ServerAddress(
            ui=f"http://{_reached_at(self.ui.address)}",
            http=f"http://{_reached_at(self.http.address)}",
            grpc=_reached_at(self.grpc.address),
            pid=os.getpid(),
            instance=self._instance,
            inode=self.db.stat().st_ino,
        )


def _reached_at(text: str) -> str:
    """Return where a command on this machine reaches an address."""
    address = parse_address(text, "")
    return str(Address(_REACHED_AT.get(address.host, address.host), address.port))
