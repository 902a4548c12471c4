"""Sends spans to an OTLP endpoint as fast as it answers, or at a given rate, and says how it answered.

    python bench/load.py grpc://127.0.0.1:4317 --spans 100000
    python bench/load.py http://127.0.0.1:4318 --spans 100000 --rate 5000
    python bench/load.py parse: --spans 100000

The requests are made before the first is sent, all of them distinct. With `parse:` nothing is sent: this process parses
them, which is the least that any receiver does. The result is one line of JSON. With `--wait` it says `ready` and
begins when it reads a line.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import grpc
import numpy as np
from distinct import Template, Variation
from mix import SPANS_PER_REQUEST, Mix
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from shop import HEALTHY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_METHOD: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_TEMPLATES: Final = 64
"""32,768 spans, which take some seconds."""

_TIMEOUT_S: Final = 60.0
_RETRY_S: Final = 0.1
_AGAIN: Final = {429, 502, 503, 504}
_SPAN_RATE: Final = 9_000
"""Spans a second by their own times."""


@dataclass(slots=True)
class Load:
    """Distinct requests, the same for the same seed, but for their times.

    Attributes:
        spans: how many to send: whole requests.
        templates: requests that are made from nothing; all others are these with other ids, times and numbers.
        span_id_xor: all their ids combined by exclusive or, which what was stored must give too.
    """

    spans: int
    seed: int = 1
    end_ns: int = field(default_factory=time.time_ns)
    templates: int = _TEMPLATES
    span_id_xor: int = 0
    requests: int = field(init=False)

    def __post_init__(self) -> None:
        self.requests = max(1, round(self.spans / SPANS_PER_REQUEST))
        self.spans = self.requests * SPANS_PER_REQUEST

    def bodies(self) -> Iterator[bytes]:
        """Yield the requests; their spans end about when `end_ns` is."""
        rng = random.Random(self.seed)
        start_ns = self.end_ns - int(self.spans / _SPAN_RATE * 1e9)
        mix = Mix(self.seed, start_ns)
        count = min(self.templates, self.requests)
        templates = [Template(body) for body in islice(mix.requests(HEALTHY), count)]
        for first in range(0, self.requests, count):
            shift_ns = int(first * SPANS_PER_REQUEST / _SPAN_RATE * 1e9)
            variation = Variation(rng.randbytes(16), rng.randbytes(8), shift_ns, first * 7919)
            for template in templates[: self.requests - first]:
                ids = template.span_ids ^ np.uint64(int.from_bytes(variation.span_pattern, "big"))
                self.span_id_xor ^= int(np.bitwise_xor.reduce(ids))
                yield template.vary(variation)


@dataclass(slots=True)
class Outcome:
    """How an endpoint answered; times in milliseconds from the call to its answer, tries that failed left out."""

    spans: int = 0
    requests: int = 0
    bytes: int = 0
    span_id_xor: str = ""
    seconds: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    retries: int = 0
    refused: int = 0
    parse_us: float = 0.0
    """CPU time per span, with `parse:`."""


class Refused(Exception):  # noqa: N818
    """The endpoint will never take this request."""


class Busy(Exception):  # noqa: N818
    """The endpoint wants the request again."""


def grpc_sender(target: str) -> Callable[[bytes], None]:
    """Return a function that sends a request on a connection of its own."""
    options = [("grpc.max_send_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
    call = grpc.insecure_channel(target, options=options).unary_unary(_METHOD)

    def send(body: bytes) -> None:
        try:
            call(body, timeout=_TIMEOUT_S)
        except grpc.RpcError as error:
            code = error.code()
            if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED):
                raise Busy(str(code)) from error
            raise Refused(str(error)) from error

    return send


def http_sender(target: str) -> Callable[[bytes], None]:
    """Return a function that sends a request on a connection of its own."""
    connection = http.client.HTTPConnection(target, timeout=_TIMEOUT_S)

    def send(body: bytes) -> None:
        connection.request("POST", "/v1/traces", body, {"content-type": "application/x-protobuf"})
        answer = connection.getresponse()
        told = answer.read()
        if answer.status in _AGAIN:
            raise Busy(str(answer.status))
        if answer.status != http.HTTPStatus.OK:
            raise Refused(f"{answer.status} {told[:200]!r}")

    return send


def send_all(bodies: Sequence[bytes], senders: Sequence[Callable[[bytes], None]], rate: float) -> Outcome:
    """Send the requests, each sender one at a time; no faster than `rate` spans a second, 0 for as fast as it goes."""
    outcome = Outcome()
    waiting = iter(enumerate(bodies))
    lock = threading.Lock()
    times: list[float] = []
    interval = SPANS_PER_REQUEST / rate if rate else 0.0
    begun = time.perf_counter()

    def work(send: Callable[[bytes], None]) -> None:
        while True:
            with lock:
                number, body = next(waiting, (0, None))
            if body is None:
                return
            time.sleep(max(0.0, begun + number * interval - time.perf_counter()))
            if (took := _deliver(send, body, outcome, lock)) is not None:
                times.append(took)

    threads = [threading.Thread(target=work, args=(send,)) for send in senders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outcome.seconds = time.perf_counter() - begun
    outcome.requests = len(times)
    outcome.spans = len(times) * SPANS_PER_REQUEST
    outcome.bytes = sum(map(len, bodies))
    outcome.p50_ms, outcome.p99_ms = (float(value) * 1e3 for value in np.quantile(times or [0.0], [0.5, 0.99]))
    return outcome


def _deliver(send: Callable[[bytes], None], body: bytes, outcome: Outcome, lock: threading.Lock) -> float | None:
    """Send a request until it is taken; return how long the last try took, None where it was refused."""
    while True:
        begun = time.perf_counter()
        try:
            send(body)
        except Busy:
            with lock:
                outcome.retries += 1
            time.sleep(_RETRY_S)
        except Refused as error:
            with lock:
                outcome.refused += 1
            print(error, file=sys.stderr)
            return None
        else:
            return time.perf_counter() - begun


def parse_all(bodies: Sequence[bytes]) -> Outcome:
    """Parse every request in this process and let go of it."""
    begun, begun_cpu = time.perf_counter(), time.thread_time()
    for body in bodies:
        ExportTraceServiceRequest.FromString(body)
    cpu = time.thread_time() - begun_cpu
    spans = len(bodies) * SPANS_PER_REQUEST
    return Outcome(
        spans=spans,
        requests=len(bodies),
        bytes=sum(map(len, bodies)),
        seconds=time.perf_counter() - begun,
        parse_us=cpu / spans * 1e6,
    )


def main() -> None:
    """Send, and print the outcome."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("to", help="grpc://host:port, http://host:port or parse:")
    parser.add_argument("--spans", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--senders", type=int, default=4, help="connections")
    parser.add_argument("--rate", type=float, default=0.0, help="spans a second, 0 for as fast as it goes")
    parser.add_argument("--wait", action="store_true")
    arguments = parser.parse_args()
    load = Load(arguments.spans, arguments.seed)
    bodies = list(load.bodies())
    if arguments.wait:
        print("ready", flush=True)
        sys.stdin.readline()
    url = urlsplit(arguments.to)
    if url.scheme == "parse":
        outcome = parse_all(bodies)
    else:
        connect = {"grpc": grpc_sender, "http": http_sender}[url.scheme]
        outcome = send_all(bodies, [connect(url.netloc) for _ in range(arguments.senders)], arguments.rate)
    outcome.span_id_xor = f"{load.span_id_xor:016x}"
    print(json.dumps(asdict(outcome)), flush=True)


if __name__ == "__main__":
    main()
