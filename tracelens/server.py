"""Wires receiver, journal, store, analysis and escalation for `serve`."""

from __future__ import annotations

import os
import secrets
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracelens.analysis import choose_passes
from tracelens.escalation.delivery import Courier
from tracelens.escalation.notifiers.registry import load_notifiers
from tracelens.escalation.watch import Watch
from tracelens.forwarding import Forwarder, forward_folder
from tracelens.forwarding.destination import read_destination
from tracelens.forwarding.own_address import refuse_own_address
from tracelens.forwarding.senders import open_senders
from tracelens.ingest import Ingest, journal_folder, set_aside_folder
from tracelens.ingest.housekeeping import Housekeeper
from tracelens.journal import Journal
from tracelens.query_api import QueryApi
from tracelens.receiver.address import Address, parse_address
from tracelens.receiver.credentials import Credentials
from tracelens.receiver.grpc import GrpcReceiver
from tracelens.receiver.http import OtlpApp
from tracelens.receiver.http_server import HttpServer
from tracelens.receiver.statistics import ReceiverStatistics
from tracelens.receiver.tls import read_tls
from tracelens.self_metrics import Observed, SelfMetrics
from tracelens.settings.forwarding import URL_SETTING
from tracelens.sources import ServerAddress, leave_address, open_store

if TYPE_CHECKING:
    from pathlib import Path

    from tracelens.background import Background
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
        forward_option: where the URL of the next hop was given, for messages.

    Attributes:
        recovered_spans: what the last process had acknowledged and not stored.

    Raises:
        UsageError: an address is none, or is the next hop's too, or the settings name a pass, a file or a variable
            that does not exist; nothing was touched.
        StoreError: the store or its journal cannot be opened; nothing is left open.
    """

    def __init__(
        self, db: Path, addresses: ServeAddresses, settings: Settings, *, forward_option: str = URL_SETTING
    ) -> None:
        listening = {"--grpc": addresses.grpc, "--http": addresses.http, "--ui": addresses.ui}
        for option, address in listening.items():
            parse_address(address, option)
        choose_passes(settings, ())
        self._notifiers = load_notifiers(settings.notifiers)
        self._tls = read_tls(settings.receiver)
        self._credentials = Credentials(settings.receiver.credentials)
        self._senders = open_senders(settings.forward, forward_option)
        if self._senders:
            refuse_own_address(read_destination(settings.forward, forward_option), forward_option, listening)
        self.db = db.resolve()
        self.recovered_spans = 0
        self._settings = settings
        self._readers: list[Background | QueryApi] = []
        self._instance = secrets.token_hex(8)
        with ExitStack() as opened:
            self._open(opened, db, addresses)
            self._closing = opened.pop_all()

    def _open(self, opened: ExitStack, db: Path, addresses: ServeAddresses) -> None:
        self._store = open_store(db, self._settings)
        opened.callback(self._close_store)
        self._couriers = [Courier(self._store, notifier) for notifier in self._notifiers]
        self._watch = Watch(self._store, self._settings, self._couriers)
        self._query_api = QueryApi(
            self._store,
            self._settings,
            self._instance,
            self._healthy,
            self._catch_up,
            is_local=parse_address(addresses.ui, "--ui").host in _LOOPBACK,
            metrics=self._metrics_page,
        )
        self._readers += [self._watch, self._query_api, *self._couriers]
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
        self._housekeeper = Housekeeper(self._store, self._settings.store, on_expired=self.ingest.forget_requests)
        self._readers.append(self._housekeeper)
        self.forwarder = None
        if self._senders:
            self.forwarder = Forwarder(self._settings.forward, self._senders, forward_folder(self.db))
            opened.callback(self.forwarder.stop, _GRACE_S)
        statistics = ReceiverStatistics()
        self.grpc = GrpcReceiver(
            addresses.grpc,
            self.ingest,
            max_request_bytes=limits.max_request_bytes,
            statistics=statistics,
            forwarding=self.forwarder,
            credentials=self._credentials,
            tls=self._tls,
        )
        otlp = OtlpApp(
            self.ingest,
            max_request_bytes=limits.max_request_bytes,
            allowed_origins=limits.allowed_origins,
            healthy=self._healthy,
            statistics=statistics,
            forwarding=self.forwarder,
            credentials=self._credentials,
        )
        self.http = HttpServer(addresses.http, otlp, tls=self._tls)
        self.ui = HttpServer(addresses.ui, self._query_api, option="--ui")
        self._metrics = SelfMetrics(
            Observed(
                db=self.db,
                store=self._store,
                journal=self._journal,
                journal_folder=journal_folder(self.db),
                receiver=statistics,
                ingest=self.ingest,
                housekeeper=self._housekeeper,
                watch=self._watch.statistics,
                couriers={courier.name: courier.statistics for courier in self._couriers},
                forwarder=self.forwarder,
            )
        )

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
            if self.forwarder:
                self.forwarder.start()
            for receiver in (self.ui, self.grpc, self.http):
                receiver.start()
                running.callback(receiver.stop, _GRACE_S)
            running.callback(self._query_api.stop)
            running.enter_context(leave_address(self.db, self._own_address()))
            self._housekeeper.start()
            running.callback(self._housekeeper.stop)
            for courier in self._couriers:
                courier.start()
                running.callback(courier.stop)
            if self._settings.escalation.enabled:
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

    @property
    def http_scheme(self) -> str:
        """How OTLP over HTTP is received: http or https."""
        return "https" if self._tls else "http"

    def _metrics_page(self, accepted: str) -> tuple[bytes, str]:
        return self._metrics.page(accepted)

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
            http=f"{self.http_scheme}://{_reached_at(self.http.address)}",
            grpc=_reached_at(self.grpc.address),
            pid=os.getpid(),
            instance=self._instance,
            inode=self.db.stat().st_ino,
        )


def _reached_at(text: str) -> str:
    """Return where a command on this machine reaches an address."""
    address = parse_address(text, "")
    return str(Address(_REACHED_AT.get(address.host, address.host), address.port))
