"""What `tracelens.analyze` runs, apart from it so that importing the package stays cheap."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from tracelens.model import Scope
from tracelens.settings import load_settings
from tracelens.sources import open_files

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from tracelens.findings import Report


def analyze_sources(sources: Sequence[str | os.PathLike[str] | bytes], config: str | os.PathLike[str] | None) -> Report:
    """Return the report over trace files; see `tracelens.analyze`."""
    settings = load_settings(None if config is None else Path(config))
    damages: list[str] = []
    try:
        with open_files(sources, settings, damages.append) as source:
            return source.report(Scope(from_files=True))
    finally:
        for damage in damages:
            warnings.warn(damage, stacklevel=3)  # the line that calls `tracelens.analyze`
