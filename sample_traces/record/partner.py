"""The other companies' APIs that the shop calls: prices, rates, mail, carriers. Plain HTTP, not instrumented.

`python partner.py PORT`
"""

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

DELAY_S = {
    "weather": 0.12,
    "tariff": 0.15,
    "traffic": 0.13,
    "fuel": 0.11,
    "mail": 0.9,
    "shipping": 2.3,
    "rates": 0.02,
    "prices": 0.008,
}
refusals: dict[str, int] = {}
lock = threading.Lock()


def answer(path: str, query: dict[str, list[str]]) -> tuple[int, object]:
    """Return the status and the body for one request."""
    kind, _, key = path.strip("/").partition("/")
    time.sleep(DELAY_S.get(kind, 0))
    if kind == "prices":
        ids = [key] if key else query["ids"][0].split(",")
        prices = [{"id": int(product), "price": int(product) % 500 + 0.99} for product in ids]
        return 200, prices[0] if key else prices
    if kind == "supplier":
        with lock:
            refusals[key] = refusals.get(key, 0) + 1
            refused = refusals[key] % 3 != 0
        return (503, {"error": "try again"}) if refused else (200, {"supplier": key})
    bodies = {"rates": {"rate": 1.08}, "mail": {"queued": True}, "shipping": {"cost": 4.9}}
    return 200, bodies.get(kind, {"factor": 1})


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = urlsplit(self.path)
        status, content = answer(url.path, parse_qs(url.query))
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """Stay silent."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
