"""`[forward]` and the receiver's own security settings."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from tracelens.errors import UsageError
from tracelens.forwarding.senders import open_senders
from tracelens.settings import ForwardSettings, ReceiverSettings, Settings, load_settings, parse_settings
from tracelens.settings.secret import Secret

WHOLE = """
[forward]
url = "https://otel.example:4318"
compression = "zstd"
timeout_s = "5s"
concurrency = 8
pass_headers = ["X-Scope-OrgID"]
ca_file = "ca.pem"
cert_file = "/etc/client.pem"
key_file = "client.key"
max_queue_bytes = 1000
max_queue_requests = 10
when_full = "drop"
retry_initial_s = "500ms"
retry_max_interval_s = 20
retry_max_elapsed_s = "1h"

[forward.headers]
X-Scope-OrgID = "team-a"
authorization = { env = "FORWARD_AUTHORIZATION" }
x-api-key = { file = "key.txt" }

[receiver]
tls_cert = "server.pem"
tls_key = "server.key"
client_ca = "clients.pem"

[receiver.credentials]
bearer = { file = "tokens" }
basic = { env = "BASIC" }
X-API-Key = { env = "KEY" }
"""


def load(folder: Path, text: str) -> Settings:
    path = folder / "c.toml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path)


def test_every_setting(tmp_path: Path) -> None:
    settings = load(tmp_path, WHOLE)
    assert settings.forward == ForwardSettings(
        url="https://otel.example:4318",
        compression="zstd",
        timeout_s=5.0,
        concurrency=8,
        headers=(
            ("x-scope-orgid", "team-a"),
            ("authorization", Secret("forward.headers.authorization", env="FORWARD_AUTHORIZATION")),
            ("x-api-key", Secret("forward.headers.x-api-key", file=tmp_path / "key.txt")),
        ),
        pass_headers=("x-scope-orgid",),
        ca_file=str(tmp_path / "ca.pem"),
        cert_file="/etc/client.pem",
        key_file=str(tmp_path / "client.key"),
        max_queue_bytes=1000,
        max_queue_requests=10,
        when_full="drop",
        retry_initial_s=0.5,
        retry_max_interval_s=20.0,
        retry_max_elapsed_s=3600.0,
    )
    assert settings.receiver == ReceiverSettings(
        tls_cert=str(tmp_path / "server.pem"),
        tls_key=str(tmp_path / "server.key"),
        client_ca=str(tmp_path / "clients.pem"),
        credentials=(
            ("bearer", Secret("receiver.credentials.bearer", file=tmp_path / "tokens")),
            ("basic", Secret("receiver.credentials.basic", env="BASIC")),
            ("x-api-key", Secret("receiver.credentials.X-API-Key", env="KEY")),
        ),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[forward]\ncompression = "br"', "forward.compression 'br' must be one of none, gzip, zstd"),
        ('[forward]\nwhen_full = "wait"', "forward.when_full 'wait' must be one of refuse, drop"),
        ("[forward]\ntimeout_s = 0", "forward.timeout_s must be above 0"),
        ("[forward]\nconcurrency = 0", "forward.concurrency must be a whole number above 0"),
        ('[forward]\ncert_file = "a"', "forward.cert_file and forward.key_file belong together: set both or none"),
        ('[forward]\npass_headers = ["a b"]', "forward.pass_headers 'a b': not the name of a header"),
        ('[forward]\npass_headers = ["a-bin"]', "forward.pass_headers 'a-bin': this header is not for configuration"),
        ('[forward.headers]\nContent-Type = "a"', "forward.headers.Content-Type: this header is not for configuration"),
        ('[forward.headers]\na = "b\\n"', "forward.headers.a: a header's value is printable ASCII"),
        (
            '[forward.headers]\na = { env = "A", file = "b" }',
            'forward.headers.a must name one place: { env = "NAME" } or { file = "path" }',
        ),
        (
            '[receiver.credentials]\nbearer = "secret"',
            'receiver.credentials.bearer must not stand in the file: write { env = "NAME" } or { file = "path" }',
        ),
        (
            '[receiver.credentials]\n"a b" = { env = "A" }',
            "receiver.credentials.a b must be bearer, basic or the name of a header",
        ),
        ('[receiver]\ntls_cert = "a"', "receiver.tls_cert and receiver.tls_key belong together: set both or none"),
        ('[receiver]\nclient_ca = "a"', "receiver.client_ca needs receiver.tls_cert and receiver.tls_key"),
        (
            "[receiver]\nmax_request_bytes = 268435456",
            "receiver.max_request_bytes must be at most 267386880, the journal's longest record",
        ),
    ],
)
def test_what_does_not_fit(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError) as raised:
        load(tmp_path, text)
    assert str(raised.value) == f"{tmp_path / 'c.toml'}: {said}"


def test_the_page_s_configuration_is_valid_and_names_the_defaults() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "forwarding.md").read_text(encoding="utf-8")
    forward, receiver = (
        parse_settings(tomllib.loads(block), source="forwarding.md", folder=Path())
        for block in re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    )
    named = {"url", "headers", "pass_headers", "ca_file", "cert_file", "key_file"}
    defaults = ForwardSettings()
    for entry in fields(ForwardSettings):
        is_default = getattr(forward.forward, entry.name) == getattr(defaults, entry.name)
        assert is_default == (entry.name not in named), entry.name
        assert f"\n{entry.name} = " in page or entry.name == "headers"
    assert [name for name, _ in receiver.receiver.credentials] == ["bearer", "basic", "x-api-key"]


def test_secrets_are_read_when_they_are_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(
        tmp_path, '[forward]\nurl = "http://h"\n[forward.headers]\na = { env = "A_SECRET" }\nb = { file = "b.txt" }\n'
    ).forward
    monkeypatch.delenv("A_SECRET", raising=False)
    with pytest.raises(UsageError, match="environment variable A_SECRET is not set"):
        open_senders(settings)
    monkeypatch.setenv("A_SECRET", "x\ty")
    with pytest.raises(UsageError, match="printable ASCII"):
        open_senders(settings)
    monkeypatch.setenv("A_SECRET", "one")
    with pytest.raises(UsageError, match=r"b\.txt cannot be read: No such file or directory"):
        open_senders(settings)
    (tmp_path / "b.txt").write_text(" \n")
    with pytest.raises(UsageError, match=r"b\.txt is empty"):
        open_senders(settings)
    (tmp_path / "b.txt").write_text("two\n")
    assert len(open_senders(settings)) == 4
