"""The command line: what every command prints, refuses, and ends with."""

from __future__ import annotations

import gzip
import json
import os
import pty
import shlex
import signal
import subprocess
from typing import TYPE_CHECKING

import click
import duckdb
import pytest
from processes import PROGRAM, Done, command, environment, follow, tracelens
from traffic import n_plus_one, request_of, slow_request

import tracelens as package
from tracelens.cli import main
from tracelens.passes.registry import load_passes

if TYPE_CHECKING:
    from pathlib import Path

EXPECTED = "expected OTLP (JSON or protobuf), Jaeger JSON, Zipkin v2 JSON or a journal segment, plain, .gz or .zst"
NO_STORE = "no such store; start `tracelens serve`, name a trace file, or choose another store with --db"
NO_FOLDER = "its folder cannot be made: File exists; make it yourself, or choose another store with --db"
AS_WITHOUT = "write the command as you would without tracelens"
COMMANDS = sorted(main.commands)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a working directory with files that are good, bad, and no trace files."""
    good = request_of(n_plus_one(1))
    (tmp_path / "good.pb").write_bytes(good)
    (tmp_path / "empty").touch()
    (tmp_path / "cut.pb.gz").write_bytes(gzip.compress(good)[:60])
    (tmp_path / "random.bin").write_bytes(bytes(range(255, 0, -1)) * 20)
    (tmp_path / "other.json").write_text('{"a": 1}')
    (tmp_path / "nothing").mkdir()
    (tmp_path / "nothing" / "notes.txt").write_text("no traces")
    (tmp_path / "c.toml").write_text("[thresholds.n_plus_one]\nrepeats = 1\n")
    duckdb.connect(str(tmp_path / "foreign.duckdb")).execute("create table t (a integer)").close()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_commands() -> None:
    assert COMMANDS == ["events", "explain", "notify", "passes", "replay", "report", "run", "serve", "top"]
    assert command("--version") == Done(0, f"tracelens, version {package.__version__}\n".encode(), "")
    listed = command("--help").output.decode()
    assert all(f"\n  {name} " in listed for name in COMMANDS)
    assert command() == Done(2, b"", listed)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_an_example_that_works(name: str) -> None:
    done = command(name, "--help")
    assert (done.code, done.errors) == (0, "")
    (example,) = [line.strip() for line in done.output.decode().splitlines() if line.startswith("  Example: ")]
    program, command_name, *arguments = shlex.split(example.removeprefix("Example: "))
    assert (program, command_name) == ("tracelens", name)
    with click.Context(main) as context:
        main.commands[name].make_context(name, arguments, parent=context)
    for parameter in main.commands[name].params:
        assert not isinstance(parameter, click.Option) or parameter.help, parameter.name


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ("report none.pb", 3, "none.pb does not exist: check the path"),
        ("report empty", 3, f"empty is empty; {EXPECTED}"),
        ("report nothing", 3, f"nothing holds no trace file among its 1 files: {EXPECTED}"),
        ("report other.json", 3, f"other.json has no readable part: at line 1, it is no trace data; {EXPECTED}"),
        ("report random.bin", 3, f"random.bin is not a trace file, or is cut off in its first message; {EXPECTED}"),
        ("top none.pb", 3, "none.pb does not exist: check the path"),
        ("replay --db r.duckdb empty", 3, f"empty is empty; {EXPECTED}"),
        ("report -", 3, f"standard input is empty; {EXPECTED}"),
        (
            "report good.pb --wrong",
            2,
            "report: No such option '--wrong'. Did you mean '--config'? See `tracelens report --help`",
        ),
        ("report good.pb --fail-on x", 2, None),
        ("report good.pb --limit x", 2, None),
        ("nosuch", 2, "No such command 'nosuch'. See `tracelens --help`"),
        ("explain", 2, "explain: Missing argument 'PASS'. See `tracelens explain --help`"),
        ("explain none", 2, "none: no such pass; `tracelens passes` lists them"),
        ("run", 2, "run: Missing argument 'COMMAND...'. See `tracelens run --help`"),
        ("run --wrong -- x", 2, "run: No such option '--wrong'. Did you mean '--config'? See `tracelens run --help`"),
        (
            "run nosuchprogram",
            2,
            f"nosuchprogram: cannot be started: No such file or directory; {AS_WITHOUT}",
        ),
        (
            "report good.pb --since yesterday",
            2,
            "--since yesterday: neither a duration such as 15m nor an RFC 3339 time such as 2026-03-02T09:00:00Z",
        ),
        (
            "report good.pb --until -5m",
            2,
            "--until -5m: neither a duration such as 15m nor an RFC 3339 time such as 2026-03-02T09:00:00Z",
        ),
        (
            "report good.pb --since 1h --until 2h",
            2,
            "--since 1h --until 2h: the window ends before it begins; swap them",
        ),
        ("report good.pb --service nope", 2, "--service nope: no such service; there are: orders"),
        ("top good.pb --service nope", 2, "--service nope: no such service; there are: orders"),
        ("report good.pb --pass none", 2, "--pass none: no such pass; `tracelens passes` lists them"),
        (
            "report good.pb --output none/x.json",
            2,
            "none/x.json: cannot be written: no such folder; choose another with --output",
        ),
        ("report good.pb --output nothing", 2, None),
        ("report good.pb --config none.toml", 2, "none.toml: no such file; correct --config"),
        (
            "report good.pb --config c.toml",
            2,
            "c.toml: thresholds.n_plus_one.repeats: no such threshold; see `tracelens explain n_plus_one`",
        ),
        ("report", 4, f"tracelens.duckdb: {NO_STORE}"),
        ("top --db nothing/none.duckdb", 4, f"nothing/none.duckdb: {NO_STORE}"),
        ("replay --db new.duckdb none.pb", 3, "none.pb does not exist: check the path"),
        ("report --db nothing", 2, None),
        ("report --db random.bin", 4, None),
        ("events --db empty", 4, None),
        ("replay --db foreign.duckdb good.pb", 4, None),
        (
            "replay --db empty/x.duckdb good.pb",
            4,
            f"empty/x.duckdb: {NO_FOLDER}",
        ),
        ("serve --db random.bin", 4, None),
        (
            "serve --grpc nonsense",
            2,
            "--grpc 'nonsense' is not an address: write host:port, for example 127.0.0.1:4317",
        ),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(folder: Path, arguments: str, code: int, said: str | None) -> None:
    before = sorted(folder.rglob("*"))
    done = command(*arguments.split())
    assert (done.code, done.output) == (code, b"")
    assert done.errors.startswith("tracelens: ")
    assert done.errors.count("\n") == 1
    if said is not None:
        assert done.errors == f"tracelens: {said}\n"
    if "r.duckdb" not in arguments:
        assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("arguments", ["-v report none.pb", "report -v none.pb"])
def test_a_traceback_is_shown_where_it_is_asked_for(folder: Path, arguments: str) -> None:
    done = command(*arguments.split())
    lines = done.errors.splitlines()
    assert done.code == 3
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1] == "tracelens: none.pb does not exist: check the path"
    assert folder.exists()


def test_hostile_names_stay_on_their_line(folder: Path) -> None:
    assert command("report", "no\nsuch\x1b[31m").errors == "tracelens: no such [31m does not exist: check the path\n"
    assert folder.exists()


def test_good_parts_of_damaged_input_are_reported(folder: Path) -> None:
    done = command("report", "good.pb", "empty", "--format", "json", "--fail-on", "info")
    assert (done.code, done.errors) == (3, f"tracelens: empty is empty; {EXPECTED}\n")
    assert json.loads(done.output) == package.analyze(folder / "good.pb").to_dict()


@pytest.mark.parametrize(("fail_on", "code"), [("info", 1), ("warning", 1), ("critical", 0), ("never", 0)])
def test_the_gate(folder: Path, fail_on: str, code: int) -> None:
    done = command("report", "good.pb", "--fail-on", fail_on)
    assert (done.code, done.errors) == (code, "")
    assert folder.exists()


def test_formats_and_places(folder: Path) -> None:
    texts = {name: command("report", "good.pb", "--format", name) for name in ("terminal", "json", "markdown", "html")}
    assert {(done.code, done.errors) for done in texts.values()} == {(0, "")}
    assert texts["html"].output.startswith(b"<!doctype html>")
    assert texts["markdown"].output.startswith(b"### ")
    for name, done in texts.items():
        assert command("report", "good.pb", "--format", name, "--output", "out") == Done(0, b"", "")
        assert (folder / "out").read_bytes() == done.output
    content = (folder / "good.pb").read_bytes()
    assert command("report", "-", "--format", "json", stdin=content) == texts["json"]


def test_a_selection(folder: Path) -> None:
    early, late = 1_772_442_000, 1_772_442_600
    spans = [*n_plus_one(1, start_ns=early * 10**9), *slow_request(2, start_ns=late * 10**9)]
    (folder / "two.pb").write_bytes(request_of(spans))

    def found(*options: str) -> list[str]:
        report = command("report", "two.pb", "--format", "json", *options).json()
        return [finding["pass"] for finding in report["findings"]]

    assert found() == ["slow_query", "n_plus_one"]
    assert found("--since", "2026-03-02T10:05:00+01:00") == ["slow_query"]
    assert found("--since", "99999999d", "--until", "2026-03-02 09:05:00") == ["n_plus_one"]
    assert found("--until", "99999999999999999999d") == []
    assert found("--endpoint", "users") == ["n_plus_one"]
    assert found("--service", "orders") == ["slow_query", "n_plus_one"]
    # A service without traffic in the window is one all the same; a window without any traffic knows no names.
    (folder / "carts.pb").write_bytes(request_of(n_plus_one(3, start_ns=early * 10**9), "carts"))
    assert found("carts.pb", "--since", "2026-03-02T10:05:00+01:00", "--service", "carts") == []
    assert found("--since", "2026-03-03", "--service", "nope") == []
    assert found("--pass", "n_plus_one", "--pass", "p95_breach") == ["n_plus_one"]


def test_top_sorts_and_limits(folder: Path) -> None:
    (folder / "two.pb").write_bytes(request_of([*n_plus_one(1), *slow_request(2)]))

    def shapes(*options: str) -> list[str]:
        document = command("top", "two.pb", "--format", "json", *options).json()
        return [query["query_shape"].partition(" FROM ")[2].partition(" ")[0] for query in document["top_queries"]]

    assert shapes() == ["orders", "orders", "users"]
    assert command("top", "two.pb", "--sort", "calls", "--limit", "1").output.count(b"SELECT") == 1
    assert shapes("--sort", "calls", "--limit", "1") == ["orders"]
    assert command("top", "two.pb", "--format", "html").code == 2
    assert command("top", "two.pb", "--pass", "n_plus_one").code == 2


def test_top_queries_are_those_of_the_selection(folder: Path) -> None:
    (folder / "two.pb").write_bytes(request_of([*n_plus_one(1), *slow_request(2)]))
    (folder / "carts.pb").write_bytes(request_of(slow_request(3, seconds=2), "carts"))

    def calls(name: str, *options: str) -> dict[str, int]:
        document = command(name, "two.pb", "carts.pb", "--format", "json", *options).json()
        return {
            query["query_shape"].partition(" FROM ")[2].replace(" ORDER BY total", ""): query["calls"]
            for query in document["top_queries"]
        }

    slow, many, users = "orders WHERE status = ?", "orders WHERE user_id = ?", "users"
    for name in ("top", "report"):
        assert calls(name) == {slow: 2, many: 8, users: 1}
        assert calls(name, "--service", "orders") == {slow: 1, many: 8, users: 1}
        assert calls(name, "--service", "carts") == {slow: 1}
        assert calls(name, "--endpoint", "users") == {many: 8, users: 1}
        assert calls(name, "--service", "carts", "--endpoint", "users") == {}


def test_passes_and_their_pages(folder: Path) -> None:
    listed = command("passes")
    names = [line.split()[0] for line in listed.output.decode().splitlines()]
    assert names == [entry.name for entry in load_passes()]
    for name in names:
        page = command("explain", name)
        assert (page.code, page.errors) == (0, "")
        assert f"(`{name}`)".encode() in page.output.splitlines()[0]
    assert folder.exists()


def test_text_fits_any_terminal_and_data_is_utf_8(folder: Path) -> None:
    plain = tracelens("report", "good.pb", cwd=folder, env={"PYTHONIOENCODING": "latin-1"})
    assert (plain.code, plain.errors) == (0, "")
    assert plain.output.isascii()
    markdown = tracelens("report", "good.pb", "--format", "markdown", cwd=folder, env={"PYTHONIOENCODING": "latin-1"})
    assert markdown == command("report", "good.pb", "--format", "markdown")


def run_with_output(sink: int, folder: Path, *options: str) -> tuple[int, str]:
    done = subprocess.run(
        [*PROGRAM, "report", "good.pb", *options],
        stdout=sink,
        stderr=subprocess.PIPE,
        cwd=folder,
        env=environment(),
        check=False,
    )
    os.close(sink)
    return done.returncode, done.stderr.decode()


def test_nobody_reads_the_report_but_the_gate_holds(folder: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    assert run_with_output(writing, folder, "--fail-on", "warning") == (1, "")


def test_a_full_disk_behind_standard_output(folder: Path) -> None:
    said = "standard output cannot be written: No space left on device; choose a file with --output"
    assert run_with_output(os.open("/dev/full", os.O_WRONLY), folder) == (2, f"tracelens: {said}\n")


def on_a_terminal(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> tuple[bytes, str]:
    """Run a command whose standard error, and output where there are no changes to it, is a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=theirs if env is not None else subprocess.PIPE,
        stderr=theirs,
        cwd=folder,
        env=environment({"TERM": "xterm"} | (env or {})),
    )
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:  # how Linux tells that the other side is closed
        pass
    os.close(ours)
    output, _ = process.communicate()
    assert process.returncode == 0
    return output or b"", shown.decode()


def test_progress_is_one_line_on_a_terminal_that_goes(folder: Path) -> None:
    output, shown = on_a_terminal(folder, "report", "good.pb")
    assert output == command("report", "good.pb").output
    steps = shown.split("\r\x1b[K")
    assert steps[0] == steps[-1] == ""
    assert steps[1:3] == ["starting", "reading good.pb (1 of 1)"]
    assert steps[3:-1] == [f"analysing: {entry.name}" for entry in load_passes()]


def test_colour_is_for_terminals_that_want_it(folder: Path) -> None:
    assert "\x1b[1m" in on_a_terminal(folder, "report", "good.pb", env={})[1]
    assert "\x1b[1m" not in on_a_terminal(folder, "report", "good.pb", env={"NO_COLOR": "1"})[1]


def test_ctrl_c_ends_an_analysis(folder: Path) -> None:
    endless = folder / "own" / "endless"
    endless.mkdir(parents=True)
    (endless / "pass.toml").write_text(
        'title = "Endless"\nquestion = "Does it end?"\nseverity = "info"\nmessage = "no"\nwhy = "a test"\nneeds = []\n'
    )
    (endless / "query.sql").write_text(
        "select r.service_name, r.endpoint, r.endpoint as subject, r.trace_id, r.request_span_id,\n"
        "  [r.request_span_id] as offender_span_ids, cast(e.n as double) as avoidable_ms, 'certain' as confidence\n"
        "from requests as r, (select sum(a.range * b.range) as n from range(10000000) as a, range(10000000) as b) as e"
    )
    (folder / "own.toml").write_text('[passes]\nfolders = ["own"]\n')
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, "report", "good.pb", "--config", "own.toml"],
        stdout=subprocess.PIPE,
        stderr=theirs,
        cwd=folder,
        env=environment(),
    )
    os.close(theirs)
    shown = b""
    while b"analysing: endless" not in shown:
        shown += os.read(ours, 65536)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    os.close(ours)
    assert (process.returncode, output) == (130, b"")


@pytest.mark.parametrize("arguments", ["--help", "report --help", "passes", "explain n_plus_one", "report --wrong"])
def test_small_answers_load_nothing_large(folder: Path, arguments: str) -> None:
    script = (
        "import atexit, sys; from tracelens.cli import main\n"
        "large = {'duckdb', 'pyarrow', 'grpc', 'sqlglot', 'numpy', 'google', 'uvicorn'}\n"
        "loaded = lambda: sorted(large & {name.split('.')[0] for name in sys.modules})\n"
        "atexit.register(lambda: print(loaded(), file=sys.stderr))\n"
        f"main({arguments.split()!r})\n"
    )
    code, _, errors = follow(cwd=folder, program=(PROGRAM[0], "-c", script)).wait()
    assert code in {0, 2}
    assert errors.splitlines()[-1] == "[]"


def test_a_report_on_files_loads_nothing_of_a_server(folder: Path) -> None:
    script = (
        "import sys; from tracelens.cli import main\n"
        "try:\n"
        "    main(['report', 'good.pb'])\n"
        "finally:\n"
        "    unneeded = ('grpc', 'uvicorn', 'urllib3', 'http', 'ssl', 'prometheus_client', 'tracelens.escalation',\n"
        "        'tracelens.receiver', 'tracelens.forwarding', 'tracelens.live', 'tracelens.sources.stored')\n"
        "    print(sorted(name for name in sys.modules if name.startswith(unneeded)), file=sys.stderr)\n"
    )
    code, output, errors = follow(cwd=folder, program=(PROGRAM[0], "-c", script)).wait()
    assert (code, "n_plus_one" in output) == (0, True)
    assert errors.splitlines()[-1] == "[]"
