"""Breaches that come and go for minutes: exactly the expected events have to be delivered, each soon enough.

    python bench/soak.py --minutes 10

A real `tracelens serve` receives healthy requests all the time. Endpoints break a limit for a while and keep it again,
on a schedule; meanwhile the server is killed and started again, and the endpoint of the webhook fails for a while. Each
episode has to give one firing and one resolved event, in this order, to each notifier.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from traffic import n_plus_one, query_spans, request_of, server_span, slow_request  # noqa: E402

WINDOW_S: Final = 20.0
RESOLVE_AFTER_S: Final = 5.0
REST_S: Final = WINDOW_S + RESOLVE_AFTER_S + 15.0
"""Between two episodes of an endpoint: what it takes until the first is over, and a margin for a busy machine."""
LIMIT_S: Final = 5.0
"""From the acknowledgement of the spans that break a limit to the delivered event."""

_TRACE = count(random.getrandbits(100))


@dataclass
class Told:
    """One delivered event."""

    at: float
    event: dict[str, Any]


@dataclass
class Webhook:
    """A receiver of webhooks, which can be made to fail."""

    told: list[Told] = field(default_factory=list)
    is_down: bool = False
    refused: int = 0

    def start(self) -> str:
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                if hook.is_down:
                    hook.refused += 1
                else:
                    events = body if isinstance(body, list) else [body]
                    hook.told += [Told(time.monotonic(), event) for event in events]
                self.send_response(503 if hook.is_down else 204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/events"


class Serve:
    """A `tracelens serve` that can be killed and started again on the same store and port."""

    def __init__(self, folder: Path, config: Path) -> None:
        self._command = [sys.executable, "-m", "tracelens", "serve", "--db", str(folder / "soak.duckdb")]
        self._command += ["--config", str(config), "--grpc", "127.0.0.1:0", "--ui", "127.0.0.1:0", "--http"]
        self._folder = folder
        self._address = "127.0.0.1:0"
        self.start()

    def start(self) -> None:
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        errors = (self._folder / "serve.log").open("a+")
        position = errors.tell()
        self._process = subprocess.Popen(
            [*self._command, self._address], cwd=self._folder, env=environment, stdout=subprocess.DEVNULL, stderr=errors
        )
        while "store " not in (log := (self._folder / "serve.log").read_text()[position:]):
            if self._process.poll() is not None:
                raise SystemExit(f"serve ended:\n{log}")
            time.sleep(0.05)
        self._address = log.split("OTLP/HTTP  http://")[1].split()[0]

    def end(self, number: int) -> None:
        self._process.send_signal(number)
        self._process.wait()

    def send(self, body: bytes) -> float:
        """Send until it is acknowledged, as an exporter does; return when it was."""
        while True:
            try:
                connection = http.client.HTTPConnection(self._address, timeout=10)
                connection.request("POST", "/v1/traces", body, {"content-type": "application/x-protobuf"})
                if connection.getresponse().status == 200:
                    return time.monotonic()
            except OSError:
                pass
            finally:
                connection.close()
            time.sleep(0.1)


@dataclass
class Episode:
    """One time that one endpoint breaks one limit."""

    rule: str
    endpoint: str
    begins: float
    lasts: float
    broken_at: float = 0.0

    def spans(self) -> list[bytes]:
        """Return the requests that break the limit, sent again and again while it lasts."""
        now = time.time_ns()
        route = self.endpoint.removeprefix("GET ")
        if self.rule == "slow_query":
            return [request_of(slow_request(next(_TRACE) % 2**127, route=route, start_ns=now))]
        if self.rule == "p95_breach":
            return [
                request_of([server_span(next(_TRACE) % 2**127, route=route, duration_ms=3000, start_ns=now)])
                for _ in range(25)
            ]
        entry, *calls = n_plus_one(next(_TRACE) % 2**127, repeats=120, start_ns=now)
        entry.attributes[1].value.string_value = route
        return [request_of([entry, *calls])]


def episodes(duration_s: float) -> list[Episode]:
    """Return the schedule: each endpoint breaks its limit as often as fits, for other times each."""
    random.seed(1)
    planned = []
    for rule in ("slow_query", "p95_breach", "finding"):
        for number in range(3):
            begins = 5.0 + random.uniform(0, 20)
            while True:
                lasts = random.choice([0.0, 4.0, 12.0])
                if begins + lasts + REST_S > duration_s:
                    break
                planned.append(Episode(rule, f"GET /{rule}/{number}", begins, lasts))
                begins += lasts + REST_S + random.uniform(0, 20)
    return sorted(planned, key=lambda episode: episode.begins)


def healthy() -> bytes:
    """Return a request as they should be."""
    trace, now = next(_TRACE) % 2**127, time.time_ns()
    texts = [f"SELECT id, name FROM users WHERE id = {random.randrange(10**6)}"]  # noqa: S608  (text in a span)
    entry = server_span(trace, route=f"/users/{{id}}/{random.randrange(20)}", duration_ms=12, start_ns=now)
    return request_of([entry, *query_spans(trace, texts, duration_ms=3, start_ns=now)], "shop")


def play(serve: Serve, hook: Webhook, planned: list[Episode], duration_s: float) -> None:
    """Send everything on schedule."""
    started = time.monotonic()
    done = threading.Event()

    def load() -> None:
        while not done.wait(0.25):
            for _ in range(10):
                serve.send(healthy())

    def act(episode: Episode) -> None:
        time.sleep(max(0.0, episode.begins - (time.monotonic() - started)))
        end = time.monotonic() + episode.lasts
        while True:
            acknowledged = [serve.send(body) for body in episode.spans()][-1]
            episode.broken_at = episode.broken_at or acknowledged
            if time.monotonic() >= end:
                return
            time.sleep(1.0)

    threads = [threading.Thread(target=act, args=(episode,)) for episode in planned]
    threads.append(threading.Thread(target=load))
    for thread in threads:
        thread.start()
    disturb(serve, hook, started, duration_s)
    time.sleep(max(0.0, started + duration_s - time.monotonic()))
    done.set()
    for thread in threads:
        thread.join()


def disturb(serve: Serve, hook: Webhook, started: float, duration_s: float) -> None:
    """Kill the server twice, and let the webhook fail in between."""
    for share, what in ((0.35, "kill"), (0.6, "webhook down"), (0.65, "webhook up"), (0.8, "kill")):
        time.sleep(max(0.0, started + share * duration_s - time.monotonic()))
        print(f"{time.monotonic() - started:6.0f} s  {what}")
        if what == "kill":
            serve.end(signal.SIGKILL)
            time.sleep(2)
            serve.start()
        else:
            hook.is_down = what == "webhook down"


def judge(planned: list[Episode], told: list[Told], name: str) -> list[str]:
    """Compare what was told with what was planned; return what is wrong."""
    by_id = {each.event["id"]: each for each in reversed(told)}
    unique = sorted(by_id.values(), key=lambda each: each.at)
    states = defaultdict(list)
    for each in unique:
        data = each.event["data"]
        states[data["rule"], data["endpoint"]].append(data["state"])
    wanted = defaultdict(list)
    for episode in planned:
        wanted[episode.rule, episode.endpoint] += ["firing", "resolved"]
    print(f"{name}: {len(unique)} events of {2 * len(planned)} wanted, {len(told) - len(unique)} delivered twice")
    return [
        f"{name}: {' '.join(key)}: wanted {wanted[key]}, told {states[key]}"
        for key in sorted(wanted.keys() | states.keys())
        if wanted[key] != states[key]
    ]


def latencies(planned: list[Episode], told: list[Told]) -> list[float]:
    """Return for each episode how long its first event took from the acknowledgement."""
    firing = defaultdict(list)
    for each in sorted(told, key=lambda each: each.at):
        if each.event["data"]["state"] == "firing":
            firing[each.event["data"]["rule"], each.event["data"]["endpoint"]].append(each.at)
    delays = []
    for episode in planned:
        later = [at for at in firing[episode.rule, episode.endpoint] if at >= episode.broken_at - 1]
        if later:
            delays.append(min(later) - episode.broken_at)
    return sorted(delays)


def main() -> int:
    """Run the soak; return 1 where an event is missing, doubled or wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    duration_s = parser.parse_args().minutes * 60
    hook = Webhook()
    with tempfile.TemporaryDirectory(prefix="tracelens-soak-") as name:
        folder = Path(name)
        config = folder / "tracelens.toml"
        config.write_text(
            f"[escalation]\nwindow_s = {WINDOW_S}\nresolve_after_s = {RESOLVE_AFTER_S}\n"
            f'[[notifiers]]\nname = "hook"\nkind = "webhook"\nurl = "{hook.start()}"\n'
            '[[notifiers]]\nname = "file"\nkind = "file"\npath = "events.jsonl"\n'
        )
        planned = episodes(duration_s)
        print(f"{len(planned)} episodes in {duration_s:.0f} s")
        serve = Serve(folder, config)
        play(serve, hook, planned, duration_s)
        end = time.monotonic() + REST_S
        while len({each.event["id"] for each in hook.told}) < 2 * len(planned) and time.monotonic() < end:
            time.sleep(1)
        time.sleep(5)  # for what should not come
        serve.end(signal.SIGTERM)
        recorded = (folder / "events.jsonl").read_text().splitlines()
        lines = [Told(float(place), json.loads(line)) for place, line in enumerate(recorded)]
        log = (folder / "serve.log").read_text()
    wrong = judge(planned, hook.told, "webhook") + judge(planned, lines, "file")
    undisturbed = latencies(planned, hook.told)
    print(f"acknowledged to delivered: median {undisturbed[len(undisturbed) // 2]:.2f} s, all {undisturbed!s:.400}")
    print(f"within {LIMIT_S:.0f} s: {sum(delay <= LIMIT_S for delay in undisturbed)} of {len(undisturbed)}")
    print(f"refused by the webhook while it was down: {hook.refused}")
    for line in log.splitlines():
        if "error" in line.lower():
            print("log:", line)
    print("\n".join(wrong) or "exactly the expected events")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
