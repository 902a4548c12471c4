"""Next hops that have their answers ready."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc
from next_hop import LIMIT_S

from tracelens.receiver import HttpServer
from tracelens.receiver.signals import TRACES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tracelens.receiver.asgi import Answer, Receive, Scope, Send


@dataclass
class Answering:
    """A server that has answers ready. `wait` returns when so many more requests have come."""

    url: str
    arrived: threading.Semaphore

    def wait(self, count: int) -> None:
        for _ in range(count):
            assert self.arrived.acquire(timeout=LIMIT_S)


@contextmanager
def answering(*answers: Answer) -> Iterator[Answering]:
    """Serve these answers over HTTP, one a request and the last again and again, until the block ends."""
    left = list(answers)
    arrived = threading.Semaphore(0)

    async def answer(_scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        arrived.release()
        await (left.pop(0) if len(left) > 1 else left[0]).send(send)

    server = HttpServer("127.0.0.1:0", answer)
    server.start()
    try:
        yield Answering(f"http://127.0.0.1:{server.port}", arrived)
    finally:
        server.stop(1)


@contextmanager
def grpc_answering(answer: Callable[[grpc.ServicerContext], bytes]) -> Iterator[str]:
    """Serve what a function answers over gRPC until the block ends; yield the URL."""
    server = grpc.server(ThreadPoolExecutor(4))
    handler = grpc.unary_unary_rpc_method_handler(lambda _body, context: answer(context))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(TRACES.service, {"Export": handler})])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"grpc://127.0.0.1:{port}"
    finally:
        server.stop(1).wait()
