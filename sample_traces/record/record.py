"""Records the sample traces: real applications, their stock auto-instrumentation, real databases. Nobody writes or edits a span.

python sample_traces/record/record.py                          # everything (about 15 minutes)
python sample_traces/record/record.py --stack django-psycopg --only n_plus_one --only slow_query
python sample_traces/record/record.py --labels                 # count again, record nothing
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path

import demo
import drive
import labels
import services
import stacks
from recorder import Recorder, write_recording
from scenarios import SCENARIOS, Scenario

SAMPLES = Path(__file__).parent.parent
QUIET_S = 1.0  # longer than the exporters' batch delay, so that a scenario's spans are in its own file


@contextmanager
def partner():
    """The other companies' APIs; yields their URL."""
    port = services.free_port()
    process = subprocess.Popen([sys.executable, Path(__file__).parent / "partner.py", str(port)])
    try:
        services.wait_for_port(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        services.stop(process)


def record_scenario(recorder: Recorder, port: int, scenario: Scenario, variant: str, path: Path) -> None:
    """Drive one variant of one scenario and write what was exported meanwhile."""
    requests = scenario.fixed_requests if variant == "fixed" and scenario.fixed_requests else scenario.requests
    if scenario.warm_up:
        drive.send_all(port, requests, scenario.concurrency)
    recorder.wait_quiet(QUIET_S if scenario.settle_s or scenario.warm_up else 0.4)
    recorder.take()
    drive.send_all(port, requests, scenario.concurrency)
    recorder.wait_quiet(max(QUIET_S, scenario.settle_s))
    write_recording(path, recorder.take())
    print(f"{path.relative_to(SAMPLES)}  {path.stat().st_size:,} bytes", flush=True)


def record_stack(stack: stacks.Stack, root: Path, only: list[str]) -> None:
    """Version 1 with bad variants and controls, then the migration, then version 2 with the fixed variants."""
    directory = stacks.install(stack, root)
    chosen = [
        s
        for s in SCENARIOS
        if (s.stacks is None or stack.name in s.stacks) and s.name not in stack.skips and (not only or s.name in only)
    ]
    folder = SAMPLES / "stacks" / stack.name
    with ExitStack() as context:
        database = context.enter_context(
            services.postgresql() if stack.database == "postgresql" else services.mariadb()
        )
        migrate = services.run_postgresql if stack.database == "postgresql" else services.run_mariadb
        url = context.enter_context(partner())
        recorder = context.enter_context(Recorder())
        endpoint = f"http://127.0.0.1:{recorder.grpc_port if stack.protocol == 'grpc' else recorder.http_port}"
        for release in (1, 2):
            if release == 2:
                migrate(database, services.HERE / f"schema.{stack.database}.v2.sql")
            with services.redis() as cache, stacks.running(
                stack, directory, release=release, endpoint=endpoint, protocol=stack.protocol, database_port=database, redis_port=cache, partner=url,
            ) as port:  # fmt: skip
                recorder.wait_quiet(5.0)  # workers take longer to start than servers
                for scenario in sorted(chosen, key=lambda s: s.name != "cold_start"):
                    for variant in scenario.variants():
                        if release == (scenario.only_release or (2 if variant == "fixed" else 1)):
                            record_scenario(
                                recorder, port, scenario, variant, folder / f"{scenario.name}__{variant}.otlp.pb.gz"
                            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--workdir",
        type=Path,
        default=Path("/srv/shop"),
        help="where the applications are installed (a neutral path: it shows in stack traces)",
    )
    parser.add_argument(
        "--stack",
        action="append",
        default=[],
        choices=[s.name for s in stacks.STACKS],
        help="only this stack (repeatable)",
    )
    parser.add_argument("--only", action="append", default=[], help="only this scenario (repeatable)")
    parser.add_argument("--demo", action="store_true", help="only the demo set")
    parser.add_argument("--labels", action="store_true", help="only count, label and copy into the pass folders")
    arguments = parser.parse_args()
    arguments.workdir.mkdir(parents=True, exist_ok=True)
    if not (arguments.labels or arguments.demo):
        for stack in stacks.STACKS:
            if not arguments.stack or stack.name in arguments.stack:
                record_stack(stack, arguments.workdir, arguments.only)
    if arguments.demo or not (arguments.labels or arguments.stack or arguments.only):
        with partner() as url:
            demo.record(arguments.workdir, SAMPLES / "demo", url)
    labels.write(SAMPLES)


if __name__ == "__main__":
    main()
