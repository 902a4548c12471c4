"""Where a report's spans come from: trace files, a store's file, or the server that holds it. None need know which.

What is named here is loaded when it is first asked for: trace files need no server, and a server no trace files.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tracelens.sources.files import load_files, open_files
    from tracelens.sources.follow import follow_events
    from tracelens.sources.server_address import ServerAddress, leave_address, running_server
    from tracelens.sources.source import Source, StoreSource
    from tracelens.sources.stored import ServerSource, open_source, open_store

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

_MODULES: Final = {
    "ServerAddress": "server_address",
    "ServerSource": "stored",
    "Source": "source",
    "StoreSource": "source",
    "follow_events": "follow",
    "leave_address": "server_address",
    "load_files": "files",
    "open_files": "files",
    "open_source": "stored",
    "open_store": "stored",
    "running_server": "server_address",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
