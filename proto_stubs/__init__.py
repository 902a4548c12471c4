"""Generated protobuf modules; `make protos` rewrites them from the .proto files beside them.

They are generated with grpcio-tools 1.65, the last whose modules run on every protobuf from 5.26 on: those of later
ones refuse a protobuf older than their own.
"""
