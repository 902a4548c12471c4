"""`tracelens serve --forward` as a process: what it acknowledged reaches the next hop, whatever happens to it."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from next_hop import Tray, held_port, next_hop
from processes import command
from traffic import n_plus_one, request_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from processes import ServerProcess

    StartServer = Callable[..., ServerProcess]

REQUESTS = [request_of(n_plus_one(number)) for number in range(1, 9)]
each_transport = pytest.mark.parametrize("hop_speaks", ["grpc", "http"])


def traces(bodies: list[bytes]) -> list[tuple[str, bytes]]:
    return sorted(("traces", body) for body in bodies)


def stored_spans(db: Path) -> int:
    spans: int = command("report", "--db", db, "--format", "json").json()["summary"]["spans"]
    return spans


@each_transport
def test_a_kill_between_acknowledgement_and_forwarding_loses_nothing(
    start_server: StartServer, hop_speaks: str
) -> None:
    with held_port() as port:
        url = f"{hop_speaks}://127.0.0.1:{port}"
        server = start_server("--forward", url)
        assert [server.send(body) for body in REQUESTS] == [200] * len(REQUESTS)
        server.end(signal.SIGKILL)
    with next_hop(hop_speaks, port=port) as hop:
        again = start_server("--forward", url)
        assert hop.tray.bodies(len(REQUESTS)) == traces(REQUESTS)
        assert again.end()[0] == 0
        assert len(hop.tray.requests) == len(REQUESTS)
    assert stored_spans(server.db) == 10 * len(REQUESTS)


def test_a_kill_while_requests_are_under_way_sends_them_again(start_server: StartServer) -> None:
    tray = Tray()
    with next_hop("http", tray) as hop:
        server = start_server("--forward", hop.url)
        assert server.send(REQUESTS[0]) == 200
        tray.wait_for(1)
        assert server.send(REQUESTS[1]) == 200  # so that the first is certainly settled before the gate closes
        tray.wait_for(2)
        tray.gate.clear()
        assert [server.send(body) for body in REQUESTS[2:]] == [200] * 6
        tray.wait_arrived(2 + 4)
        server.end(signal.SIGKILL)
    with next_hop("http") as hop:
        start_server("--forward", hop.url)
        waited = hop.tray.wait_for_bodies(REQUESTS[2:])
        assert REQUESTS[0] not in waited


def test_what_cannot_be_forwarded_stops_the_start_before_anything_is_touched(tmp_path: Path) -> None:
    db = tmp_path / "s.duckdb"
    done = command("serve", "--db", db, "--forward", "localhost:4317")
    assert done.code == 2
    assert done.errors == (
        "tracelens: --forward localhost:4317: not an OTLP endpoint; write http(s)://host:4318 or "
        "grpc(s)://host:4317, and credentials under [forward.headers]\n"
    )
    assert list(tmp_path.iterdir()) == []
