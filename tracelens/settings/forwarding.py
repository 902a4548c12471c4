"""`[forward]`: where every received request is passed on to, and what happens while that does not answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from tracelens.settings.headers import read_header_name, read_header_value
from tracelens.settings.reading import read_section, read_table
from tracelens.settings.receiver import resolved
from tracelens.settings.secret import Secret, read_secret

if TYPE_CHECKING:
    from pathlib import Path

URL_SETTING: Final = "forward.url"
"""Where the file has the URL, for messages."""
COMPRESSIONS: Final = ("none", "gzip", "zstd")
WHEN_FULL: Final = ("refuse", "drop")


@dataclass(frozen=True, slots=True)
class ForwardSettings:
    """How requests are passed on.

    Attributes:
        url: of the next hop: http(s)://host:port, to which /v1/<signal> is added, or grpc(s)://host:port; "" for none.
        compression: of what is sent: none, gzip or, over HTTP alone, zstd.
        timeout_s: of one attempt.
        concurrency: requests under way at once.
        headers: sent with every request; over gRPC as metadata.
        pass_headers: names of headers that are passed on with the request that brought them; they come before
            `headers` of the same name.
        ca_file: authorities that sign the next hop's certificate, in PEM; "" for those that the system trusts.
        cert_file: our own certificate, in PEM, where the next hop asks for one.
        key_file: the key of our own certificate, in PEM.
        max_queue_bytes: what may wait on disk.
        max_queue_requests: how many requests may wait.
        when_full: what becomes of a request that finds the queue full: `refuse` asks its sender to come again,
            `drop` keeps it without passing it on.
        retry_initial_s: the first pause after a failed attempt; every further one is half as long again.
        retry_max_interval_s: the longest pause, unless the next hop asks for a longer one.
        retry_max_elapsed_s: a request that has failed for so long is dropped; 0 tries on until it is delivered.
    """

    url: str = ""
    compression: str = "gzip"
    timeout_s: float = 10.0
    concurrency: int = 4
    headers: tuple[tuple[str, str | Secret], ...] = ()
    pass_headers: tuple[str, ...] = ()
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    max_queue_bytes: int = 1024 * 1024 * 1024
    max_queue_requests: int = 1_000_000
    when_full: str = "refuse"
    retry_initial_s: float = 1.0
    retry_max_interval_s: float = 30.0
    retry_max_elapsed_s: float = 0.0


def parse_forward(section: Any, folder: Path) -> ForwardSettings:
    """Return the settings of the table; paths in it are relative to the folder. The URL is checked when it is used.

    Raises:
        ValueError: a setting does not exist or does not fit.
    """
    entries = dict(read_table(section, "forward"))
    headers: list[tuple[str, str | Secret]] = []
    for name, value in read_table(entries.pop("headers", {}), "forward.headers").items():
        place = f"forward.headers.{name}"
        header = read_header_name(name, place)
        headers.append(
            (header, read_header_value(value, place) if isinstance(value, str) else read_secret(value, place, folder))
        )
    settings = read_section(ForwardSettings, entries, "forward")
    for name, known in (("compression", COMPRESSIONS), ("when_full", WHEN_FULL)):
        if getattr(settings, name) not in known:
            raise ValueError(f"forward.{name} {getattr(settings, name)!r} must be one of {', '.join(known)}")
    if bool(settings.cert_file) != bool(settings.key_file):
        raise ValueError("forward.cert_file and forward.key_file belong together: set both or none")
    for name in ("timeout_s", "retry_initial_s", "retry_max_interval_s"):
        if not getattr(settings, name):
            raise ValueError(f"forward.{name} must be above 0")
    passed = tuple(read_header_name(name, f"forward.pass_headers {name!r}") for name in settings.pass_headers)
    return replace(
        settings,
        headers=tuple(headers),
        pass_headers=passed,
        ca_file=resolved(settings.ca_file, folder),
        cert_file=resolved(settings.cert_file, folder),
        key_file=resolved(settings.key_file, folder),
    )
