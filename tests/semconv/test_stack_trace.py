"""Stack traces of real runtimes, each with the frame that a developer would be sent to."""

from __future__ import annotations

import sys
import tomllib
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracelens.findings import CodeLocation
from tracelens.semconv.stack_trace import application_frame, is_application

TRACES = Path(__file__).parents[1] / "stack_traces"
EXPECTED: dict[str, list[str | int]] = tomllib.loads((TRACES / "expected.toml").read_text(encoding="utf-8"))


def expected(name: str) -> CodeLocation | None:
    if not EXPECTED[name]:
        return None
    function, file, line = EXPECTED[name]
    return CodeLocation(str(function) or None, str(file) or None, int(line) or None)


def text(name: str) -> str:
    return (TRACES / f"{name}.txt").read_text(encoding="utf-8")


def test_every_stack_trace_is_judged() -> None:
    assert {path.stem for path in TRACES.glob("*.txt")} == EXPECTED.keys()


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_the_innermost_application_frame(name: str) -> None:
    assert application_frame(text(name)) == expected(name)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_line_ends_of_windows_and_a_long_message_change_nothing(name: str) -> None:
    assert application_frame(text(name).replace("\n", "\r\n")) == expected(name)
    assert application_frame("x" * 300_000 + "\n" + text(name)) == expected(name)


FILES = st.sampled_from(
    [
        ("/srv/shop/app/orders.py", True),
        ("C:\\shop\\app\\orders.py", True),
        ("/srv/python-shop/lib/orders.py", True),
        ("/srv/shop/.venv/lib/python3.11/site-packages/django/db/models/query.py", False),
        ("/usr/lib/python3/dist-packages/psycopg2/extras.py", False),
        ("/usr/local/lib/python3.13/asyncio/base_events.py", False),
        ("C:\\Python312\\Lib\\threading.py", False),
        ("<frozen importlib._bootstrap>", False),
        ("<string>", False),
    ]
)


@given(st.lists(FILES, min_size=1, max_size=8))
def test_as_python_itself_writes_it(calls: list[tuple[str, bool]]) -> None:
    """Functions compiled as if they stood in these files call each other; the last one fails."""

    def fail() -> None:
        raise LookupError("no such order\n    at the table\n  File missing")

    call = fail
    for number, (file, _) in reversed(list(enumerate(calls))):
        scope = {"call": call}
        exec(compile("\n" * number + f"def step_{number}():\n    return call()", file, "exec"), scope)  # noqa: S102
        call = scope[f"step_{number}"]
    try:
        call()
    except LookupError:
        _, error, trace = sys.exc_info()
        # Without this function's frame above them and the failing one's below: both are files of these tests.
        frames = traceback.extract_tb(trace)[1:-1]
    written = "".join(
        [
            "Traceback (most recent call last):\n",
            *traceback.format_list(frames),
            *traceback.format_exception_only(error),
        ]
    )
    own = [frame for frame, (_, is_own) in zip(frames, calls, strict=True) if is_own]
    wanted = CodeLocation(own[-1].name, own[-1].filename, own[-1].lineno) if own else None
    assert application_frame(written) == wanted


@given(st.text(), st.sampled_from(sorted(EXPECTED)), st.integers(0, 5_000))
def test_any_text_is_read(noise: str, name: str, at: int) -> None:
    whole = text(name)
    found = application_frame(whole[:at] + noise + whole[at:])
    assert found is None or found.file or found.function


@pytest.mark.parametrize(
    ("function", "file", "is_own"),
    [
        ("PDO::query", None, False),
        ("PDO::query", "/srv/shop/app/Orders.php", False),
        ("App\\Orders::list", "/srv/shop/app/Orders.php", True),
        ("Illuminate\\Database\\Eloquent\\Builder::get", None, False),
        ("listOrders", "/srv/shop/src/orders.js", True),
        ("query", "/srv/shop/node_modules/pg/lib/client.js", False),
        ("shop.Orders.list", None, True),
        ("org.hibernate.Session.find", "Session.java", False),
        ("system.orders", "/srv/shop/system.py", True),
        ("main.(*Repo).Find", "/srv/shop/repo.go", True),
        ("QueryContext", "/root/go/pkg/mod/github.com/jmoiron/sqlx@v1.3.5/sqlx_context.go", False),
        ("database/sql.(*DB).Query", "/usr/local/go/src/database/sql/sql.go", False),
        ("OrdersController.index", None, True),
    ],
)
def test_code_attributes_that_name_a_library_are_known(function: str, file: str | None, *, is_own: bool) -> None:
    assert is_application(CodeLocation(function, file, 1)) is is_own
