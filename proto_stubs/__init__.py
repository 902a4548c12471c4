"""Generated protobuf modules; `make protos` rewrites them from the .proto files beside them."""
