"""Builds the Collector of this folder, which tests and benchmarks run, unless it is there: `make collector`.

It takes some minutes the first time and a gigabyte of Go's caches. A Collector of your own does as well, such as the
contrib distribution's: name it in TRACELENS_COLLECTOR.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).parent
_SOURCES: Final = ("main.go", "go.mod", "go.sum")


def collector_binary() -> Path:
    """Return where the Collector is, or will be once built: one file per version of its sources."""
    if named := os.environ.get("TRACELENS_COLLECTOR"):
        return Path(named)
    sources = hashlib.sha256(b"".join((_FOLDER / name).read_bytes() for name in _SOURCES)).hexdigest()
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return caches / "tracelens" / f"collector-{sources[:16]}" / "otelcol"


def build(binary: Path) -> None:
    """Build the Collector; the file appears at once and complete.

    Raises:
        subprocess.CalledProcessError: Go said why it could not.
    """
    binary.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=binary.parent) as unfinished:
        built = Path(unfinished) / binary.name
        command = ["go", "build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", str(built)]
        subprocess.run(command, cwd=_FOLDER, env=os.environ | {"CGO_ENABLED": "0"}, check=True)
        built.replace(binary)


def main() -> int:
    """Build it where it is not there, and say where it is."""
    binary = collector_binary()
    if not binary.exists():
        if not shutil.which("go"):
            print("the Collector is built from Go modules: install Go, or set TRACELENS_COLLECTOR", file=sys.stderr)
            return 2
        print(f"building {binary}: this takes some minutes", file=sys.stderr)
        try:
            build(binary)
        except subprocess.CalledProcessError as error:
            return error.returncode
    print(binary)
    return 0


if __name__ == "__main__":
    sys.exit(main())
