"""Records an application and the CPU of its database's container: without the index that it needs, and with it.

    python sample_traces/record/database_host.py

PostgreSQL runs in a cgroup of its own, which may use 0.15 cores, as a container would. What it uses is read from the
kernel's own accounting, under the names of the Collector's Docker receiver. The application is `apps/ledger`, under the
stock `opentelemetry-instrument`. Needs root (for the cgroup) and the packages `postgresql` and `python3-venv`.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import services
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.metrics import Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from recorder import Recorder, write_recording

SAMPLES = Path(__file__).parent.parent
APP = Path(__file__).parent / "apps" / "ledger"
WORKDIR = Path("/srv/shop/ledger")
CGROUPS = Path("/sys/fs/cgroup")
CORES = 0.15
ACCOUNTS = 2_000
CLIENTS = 8
PAUSE_S = 0.25
LOAD_S = 26.0
SAMPLE_S = 2.0
SCHEMA = f"""
create table entries as
select n as id, (n::bigint * 7919) % {ACCOUNTS} as account_id, (n % 1000) / 10.0 as amount, repeat('x', 40) as note
from generate_series(1, 110000) as n;
analyze entries;
"""


class Container:
    """A cgroup with a CPU quota; version 1 and 2."""

    def __init__(self, name: str) -> None:
        self._is_v2 = (CGROUPS / "cgroup.controllers").exists()
        parents = [CGROUPS] if self._is_v2 else [CGROUPS / "cpu", CGROUPS / "cpuacct"]
        self._folders = [parent / name for parent in parents]
        for folder in self._folders:
            folder.mkdir(exist_ok=True)
        quota = int(CORES * 100_000)
        limit = ("cpu.max", f"{quota} 100000") if self._is_v2 else ("cpu.cfs_quota_us", str(quota))
        (self._folders[0] / limit[0]).write_text(limit[1])

    def add(self, pid: int) -> None:
        for folder in self._folders:
            (folder / "cgroup.procs").write_text(str(pid))

    def remove(self) -> None:
        for folder in self._folders:
            folder.rmdir()

    def used_ns(self) -> int:
        if self._is_v2:
            words = (self._folders[0] / "cpu.stat").read_text().split()
            return 1000 * int(words[words.index("usage_usec") + 1])
        return int((self._folders[1] / "cpuacct.usage").read_text())


def observe(container: Container, endpoint: str) -> MeterProvider:
    resource = Resource(
        {"container.name": "ledger-database", "container.image.name": "postgres", "host.name": "ledger-1"}
    )
    exporter = OTLPMetricExporter(endpoint=endpoint, insecure=True)
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=SAMPLE_S * 1000)
    provider = MeterProvider(metric_readers=[reader], resource=resource)
    meter = provider.get_meter("database_host")
    meter.create_observable_counter(
        "container.cpu.usage.total", [lambda _: [Observation(container.used_ns())]], unit="ns"
    )
    meter.create_observable_gauge("container.cpu.limit", [lambda _: [Observation(CORES)]], unit="{cpus}")
    return provider


@contextmanager
def application(version: str, database: int, recorder: Recorder):
    port = services.free_port()
    environment = {
        "PATH": f"{WORKDIR}/venv/bin:{os.environ['PATH']}",
        "PORT": str(port),
        "DATABASE_URL": f"postgresql://shop:{services.PASSWORD}@127.0.0.1:{database}/shop",
        "OTEL_SERVICE_NAME": "ledger",
        "OTEL_RESOURCE_ATTRIBUTES": f"service.version={version},host.name=ledger-1",
        "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "otel",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{recorder.grpc_port}",
        "OTEL_EXPORTER_OTLP_INSECURE": "true",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
    }
    process = subprocess.Popen(["opentelemetry-instrument", "python", APP / "app.py"], env=environment)
    try:
        services.wait_for_port(port, process)
        yield port
    finally:
        services.stop(process)


def load(port: int) -> None:
    """Ask for balances for a while, every client at its own pace."""
    end = time.monotonic() + LOAD_S

    def client(seed: int) -> None:
        chosen = random.Random(seed)
        while time.monotonic() < end:
            account = chosen.randrange(ACCOUNTS)
            urllib.request.urlopen(f"http://127.0.0.1:{port}/accounts/{account}/balance").read()
            time.sleep(PAUSE_S * chosen.uniform(0.5, 1.5))

    clients = [threading.Thread(target=client, args=(seed,)) for seed in range(CLIENTS)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()


def sql(database: int, text: str, *options: str) -> str:
    command = ["psql", "-h", "127.0.0.1", "-p", str(database), "-U", "shop", "-d", "shop", "-q", *options, "-c", text]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main() -> None:
    if not (WORKDIR / "venv").exists():
        subprocess.run([sys.executable, "-m", "venv", WORKDIR / "venv"], check=True)
    subprocess.run([WORKDIR / "venv" / "bin" / "pip", "install", "-q", "-r", APP / "requirements.txt"], check=True)
    for number, (variant, change) in enumerate(
        [("bad", ""), ("good", "create index entries_by_account on entries (account_id)")]
    ):
        container = Container(f"ledger-{os.getpid()}-{number}")
        with services.postgresql() as database, Recorder(with_metrics=True) as recorder:
            sql(database, SCHEMA + change)
            container.add(int(sql(database, "select split_part(pg_read_file('postmaster.pid'), e'\\n', 1)", "-At")))
            with application(str(number + 1), database, recorder) as port:
                observed = observe(container, f"http://127.0.0.1:{recorder.grpc_port}")
                time.sleep(2 * SAMPLE_S)
                load(port)
                observed.shutdown()
            recorder.wait_quiet(1.0)
            write_recording(SAMPLES / "db_cpu" / f"{variant}.otlp.pb.gz", recorder.take())
        container.remove()


if __name__ == "__main__":
    main()
