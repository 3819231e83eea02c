"""In lockstep a ping is answered when everything before it has been handled, and not when it was merely read."""

from __future__ import annotations

import asyncio

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from services.gateway.shell.sockets import LockstepConnection

# Long enough for an answer on loopback that would not be held.
SOON_S = 0.1


async def test_a_pong_waits_until_each_message_before_its_ping_was_handled() -> None:
    answered: list[int] = []
    both = asyncio.Event()

    async def market(client: ServerConnection) -> None:
        await client.send(b"first")
        await client.send(b"second")
        await (await client.ping())
        answered.append(1)
        # Nothing came since: this one is owed at once.
        await (await client.ping())
        both.set()
        await client.wait_closed()

    async with (
        serve(market, "127.0.0.1", 0) as server,
        connect(
            f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", create_connection=LockstepConnection
        ) as connection,
    ):
        assert isinstance(connection, LockstepConnection)
        assert [await connection.recv(), await connection.recv()] == [b"first", b"second"]
        connection.handled()
        await asyncio.sleep(SOON_S)
        assert not answered, "one of the two is still being handled"
        connection.handled()
        async with asyncio.timeout(5):
            await both.wait()
