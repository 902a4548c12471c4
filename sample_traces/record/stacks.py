"""The applications: how each is installed into a neutral directory and started under its stock auto-instrumentation."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import urllib.request
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import services

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Stack:
    """One application, its runtime and the words its labels use."""

    name: str
    app: str
    service: str
    runtime: str  # node | python | java
    database: str  # postgresql | mariadb
    semconv: str
    protocol: str  # grpc | http/protobuf
    title: str
    skips: tuple[str, ...] = ()  # scenarios that the application does not have


STACKS = (
    Stack("express-sequelize-pg", "storefront", "storefront", "node", "postgresql", "new", "http/protobuf",
          "JS contrib auto-instrumentations-node 0.82 (2026), stock: Express 5 + Sequelize 6 over pg 8 + ioredis 6 + fetch; Sequelize itself emits no spans, literals are in the text where it writes them"),
    Stack("express-knex-mysql2", "orders", "orders", "node", "mariadb", "new", "grpc",
          "JS contrib auto-instrumentations-node 0.82 (2026), stock: Express 5 + Knex 3 over mysql2 3 (both emit spans: Knex is the parent) on MariaDB + ioredis 6 + axios"),
    Stack("django-psycopg", "catalogue", "catalogue", "python", "postgresql", "old", "grpc",
          "Python contrib 0.66b1 (2026), stock opentelemetry-instrument: Django 5.2 + psycopg 3 + redis + celery + requests; server response headers captured"),
    Stack("spring-hibernate", "billing", "billing", "java", "postgresql", "old", "grpc",
          "OpenTelemetry Java agent 2.33.1 (2026), stock: Spring Boot 3.5 + Hibernate + JDBC over PostgreSQL, HikariCP, Lettuce, RestClient; database attributes old, HTTP attributes new",
          ("n_plus_one_parallel", "excessive_fanout", "long_poll")),
)  # fmt: skip


def by_name(name: str) -> Stack:
    """The stack of that name."""
    return next(stack for stack in STACKS if stack.name == name)


def install(stack: Stack, root: Path) -> Path:
    """Copy the application under `root` and install exactly what its lock file or requirements name."""
    source, target = HERE / "apps" / stack.app, root / stack.app
    shutil.copytree(
        source,
        target,
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("node_modules", "venv", "target", "__pycache__"),
    )
    if stack.runtime == "node":
        marker = target / "node_modules" / ".package-lock.json"
        if not marker.exists() or marker.stat().st_mtime < (source / "package-lock.json").stat().st_mtime:
            subprocess.run(
                ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"], check=True, cwd=target
            )
    elif stack.runtime == "python":
        if not (target / "venv").exists():
            subprocess.run([sys.executable, "-m", "venv", target / "venv"], check=True)
        subprocess.run([target / "venv/bin/pip", "install", "-q", "-r", "requirements.txt"], check=True, cwd=target)
    else:
        subprocess.run(["mvn", "-q", "-B", "package"], check=True, cwd=target)
    return target


@contextmanager
def running(stack: Stack, directory: Path, *, release: int, endpoint: str, protocol: str, database_port: int, redis_port: int, partner: str,
            catalogue: str = "", service: str = "", workers: bool = True):  # fmt: skip
    """The application (version `release`), exporting to `endpoint`; yields its port."""
    port = services.free_port()
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(directory), "LANG": "C.UTF-8",
        "PORT": str(port), "RELEASE": str(release), "REDIS_URL": f"redis://127.0.0.1:{redis_port}/0", "PARTNER_URL": partner, "CATALOGUE_URL": catalogue,
        "DATABASE_URL": f"{'mysql' if stack.database == 'mariadb' else 'postgresql'}://shop:{services.PASSWORD}@127.0.0.1:{database_port}/shop",
        "JDBC_URL": f"jdbc:postgresql://127.0.0.1:{database_port}/shop",
        "OTEL_SERVICE_NAME": service or stack.service, "OTEL_RESOURCE_ATTRIBUTES": f"service.version={release}.0.0,deployment.environment.name=staging",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol, "OTEL_EXPORTER_OTLP_INSECURE": "true",
        "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none", "OTEL_BSP_SCHEDULE_DELAY": "300",
    }  # fmt: skip
    with ExitStack() as stack_of_processes:
        for command, extra in _commands(stack, directory)[: None if workers else 1]:
            log = stack_of_processes.enter_context((directory / f"{stack.app}.log").open("ab"))
            process = subprocess.Popen(command, cwd=directory, env=environment | extra, stdout=log, stderr=log)
            stack_of_processes.callback(services.stop, process)
            if not extra.get("BACKGROUND"):
                services.wait_for_port(port, process)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/live", timeout=30) as answer:
            answer.read()
        yield port


def _commands(stack: Stack, directory: Path) -> list[tuple[list[str], dict[str, str]]]:
    """The server first, then its workers, each with its own additions to the environment."""
    if stack.runtime == "node":
        node = ["node", "--require", "@opentelemetry/auto-instrumentations-node/register"]
        extra = {"OTEL_NODE_RESOURCE_DETECTORS": "env"}
        return [
            ([*node, "server.js"], extra),
            ([*node, "worker.js"], extra | {"OTEL_SERVICE_NAME": f"{stack.service}-worker", "BACKGROUND": "1"}),
        ]
    if stack.runtime == "java":
        extra = {
            "OTEL_JAVA_ENABLED_RESOURCE_PROVIDERS": "io.opentelemetry.sdk.autoconfigure.EnvironmentResourceProvider"
        }
        return [
            (["java", "-Xmx512m", "-javaagent:target/opentelemetry-javaagent.jar", "-jar", "target/billing.jar"], extra)
        ]
    binaries = directory / "venv/bin"
    headers = "content-type,content-length,content-encoding,cache-control,etag"
    extra = {
        "PATH": f"{binaries}:{os.environ['PATH']}", "DJANGO_SETTINGS_MODULE": "settings", "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "otel",
        "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_RESPONSE": headers,
    }  # fmt: skip
    server = [
        "opentelemetry-instrument",
        "waitress-serve",
        "--threads=16",
        "--host=127.0.0.1",
        "--port={}",
        "wsgi:application",
    ]
    worker = [
        "opentelemetry-instrument",
        "celery",
        "-A",
        "tasks",
        "worker",
        "--pool=threads",
        "--concurrency=4",
        "--without-gossip",
        "--without-mingle",
        "--without-heartbeat",
        "-l",
        "warning",
    ]
    return [
        (["sh", "-c", "exec " + " ".join(server).format("$PORT")], extra),
        (worker, extra | {"OTEL_SERVICE_NAME": f"{stack.service}-worker", "BACKGROUND": "1"}),
    ]
