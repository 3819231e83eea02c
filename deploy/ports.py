"""Ports of loopback for processes that are told theirs before they start.

A port that the kernel names is one that it also gives to the next outgoing connection (RFC 6056): between the asking
and the listening, or while a service is away for a restart, a client on the same machine may sit on it. These lie
below the range from which connections are made, so that only somebody who asks for them by number can take them.
"""

from __future__ import annotations

import contextlib
import os
import random
import socket

__all__ = ["free_port", "free_ports", "listens"]

# Above the ports that services are known by, below 32768, where Linux begins to draw (ip_local_port_range); macOS and
# the register of IANA begin at 49152.
FIRST, LAST = 16384, 32767
ATTEMPTS_MAX = 1000

_given: set[int] = set()
_rng = random.Random(os.urandom(8))


def free_port() -> int:
    """A port of loopback that nobody uses and that this process has not been given before."""
    return free_ports(1)


def free_ports(count: int) -> int:
    """The first of `count` neighbours that nobody uses. Raises OSError when there are none to be found."""
    for _ in range(ATTEMPTS_MAX):
        first = _rng.randint(FIRST, LAST - count + 1)
        wanted = range(first, first + count)
        if _given.isdisjoint(wanted) and all(map(_is_free, wanted)):
            _given.update(wanted)
            return first
    raise OSError(f"no {count} free ports between {FIRST} and {LAST}")


def _is_free(port: int) -> bool:
    with contextlib.suppress(OSError), socket.socket() as probe:
        probe.bind(("127.0.0.1", port))
        return True
    return False


def listens(port: int) -> bool:
    """Whether somebody accepts connections on that port of loopback."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
