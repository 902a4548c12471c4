"""Sends a scenario's requests to an application, as a browser or another service would: untraced and over HTTP."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scenarios import Request


def send(port: int, request: Request, timeout_s: float = 120.0) -> int:
    """Send one request, read the whole answer and return its status."""
    body = None if request.body is None else json.dumps(request.body).encode()
    headers = {"accept-encoding": "gzip", "user-agent": "shop-client/1.0"} | (
        {"content-type": "application/json"} if body else {}
    )
    outgoing = urllib.request.Request(
        f"http://127.0.0.1:{port}{request.path}", data=body, method=request.method, headers=headers
    )
    try:
        with urllib.request.urlopen(outgoing, timeout=timeout_s) as answer:
            answer.read()
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            error.read()
        return error.code


def send_all(port: int, requests: Sequence[Request], concurrency: int = 1) -> None:
    """Send the requests, `concurrency` at a time, and insist on the status that each one names."""
    with ThreadPoolExecutor(concurrency) as pool:
        for request, status in zip(requests, pool.map(lambda one: send(port, one), requests), strict=True):
            if status != request.status:
                raise RuntimeError(f"{request.method} {request.path} answered {status}, not {request.status}")
