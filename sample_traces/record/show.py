"""Prints a recording as trees, to look at what was recorded: `python show.py FILE [--attributes]`."""

import sys
from collections import defaultdict
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from recorder import read_recording


def main() -> None:
    traces = defaultdict(list)
    for raw in read_recording(Path(sys.argv[1])):
        for resource in ExportTraceServiceRequest.FromString(raw).resource_spans:
            if "--attributes" in sys.argv:
                print({a.key: a.value.string_value for a in resource.resource.attributes})
            service = next((a.value.string_value for a in resource.resource.attributes if a.key == "service.name"), "?")
            for scope in resource.scope_spans:
                for span in scope.spans:
                    traces[span.trace_id].append(
                        (span, service, scope.scope.name.rsplit("-", 1)[-1].rsplit(".", 1)[-1])
                    )
    for spans in traces.values():
        known, children = {span.span_id for span, *_ in spans}, defaultdict(list)
        for entry in spans:
            children[entry[0].parent_span_id if entry[0].parent_span_id in known else b""].append(entry)
        start = min(span.start_time_unix_nano for span, *_ in spans)
        stack = [(entry, 0) for entry in sorted(children[b""], key=lambda e: -e[0].start_time_unix_nano)]
        while stack:
            (span, service, scope), depth = stack.pop()
            offset, length = (
                (span.start_time_unix_nano - start) / 1e6,
                (span.end_time_unix_nano - span.start_time_unix_nano) / 1e6,
            )
            text = next(
                (
                    a.value.string_value
                    for a in span.attributes
                    if a.key in {"db.statement", "db.query.text", "url.full", "http.url"}
                ),
                "",
            )
            print(
                f"{offset:9.1f} {length:9.2f} ms {'  ' * depth}{span.name} [{service} {scope} kind={span.kind}] {text[:110]!r}"
            )
            if "--attributes" in sys.argv:
                print("   ", {a.key: str(a.value).strip() for a in span.attributes})
            stack += [
                (entry, depth + 1) for entry in sorted(children[span.span_id], key=lambda e: -e[0].start_time_unix_nano)
            ]
        print()


main()
