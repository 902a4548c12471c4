from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from report_snapshots import compare

if TYPE_CHECKING:
    from report_snapshots import Snapshot


@pytest.fixture
def snapshot() -> Snapshot:
    return compare
