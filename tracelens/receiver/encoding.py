"""The two encodings of OTLP messages over HTTP, by media type."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from google.protobuf.json_format import MessageToJson

if TYPE_CHECKING:
    from google.protobuf.message import Message


class Encoding(Enum):
    """An encoding of requests and answers; its value is the bare media type."""

    PROTOBUF = "application/x-protobuf"
    JSON = "application/json"

    @classmethod
    def of(cls, content_type: str) -> Encoding | None:
        """Return the encoding that a Content-Type header names, whatever its case and parameters."""
        media_type = content_type.partition(";")[0].strip().lower()
        return next((encoding for encoding in cls if encoding.value == media_type), None)

    def encode(self, message: Message) -> bytes:
        """Serialise an answer; an unset message is zero bytes or `{}`."""
        if self is Encoding.PROTOBUF:
            return message.SerializeToString()
        return MessageToJson(message, indent=None, ensure_ascii=False).encode()
