"""Addresses are read strictly, and one that cannot be listened on is explained in a line."""

from __future__ import annotations

import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tracelens.errors import ServerError, UsageError
from tracelens.receiver import GrpcReceiver, HttpServer, OtlpApp
from tracelens.receiver.address import Address, listen, parse_address

if TYPE_CHECKING:
    from keeping_intake import KeepingIntake


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:4317", Address("127.0.0.1", 4317)),
        ("localhost:0", Address("localhost", 0)),
        ("[::1]:4318", Address("::1", 4318)),
    ],
)
def test_an_address_is_read_and_written_back(text: str, address: Address) -> None:
    assert parse_address(text, "--grpc") == address
    assert str(address) == text


@pytest.mark.parametrize(
    "text",
    ["", "4317", ":4317", "localhost", "localhost:", "localhost:http", "::1:4317", "[a]:1", "host:65536", "h:-1"],
)
def test_what_is_no_address_is_refused_with_the_options_name(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--http .* is not an address: "):
        parse_address(text, "--http")


def test_a_name_is_listened_on_at_one_port_for_all_its_addresses() -> None:
    sockets = listen(Address("localhost", 0), "--http")
    try:
        assert len({listener.getsockname()[1] for listener in sockets}) == 1
        socket.create_connection(("127.0.0.1", sockets[0].getsockname()[1])).close()
    finally:
        for listener in sockets:
            listener.close()


def test_an_address_of_another_machine_is_explained() -> None:
    with pytest.raises(ServerError) as raised:
        listen(Address("192.0.2.1", 0), "--grpc")
    assert str(raised.value) == (
        "192.0.2.1:0 cannot be listened on: Cannot assign requested address: choose another with --grpc"
    )


def test_http_on_a_port_in_use(intake: KeepingIntake) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        server = HttpServer(address, OtlpApp(intake), option="--ui")
        with pytest.raises(ServerError) as raised:
            server.start()
        server.stop(0)
    assert str(raised.value) == f"{address} is in use: choose another with --ui or stop the other process"


def test_grpc_on_a_port_in_use_by_another_grpc_server(intake: KeepingIntake, grpc_target: str) -> None:
    receiver = GrpcReceiver(grpc_target, intake)
    with pytest.raises(ServerError) as raised:
        receiver.start()
    receiver.stop(0)
    assert str(raised.value) == f"{grpc_target} is in use: choose another with --grpc or stop the other process"


START_GRPC = """
import sys
from tracelens.errors import ServerError
from tracelens.receiver import GrpcReceiver

try:
    GrpcReceiver(sys.argv[1], intake=None).start()
except ServerError as error:
    sys.exit(str(error))
"""


def test_a_grpc_port_in_use_leaves_nothing_but_our_line_on_stderr(grpc_target: str) -> None:
    child = subprocess.run(
        [sys.executable, "-c", START_GRPC, grpc_target], capture_output=True, text=True, check=False, timeout=30
    )
    line = f"{grpc_target} is in use: choose another with --grpc or stop the other process\n"
    assert (child.returncode, child.stdout, child.stderr) == (1, "", line)
