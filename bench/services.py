"""The services that the benchmarks' spans come from: resources and scopes as their SDKs send them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Value = str | int | bool | list[str]

REPLICAS: Final = 3

_SDKS: Final[Mapping[str, Mapping[str, Value]]] = {
    "nodejs": {
        "telemetry.sdk.language": "nodejs",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": "2.2.0",
        "process.pid": 1,
        "process.executable.name": "node",
        "process.executable.path": "/usr/local/bin/node",
        "process.command_args": ["/usr/local/bin/node", "--require", "./instrumentation.cjs", "/srv/app/server.js"],
        "process.runtime.name": "nodejs",
        "process.runtime.version": "22.11.0",
        "process.runtime.description": "Node.js",
        "process.command": "/srv/app/server.js",
        "process.owner": "node",
    },
    "python": {
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": "1.45.1",
        "telemetry.auto.version": "0.66b1",
        "process.runtime.name": "cpython",
        "process.runtime.version": "3.13.1",
    },
    "java": {
        "telemetry.sdk.language": "java",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": "1.67.0",
        "telemetry.distro.name": "opentelemetry-java-instrumentation",
        "telemetry.distro.version": "2.33.1",
        "process.pid": 7,
        "process.command_args": ["/opt/java/bin/java", "-Xmx2g", "-javaagent:/otel.jar", "-jar", "/app.jar"],
        "process.executable.path": "/opt/java/bin/java",
        "process.runtime.name": "OpenJDK Runtime Environment",
        "process.runtime.version": "21.0.5+11-LTS",
        "process.runtime.description": "Eclipse Adoptium OpenJDK 64-Bit Server VM 21.0.5+11-LTS",
    },
}

_SCOPES: Final[Mapping[str, Sequence[tuple[str, str]]]] = {
    "nodejs": (
        ("@opentelemetry/instrumentation-http", "0.208.0"),
        ("@opentelemetry/instrumentation-express", "0.57.0"),
        ("@opentelemetry/instrumentation-pg", "0.61.0"),
        ("@opentelemetry/instrumentation-ioredis", "0.56.0"),
        ("@opentelemetry/instrumentation-undici", "0.19.0"),
    ),
    "python": (
        ("opentelemetry.instrumentation.django", "0.66b1"),
        ("opentelemetry.instrumentation.psycopg", "0.66b1"),
        ("opentelemetry.instrumentation.redis", "0.66b1"),
        ("opentelemetry.instrumentation.celery", "0.66b1"),
    ),
    "java": (
        ("io.opentelemetry.tomcat-10.0", "2.33.1-alpha"),
        ("io.opentelemetry.hibernate-6.0", "2.33.1-alpha"),
        ("io.opentelemetry.jdbc", "2.33.1-alpha"),
        ("io.opentelemetry.kafka-clients-2.6", "2.33.1-alpha"),
        ("io.opentelemetry.java-http-client", "2.33.1-alpha"),
    ),
}


@dataclass(frozen=True, slots=True)
class Service:
    """One process of a service: its exporter sends its spans, in batches of their own."""

    name: str
    language: str
    resource: Resource
    scopes: tuple[InstrumentationScope, ...]


def _service(name: str, language: str, replica: int) -> Service:
    """Return a replica of a service that runs in Kubernetes."""
    pod = f"{name}-6d9f7c5b8b-{(0x5A3C1 + 7919 * replica) % 0xFFFFF:05x}"
    attributes: dict[str, Value] = {
        "service.name": name,
        "service.version": "2026.11.3",
        "service.namespace": "shop",
        "service.instance.id": f"3f1c9b52-7d0e-4b1a-9c1f-{replica:012x}",
        "deployment.environment.name": "production",
        "host.name": pod,
        "host.arch": "amd64",
        "os.type": "linux",
        "os.description": "Linux 6.8.0-1021-aws",
        "container.id": f"{replica + 1:x}" + "c0ffee5eedf00dcafe" * 3,
        "k8s.cluster.name": "eu-west-1-shop",
        "k8s.namespace.name": "shop",
        "k8s.deployment.name": name,
        "k8s.pod.name": pod,
        "k8s.node.name": f"ip-10-4-{replica % 4}-17.eu-west-1.compute.internal",
        "cloud.provider": "aws",
        "cloud.region": "eu-west-1",
        **_SDKS[language],
    }
    scopes = tuple(InstrumentationScope(name=scope, version=version) for scope, version in _SCOPES[language])
    return Service(name, language, Resource(attributes=pairs(attributes)), scopes)


def pairs(attributes: Mapping[str, Value]) -> list[KeyValue]:
    """Return attributes as OTLP has them."""
    return [KeyValue(key=key, value=_any_value(value)) for key, value in attributes.items()]


def _any_value(value: Value) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, str):
        return AnyValue(string_value=value)
    return AnyValue(array_value=ArrayValue(values=[AnyValue(string_value=text) for text in value]))


SERVICES: Final[Mapping[str, Sequence[Service]]] = {
    name: [_service(name, language, replica) for replica in range(REPLICAS)]
    for name, language in (("storefront", "nodejs"), ("catalogue", "python"), ("billing", "java"), ("shipping", "java"))
}
