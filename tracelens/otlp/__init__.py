"""OTLP on its way in: trace files and request bodies in every format, to protobuf bytes, to Arrow columns."""
