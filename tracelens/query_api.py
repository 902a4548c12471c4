"""What `serve` answers on its UI port: the store's report and events, for the commands that find the store held.

    GET  /healthz              200 while the server is well
    GET  /                     the report as a page
    POST /api/report           {"scope": {...}, "settings": {...}} -> the report's JSON
    GET  /api/events?after=N   {"events": [{"number": N, "event": {...}}]}
"""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from tracelens.analysis import Scope
from tracelens.errors import TracelensError, UsageError
from tracelens.receiver.admission import ByteBudget
from tracelens.receiver.asgi import Answer, SenderGoneError, read_body
from tracelens.report.json import report_to_dict
from tracelens.settings import parse_settings
from tracelens.sources import StoreSource

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracelens.receiver.asgi import Receive, Send
    from tracelens.receiver.asgi import Scope as AsgiScope
    from tracelens.settings import Settings
    from tracelens.store.store import Store

_log = logging.getLogger(__name__)

_MAX_BODY_BYTES: Final = 1024 * 1024
_BODY_TIMEOUT_S: Final = 10.0
_JSON: Final = [(b"content-type", b"application/json")]


class QueryApi:
    """The ASGI application. One analysis runs at a time: each may use all of the store's memory.

    Args:
        store: what is asked.
        settings: the server's own; a request may bring thresholds and objectives of its own.
        healthy: what GET /healthz reports.
    """

    def __init__(self, store: Store, settings: Settings, healthy: Callable[[], bool]) -> None:
        self._store = store
        self._settings = settings
        self._healthy = healthy
        self._turn: asyncio.Lock | None = None
        self._budget = ByteBudget(8 * _MAX_BODY_BYTES)

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            answer = await self._answer(scope, receive)
        except SenderGoneError:
            return
        except UsageError as error:
            answer = _answer(400, {"error": str(error)})
        except (ValueError, TypeError, KeyError) as error:
            answer = _answer(400, {"error": f"{scope['path']}: not understood: {error}"})
        except TracelensError as error:
            answer = _answer(503, {"error": str(error)})
        except Exception:
            _log.exception("%s failed", scope["path"])
            answer = _answer(500, {"error": f"{scope['path']} failed; the server's log says why"})
        await answer.send(send)

    async def _answer(self, scope: AsgiScope, receive: Receive) -> Answer:
        method, path = scope["method"], scope["path"]
        if path == "/healthz" and method in {"GET", "HEAD"}:
            healthy = self._healthy()
            return Answer(200 if healthy else 503, b"healthy\n" if healthy else b"unhealthy\n", _text())
        if path == "/api/report" and method == "POST":
            body = await read_body(receive, self._budget, limit_bytes=_MAX_BODY_BYTES, timeout_s=_BODY_TIMEOUT_S)
            request = json.loads(body)
            return _answer(200, await self._report(_scope(request["scope"]), self._with(request.get("settings", {}))))
        if path == "/api/events" and method == "GET":
            query = parse_qs(scope.get("query_string", b"").decode("latin-1"))  # type: ignore[attr-defined]  # of ASGI
            after = int(query.get("after", ["0"])[0])
            events = await asyncio.to_thread(StoreSource(self._store, self._settings).events, after)
            return _answer(200, {"events": [{"number": number, "event": event} for number, event in events]})
        if path in {"/healthz", "/api/report", "/api/events"}:
            return _answer(405, {"error": f"{method} {path}: wrong method"})
        return _answer(404, {"error": f"{path}: nothing here; OTLP is received on the gRPC and HTTP ports"})

    async def _report(self, scope: Scope, settings: Settings) -> dict[str, Any]:
        if self._turn is None:
            self._turn = asyncio.Lock()
        async with self._turn:
            report = await asyncio.to_thread(StoreSource(self._store, settings).report, scope)
        return report_to_dict(report)

    def _with(self, overrides: dict[str, Any]) -> Settings:
        """Return the server's settings with a request's thresholds and objectives in place of its own."""
        sections = {name: overrides[name] for name in ("thresholds", "objectives") if overrides.get(name)}
        own = parse_settings(sections, source="settings", folder=Path())
        return replace(
            self._settings,
            thresholds=own.thresholds or self._settings.thresholds,
            objectives=own.objectives or self._settings.objectives,
        )


def _scope(entries: dict[str, Any]) -> Scope:
    return Scope(**(entries | {"pass_names": tuple(entries.get("pass_names", ()))}))


def _text() -> list[tuple[bytes, bytes]]:
    return [(b"content-type", b"text/plain; charset=utf-8")]


def _answer(status: int, document: dict[str, Any]) -> Answer:
    return Answer(status, json.dumps(document).encode(), list(_JSON))
