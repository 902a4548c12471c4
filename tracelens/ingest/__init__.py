"""From raw requests to stored spans.

Two threads. The first, of `intake.py`, takes every request that waits, decodes the group, appends it to the journal
with one sync, and answers the senders: while it works the next group gathers, so groups grow with the load. The second,
of `writer.py`, turns what is acknowledged into rows and stores them in large transactions; the journal lets go of them
only after the commit.
"""

from tracelens.ingest.intake import Ingest
from tracelens.ingest.loading import journal_folder, recover_journal, set_aside_folder, store_requests
from tracelens.ingest.statistics import IngestStatistics

__all__ = [
    "Ingest",
    "IngestStatistics",
    "journal_folder",
    "recover_journal",
    "set_aside_folder",
    "store_requests",
]
