"""One process a feed account: a file lock by key, so that two programs on one machine do not evict each other.

The vendor allows one connection a cluster and account. A second program would be let in, throw the first one off, be
thrown off in turn, and both would lose the market meanwhile. The lock is the operating system's: it goes with the
process, however that ends. Between machines the lease in Redis does the same (`services.redis.gateway_lease`).
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from services.gateway.errors import AccountBusyError
from services.runtime.locks import owned

__all__ = ["own_account"]

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@contextlib.contextmanager
def own_account(ws_url: str, api_key: str, folder: Path | None = None) -> Iterator[None]:
    """Hold the account while the context is open. Raises AccountBusyError, which names the holder, when it is taken."""
    folder = folder if folder is not None else Path(tempfile.gettempdir()) / f"strikewire-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    with owned(folder / f"{_account(ws_url, api_key)}.feed", functools.partial(AccountBusyError, ws_url)):
        yield


def _account(ws_url: str, api_key: str) -> str:
    """A name for the account that does not give the key away.

    The vendor's real-time and delayed hosts share one quota, so the host is no part of it; stand-ins on this machine
    are accounts of their own, whatever key they take.
    """
    address = urlsplit(ws_url)
    own = address.netloc if address.hostname in _LOOPBACK else ""
    return hashlib.sha256(f"{own}\0{api_key}".encode()).hexdigest()[:16]
