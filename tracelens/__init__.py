"""tracelens finds N+1 queries, slow queries, missing caches and missed latency objectives in OpenTelemetry traces.

import tracelens

report = tracelens.analyze("traces.jsonl", "more.otlp.pb.gz")
for finding in report.findings:
    print(finding.pass_name, finding.endpoint, finding.subject)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os

    from tracelens.findings import Report

__version__ = "0.1.0"
__all__ = ["__version__", "analyze"]


def analyze(*sources: str | os.PathLike[str] | bytes, config: str | os.PathLike[str] | None = None) -> Report:
    """Analyse trace files and return the report.

    Args:
        sources: paths of trace files or directories of them, or the content of one as bytes; the formats are those of
            `tracelens report`, seen from the content.
        config: path of a configuration file; by default `tracelens.toml` in the working directory, where it exists.

    Raises:
        tracelens.errors.DamagedInputError: a source holds nothing that can be read. What else is damaged in a source is
            left out, with a warning.
        tracelens.errors.UsageError: the configuration is wrong.
    """
    from tracelens.api import analyze_sources  # noqa: PLC0415  (loads DuckDB and Arrow)

    return analyze_sources(sources, config)
