"""Where a report's spans come from: trace files, a store's file, or the server that holds it. None need know which."""

from tracelens.sources.files import load_files, open_files
from tracelens.sources.follow import follow_events
from tracelens.sources.server_address import ServerAddress, leave_address, running_server
from tracelens.sources.stored import ServerSource, Source, StoreSource, open_source, open_store

__all__ = [
    "ServerAddress",
    "ServerSource",
    "Source",
    "StoreSource",
    "follow_events",
    "leave_address",
    "load_files",
    "open_files",
    "open_source",
    "open_store",
    "running_server",
]
