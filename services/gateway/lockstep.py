"""A socket that says it has caught up only when it has.

A market in lockstep moves on when its ping is answered. The library answers a ping as it reads it, while frames before
it may still wait for the writer, and the chains that are due with them have not been asked for. Then the market runs
minutes ahead, and what REST answers is of another time than the prints it is to explain. Here an answer is held back
until everything that came before the ping has been handled.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode

__all__ = ["LockstepConnection"]

_DATA = frozenset({Opcode.TEXT, Opcode.BINARY, Opcode.CONT})


class LockstepConnection(ClientConnection):
    """Holds each pong until `handled` was called once for every message before its ping."""

    def __init__(self, protocol: ClientProtocol, **how: Any) -> None:
        super().__init__(protocol, **how)
        self._arrived = 0
        self._handled = 0
        # The market sends the next ping after the last answer, so there is one of these, or two at a close.
        self._held: deque[tuple[int, Frame]] = deque()
        # The protocol is sans-I/O and calls these two of its own methods for every frame in and out.
        self._receive, self._send = protocol.recv_frame, protocol.send_frame
        protocol.recv_frame = self._count  # type: ignore[method-assign]
        protocol.send_frame = self._hold  # type: ignore[method-assign]

    def handled(self) -> None:
        """The program is done with the oldest message it had not been done with."""
        self._handled += 1
        while self._held and self._held[0][0] <= self._handled:
            self._send(self._held.popleft()[1])
            self.send_data()

    def _count(self, frame: Frame) -> None:
        self._arrived += frame.opcode in _DATA and frame.fin
        self._receive(frame)

    def _hold(self, frame: Frame) -> None:
        if frame.opcode is Opcode.PONG and self._arrived > self._handled:
            self._held.append((self._arrived, frame))
        else:
            self._send(frame)
