"""Where a finding says that the code is: what attributes, recorded stacks and exceptions tell, and whose."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from span_requests import START_NS, key_values, request, span

import tracelens
from tracelens.findings import CodeLocation

if TYPE_CHECKING:
    from collections.abc import Mapping

STACKS = Path(__file__).parent / "stack_traces"
MS = 1_000_000
SERVER, CLIENT, INTERNAL = Span.SPAN_KIND_SERVER, Span.SPAN_KIND_CLIENT, Span.SPAN_KIND_INTERNAL
NODE = STACKS.joinpath("express_pg.txt").read_text(encoding="utf-8")
PYTHON = STACKS.joinpath("python_while_handling.txt").read_text(encoding="utf-8")
LIBRARIES = STACKS.joinpath("only_libraries.txt").read_text(encoding="utf-8")
IN_NODE = CodeLocation(None, "/srv/shop/storefront/shop.js", 119)
IN_PYTHON = CodeLocation("load", "/srv/shop/app/orders.py", 5)
OLD = {"code.function": "list", "code.namespace": "shop.Orders", "code.filepath": "src/orders.py", "code.lineno": 7}
NEW = {"code.function.name": "shop.Orders.list", "code.file.path": "src/orders.py", "code.line.number": 7}
IN_ATTRIBUTES = CodeLocation("shop.Orders.list", "src/orders.py", 7)


_requests: list[bytes] = []


def located(
    offender: Mapping[str, Any] | None = None,
    middle: Mapping[str, Any] | None = None,
    entry: Mapping[str, Any] | None = None,
    caller: Mapping[str, Any] | None = None,
) -> str:
    """A slow query below a function's span of a request that another service made; the name of the service.

    Each is its span's attributes; `exceptions` are stack traces of its exception events, `failed` makes it one that
    failed. All are analysed together.
    """
    name = f"service-{len(_requests)}"
    call = built(1, CLIENT, {"http.request.method": "GET", "url.full": "http://shop/"}, caller, parent=0)
    serving = {"http.request.method": "GET", "http.route": "/orders"}
    text = {"db.system.name": "postgresql", "db.query.text": "select * from orders"}
    own = [
        built(2, SERVER, serving, entry, parent=1),
        built(3, INTERNAL, {}, middle, parent=2),
        built(4, CLIENT, text, offender, parent=3),
    ]
    _requests.extend([request(call, service_name="gateway"), request(*own, service_name=name)])
    return name


def built(
    number: int,
    kind: Span.SpanKind.ValueType,
    usual: Mapping[str, Any],
    given: Mapping[str, Any] | None,
    *,
    parent: int,
) -> Span:
    options = dict(given or {})
    events = [
        Span.Event(
            time_unix_nano=START_NS + place,
            name="exception",
            attributes=key_values({"exception.type": "Error", "exception.stacktrace": stack_trace}),
        )
        for place, stack_trace in enumerate(options.pop("exceptions", ()))
    ]
    return span(
        number,
        {**usual, **{key: value for key, value in options.items() if key != "failed"}},
        trace_id=(1_000 + len(_requests)).to_bytes(16, "big"),
        parent_span_id=parent.to_bytes(8, "big") if parent else b"",
        kind=kind,
        start_time_unix_nano=START_NS + number * MS,
        end_time_unix_nano=START_NS + (2_000 - number) * MS,
        events=events,
        status={"code": 2} if options.get("failed") else {},
    )


LIBRARY = {"code.function.name": "PDO::query"}
CASES: dict[str, tuple[str, CodeLocation | None]] = {
    "nothing tells": (located(), None),
    "old names, on the offender": (located(offender=OLD), IN_ATTRIBUTES),
    "old names, above": (located(middle=OLD), IN_ATTRIBUTES),
    "new names, on the offender": (located(offender=NEW), IN_ATTRIBUTES),
    "new names, above": (located(middle=NEW), IN_ATTRIBUTES),
    "new names, on the entry": (located(entry=NEW), IN_ATTRIBUTES),
    "the nearest span decides: a stack trace": (located(offender={"code.stacktrace": NODE}, middle=NEW), IN_NODE),
    "the nearest span decides: attributes": (located(offender=NEW, middle={"code.stacktrace": NODE}), IN_ATTRIBUTES),
    "the nearest span decides: not the entry": (located(middle={"code.stacktrace": PYTHON}, entry=NEW), IN_PYTHON),
    "attributes before a stack trace": (located(offender=NEW | {"code.stacktrace": NODE}), IN_ATTRIBUTES),
    "a stack trace before an exception": (
        located(offender={"code.stacktrace": NODE, "exceptions": [PYTHON]}),
        IN_NODE,
    ),
    "a library's function": (located(offender=LIBRARY), None),
    "a library's function below our own": (located(offender=LIBRARY, entry=NEW), IN_ATTRIBUTES),
    "a stack trace of libraries": (located(offender={"code.stacktrace": LIBRARIES}, entry=NEW), IN_ATTRIBUTES),
    "the offender's exception": (located(offender={"exceptions": [PYTHON]}), IN_PYTHON),
    "an exception within libraries": (located(offender={"exceptions": [LIBRARIES]}), None),
    "of several exceptions the last": (located(offender={"exceptions": [NODE, PYTHON]}), IN_PYTHON),
    "an exception that passed through": (located(offender={"failed": True}, middle={"exceptions": [NODE]}), IN_NODE),
    "an exception from elsewhere": (located(middle={"exceptions": [NODE]}), None),
    "the whole request's exception": (located(offender={"failed": True}, entry={"exceptions": [NODE]}), None),
    "the caller's code is another service's": (located(caller=NEW), None),
}


@pytest.fixture(scope="module")
def places() -> dict[str, CodeLocation | None]:
    """Return where each service's slow query is said to be made."""
    findings = tracelens.analyze(*_requests).findings
    return {found.service_name: found.code for found in findings if found.pass_name == "slow_query"}


@pytest.mark.parametrize("case", CASES)
def test_code_location(places: dict[str, CodeLocation | None], case: str) -> None:
    name, place = CASES[case]
    assert places[name] == place
