"""Cross-origin requests: which web pages may send telemetry from a browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tracelens.receiver.asgi import Headers


class Cors:
    """Answers browsers. With no allowed origins it adds nothing, so browsers refuse to send.

    Args:
        allowed_origins: such as `https://shop.example`; `*` stands for any text, as in `https://*.example`.
    """

    def __init__(self, allowed_origins: Iterable[str]) -> None:
        patterns = [re.escape(origin).replace(r"\*", ".*") for origin in allowed_origins]
        self._allowed = re.compile("|".join(patterns)) if patterns else None

    def headers(self, request_headers: Mapping[str, str]) -> Headers:
        """Return the headers that let the page at the request's origin read the answer."""
        if self._allowed is None:
            return []
        headers = [(b"vary", b"Origin")]
        if self._allows(request_headers):
            headers.append((b"access-control-allow-origin", request_headers["origin"].encode("latin-1")))
            # The JavaScript exporter sends with credentials where it uses a beacon.
            headers.append((b"access-control-allow-credentials", b"true"))
        return headers

    def preflight(self, request_headers: Mapping[str, str]) -> Headers | None:
        """Return the headers of the answer to a preflight request, None where it is not allowed or not one."""
        if request_headers.get("access-control-request-method") != "POST" or not self._allows(request_headers):
            return None
        asked = request_headers.get("access-control-request-headers", "content-type")
        return [
            *self.headers(request_headers),
            (b"access-control-allow-methods", b"POST"),
            (b"access-control-allow-headers", asked.encode("latin-1")),
            (b"access-control-max-age", b"7200"),
        ]

    def _allows(self, request_headers: Mapping[str, str]) -> bool:
        return self._allowed is not None and self._allowed.fullmatch(request_headers.get("origin", "")) is not None
