"""OTLP JSON to protobuf bytes, so that one decoder follows for both encodings.

The protobuf library's own JSON reader is of no use here: OTLP writes ids as hex where the proto3 mapping
wants base64, and that reader takes them, decoded wrongly. Real senders also stretch the rules, so whatever
has one sensible reading is read: either spelling of a name, 64-bit integers as text or number, enums by
name, base64 ids, an attribute's value of another type than declared, the names of OTLP before 1.0. What is
structurally wrong is refused, with its place.

    spec        opentelemetry-proto, docs/specification.md, "JSON Protobuf Encoding"
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tracelens.errors import InvalidRequestError
from tracelens.otlp.json_attributes import fill_attributes
from tracelens.otlp.json_values import Fault, JsonValue, elements, found, load, members, text, whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.message import Message

OnBadSpan: TypeAlias = Callable[[str], None]
"""Takes the place of a span that was left out and what is wrong with it."""

_Fill: TypeAlias = "Callable[[Message, JsonValue, OnBadSpan | None], None]"
_Fields: TypeAlias = "dict[str, _Fill]"


def request_from_json(body: bytes, on_bad_span: OnBadSpan | None = None) -> bytes:
    """Return an OTLP JSON trace request as a serialised `ExportTraceServiceRequest`.

    Args:
        body: one JSON object, UTF-8.
        on_bad_span: told of each span that cannot be read; the others are kept. Without it one bad span refuses
            the request.

    Raises:
        InvalidRequestError: not JSON, or not a trace request; names the place.
    """
    return request_from_document(load(body), on_bad_span)


def request_from_document(document: JsonValue, on_bad_span: OnBadSpan | None = None) -> bytes:
    """Do what `request_from_json` does for a body that is parsed already."""
    request = ExportTraceServiceRequest()
    try:
        _fill(request, document, _REQUEST, on_bad_span)
    except Fault as fault:
        raise InvalidRequestError(f"OTLP JSON is not valid: {fault}") from None
    return request.SerializeToString()


def _fill(message: Message, source: JsonValue, fields: _Fields, on_bad_span: OnBadSpan | None) -> None:
    """Set the message's fields from a JSON object; null is absent and unknown members are ignored."""
    for name, value in members(source).items():
        if value is None:
            continue
        fill = fields.get(name)
        if fill is None:
            continue
        try:
            fill(message, value, on_bad_span)
        except Fault as fault:
            fault.path.append(f".{name}")
            raise
        except ValueError:  # the message's own check of a number's range
            raise Fault(f"{found(value)} is out of range", f".{name}") from None


def _identifier(field: str, length: int) -> _Fill:
    hex_digits, base64_digits = 2 * length, len(base64.b64encode(bytes(length)))

    def fill(message: Message, value: JsonValue, _: OnBadSpan | None) -> None:
        if value == "":
            return
        if type(value) is str:
            try:
                if len(value) == hex_digits:
                    identifier = bytes.fromhex(value)
                elif len(value) == base64_digits:
                    identifier = base64.b64decode(value, validate=True)
                else:
                    identifier = b""
            except ValueError:
                identifier = b""
            if len(identifier) == length:  # fromhex skips blanks
                setattr(message, field, identifier)
                return
        raise Fault(f"expected {hex_digits} hex digits, found {found(value)}")

    return fill


def _text(field: str) -> _Fill:
    def fill(message: Message, value: JsonValue, _: OnBadSpan | None) -> None:
        setattr(message, field, text(value))

    return fill


def _number(field: str) -> _Fill:
    def fill(message: Message, value: JsonValue, _: OnBadSpan | None) -> None:
        setattr(message, field, value if type(value) is int else whole(value))

    return fill


def _enum(field: str, prefix: str, names: Sequence[str]) -> _Fill:
    """Read an enum by number or, as the proto3 mapping writes it, by name; an unknown name is the unset value."""
    numbers = {name: number for number, name in enumerate(names)}

    def fill(message: Message, value: JsonValue, _: OnBadSpan | None) -> None:
        if type(value) is str and not value.lstrip("-").isdigit():
            value = numbers.get(value.upper().removeprefix(prefix), 0)
        setattr(message, field, value if type(value) is int else whole(value))

    return fill


def _message(field: str, fields: _Fields) -> _Fill:
    def fill(message: Message, value: JsonValue, on_bad_span: OnBadSpan | None) -> None:
        child: Message = getattr(message, field)
        child.SetInParent()
        _fill(child, value, fields, on_bad_span)

    return fill


def _messages(field: str, fields: _Fields) -> _Fill:
    def fill(message: Message, value: JsonValue, on_bad_span: OnBadSpan | None) -> None:
        children = getattr(message, field)
        for position, source in enumerate(elements(value)):
            if source is None:
                continue
            try:
                _fill(children.add(), source, fields, on_bad_span)
            except Fault as fault:
                fault.path.append(f"[{position}]")
                if fields is not _SPAN or on_bad_span is None:
                    raise
                del children[-1]
                on_bad_span(f"spans{fault}")

    return fill


def _attributes(field: str) -> _Fill:
    def fill(message: Message, value: JsonValue, _: OnBadSpan | None) -> None:
        fill_attributes(getattr(message, field), value)

    return fill


def _spellings(**fields: _Fill) -> _Fields:
    """Return the fields by their proto name and by their JSON name."""
    return {
        spelling: fill
        for name, fill in fields.items()
        for spelling in (name, re.sub("_(.)", lambda letter: letter[1].upper(), name))
    }


_KINDS: Final = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")

_COMMON: Final = {
    "attributes": _attributes("attributes"),
    "dropped_attributes_count": _number("dropped_attributes_count"),
}
_EVENT: Final = _spellings(time_unix_nano=_number("time_unix_nano"), name=_text("name"), **_COMMON)
_LINK: Final = _spellings(
    trace_id=_identifier("trace_id", 16),
    span_id=_identifier("span_id", 8),
    trace_state=_text("trace_state"),
    flags=_number("flags"),
    **_COMMON,
)
_STATUS: Final = _spellings(message=_text("message"), code=_enum("code", "STATUS_CODE_", ("UNSET", "OK", "ERROR")))
_SPAN: Final = _spellings(
    trace_id=_identifier("trace_id", 16),
    span_id=_identifier("span_id", 8),
    parent_span_id=_identifier("parent_span_id", 8),
    trace_state=_text("trace_state"),
    flags=_number("flags"),
    name=_text("name"),
    kind=_enum("kind", "SPAN_KIND_", _KINDS),
    start_time_unix_nano=_number("start_time_unix_nano"),
    end_time_unix_nano=_number("end_time_unix_nano"),
    events=_messages("events", _EVENT),
    dropped_events_count=_number("dropped_events_count"),
    links=_messages("links", _LINK),
    dropped_links_count=_number("dropped_links_count"),
    status=_message("status", _STATUS),
    **_COMMON,
)
_SCOPE: Final = _spellings(name=_text("name"), version=_text("version"), **_COMMON)
_SCOPE_SPANS: Final = _spellings(
    scope=_message("scope", _SCOPE),
    instrumentation_library=_message("scope", _SCOPE),  # the scope's name before OTLP 1.0
    spans=_messages("spans", _SPAN),
    schema_url=_text("schema_url"),
)
_RESOURCE_SPANS: Final = _spellings(
    resource=_message("resource", _spellings(**_COMMON)),
    scope_spans=_messages("scope_spans", _SCOPE_SPANS),
    instrumentation_library_spans=_messages("scope_spans", _SCOPE_SPANS),
    schema_url=_text("schema_url"),
)
_REQUEST: Final = _spellings(resource_spans=_messages("resource_spans", _RESOURCE_SPANS))
