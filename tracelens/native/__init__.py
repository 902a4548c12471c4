"""The compiled core: what happens to every span on its way into the store, without Python.

`core/` has its source. It is optional: where the library is not there, or a request is not as encoders write it,
`otlp.decode` and `semconv` do the same, and are what its results are compared with.
"""
