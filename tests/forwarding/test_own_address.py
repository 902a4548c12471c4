"""A server that is its own next hop would pass the same requests on for ever."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from next_hop import held_port
from processes import command

from tracelens.errors import UsageError
from tracelens.forwarding.destination import read_destination
from tracelens.forwarding.own_address import refuse_own_address
from tracelens.settings import ForwardSettings

if TYPE_CHECKING:
    from pathlib import Path


def refusal(url: str, **listening: str) -> str | None:
    """Return what is said of a URL, None where it may be the next hop."""
    destination = read_destination(ForwardSettings(url=url), "forward.url")
    try:
        refuse_own_address(destination, "forward.url", {f"--{option}": text for option, text in listening.items()})
    except UsageError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("url", "listening"),
    [
        ("http://127.0.0.1:4318", "127.0.0.1:4318"),
        ("http://127.0.0.1:4318/base", "127.0.0.1:4318"),
        ("https://127.0.0.1:4318", "127.0.0.1:4318"),
        ("http://127.0.0.1", "127.0.0.1:80"),
        ("grpc://127.0.0.1", "127.0.0.1:4317"),
        ("http://localhost:4318", "127.0.0.1:4318"),
        ("http://127.0.0.1:4318", "localhost:4318"),
        ("grpc://127.0.0.1:4317", "0.0.0.0:4317"),
        ("grpc://127.0.0.7:4317", "0.0.0.0:4317"),
        ("grpc://localhost:4317", "0.0.0.0:4317"),
        ("grpc://localhost:4317", "[::]:4317"),
        ("grpc://127.0.0.1:4317", "[::]:4317"),
        ("grpc://[::1]:4317", "[::1]:4317"),
        ("grpc://[::ffff:127.0.0.1]:4317", "127.0.0.1:4317"),
        ("grpc://0.0.0.0:4317", "127.0.0.1:4317"),
        ("grpc://0.0.0.0:4317", "0.0.0.0:4317"),
    ],
)
def test_what_leads_back(url: str, listening: str) -> None:
    assert refusal(url, ui="127.0.0.1:1", grpc=listening) == (
        f"forward.url {url}: this server itself listens there, by --grpc {listening}: "
        "name the next hop, or listen elsewhere"
    )


@pytest.mark.parametrize(
    ("url", "listening"),
    [
        ("http://127.0.0.1:4319", "127.0.0.1:4318"),
        ("http://127.0.0.2:4318", "127.0.0.1:4318"),
        ("http://192.0.2.1:4318", "0.0.0.0:4318"),
        ("http://192.0.2.1:4318", "[::]:4318"),
        ("http://unknown.invalid:4318", "0.0.0.0:4318"),
        ("http://127.0.0.1:4318", "127.0.0.1:0"),
    ],
)
def test_what_does_not(url: str, listening: str) -> None:
    assert refusal(url, http=listening) is None


def test_the_machine_s_own_name_leads_back_to_what_listens_everywhere() -> None:
    try:
        own = socket.gethostbyname(socket.gethostname())
    except OSError:
        pytest.skip("this machine does not know its own name")
    assert refusal(f"http://{own}:4318", http="0.0.0.0:4318") is not None
    assert (refusal(f"http://{own}:4318", http="127.0.0.1:4318") is None) == (own != "127.0.0.1")


@pytest.mark.parametrize(("option", "scheme"), [("--http", "http"), ("--grpc", "grpc")])
@pytest.mark.parametrize("is_in_file", [False, True])
def test_serve_does_not_start_as_its_own_next_hop(
    tmp_path: Path, option: str, scheme: str, *, is_in_file: bool
) -> None:
    with held_port() as port:
        url, config = f"{scheme}://127.0.0.1:{port}", tmp_path / "c.toml"
        config.write_text(f'[forward]\nurl = "{url if is_in_file else "http://192.0.2.1"}"\n')
        given = () if is_in_file else ("--forward", url)
        done = command("serve", "--db", tmp_path / "s", "--config", config, option, f"127.0.0.1:{port}", *given)
    assert (done.code, done.output) == (2, b"")
    assert done.errors == (
        f"tracelens: {'forward.url' if is_in_file else '--forward'} {url}: this server itself listens there, "
        f"by {option} 127.0.0.1:{port}: name the next hop, or listen elsewhere\n"
    )
    assert list(tmp_path.iterdir()) == [config]


def test_a_url_that_is_wrong_is_named_where_it_was_given(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text('[forward]\nurl = "x:4"\n')
    serve = ("serve", "--db", tmp_path / "s", "--config", config)
    assert command(*serve).errors.startswith("tracelens: forward.url x:4: not an OTLP endpoint; ")
    assert command(*serve, "--forward", "y:4").errors.startswith("tracelens: --forward y:4: not an OTLP endpoint; ")
