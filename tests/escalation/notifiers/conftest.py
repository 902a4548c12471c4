"""Servers that notifiers deliver to, and notifiers as a configuration makes them."""

from __future__ import annotations

import os
import ssl
import tomllib
from typing import TYPE_CHECKING

import pytest
import trustme
from http_receiver import HttpReceiver

from tracelens.escalation.notifiers import load_notifiers
from tracelens.settings import parse_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tracelens.escalation.notifiers import Notifier


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    """Return a server over HTTP."""
    server = HttpReceiver()
    yield server
    server.close()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Return a certificate authority that nobody knows."""
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file that makes it known."""
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


@pytest.fixture(scope="session")
def certificate(authority: trustme.CA) -> trustme.LeafCert:
    """Return the certificate of this machine's loopback address."""
    return authority.issue_cert("127.0.0.1")


@pytest.fixture(scope="session")
def server_context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """Return what a server on the loopback address proves itself with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


@pytest.fixture
def secure_receiver(server_context: ssl.SSLContext) -> Iterator[HttpReceiver]:
    """Return a server over HTTPS."""
    server = HttpReceiver(server_context)
    yield server
    server.close()


@pytest.fixture
def notifier(tmp_path: Path) -> Callable[[str], Notifier]:
    """Return the only notifier of a configuration's text; its name is `it` unless the text has one."""

    def load(text: str) -> Notifier:
        named = text if text.startswith("name =") else f'name = "it"\n{text}'
        document = tomllib.loads(f"[[notifiers]]\n{named}")
        (loaded,) = load_notifiers(parse_settings(document, source="test.toml", folder=tmp_path).notifiers)
        return loaded

    return load
