"""The certificate with which a server listens, and whose senders' certificates it takes."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tracelens.errors import UsageError

if TYPE_CHECKING:
    from tracelens.settings.receiver import ReceiverSettings


@dataclass(frozen=True, slots=True)
class ServerTls:
    """Files in PEM that have been found to fit together; `client_ca` is None where senders need no certificate."""

    certificate: Path
    key: Path
    client_ca: Path | None


def read_tls(settings: ReceiverSettings) -> ServerTls | None:
    """Return the certificate that the settings name, None where they name none.

    Raises:
        UsageError: a file is missing or holds something else.
    """
    if not settings.tls_cert:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # A key behind a passphrase would otherwise ask for it on the terminal.
        context.load_cert_chain(settings.tls_cert, settings.tls_key, password="")
    except (OSError, ssl.SSLError, ValueError) as error:
        place = f"receiver.tls_cert {settings.tls_cert} with receiver.tls_key {settings.tls_key}"
        raise UsageError(f"{place}: cannot be used: {_reason(error)}; name PEM files that fit together") from error
    if settings.client_ca:
        try:
            context.load_verify_locations(settings.client_ca)
        except (OSError, ssl.SSLError) as error:
            place = f"receiver.client_ca {settings.client_ca}"
            raise UsageError(f"{place}: cannot be used: {_reason(error)}; name a PEM file") from error
    client_ca = Path(settings.client_ca) if settings.client_ca else None
    return ServerTls(Path(settings.tls_cert), Path(settings.tls_key), client_ca)


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return error.reason or "not in PEM"
    return getattr(error, "strerror", None) or str(error)
