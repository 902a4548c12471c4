"""TLS to the next hop, with certificates made for the test."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
import trustme
from next_hop import LIMIT_S, front, next_hop
from otlp_clients import post

from tracelens.errors import UsageError
from tracelens.forwarding import ForwardStatistics
from tracelens.forwarding.destination import Destination, read_destination
from tracelens.forwarding.senders import open_senders
from tracelens.receiver.tls import ServerTls
from tracelens.settings import ForwardSettings
from tracelens.settings.forwarding import URL_SETTING

if TYPE_CHECKING:
    from pathlib import Path

each_transport = pytest.mark.parametrize("hop_speaks", ["grpc", "http"])


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write an authority, a server's and a client's certificate to a folder, and the same of a stranger."""
    folder = tmp_path_factory.mktemp("certificates")
    for owner in ("our", "strange"):
        authority = trustme.CA()
        authority.cert_pem.write_to_path(folder / f"{owner}_ca.pem")
        for name in ("localhost", "client"):
            issued = authority.issue_cert(name)
            issued.private_key_pem.write_to_path(folder / f"{owner}_{name}.key")
            for pem in issued.cert_chain_pems:
                pem.write_to_path(folder / f"{owner}_{name}.pem", append=True)
    return folder


def server_tls(folder: Path, *, asks_clients: bool = False) -> ServerTls:
    return ServerTls(
        folder / "our_localhost.pem", folder / "our_localhost.key", folder / "our_ca.pem" if asks_clients else None
    )


@each_transport
def test_over_tls(tmp_path: Path, certificates: Path, hop_speaks: str) -> None:
    with (
        next_hop(hop_speaks, tls=server_tls(certificates)) as hop,
        front(tmp_path, hop.url, ca_file=str(certificates / "our_ca.pem")) as relay,
    ):
        assert post(relay, "logs", b"\x0a\x00").status_code == 200
        assert hop.tray.bodies(1) == [("logs", b"\x0a\x00")]


@each_transport
def test_with_a_certificate_of_our_own(tmp_path: Path, certificates: Path, hop_speaks: str) -> None:
    with (
        next_hop(hop_speaks, tls=server_tls(certificates, asks_clients=True)) as hop,
        front(
            tmp_path,
            hop.url,
            ca_file=str(certificates / "our_ca.pem"),
            cert_file=str(certificates / "our_client.pem"),
            key_file=str(certificates / "our_client.key"),
        ) as relay,
    ):
        assert post(relay, "logs", b"\x0a\x00").status_code == 200
        assert hop.tray.bodies(1) == [("logs", b"\x0a\x00")]


@each_transport
def test_a_next_hop_that_is_not_trusted_gets_nothing(
    tmp_path: Path, certificates: Path, hop_speaks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = threading.Event()
    monkeypatch.setattr(ForwardStatistics, "count_failed", lambda _self, _signal: failed.set())
    with next_hop(hop_speaks, tls=server_tls(certificates)) as hop:
        with front(tmp_path, hop.url, ca_file=str(certificates / "strange_ca.pem")) as relay:
            assert post(relay, "logs", b"\x0a\x00").status_code == 200
            assert failed.wait(LIMIT_S)
            assert hop.tray.requests == []
        # What waited is sent once the right authority is configured.
        with front(tmp_path, hop.url, ca_file=str(certificates / "our_ca.pem")):
            assert hop.tray.bodies(1) == [("logs", b"\x0a\x00")]


def refused(**settings: str) -> str:
    with pytest.raises(UsageError) as raised:
        open_senders(ForwardSettings(**settings))  # type: ignore[arg-type]  # texts alone are given
    return str(raised.value)


def test_files_that_are_no_certificates(certificates: Path, tmp_path: Path) -> None:
    missing, text = tmp_path / "missing.pem", tmp_path / "text.pem"
    text.write_text("no certificate")
    pair = {"cert_file": str(certificates / "our_client.pem"), "key_file": str(certificates / "our_localhost.key")}
    for scheme in ("https", "grpcs"):
        url = f"{scheme}://localhost:4317"
        assert refused(url=url, ca_file=str(missing)) == (
            f"forward.ca_file {missing}: cannot be used: No such file or directory; name a PEM file that fits"
        )
        assert refused(url=url, ca_file=str(text)).startswith(f"forward.ca_file {text}: cannot be used: ")
        assert refused(url=url, **pair).startswith(f"forward.cert_file {pair['cert_file']} with {pair['key_file']}: ")
    assert "write https://" in refused(url="http://localhost:4318", ca_file=str(text))


@pytest.mark.parametrize(
    "url",
    [
        "localhost:4317",
        "ftp://h:1",
        "http://",
        "http://h:99999",
        "http://h:x",
        "grpc://h:1/path",
        "http://u:p@h:1",
        "http://h/?a=1",
    ],
)
def test_urls_that_are_no_endpoint(url: str) -> None:
    assert refused(url=url).startswith(f"forward.url {url}: not an OTLP endpoint; ")


def test_zstd_is_not_for_grpc() -> None:
    assert "gRPC cannot send that" in refused(url="grpc://h:1", compression="zstd")


def test_what_a_url_means() -> None:
    assert read_destination(ForwardSettings(url="http://[::1]:9/base/"), URL_SETTING) == Destination(
        "http://[::1]:9/base/", is_grpc=False, is_secure=False, host="::1", port=9, path="/base"
    )
    assert read_destination(ForwardSettings(url="https://h"), URL_SETTING) == Destination(
        "https://h", is_grpc=False, is_secure=True, host="h", port=443, path=""
    )
    found = read_destination(ForwardSettings(url="grpcs://[::1]"), URL_SETTING)
    assert (found.is_grpc, found.is_secure, found.target) == (True, True, "[::1]:4317")
