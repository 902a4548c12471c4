"""Real PostgreSQL, MariaDB and Redis servers in a temporary directory, on free loopback ports, gone afterwards."""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

HERE = Path(__file__).parent
PASSWORD = "shop"  # of a database that lives as long as one recording and listens on loopback only


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port: int, process: subprocess.Popen | None = None, timeout_s: float = 60.0) -> None:
    """Wait until something accepts connections on a loopback port."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if process is not None and process.poll() is not None:
            raise RuntimeError(
                f"{process.args[0]} ended with code {process.returncode} before it listened; see its log"
            )
        with socket.socket() as probe:
            probe.settimeout(0.5)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(f"nothing listens on 127.0.0.1:{port} after {timeout_s:.0f} s")


def stop(process: subprocess.Popen, timeout_s: float = 20.0) -> None:
    """End one process that we started."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _owner(name: str) -> dict:
    """Servers refuse to run as root: become the package's user where we are root."""
    if os.geteuid() != 0:
        return {}
    entry = pwd.getpwnam(name)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _directory(stack: ExitStack, owner: dict) -> Path:
    path = Path(tempfile.mkdtemp(prefix="shop-"))
    stack.callback(shutil.rmtree, path, ignore_errors=True)
    if owner:
        os.chown(path, owner["user"], owner["group"])
    return path


def _find(program: str, *places: str) -> str:
    for place in places:
        found = sorted(glob.glob(f"{place}/{program}"))
        if found:
            return found[-1]
    found = shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin")
    if found is None:
        raise FileNotFoundError(f"{program} is not installed: install postgresql, mariadb-server and redis-server")
    return found


@contextmanager
def postgresql():
    """A new cluster with the shop's data; yields its port."""
    initdb, server, psql = (_find(p, "/usr/lib/postgresql/*/bin") for p in ("initdb", "postgres", "psql"))
    owner = _owner("postgres")
    with ExitStack() as stack:
        root = _directory(stack, owner)
        port = free_port()
        subprocess.run(
            [initdb, "-D", root / "data", "-U", "shop", "-A", "trust", "--no-sync", "--locale=C", "-E", "UTF8"],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=root,
            **owner,
        )
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": root,
            "fsync": "off",
            "shared_buffers": "512MB",
            "work_mem": "64MB",
            "max_parallel_workers_per_gather": 0,
            "jit": "off",
            "autovacuum": "off",
            "max_wal_size": "4GB",
            "max_connections": 200,
        }
        arguments = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        log = stack.enter_context((root.parent / f"{root.name}.log").open("wb"))
        stack.callback(Path(log.name).unlink)
        process = subprocess.Popen([server, "-D", root / "data", *arguments], stdout=log, stderr=log, cwd=root, **owner)
        stack.callback(stop, process)
        wait_for_port(port, process)
        connect = [psql, "-h", "127.0.0.1", "-p", str(port), "-U", "shop", "-v", "ON_ERROR_STOP=1", "-q"]
        for _ in range(100):
            if (
                subprocess.run(
                    [*connect, "-d", "postgres", "-c", "select 1"], capture_output=True, check=False
                ).returncode
                == 0
            ):
                break
            time.sleep(0.1)
        subprocess.run([*connect, "-d", "postgres", "-c", "create database shop"], check=True)
        run_postgresql(port, HERE / "schema.postgresql.sql")
        yield port


def run_postgresql(port: int, script: Path) -> None:
    """Run a SQL file in the shop's PostgreSQL database."""
    psql = _find("psql", "/usr/lib/postgresql/*/bin")
    command = [
        psql,
        "-h",
        "127.0.0.1",
        "-p",
        str(port),
        "-U",
        "shop",
        "-v",
        "ON_ERROR_STOP=1",
        "-q",
        "-d",
        "shop",
        "-f",
        script,
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


@contextmanager
def mariadb():
    """A new MariaDB instance with the shop's data; yields its port."""
    install, server = _find("mariadb-install-db"), _find("mariadbd")
    owner = _owner("mysql")
    with ExitStack() as stack:
        root = _directory(stack, owner)
        port = free_port()
        subprocess.run(
            [
                install,
                "--no-defaults",
                f"--datadir={root}/data",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=root,
            **owner,
        )
        log = stack.enter_context((root.parent / f"{root.name}.log").open("wb"))
        stack.callback(Path(log.name).unlink)
        arguments = [
            "--no-defaults", f"--datadir={root}/data", f"--socket={root}/s", f"--port={port}", "--bind-address=127.0.0.1",
            "--innodb-buffer-pool-size=512M", "--innodb-flush-log-at-trx-commit=0", "--skip-log-bin", "--max-connections=200",
            f"--pid-file={root}/pid", "--innodb-flush-method=nosync", "--local-infile=0",
        ]  # fmt: skip
        process = subprocess.Popen([server, *arguments], stdout=log, stderr=log, cwd=root, **owner)
        stack.callback(stop, process)
        wait_for_port(port, process)
        account = f"create database shop; create user shop@'127.0.0.1' identified by '{PASSWORD}'; grant all on shop.* to shop@'127.0.0.1'"
        client = [_find("mariadb"), "--no-defaults", f"--socket={root}/s", "-u", "root"]
        subprocess.run([*client, "-e", account], check=True)
        run_mariadb(port, HERE / "schema.mariadb.sql")
        yield port


def run_mariadb(port: int, script: Path) -> None:
    """Run a SQL file in the shop's MariaDB database."""
    client = [
        _find("mariadb"),
        "--no-defaults",
        "-h",
        "127.0.0.1",
        "-P",
        str(port),
        "-u",
        "shop",
        f"-p{PASSWORD}",
        "shop",
    ]
    with script.open("rb") as sql:
        subprocess.run(client, check=True, stdin=sql, stdout=subprocess.DEVNULL)


@contextmanager
def redis():
    """An empty Redis server without persistence; yields its port."""
    port = free_port()
    arguments = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with tempfile.TemporaryDirectory(prefix="shop-") as root:
        process = subprocess.Popen([_find("redis-server"), *arguments], stdout=subprocess.DEVNULL, cwd=root)
        try:
            wait_for_port(port, process)
            yield port
        finally:
            stop(process)
