"""Whole outputs are compared with files in snapshots/; `UPDATE_SNAPSHOTS=1 pytest tests/report` writes them anew."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Protocol

SNAPSHOTS: Final = Path(__file__).parent / "snapshots"


class Snapshot(Protocol):
    def __call__(self, name: str, text: str) -> None: ...


def compare(name: str, text: str) -> None:
    """Compare a text with the snapshot of this name, byte for byte."""
    path = SNAPSHOTS / name
    if os.environ.get("UPDATE_SNAPSHOTS") == "1":
        path.write_bytes(text.encode())
    assert text == path.read_bytes().decode()
