"""The next hop's URL and certificates."""

from __future__ import annotations

import ssl
import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tracelens.errors import UsageError

if TYPE_CHECKING:
    from tracelens.settings.forwarding import ForwardSettings

_DEFAULT_PORTS: Final = {"http": 80, "https": 443, "grpc": 4317, "grpcs": 4317}
"""An exporter takes http://host for port 80 as well; a gRPC target without a port has no such meaning."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where to connect.

    Attributes:
        url: as it was given, for messages; it holds no credentials.
        is_grpc: gRPC or else HTTP.
        is_secure: with TLS.
        host, port: of the server; an IPv6 address without brackets.
        path: HTTP's, without a slash at its end; the signal's path is added.
    """

    url: str
    is_grpc: bool
    is_secure: bool
    host: str
    port: int
    path: str

    @property
    def target(self) -> str:
        """The host and port as gRPC writes them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def read_destination(settings: ForwardSettings, option: str) -> Destination:
    """Return the destination of the settings; `option` is where its URL was given, for messages.

    Raises:
        UsageError: the URL is none, or does not go with the other settings.
    """
    text = settings.url
    wrong = UsageError(
        f"{option} {text}: not an OTLP endpoint; write http(s)://host:4318 or grpc(s)://host:4317, "
        "and credentials under [forward.headers]"
    )
    try:
        url = urllib.parse.urlsplit(text)
        port = url.port
    except ValueError:  # a port that is no number, or too large
        raise wrong from None
    is_grpc = url.scheme in {"grpc", "grpcs"}
    has_more = url.username is not None or url.query or url.fragment or (is_grpc and url.path.strip("/"))
    if url.scheme not in _DEFAULT_PORTS or not url.hostname or has_more:
        raise wrong
    if is_grpc and settings.compression == "zstd":
        raise UsageError("forward.compression zstd: gRPC cannot send that; use gzip or none, or forward over HTTP")
    is_secure = url.scheme in {"https", "grpcs"}
    if not is_secure and (settings.ca_file or settings.cert_file):
        secure = {"http": "https", "grpc": "grpcs"}[url.scheme]
        raise UsageError(f"{option} {text}: certificates are configured for it; write {secure}://, or remove them")
    return Destination(
        url=text,
        is_grpc=is_grpc,
        is_secure=is_secure,
        host=url.hostname,
        port=_DEFAULT_PORTS[url.scheme] if port is None else port,
        path=url.path.rstrip("/"),
    )


def client_context(settings: ForwardSettings) -> ssl.SSLContext:
    """Return what HTTPS needs to know of the next hop's certificate and of ours.

    Raises:
        UsageError: a file is missing or holds something else.
    """
    try:
        context = ssl.create_default_context(cafile=settings.ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise _unreadable("forward.ca_file", settings.ca_file, error) from error
    if settings.cert_file:
        try:
            context.load_cert_chain(settings.cert_file, settings.key_file)
        except (OSError, ssl.SSLError) as error:
            raise _unreadable("forward.cert_file", f"{settings.cert_file} with {settings.key_file}", error) from error
    return context


def read_pem_files(settings: ForwardSettings) -> tuple[bytes | None, bytes | None, bytes | None]:
    """Return the contents of ca_file, key_file and cert_file, None for each that is not configured.

    Raises:
        UsageError: a file is missing or holds something else.
    """
    client_context(settings)  # grpc tells nothing about a file that it cannot use
    files = (settings.ca_file, settings.key_file, settings.cert_file)
    ca, key, cert = (Path(path).read_bytes() if path else None for path in files)
    return ca, key, cert


def _unreadable(setting: str, path: str, error: OSError) -> UsageError:
    reason = error.strerror if not isinstance(error, ssl.SSLError) else error.reason or "not in PEM"
    return UsageError(f"{setting} {path}: cannot be used: {reason}; name a PEM file that fits")
