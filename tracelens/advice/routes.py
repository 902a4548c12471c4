"""Routes and URLs of a finding as code writes them."""

from __future__ import annotations

import re
from typing import Final

_METHOD: Final = re.compile(r"(?:HTTP )?(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|QUERY)\s+", re.IGNORECASE)
_PARAMETER: Final = re.compile(r"\{(\w+)(?:[:=?*][^{}]*)?\}|:(\w+)|<(?:\w+:)?(\w+)>", re.ASCII)
_SAFE_ROUTE: Final = re.compile(r"(?:/(?:[A-Za-z0-9_.~-]+|\{\w{1,40}\})){1,12}/?", re.ASCII)
_SAFE_URL: Final = re.compile(r"(?:https?://[A-Za-z0-9.-]+(?::\d{1,5})?)?(?:/[A-Za-z0-9_.~-]+){1,12}", re.ASCII)
_CACHE_READ: Final = re.compile(r"\s*(?:redis-)?h?get\s+([A-Za-z0-9_.-]{1,40}:)", re.IGNORECASE | re.ASCII)


def routes(endpoint: str) -> dict[str, str | None]:
    """Return the endpoint's route in the three ways frameworks write parameters; None where it is not plain."""
    path = "/" + _METHOD.sub("", endpoint.strip(), count=1).lstrip("/^").rstrip("$")
    route = _PARAMETER.sub(lambda match: f"{{{match[1] or match[2] or match[3]}}}", path)
    plain = route if _SAFE_ROUTE.fullmatch(route) and _METHOD.match(endpoint.strip()) else None
    return {
        "route_braces": plain,
        "route_colon": re.sub(r"\{(\w+)\}", r":\1", plain) if plain else None,
        "route_angle": re.sub(r"\{(\w+)\}", r"<\1>", plain) if plain else None,
    }


def collection_url(subject: str) -> str | None:
    """Return the collection's URL where `GET http://shop/users/{id}` reads one by one; None where it is not plain.

    The subjects of findings leave the scheme out: `GET shop/users/{id}`.
    """
    url = _METHOD.sub("", subject.strip(), count=1)
    if not url.startswith(("/", "http://", "https://")):
        url = f"http://{url}"
    path = re.sub(
        r"/(?:\{\w*\}|:\w+|<[\w:]+>|\*|\?|\d+)$", "", url.partition("?")[0].rstrip("/") if "/?" not in url else url
    )
    return path if path != url and _SAFE_URL.fullmatch(path) else None


def cache_prefix(subject: str) -> str | None:
    """Return the part of a cache key before its first colon, as in `GET banner:?`; None where it is masked."""
    match = _CACHE_READ.match(subject)
    return match[1] if match else None
