"""OTLP ingest: gRPC and HTTP servers that hand raw requests to an intake and answer once it holds them."""

from tracelens.receiver.admission import DEFAULT_MAX_REQUEST_BYTES, Intake, TooLargeError
from tracelens.receiver.grpc import GrpcReceiver
from tracelens.receiver.http import OtlpApp
from tracelens.receiver.http_server import HttpServer
from tracelens.receiver.statistics import ReceiverStatistics, RequestKind, RequestTotals

__all__ = [
    "DEFAULT_MAX_REQUEST_BYTES",
    "GrpcReceiver",
    "HttpServer",
    "Intake",
    "OtlpApp",
    "ReceiverStatistics",
    "RequestKind",
    "RequestTotals",
    "TooLargeError",
]
