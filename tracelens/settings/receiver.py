"""`[receiver]`: its limits, its certificate, and who may send."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from tracelens.settings.headers import HEADER_NAME
from tracelens.settings.reading import read_section, read_table
from tracelens.settings.secret import Secret, read_secret

if TYPE_CHECKING:
    from pathlib import Path

MAX_REQUEST_BYTES: Final = 255 << 20
"""Just below what a record of the journal holds, `otlp.framing.MAX_MESSAGE_BYTES`."""


@dataclass(frozen=True, slots=True)
class ReceiverSettings:
    """Limits of the receiver, its certificate, and who may send.

    Attributes:
        max_request_bytes: of one request, compressed or not; OTLP recommends 64 MiB.
        max_pending_bytes: acknowledged bytes that may wait for the store; beyond it senders are asked to wait.
        allowed_origins: origins whose browsers may send; none by default.
        tls_cert: file with the server's certificate chain in PEM; "" receives without TLS.
        tls_key: file with the certificate's key in PEM.
        client_ca: file with the authorities that sign senders' certificates, in PEM; "" asks for none.
        credentials: what a request must carry one of: `bearer`, `basic` or the name of a header, and its value.
    """

    max_request_bytes: int = 64 * 1024 * 1024
    max_pending_bytes: int = 256 * 1024 * 1024
    allowed_origins: tuple[str, ...] = ()
    tls_cert: str = ""
    tls_key: str = ""
    client_ca: str = ""
    credentials: tuple[tuple[str, Secret], ...] = ()


def parse_receiver(section: Any, folder: Path) -> ReceiverSettings:
    """Return the settings of the table; paths in it are relative to the folder.

    Raises:
        ValueError: a setting does not exist or does not fit.
    """
    entries = dict(read_table(section, "receiver"))
    credentials = []
    for name, value in read_table(entries.pop("credentials", {}), "receiver.credentials").items():
        place = f"receiver.credentials.{name}"
        if not HEADER_NAME.fullmatch(name.lower()):
            raise ValueError(f"{place} must be bearer, basic or the name of a header")
        credentials.append((name.lower(), read_secret(value, place, folder)))
    settings = read_section(ReceiverSettings, entries, "receiver")
    if settings.max_request_bytes > MAX_REQUEST_BYTES:
        raise ValueError(
            f"receiver.max_request_bytes must be at most {MAX_REQUEST_BYTES}, the journal's longest record"
        )
    if bool(settings.tls_cert) != bool(settings.tls_key):
        raise ValueError("receiver.tls_cert and receiver.tls_key belong together: set both or none")
    if settings.client_ca and not settings.tls_cert:
        raise ValueError("receiver.client_ca needs receiver.tls_cert and receiver.tls_key")
    return replace(
        settings,
        credentials=tuple(credentials),
        tls_cert=resolved(settings.tls_cert, folder),
        tls_key=resolved(settings.tls_key, folder),
        client_ca=resolved(settings.client_ca, folder),
    )


def resolved(path: str, folder: Path) -> str:
    """Return a path of the configuration relative to its folder, "" for none."""
    return str(folder / path) if path else ""
