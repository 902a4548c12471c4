"""Trace requests of everything that the compiled core tells apart."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status
from span_requests import any_value, key_values

from tracelens.native.roles import roles
from tracelens.semconv.attribute_table import attribute_table

_TABLE: Final = attribute_table()
COLUMN_NAMES: Final = sorted(
    {name for column in _TABLE.columns for name in column.names}
    | {column.prefix.name for column in _TABLE.columns if column.prefix is not None}
)
NAMES: Final = sorted({*COLUMN_NAMES, *roles()})

NUMBERS: Final = (
    *("0", "-0", "12", "-12", "007", "-007", "12.0", "12.00", "12.5", "+12", " 12", "12 ", "1e3", "0x10", "-", ".0"),
    *("9" * 18, "9" * 19, "-" + "9" * 18, "-" + "9" * 19, "0" * 18, "0" * 19, "2147483647", "2147483648"),
    *("-2147483648", "-2147483649", "9223372036854775807", "-9223372036854775808", "٣", "12\n", "12\0"),
)
_PATHS: Final = ("/", "?", "/a?", "/a?x=1", "/a?x=1?y=2", "??", "?x", "/a#b?c", "/é?\n", "/a\n?b\nc", "a" * 300 + "?b")
_STATES: Final = (
    *("", "a=b", "ot=th:8", "ot=th:c;rv:1", "ot=p:3", "ot=th:0", "ot=th:ffffffffffffff", "ot=p:63", "ot=p:62"),
    *("x=y,ot=th:c", "ot=th:xyz"),
)
_QUERIES: Final = ("select 1", "select 2", "SELECT * FROM t WHERE a = 'x'", "GET user:1", '{"find": "a"}', "\0")
_DOUBLES: Final = (0.0, -0.0, 1.5, 12.0, float("nan"), float("inf"), float("-inf"), 1e300, 5e-324, 2.0**53)
INTEGERS: Final = (0, 1, -1, 127, 128, 2**15, 2**31 - 1, 2**31, -(2**31) - 1, 2**53 + 1, 2**63 - 1, -(2**63))

TEXTS: Final = st.text(max_size=6) | st.sampled_from(("", "a", "é" * 40, "a" * 127, "a" * 128, "\0"))
_STRINGS: Final = st.sampled_from((*NUMBERS, *_PATHS, *_QUERIES)) | TEXTS
_SCALARS: Final = st.one_of(
    _STRINGS,
    st.sampled_from(INTEGERS),
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    st.sampled_from(_DOUBLES),
    st.floats(),
    st.binary(max_size=5),
    st.none(),
)


def _pairs(pairs: list[tuple[str, Any]]) -> Any:
    """Return an AnyValue of these pairs, of which several may have one key."""
    value = any_value({})
    value.kvlist_value.SetInParent()
    value.kvlist_value.values.extend(key_values(pairs))
    return value


_VALUES: Final = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.lists(st.tuples(TEXTS, inner), max_size=3).map(_pairs),
    max_leaves=4,
)


_OWN_INTEGERS: Final = sorted(name for name, (class_, column, _) in roles().items() if class_ == 3 and column >= 4)
_OWN_TEXTS: Final = sorted(name for name, (class_, column, _) in roles().items() if class_ == 3 and column < 4)
_PARAMETERS: Final = [
    *(prefix + number for prefix in _TABLE.parameter_prefixes for number in ("", "0", "1", "10", "é")),
    *sorted(_TABLE.parameter_names),
]

# What encoders write, and the core reads; and anything, which it may leave to Python.
_PLAIN_ATTRIBUTES: Final = st.one_of(
    st.tuples(st.sampled_from(_OWN_INTEGERS), st.integers(-3, 3) | st.sampled_from(("", "1", "2", "-0", "007"))),
    st.tuples(st.sampled_from(_OWN_TEXTS), st.sampled_from((*_PATHS, *_QUERIES, ""))),
    st.tuples(st.sampled_from(_PARAMETERS), _VALUES),
    st.tuples(st.sampled_from([name for name in NAMES if name not in (*_OWN_INTEGERS, *_OWN_TEXTS)]), _VALUES),
    st.tuples(st.sampled_from(COLUMN_NAMES), st.sampled_from(("a", "b", "12"))).filter(
        lambda pair: pair[0] not in _OWN_INTEGERS or pair[1] == "12"
    ),
    st.tuples(st.sampled_from(("k", "l", "")) | TEXTS, _VALUES),
)
_ANY_ATTRIBUTES: Final = st.tuples(st.sampled_from(NAMES) | TEXTS, _VALUES)
_PLAIN_LISTS: Final = st.lists(_PLAIN_ATTRIBUTES, max_size=10).map(key_values)
_ATTRIBUTE_LISTS: Final = _PLAIN_LISTS | st.lists(_PLAIN_ATTRIBUTES | _ANY_ATTRIBUTES, max_size=10).map(key_values)

_UINT32: Final = st.sampled_from((0, 1, 2**32 - 1))
_ENUMS: Final = st.integers(0, 5) | st.sampled_from((-1, -(2**31), 255, 256, 2**31 - 1))
_TIMES: Final = st.sampled_from((0, 1, 5, 2**63 - 1, 2**63, 2**64 - 1)) | st.integers(1_760 * 10**15, 1_761 * 10**15)
_TRACE_IDS: Final = st.sampled_from(
    (b"", bytes(16), *(number.to_bytes(16) for number in range(1, 4)), bytes([255] * 16))
)
_SPAN_IDS: Final = st.sampled_from((b"", bytes(8), *(number.to_bytes(8) for number in range(1, 4)), bytes([255] * 8)))
_DETAIL_ATTRIBUTES: Final = st.lists(st.tuples(st.sampled_from(NAMES) | TEXTS, _VALUES), max_size=3).map(key_values)
_TRACE_STATES: Final = st.sampled_from(_STATES) | TEXTS


@st.composite
def spans(draw: st.DrawFn) -> Span:
    """Return a span."""
    span = Span(
        trace_id=draw(_TRACE_IDS),
        span_id=draw(_SPAN_IDS),
        parent_span_id=draw(_SPAN_IDS),
        name=draw(st.sampled_from(("a", "b")) | TEXTS),
        start_time_unix_nano=draw(_TIMES),
        end_time_unix_nano=draw(_TIMES),
        kind=draw(_ENUMS),  # type: ignore[arg-type]  # any number may come
        attributes=draw(_ATTRIBUTE_LISTS),
    )
    if draw(st.booleans()):
        span.trace_state = draw(_TRACE_STATES)
        span.flags = draw(_UINT32)
        span.dropped_attributes_count = draw(_UINT32)
        span.dropped_events_count = draw(_UINT32)
    if draw(st.booleans()):
        span.status.CopyFrom(Status(code=draw(_ENUMS), message=draw(TEXTS)))  # type: ignore[arg-type]
    for _ in range(draw(st.sampled_from((0, 0, 1, 3)))):
        span.events.add(time_unix_nano=draw(_TIMES), name=draw(TEXTS), attributes=draw(_DETAIL_ATTRIBUTES))
    for _ in range(draw(st.sampled_from((0, 0, 1, 2)))):
        span.links.add(
            trace_id=draw(_TRACE_IDS),
            span_id=draw(_SPAN_IDS),
            trace_state=draw(_TRACE_STATES),
            attributes=draw(_DETAIL_ATTRIBUTES),
            flags=draw(_UINT32),
        )
    return span


_RESOURCES: Final = st.none() | st.builds(
    Resource,
    attributes=st.sampled_from(([], key_values({"service.name": "a"}), key_values({"service.name": "b", "k": [1]}))),
    dropped_attributes_count=_UINT32,
)
_SCOPES: Final = st.none() | st.builds(
    InstrumentationScope, name=st.sampled_from(("", "a", "b")), version=TEXTS, attributes=_DETAIL_ATTRIBUTES
)
_SCOPE_SPANS: Final = st.builds(
    ScopeSpans, scope=_SCOPES, spans=st.lists(spans(), max_size=4), schema_url=st.sampled_from(("", "https://a/1.30.0"))
)
REQUESTS: Final = st.builds(
    ExportTraceServiceRequest,
    resource_spans=st.lists(
        st.builds(
            ResourceSpans,
            resource=_RESOURCES,
            scope_spans=st.lists(_SCOPE_SPANS, max_size=2),
            schema_url=st.sampled_from(("", "https://a/1.30.0")),
        ),
        max_size=2,
    ),
)
BODIES: Final = REQUESTS.map(lambda request: bytes(request.SerializeToString()))
