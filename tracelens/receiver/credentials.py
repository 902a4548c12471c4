"""Who may send: a request carries one of the credentials that are configured, or is refused."""

from __future__ import annotations

import base64
import hmac
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tracelens.settings.secret import Secret

MISSING: Final = "no valid credential: set it in OTEL_EXPORTER_OTLP_HEADERS of the sender"

_AUTHORIZATION: Final = "authorization"


class Credentials:
    """The header values that let a request in.

    Args:
        accepted: `bearer` and a token, `basic` and user:password, or the name of a header and its value; each secret
            may hold several values, a line each. Without any, every request is let in.

    Raises:
        UsageError: a secret cannot be read.
    """

    def __init__(self, accepted: Iterable[tuple[str, Secret]] = ()) -> None:
        self._accepted: dict[str, list[bytes]] = {}
        schemes = []
        for kind, secret in accepted:
            for value in secret.read_lines():
                match kind:
                    case "bearer":
                        schemes.append(b"Bearer")
                        self._accept(_AUTHORIZATION, f"bearer {value}")
                    case "basic":
                        schemes.append(b'Basic realm="tracelens", charset="UTF-8"')
                        self._accept(_AUTHORIZATION, f"basic {base64.b64encode(value.encode()).decode()}")
                    case _:
                        self._accept(kind, _normalised(kind, value))
        self.challenges: list[tuple[bytes, bytes]] = [
            (b"www-authenticate", scheme) for scheme in dict.fromkeys(schemes or [b"Bearer"])
        ]
        """Headers that a refusal over HTTP carries."""

    def admit(self, headers: Mapping[str, str]) -> bool:
        """Say whether a request with these headers, names in lower case, may come in."""
        if not self._accepted:
            return True
        admitted = False
        for name, values in self._accepted.items():
            given = _normalised(name, headers.get(name, "")).encode()
            for value in values:  # all of them: how long it takes says nothing about which was nearly right
                admitted |= hmac.compare_digest(given, value)
        return admitted

    def _accept(self, header: str, value: str) -> None:
        self._accepted.setdefault(header, []).append(value.encode())


def _normalised(header: str, value: str) -> str:
    """Return a value in the form in which values are compared: the scheme of an Authorization header has any case."""
    if header != _AUTHORIZATION:
        return value
    scheme, blank, rest = value.partition(" ")
    return f"{scheme.lower()}{blank}{rest.strip()}"
