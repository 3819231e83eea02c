"""The bounded queue: it waits instead of growing."""

from __future__ import annotations

import asyncio

import pytest

from services.gateway.shell.receive_queue import ReceiveQueue


async def test_items_come_out_in_their_order() -> None:
    inbox: ReceiveQueue[int] = ReceiveQueue(10, 1000)
    for item in range(5):
        await inbox.put(item)
    assert [await inbox.get(0) for _ in range(5)] == [0, 1, 2, 3, 4]


async def test_an_empty_inbox_says_so_in_time() -> None:
    inbox: ReceiveQueue[int] = ReceiveQueue(10, 1000)
    assert await inbox.get(0.001) is None


async def test_a_full_inbox_makes_its_writer_wait() -> None:
    inbox: ReceiveQueue[int] = ReceiveQueue(2, 1000)
    writer = asyncio.create_task(_put_all(inbox, [(item, 0) for item in range(5)]))
    await asyncio.sleep(0.01)
    assert len(inbox) == 2
    assert [await inbox.get(1) for _ in range(5)] == [0, 1, 2, 3, 4]
    await writer


async def test_bytes_count_too_but_one_big_item_always_passes() -> None:
    inbox: ReceiveQueue[int] = ReceiveQueue(100, 10)
    writer = asyncio.create_task(_put_all(inbox, [(0, 50), (1, 4), (2, 4)]))
    await asyncio.sleep(0.01)
    assert len(inbox) == 1
    assert await inbox.get(1) == 0
    await writer
    assert len(inbox) == 2


async def test_several_writers_never_overfill_it() -> None:
    inbox: ReceiveQueue[int] = ReceiveQueue(1, 1000)
    writers = [asyncio.create_task(_put_all(inbox, [(item, 0)])) for item in range(4)]
    seen = []
    for _ in range(4):
        await asyncio.sleep(0.001)
        assert len(inbox) == 1
        seen.append(await inbox.get(1))
    await asyncio.gather(*writers)
    assert sorted(item for item in seen if item is not None) == [0, 1, 2, 3]


async def test_a_closed_inbox_gives_what_it_holds_and_then_nothing_at_once() -> None:
    inbox: ReceiveQueue[int] = ReceiveQueue(10, 1000)
    await inbox.put(1)
    inbox.close()
    assert await inbox.get(60) == 1
    assert await inbox.get(60) is None


async def _put_all(inbox: ReceiveQueue[int], items: list[tuple[int, int]]) -> None:
    for item, size in items:
        await inbox.put(item, size)


async def test_who_is_ended_while_waiting_for_room_leaves_what_he_holds() -> None:
    inbox: ReceiveQueue[str] = ReceiveQueue(1, 1000)
    await inbox.put("first")
    waiting = asyncio.create_task(inbox.put("second", 7))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    inbox.close()
    assert [await inbox.get(1), await inbox.get(1), await inbox.get(1)] == ["first", "second", None]
