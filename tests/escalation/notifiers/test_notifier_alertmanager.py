"""Alertmanager: its API v2, as a shape and as the program itself where it is installed."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from published_shapes import ALERTS, check
from told_events import SPAN_ID, STEERING, TRACE_ID, TRACE_URL, event, hostile_event

from tracelens.errors import UsageError
from tracelens.escalation.wording import plain, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from http_receiver import HttpReceiver

    from tracelens.escalation.notifiers import Notifier

    Load = Callable[[str], Notifier]

LABELS = {
    "alertname": "TracelensP95Breach",
    "rule": "p95_breach",
    "service_name": "orders",
    "endpoint": "GET /orders/{id}",
    "subject": "GET /orders/{id}",
    "fingerprint": "0000000000000001",
}
OVER = {"startsAt": "2026-03-02T09:14:00+00:00", "endsAt": "2026-03-02T09:15:00+00:00"}


def test_a_whole_request(receiver: HttpReceiver, notifier: Load) -> None:
    text = f'kind = "alertmanager"\nurl = "{receiver.url}/am/"\nlabels = ["team=a=b"]\ntrace_url = "{TRACE_URL}"'
    notifier(text).deliver([event()])
    (received,) = receiver.received
    assert (received.path, received.headers["content-type"]) == ("/am/api/v2/alerts", "application/json")
    labels = LABELS | {"team": "a=b"}
    assert received.json() == [
        {
            "labels": labels | {"severity": "critical"},
            "annotations": {
                "summary": "Critical: p95 over its limit, GET /orders/{id} in orders",
                "description": plain(tell(event(), TRACE_URL)),
                "action": "Investigate and add a cache",
            },
            "startsAt": "2026-03-02T09:14:00+00:00",
            "endsAt": "2026-03-03T09:15:00+00:00",
            "generatorURL": f"https://traces.example/{TRACE_ID}?span={SPAN_ID}",
        },
        {"labels": labels | {"severity": "info"}, **OVER},
        {"labels": labels | {"severity": "warning"}, **OVER},
    ]
    check(received.json(), ALERTS)


def test_an_end_and_a_stranger_are_told_together(receiver: HttpReceiver, notifier: Load) -> None:
    text = f'kind = "alertmanager"\nurl = "{receiver.url}/api/v2/alerts"\nactive_for_s = "1h"'
    notifier(text).deliver([event(state="resolved"), hostile_event(STEERING, since="never"), {"data": {}}])
    (received,) = receiver.received
    alerts = received.json()
    check(alerts, ALERTS)
    assert received.path == "/api/v2/alerts"
    assert [(alerts[0][name]) for name in ("startsAt", "endsAt")] == [
        "2026-03-02T09:14:00+00:00",
        "2026-03-02T09:24:30+00:00",
    ]
    assert (alerts[3]["startsAt"], alerts[3]["endsAt"]) == ("2026-03-02T09:15:00+00:00", "2026-03-02T10:15:00+00:00")
    assert all(value.isprintable() for alert in alerts for value in alert["labels"].values())
    assert alerts[6]["labels"] == {"alertname": "Tracelens", "severity": "critical"}


@pytest.mark.parametrize("label", ["team", "=a", "te am=a", "team=", "ü=a"])
def test_a_label_is_a_name_and_a_value(label: str, notifier: Load) -> None:
    with pytest.raises(UsageError, match="must be name=value"):
        notifier(f'kind = "alertmanager"\nurl = "http://x"\nlabels = ["{label}"]')


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[str]:
    """Start the program, and return its address."""
    program = shutil.which("alertmanager") or shutil.which("alertmanager", path=Path("~/go/bin").expanduser())
    if program is None:
        pytest.skip("no alertmanager: go install github.com/prometheus/alertmanager/cmd/alertmanager@v0.27.0")
    config = tmp_path / "alertmanager.yml"
    config.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    options: list[str | Path] = ["--config.file", config, "--storage.path", tmp_path, "--cluster.listen-address="]
    process = subprocess.Popen(
        [program, *options, "--web.listen-address", address], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    assert process.stderr is not None
    for line in process.stderr:
        if b"Listening on" in line:
            break
    yield f"http://{address}"
    process.kill()
    process.communicate()


def alerts_of(address: str) -> list[tuple[str, str, str]]:
    with urllib.request.urlopen(f"{address}/api/v2/alerts", timeout=10) as answer:  # noqa: S310  (our own address)
        alerts: list[dict[str, Any]] = json.load(answer)
    return sorted((each["labels"]["severity"], each["generatorURL"], each["status"]["state"]) for each in alerts)


def now(told: dict[str, Any]) -> dict[str, Any]:
    return told | {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}


def test_the_program_itself(alertmanager: str, notifier: Load) -> None:
    it = notifier(f'kind = "alertmanager"\nurl = "{alertmanager}"\ntrace_url = "https://traces.example/{{trace_id}}"')
    link = f"https://traces.example/{TRACE_ID}"
    it.deliver([now(event(severity="warning"))])
    assert [(severity, url) for severity, url, _ in alerts_of(alertmanager)] == [("warning", link)]
    it.deliver([now(event(reason="worse")), now(event(number=2, service_name="b")), now(hostile_event(number=3))])
    assert [severity for severity, _, _ in alerts_of(alertmanager)].count("critical") == 3
    assert [severity for severity, _, _ in alerts_of(alertmanager)].count("warning") == 0
    it.deliver([now(event(state="resolved"))])
    assert len(alerts_of(alertmanager)) == 2
