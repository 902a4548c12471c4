"""Services and endpoints that a setting is for: two regular expressions, matched whole."""

from __future__ import annotations

import re
from typing import Protocol


class Selective(Protocol):
    """A setting for some services and endpoints; an empty pattern selects all."""

    @property
    def service(self) -> str:
        """Pattern of services' names."""
        ...

    @property
    def endpoint(self) -> str:
        """Pattern of endpoints' names."""
        ...


def selects(setting: Selective, service_name: str, endpoint: str) -> bool:
    """Tell whether a setting is for an endpoint."""
    return (not setting.service or re.fullmatch(setting.service, service_name) is not None) and (
        not setting.endpoint or re.fullmatch(setting.endpoint, endpoint) is not None
    )
