"""How a command finds the server that holds a store, and asks it.

A server leaves a file beside its store with its addresses, a name of its own and the store's inode. The file alone
proves nothing: its server may have been killed and the port taken by another program, or the file copied along with a
store. So the answer on that port must repeat the name, and the inode must be that of the store in question.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import urllib.parse
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from tracelens.errors import ServerError, StoreError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

IDENTITY_PATH: Final = "/api/server"

_ANSWER_TIMEOUT_S: Final = 600.0
_PROBE_TIMEOUT_S: Final = 5.0
_READABLE_BY_ALL: Final = 0o644


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """A running server.

    Attributes:
        ui: base URL that answers for the store.
        http: base URL that receives OTLP.
        grpc: host:port that receives OTLP.
        pid: of its process.
        instance: a name of its own, new at each start, which it repeats under `IDENTITY_PATH`.
        inode: of the store's file that it holds.
    """

    ui: str
    http: str
    grpc: str
    pid: int
    instance: str
    inode: int


def address_file(db: Path) -> Path:
    """Return where a server leaves its address, beside the store's file that it holds, links followed."""
    found = db.resolve()
    return found.with_name(found.name + ".server.json")


@contextlib.contextmanager
def leave_address(db: Path, address: ServerAddress) -> Iterator[None]:
    """Leave a server's address beside its store until the block ends, whole at once: a reader never sees half of it.

    Raises:
        StoreError: it cannot be written.
    """
    path = address_file(db)
    draft = path.with_suffix(".draft")
    try:
        draft.write_text(json.dumps(asdict(address)) + "\n", encoding="utf-8")
        draft.chmod(_READABLE_BY_ALL)
        draft.replace(path)
    except OSError as error:
        raise StoreError(
            f"{path}: the server's address cannot be left there: {error.strerror}; make room, or choose another --db"
        ) from error
    try:
        yield
    finally:
        # Another server may have taken the store over while this one was ending.
        if _read(path) == address:
            with contextlib.suppress(OSError):
                path.unlink()


def running_server(db: Path) -> ServerAddress | None:
    """Return the server that holds this store, None where none answers."""
    address = _read(address_file(db))
    try:
        if address is None or db.stat().st_ino != address.inode:
            return None
        identity = ask(address.ui, IDENTITY_PATH, timeout_s=_PROBE_TIMEOUT_S)
    except (OSError, ServerError, UsageError):
        return None
    return address if identity.get("instance") == address.instance else None


def ask(
    base_url: str, path: str, body: dict[str, Any] | None = None, timeout_s: float = _ANSWER_TIMEOUT_S
) -> dict[str, Any]:
    """Return a server's answer: to POST where there is a body, else to GET.

    No proxy is asked: the environment's are for other hosts, and these addresses are this one's.

    Raises:
        ServerError: it does not answer, or cannot do what is asked.
        UsageError: what is asked is wrong.
    """
    url = urllib.parse.urlsplit(base_url)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=timeout_s)
    try:
        connection.request(
            "GET" if body is None else "POST",
            path,
            None if body is None else json.dumps(body),
            {"content-type": "application/json"},
        )
        response = connection.getresponse()
        content = response.read()
    except (OSError, http.client.HTTPException) as error:
        reason = str(error) or type(error).__name__
        raise ServerError(
            f"{base_url}: the tracelens server does not answer: {reason}; try again, or start it with `tracelens serve`"
        ) from error
    finally:
        connection.close()
    try:
        answer = json.loads(content)
        detail = str(
            answer.get("error", f"{base_url}: the tracelens server answered {response.status}; its log says more")
        )
    except (ValueError, AttributeError) as error:
        raise ServerError(f"{base_url}: another program answers there; start one with `tracelens serve`") from error
    if response.status == http.client.OK:
        return dict(answer)
    raise (UsageError if response.status == http.client.BAD_REQUEST else ServerError)(detail)


def _read(path: Path) -> ServerAddress | None:
    try:
        return ServerAddress(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
