"""Records a job that uses a database driver and no mapper: its repeated query hides its parameters.

    python sample_traces/record/plain_driver.py

Runs `apps/pricing/job.py` in the catalogue's virtual environment, under the stock `opentelemetry-instrument`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import services
import stacks
from recorder import Recorder, write_recording

SAMPLES = Path(__file__).parent.parent
WORKDIR = Path("/srv/shop")


def main() -> None:
    catalogue = stacks.install(stacks.by_name("django-psycopg"), WORKDIR)
    job = WORKDIR / "pricing"
    shutil.copytree(Path(__file__).parent / "apps" / "pricing", job, dirs_exist_ok=True)
    with services.postgresql() as database, Recorder() as recorder:
        environment = {
            "PATH": f"{catalogue}/venv/bin:{os.environ['PATH']}",
            "DATABASE_URL": f"postgresql://shop:{services.PASSWORD}@127.0.0.1:{database}/shop",
            "OTEL_SERVICE_NAME": "pricing",
            "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "otel",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{recorder.grpc_port}",
            "OTEL_EXPORTER_OTLP_INSECURE": "true",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
        }
        subprocess.run(["opentelemetry-instrument", "python", "job.py"], cwd=job, env=environment, check=True)
        recorder.wait_quiet(1.0)
        write_recording(SAMPLES / "repeated_query" / "bad-hidden.otlp.pb.gz", recorder.take())


if __name__ == "__main__":
    main()
