"""`tracelens serve` as a process: what it keeps, how it ends, who else reads its store."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, set_span_in_context
from processes import FREE_PORTS, PROGRAM, Done, command, follow
from traffic import MS, SECOND, START_NS, n_plus_one, query_spans, request_of, server_span, slow_request

from tracelens.receiver import HttpServer
from tracelens.receiver.asgi import Answer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from opentelemetry.sdk.trace.export import SpanExporter
    from processes import Follower, ServerProcess

    from tracelens.receiver.asgi import Receive, Scope, Send

    StartServer = Callable[..., ServerProcess]

NO_SPANS = {"spans": 0, "traces": 0, "requests": 0, "services": 0, "findings": {"critical": 0, "warning": 0, "info": 0}}
ONE_N_PLUS_ONE = NO_SPANS | {
    "spans": 10,
    "traces": 1,
    "requests": 1,
    "services": 1,
    "findings": {"critical": 0, "warning": 1, "info": 0},
}


def report_of(db: Path, *options: str | Path, env: dict[str, str] | None = None) -> Any:
    return command("report", "--db", db, "--format", "json", *options, env=env).json()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stops_cleanly_with_all_it_acknowledged(start_server: StartServer, number: int) -> None:
    server = start_server()
    assert server.send(request_of(n_plus_one(1))) == 200
    assert server.end(number) == (0, "", "")
    assert sorted(path.name for path in server.db.parent.iterdir()) == ["s.duckdb", "s.duckdb.journal"]
    assert report_of(server.db)["summary"] == ONE_N_PLUS_ONE


def test_what_was_acknowledged_survives_a_kill(start_server: StartServer) -> None:
    server = start_server()
    assert server.send(request_of(n_plus_one(1))) == 200
    server.end(signal.SIGKILL)
    again = start_server()
    assert again.recovered == "10 spans that were acknowledged before the last stop"
    assert report_of(server.db)["summary"] == ONE_N_PLUS_ONE


def test_a_report_is_the_same_with_and_without_the_server(start_server: StartServer, tmp_path: Path) -> None:
    own = tmp_path / "server.toml"
    own.write_text("[thresholds.n_plus_one]\nmin_repeats = 1000\n")
    callers = tmp_path / "caller.toml"
    callers.write_text('[[objectives]]\nservice = "orders"\nendpoint = ".*"\np95_ms = 1\n')
    server = start_server("--config", own)
    for trace in range(1, 30):
        assert server.send(request_of(n_plus_one(trace))) == 200

    def reports() -> list[bytes]:
        asked: list[list[str | Path]] = [
            ["--format", "json"],
            ["--format", "json", "--config", callers, "--endpoint", "orders", "--pass", "p95_breach"],
            ["--since", "2026-03-02T09:00:00Z", "--until", "2026-03-02T09:00:01Z"],
        ]
        done = [command("report", "--db", server.db, *options) for options in asked]
        assert [(each.code, each.errors) for each in done] == [(0, "")] * len(asked)
        return [each.output for each in done]

    served = reports()
    server.end()
    assert reports() == served
    found = [[finding["pass"] for finding in json.loads(text)["findings"]] for text in served[:2]]
    assert found == [["n_plus_one", "missing_cache"], ["p95_breach"]]


def test_commands_reach_the_server_past_a_proxy_and_through_links(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server()
    server.send(request_of(n_plus_one(1)))
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link.duckdb"
    link.symlink_to(server.db)
    proxy = {"http_proxy": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1"}
    assert report_of(link, env=proxy)["summary"] == ONE_N_PLUS_ONE
    server.end()
    start_server(db=link).end()
    assert [path.name for path in link.parent.iterdir()] == ["link.duckdb"]


@pytest.mark.parametrize("option", ["--grpc", "--http", "--ui"])
def test_a_port_in_use_leaves_nothing_running(tmp_path: Path, option: str) -> None:
    before = {thread.name for thread in threading.enumerate()}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = command("serve", "--db", tmp_path / "s.duckdb", *FREE_PORTS, option, address)
    said = f"tracelens: {address} is in use: choose another with {option} or stop the other process\n"
    assert done == Done(4, b"", said)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s.duckdb", "s.duckdb.journal"]
    assert {thread.name for thread in threading.enumerate()} <= before


def test_a_second_server_says_which_one_holds_the_store(start_server: StartServer) -> None:
    first = start_server()
    done = command("serve", "--db", first.db, *FREE_PORTS)
    assert done == Done(
        4,
        b"",
        f"tracelens: {first.db}: `tracelens serve` (process {first.process.pid}, {first.ui}) holds this store; "
        "stop it or choose another with --db\n",
    )


def test_the_address_of_a_killed_server_confuses_nobody(start_server: StartServer) -> None:
    server = start_server()
    server.send(request_of(n_plus_one(1)))
    server.end(signal.SIGKILL)
    assert server.db.with_name("s.duckdb.server.json").exists()
    assert report_of(server.db)["summary"] == ONE_N_PLUS_ONE  # with what only the journal held

    async def another_program(_scope: Scope, _receive: Receive, send: Send) -> None:
        await Answer(200, b'{"instance": "of another program"}', []).send(send)

    taken = HttpServer(server.ui.removeprefix("http://"), another_program)
    taken.start()
    try:
        assert report_of(server.db)["summary"] == ONE_N_PLUS_ONE
    finally:
        taken.stop(1)


def test_a_copied_store_is_not_taken_for_the_served_one(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server()
    (tmp_path / "copy").mkdir()
    for path in tmp_path.glob("s.duckdb*"):
        if path.is_file():
            shutil.copy(path, tmp_path / "copy")
    server.send(request_of(n_plus_one(1)))
    assert report_of(server.db)["summary"] == ONE_N_PLUS_ONE
    assert report_of(tmp_path / "copy" / "s.duckdb")["summary"] == NO_SPANS


def test_a_full_disk_costs_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    # 2 MiB a file; the journal gets there first.
    db = tmp_path / "s.duckdb"
    limited = follow(
        "serve", "--db", db, *FREE_PORTS, cwd=tmp_path, program=("sh", "-c", 'ulimit -f 4096; exec "$@"', "-", *PROGRAM)
    ).as_server(db)
    texts = [f"SELECT '{'x' * 5000}{number}'" for number in range(40)]
    answers = [
        limited.send(request_of([server_span(trace, duration_ms=90), *query_spans(trace, texts, duration_ms=1)]))
        for trace in range(1, 16)
    ]
    kept = answers.count(200)
    assert 0 < kept < 15
    assert set(answers) == {200, 503}
    code, output, errors = limited.end()
    assert (code, output) == (0, "")
    assert all(line.startswith("tracelens: ") for line in errors.splitlines())
    assert report_of(db)["summary"]["traces"] == kept


def test_a_full_disk_stops_a_replay_in_one_line(tmp_path: Path) -> None:
    texts = [f"SELECT '{'x' * 5000}{number}'" for number in range(400)]
    (tmp_path / "big.pb").write_bytes(request_of(query_spans(1, texts, duration_ms=1)))
    program = ("sh", "-c", 'ulimit -f 1024; exec "$@"', "-", *PROGRAM)
    code, output, errors = follow("replay", "--db", "s.duckdb", "big.pb", cwd=tmp_path, program=program).wait()
    assert (code, output) == (4, "")
    assert len(errors.splitlines()) == 1
    assert errors.startswith(f"tracelens: {tmp_path}/s.duckdb: ")


def test_a_stop_does_not_wait_for_an_analysis_without_end(start_server: StartServer, tmp_path: Path) -> None:
    endless = tmp_path / "passes" / "endless"
    endless.mkdir(parents=True)
    (endless / "pass.toml").write_text(
        'title = "Endless"\nquestion = "Does it end?"\nseverity = "info"\nmessage = "no"\nwhy = "a test"\nneeds = []\n'
    )
    (endless / "query.sql").write_text(
        "select r.service_name, r.endpoint, r.endpoint as subject, r.trace_id, r.request_span_id,\n"
        "  [r.request_span_id] as offender_span_ids, cast(e.n as double) as avoidable_ms, 'certain' as confidence\n"
        "from requests as r, (select sum(a.range * b.range) as n from range(10000000) as a, range(10000000) as b) as e"
    )
    config = tmp_path / "c.toml"
    config.write_text('[passes]\nfolders = ["passes"]\n')
    server = start_server("--config", config)
    server.send(request_of(n_plus_one(1)))
    connection = http.client.HTTPConnection(server.ui.removeprefix("http://"), timeout=60)
    connection.request("POST", "/api/report", '{"scope": {}, "settings": {"thresholds": {}, "objectives": []}}')
    connection.sock.settimeout(1)
    with pytest.raises(TimeoutError):  # it is being analysed
        connection.sock.recv(1)
    connection.sock.settimeout(60)
    assert server.end() == (0, "", "")
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())) == (
        503,
        {"error": "the tracelens server that holds this store is stopping: ask again"},
    )
    connection.close()
    assert report_of(server.db)["summary"] == ONE_N_PLUS_ONE


def exporter_of(server: ServerProcess, protocol: str) -> SpanExporter:
    if protocol == "grpc":
        return GrpcSpanExporter(endpoint=server.grpc, insecure=True)
    return HttpSpanExporter(endpoint=f"{server.http}/v1/traces")


def send_n_plus_one(server: ServerProcess, protocol: str) -> None:
    """Send what an instrumented service does, whose name is the protocol that its exporter speaks."""
    provider = TracerProvider(resource=Resource({"service.name": protocol}))
    provider.add_span_processor(BatchSpanProcessor(exporter_of(server, protocol)))
    tracer = provider.get_tracer("opentelemetry.instrumentation.psycopg", "1.0")
    route = {"http.request.method": "GET", "http.route": "/carts/{id}"}
    database = {"db.system.name": "postgresql", "db.namespace": "shop"}
    for request in range(3):
        begin = START_NS + request * SECOND
        entry = tracer.start_span("GET /carts/{id}", kind=SpanKind.SERVER, attributes=route, start_time=begin)
        for item in range(6):
            text = {"db.query.text": f"SELECT name, price FROM items WHERE id = {item}"}  # noqa: S608  (in a span)
            query = tracer.start_span(
                "SELECT shop",
                set_span_in_context(entry),
                kind=SpanKind.CLIENT,
                attributes=database | text,
                start_time=begin + item * 5 * MS,
            )
            query.end(begin + (item + 1) * 5 * MS)
        entry.end(begin + 40 * MS)
    provider.shutdown()


def test_an_instrumented_service_is_understood(start_server: StartServer) -> None:
    server = start_server()
    for protocol in ("grpc", "http"):
        send_n_plus_one(server, protocol)
    document = report_of(server.db)
    assert document["summary"]["spans"] == 42
    assert sorted(finding["service_name"] for finding in document["findings"]) == ["grpc", "http"]
    for finding in document["findings"]:
        assert {name: finding[name] for name in ("pass", "endpoint", "subject", "occurrences")} == {
            "pass": "n_plus_one",
            "endpoint": "GET /carts/{id}",
            "subject": "SELECT name, price FROM items WHERE id = ?",
            "occurrences": {"requests": 3, "spans": 18},
        }
        assert finding["evidence"]["repeats"] == 6
        assert "WHERE id = ANY(%s)" in finding["advice"]["snippet"]["code"]


def test_only_this_machine_asks_what_listens_on_loopback(start_server: StartServer) -> None:
    server = start_server()

    def asked(method: str, path: str, body: str | None = None, **headers: str) -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPConnection(server.ui.removeprefix("http://"), timeout=60)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, json.loads(content)

    assert asked("GET", "/api/events", host="localhost:4320") == (200, {"events": []})
    assert asked("GET", "/api/events", host="page.example") == (
        403,
        {"error": "this answers under localhost or an address alone"},
    )
    assert asked("GET", "/api/report") == (405, {"error": "/api/report takes POST"})
    assert asked("GET", "/v1/traces") == (
        404,
        {"error": "/v1/traces: nothing here; OTLP is received on the gRPC and HTTP ports"},
    )
    assert asked("GET", "/api/events?after=x")[0] == 400
    assert asked("POST", "/api/report", "{}") == (400, {"error": "/api/report: not understood: 'scope'"})
    nameless = '{"scope": {"pass_names": ["nameless"]}, "settings": {"thresholds": {}, "objectives": []}}'
    assert asked("POST", "/api/report", nameless) == (
        400,
        {"error": "--pass nameless: no such pass; `tracelens passes` lists them"},
    )


def test_wrong_settings_and_addresses_touch_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.toml").write_text("[thresholds.n_plus_one]\nrepeats = 1\n")
    no_threshold = "thresholds.n_plus_one.repeats: no such threshold; see `tracelens explain n_plus_one`"
    for options, said in (
        (["--ui", "4320"], "--ui '4320' is not an address: write host:port, for example 127.0.0.1:4317"),
        (["--config", "c.toml"], f"c.toml: {no_threshold}"),
    ):
        done = command("serve", *FREE_PORTS, *options)
        assert done == Done(2, b"", f"tracelens: {said}\n")
    assert [path.name for path in tmp_path.iterdir()] == ["c.toml"]


def close_output(follower: Follower) -> None:
    assert follower.process.stdout is not None
    follower.process.stdout.close()
    follower.process.stdout = None


def test_receiving_goes_on_when_nobody_reads_the_events(start_server: StartServer) -> None:
    server = start_server()
    close_output(server)
    followed = follow("events", "--follow", "--format", "json", "--db", server.db, cwd=server.db.parent)
    assert server.send(request_of(slow_request(1))) == 200
    assert json.loads(followed.line())["data"]["endpoint"] == "GET /reports"
    close_output(followed)
    assert server.send(request_of(slow_request(2, route="/others"))) == 200
    assert followed.wait() == (0, "", "")
    code, _, errors = server.end()
    assert code == 0
    assert errors == (
        "tracelens: error: an event is given up: notifier stdout: standard output cannot be written: "
        "nobody reads it; see `tracelens events`\n"
    )
    assert report_of(server.db)["summary"]["traces"] == 2


def test_a_store_that_another_program_holds(tmp_path: Path, trace_file: Path) -> None:
    command("replay", "--db", tmp_path / "s.duckdb", trace_file)
    holder = "import duckdb, sys; c = duckdb.connect('s.duckdb'); print('held', flush=True); sys.stdin.read()"
    held = follow(cwd=tmp_path, program=(PROGRAM[0], "-c", holder), stdin=True)
    assert held.line() == "held"
    said = f"tracelens: {tmp_path}/s.duckdb: another process holds this store; stop it or choose another with --db\n"
    assert command("report", "--db", tmp_path / "s.duckdb") == Done(4, b"", said)
    held.end()


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="only root can become somebody else")
def test_a_folder_that_may_not_be_written(tmp_path: Path, trace_file: Path) -> None:
    command("replay", "--db", tmp_path / "s.duckdb", trace_file)
    shutil.copy(trace_file, tmp_path / "traces.pb")
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(0o755)
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *PROGRAM)
    for arguments in (["report"], ["serve", *FREE_PORTS], ["replay", "traces.pb"]):
        code, output, errors = follow(*arguments, "--db", "s.duckdb", cwd=tmp_path, program=nobody).wait()
        assert (code, output) == (4, "")
        assert errors == (
            "tracelens: s.duckdb: no permission to write it or its folder; run as its owner, "
            "or choose another store with --db\n"
        )
