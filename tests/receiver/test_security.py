"""Who may send: certificates and credentials, with the SDK's exporters as services use them."""

from __future__ import annotations

import base64
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import grpc
import httpx
import pytest
import trustme
from google.rpc.code_pb2 import UNAUTHENTICATED
from google.rpc.status_pb2 import Status
from keeping_intake import KeepingIntake, trace_request
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from test_exporters import recorded_spans

from tracelens.errors import UsageError
from tracelens.receiver import GrpcReceiver, HttpServer, OtlpApp
from tracelens.receiver.credentials import MISSING, Credentials
from tracelens.receiver.tls import ServerTls, read_tls
from tracelens.settings import ReceiverSettings
from tracelens.settings.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

each_transport = pytest.mark.parametrize("transport", ["grpc", "http"])


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pem")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    for name in ("localhost", "client"):
        issued = authority.issue_cert(name)
        issued.private_key_pem.write_to_path(folder / f"{name}.key")
        for part in issued.cert_chain_pems:
            part.write_to_path(folder / f"{name}.pem", append=True)
    return folder


@contextmanager
def receiving(
    transport: str,
    intake: KeepingIntake,
    *,
    tls: ServerTls | None = None,
    credentials: Credentials | None = None,
) -> Iterator[str]:
    """Receive on a free port until the block ends; yield the URL."""
    server = (
        GrpcReceiver("127.0.0.1:0", intake, tls=tls, credentials=credentials)
        if transport == "grpc"
        else HttpServer("127.0.0.1:0", OtlpApp(intake, credentials=credentials), tls=tls)
    )
    server.start()
    try:
        yield f"http{'s' if tls else ''}://localhost:{server.port}"
    finally:
        server.stop(1)


def exporter(transport: str, url: str, **options: Any) -> SpanExporter:
    if transport == "grpc":
        return GrpcSpanExporter(endpoint=url, timeout=2, **options)
    return HttpSpanExporter(endpoint=f"{url}/v1/traces", timeout=2, **options)


@each_transport
@pytest.mark.parametrize("asks_clients", [False, True])
def test_exporters_over_tls(
    transport: str,
    asks_clients: bool,  # noqa: FBT001
    pem: Path,
    intake: KeepingIntake,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # requests prefers them to what its caller names
        monkeypatch.delenv(name, raising=False)
    settings = ReceiverSettings(
        tls_cert=str(pem / "localhost.pem"),
        tls_key=str(pem / "localhost.key"),
        client_ca=str(pem / "ca.pem") if asks_clients else "",
    )
    trust, client = (pem / "ca.pem").read_bytes(), [(pem / f"client.{end}").read_bytes() for end in ("key", "pem")]
    without: dict[str, Any]
    if transport == "grpc":
        without = {"credentials": grpc.ssl_channel_credentials(trust)}
        with_own = {"credentials": grpc.ssl_channel_credentials(trust, *client)}
    else:
        without = {"certificate_file": str(pem / "ca.pem")}
        with_own = without | {
            "client_certificate_file": str(pem / "client.pem"),
            "client_key_file": str(pem / "client.key"),
        }
    with receiving(transport, intake, tls=read_tls(settings)) as url:
        spans = recorded_spans()
        outcome = exporter(transport, url, **without).export(spans)
        assert outcome is (SpanExportResult.FAILURE if asks_clients else SpanExportResult.SUCCESS)
        assert exporter(transport, url, **with_own).export(spans) is SpanExportResult.SUCCESS
        assert len(intake.kept) == (1 if asks_clients else 2)


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Credentials:
    (tmp_path / "tokens").write_text("old-token\n\n  new-token  \n")
    monkeypatch.setenv("BASIC", "user:pass word")
    monkeypatch.setenv("KEY", "the key")
    return Credentials(
        [
            ("bearer", Secret("b", file=tmp_path / "tokens")),
            ("basic", Secret("b", env="BASIC")),
            ("x-api-key", Secret("k", env="KEY")),
        ]
    )


ADMITTED = [
    {"authorization": "Bearer old-token"},
    {"authorization": "bearer new-token"},
    {"authorization": "Basic " + base64.b64encode(b"user:pass word").decode()},
    {"x-api-key": "the key"},
    {"authorization": "Bearer wrong", "x-api-key": "the key"},
]
REFUSED = [
    {},
    {"authorization": "Bearer wrong"},
    {"authorization": "Bearer old"},
    {"authorization": "old-token"},
    {"authorization": "Basic old-token"},
    {"authorization": ""},
    {"x-api-key": "THE KEY"},
    {"x-api-key": ""},
]


@each_transport
@pytest.mark.parametrize("headers", ADMITTED)
def test_exporters_with_a_credential(
    transport: str, headers: dict[str, str], credentials: Credentials, intake: KeepingIntake
) -> None:
    with receiving(transport, intake, credentials=credentials) as url:
        assert exporter(transport, url, headers=headers).export(recorded_spans()) is SpanExportResult.SUCCESS
    assert len(intake.kept) == 1


@each_transport
@pytest.mark.parametrize("headers", REFUSED)
def test_without_one_nothing_is_kept(
    transport: str, headers: dict[str, str], credentials: Credentials, intake: KeepingIntake
) -> None:
    with receiving(transport, intake, credentials=credentials) as url:
        if transport == "grpc":
            with grpc.insecure_channel(url.removeprefix("http://")) as channel:
                export = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
                with pytest.raises(grpc.RpcError) as raised:
                    export(trace_request(), metadata=tuple(headers.items()), timeout=10)
            assert (raised.value.code(), raised.value.details()) == (grpc.StatusCode.UNAUTHENTICATED, MISSING)
        else:
            answer = httpx.post(
                f"{url}/v1/traces",
                content=trace_request(),
                headers={"content-type": "application/x-protobuf"} | headers,
            )
            assert answer.status_code == 401
            assert answer.headers.get_list("www-authenticate") == [
                "Bearer",
                'Basic realm="tracelens", charset="UTF-8"',
            ]
            assert Status.FromString(answer.content) == Status(code=UNAUTHENTICATED, message=MISSING)
    assert intake.kept == []


def test_health_needs_no_credential(credentials: Credentials, intake: KeepingIntake) -> None:
    with receiving("http", intake, credentials=credentials) as url:
        assert httpx.get(f"{url}/healthz").status_code == 200


def test_files_that_are_no_certificates(pem: Path, tmp_path: Path) -> None:
    def refusal(cert: Path, key: Path, client_ca: str = "") -> str:
        with pytest.raises(UsageError) as raised:
            read_tls(ReceiverSettings(tls_cert=str(cert), tls_key=str(key), client_ca=client_ca))
        return str(raised.value)

    cert, key, missing = pem / "localhost.pem", pem / "localhost.key", tmp_path / "missing"
    assert refusal(missing, key) == (
        f"receiver.tls_cert {missing} with receiver.tls_key {key}: cannot be used: No such file or directory; "
        "name PEM files that fit together"
    )
    assert "KEY_VALUES_MISMATCH" in refusal(cert, pem / "client.key")
    assert refusal(cert, key, str(missing)) == (
        f"receiver.client_ca {missing}: cannot be used: No such file or directory; name a PEM file"
    )
