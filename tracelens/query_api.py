"""What `serve` answers on its UI port: the store's report and events, for the commands that find the store held.

GET  /                     the report as a page
GET  /healthz              200 while the server is well
GET  /metrics              its own metrics, for Prometheus
GET  /api/server           {"instance": "…"}: which server this is
POST /api/report           {"scope": {...}, "settings": {...}} -> the report's JSON
GET  /api/events?after=N   {"events": [{"number": N, "event": {...}}]}
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import logging
import threading
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import parse_qs, urlsplit

from tracelens.errors import OverloadedError, TracelensError, UsageError
from tracelens.model import Scope
from tracelens.receiver.admission import ByteBudget
from tracelens.receiver.asgi import Answer, SenderGoneError, read_body
from tracelens.report.html import render_html
from tracelens.report.json import report_to_dict
from tracelens.settings import parse_settings
from tracelens.sources import StoreSource
from tracelens.sources.server_address import IDENTITY_PATH

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracelens.findings import Report
    from tracelens.receiver.asgi import Receive, Send
    from tracelens.receiver.asgi import Scope as AsgiScope
    from tracelens.settings import Settings
    from tracelens.store.store import Store

_log = logging.getLogger(__name__)

_MAX_BODY_BYTES: Final = 1024 * 1024
_BODY_TIMEOUT_S: Final = 10.0
_JSON: Final = [(b"content-type", b"application/json")]
_TEXT: Final = [(b"content-type", b"text/plain; charset=utf-8")]
_PAGE: Final = [
    (b"content-type", b"text/html; charset=utf-8"),
    (b"content-security-policy", b"frame-ancestors 'none'"),  # the one rule that a page cannot state itself
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
]
_METHODS: Final = {
    "/": ("GET",),
    "/healthz": ("GET", "HEAD"),
    "/metrics": ("GET",),
    IDENTITY_PATH: ("GET",),
    "/api/report": ("POST",),
    "/api/events": ("GET",),
}

_STOPPING: Final = "the tracelens server that holds this store is stopping: ask again"

_T = TypeVar("_T")


class QueryApi:
    """The ASGI application. One analysis runs at a time: each may use all of the store's memory.

    Args:
        store: what is asked.
        settings: the server's own; a request brings thresholds and objectives of its own.
        instance: the server's name for itself.
        healthy: what GET /healthz reports.
        catch_up: waits until the store holds what had been acknowledged when it was called, or cannot; blocks.
        is_local: whether only this machine is to ask: then no other host name is answered to.
        metrics: returns the page of GET /metrics and its media type, for an Accept header; blocks.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        instance: str,
        healthy: Callable[[], bool],
        catch_up: Callable[[], None],
        *,
        is_local: bool,
        metrics: Callable[[str], tuple[bytes, str]],
    ) -> None:
        self._store = store
        self._settings = settings
        self._instance = instance
        self._healthy = healthy
        self._catch_up = catch_up
        self._is_local = is_local
        self._metrics = metrics
        self._turn = asyncio.Lock()
        self._working: set[asyncio.Future[Any]] = set()
        self._threads: list[threading.Thread] = []
        self._budget = ByteBudget(8 * _MAX_BODY_BYTES)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being asked of the store."""
        return not any(thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
        """Tell everybody who waits for an answer to ask again later. Work on a thread goes on, for nobody."""
        for done in list(self._working):
            with contextlib.suppress(RuntimeError):  # its event loop has ended
                done.get_loop().call_soon_threadsafe(_settle, done, None, OverloadedError(_STOPPING))

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            answer = await self._answer(scope, receive)
        except SenderGoneError:
            return
        except UsageError as error:
            answer = _answer(HTTPStatus.BAD_REQUEST, {"error": str(error)})
        except TracelensError as error:
            answer = _answer(HTTPStatus.SERVICE_UNAVAILABLE, {"error": str(error)})
        except Exception as error:  # noqa: BLE001  (logged; one bad request must not stop the server)
            _log.exception("%s failed", scope["path"])
            text = f"{scope['path']} failed in the server: {type(error).__name__}; its log says more"
            answer = _answer(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": text})
        await answer.send(send)

    async def _answer(self, scope: AsgiScope, receive: Receive) -> Answer:
        path = scope["path"]
        at_once = _refusal(scope, is_local=self._is_local) or self._known(path)
        if at_once is not None:
            return at_once
        if path == "/":
            return Answer(HTTPStatus.OK, await self._page(), list(_PAGE))
        if path == "/metrics":
            accepted = dict(scope["headers"]).get(b"accept", b"").decode("latin-1")
            page, media_type = await self._in_thread(lambda: self._metrics(accepted))
            return Answer(HTTPStatus.OK, page, [(b"content-type", media_type.encode())])
        if path == "/api/events":
            return _answer(HTTPStatus.OK, await self._events(_after(scope)))
        body = await read_body(receive, self._budget, limit_bytes=_MAX_BODY_BYTES, timeout_s=_BODY_TIMEOUT_S)
        return _answer(HTTPStatus.OK, report_to_dict(await self._report(*_asked(body, self._settings))))

    def _known(self, path: str) -> Answer | None:
        """Answer what needs no asking."""
        if path == "/healthz":
            return Answer(200, b"healthy\n", _TEXT) if self._healthy() else Answer(503, b"unhealthy\n", _TEXT)
        if path == IDENTITY_PATH:
            return _answer(HTTPStatus.OK, {"instance": self._instance})
        return None

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        """Run blocking work beside the event loop, on a thread that does not keep a server that stops waiting."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[_T] = loop.create_future()
        self._working.add(done)
        done.add_done_callback(self._working.discard)

        def run() -> None:
            value, failure = None, None
            try:
                value = work()
            except BaseException as error:  # noqa: BLE001  (it is raised where the work is awaited)
                failure = error
            with contextlib.suppress(RuntimeError):  # the server has stopped, and nobody waits any more
                loop.call_soon_threadsafe(_settle, done, value, failure)

        self._threads = [thread for thread in self._threads if thread.is_alive()]
        self._threads.append(threading.Thread(target=run, name="query", daemon=True))
        self._threads[-1].start()
        return await done

    async def _events(self, after: int) -> dict[str, Any]:
        events = await self._in_thread(lambda: StoreSource(self._store, self._settings).events(after))
        return {"events": [{"number": number, "event": event} for number, event in events]}

    async def _page(self) -> bytes:
        report = await self._report(Scope(), self._settings)
        return await self._in_thread(lambda: render_html(report).encode())

    async def _report(self, scope: Scope, settings: Settings) -> Report:
        async with self._turn:
            await self._in_thread(self._catch_up)
            return await self._in_thread(lambda: StoreSource(self._store, settings).report(scope))


def _names_this_machine(scope: AsgiScope) -> bool:
    """Say whether the Host header can be right: a web page whose own name was pointed at this machine must not read."""
    host = dict(scope["headers"]).get(b"host", b"localhost").decode("latin-1")
    name = urlsplit(f"//{host}").hostname or ""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name == "localhost"
    return True


def _settle(done: asyncio.Future[_T], value: _T | None, error: BaseException | None) -> None:
    if done.done():
        return
    if error is not None:
        done.set_exception(error)
    else:
        done.set_result(value)  # type: ignore[arg-type]  # without an error there is a value, None where T allows it


def _refusal(scope: AsgiScope, *, is_local: bool) -> Answer | None:
    method, path = scope["method"], scope["path"]
    if is_local and not _names_this_machine(scope):
        return _answer(HTTPStatus.FORBIDDEN, {"error": "this answers under localhost or an address alone"})
    if path not in _METHODS:
        text = f"{path}: nothing here; OTLP is received on the gRPC and HTTP ports"
        return _answer(HTTPStatus.NOT_FOUND, {"error": text})
    if method not in _METHODS[path]:
        return _answer(HTTPStatus.METHOD_NOT_ALLOWED, {"error": f"{path} takes {' and '.join(_METHODS[path])}"})
    return None


def _asked(body: bytes, own: Settings) -> tuple[Scope, Settings]:
    """Return what to analyse, and the server's settings with those of the request in their place.

    Raises:
        UsageError: the request is not understood.
    """
    try:
        request = json.loads(body)
        entries = request["scope"]
        scope = Scope(**(entries | {"pass_names": tuple(entries.get("pass_names", ()))}))
        sections = {name: request["settings"][name] for name in ("thresholds", "objectives")}
        sections["databases"] = request["settings"].get("databases", {})
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(f"/api/report: not understood: {error}") from error
    asked = parse_settings(sections, source="/api/report", folder=Path())
    # Waivers are the asker's as well, who applies them to the answer.
    return scope, replace(
        own, thresholds=asked.thresholds, objectives=asked.objectives, databases=asked.databases, waivers=()
    )


def _after(scope: AsgiScope) -> int:
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))  # type: ignore[attr-defined]  # of ASGI
    text = query.get("after", ["0"])[0]
    if not text.isdecimal():
        raise UsageError(f"/api/events: after={text!r} is not the number of an event")
    return int(text)


def _answer(status: int, document: dict[str, Any]) -> Answer:
    return Answer(status, json.dumps(document).encode(), list(_JSON))
