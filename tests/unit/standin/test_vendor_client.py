"""The vendor's own client (massive, a test dependency only) takes the stand-in for the vendor."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from services.standin.server import StandIn
from services.standin.tape import Tape

from .conftest import CALL

massive = pytest.importorskip("massive", reason="the vendor's client `massive` is not installed")


async def test_it_connects_subscribes_and_receives_typed_events(tape: Tape) -> None:
    received = []

    async def collect(messages: list[object]) -> None:
        received.extend(messages)

    async with StandIn(tape, speed=None, at_end="close", start_when=frozenset({"options.T"})) as standin:
        client = massive.WebSocketClient(
            api_key="demo-key",
            feed=standin.ws_url.removeprefix("ws://"),
            market="options",
            secure=False,
            subscriptions=["T.*", f"Q.{CALL}"],
        )
        await asyncio.wait_for(client.connect(collect), 20)  # returns at the clean close
    assert [type(message).__name__ for message in received] == [
        "EquityQuote", "EquityTrade", "EquityTrade", "EquityQuote", "EquityTrade",
    ]  # fmt: skip
    trade = received[1]
    assert (trade.symbol, trade.price, trade.size, trade.conditions, trade.exchange) == (CALL, 1.55, 12, [209], 302)


async def test_a_wrong_key_is_its_authentication_error(tape: Tape) -> None:
    async with StandIn(tape, speed=1) as standin:
        client = massive.WebSocketClient(
            api_key="wrong", feed=standin.ws_url.removeprefix("ws://"), market="options", secure=False
        )

        async def ignore(messages: list[object]) -> None:
            raise AssertionError(f"nothing should arrive, but {messages} did")

        with pytest.raises(massive.exceptions.AuthError, match="authentication failed"):
            await asyncio.wait_for(client.connect(ignore), 10)


async def test_it_pages_a_chain_and_reads_its_fields(realdata: Path) -> None:
    import datetime as dt

    import numpy as np

    tape = Tape.open(realdata / "lean", dt.date(2015, 12, 24), "GOOG")
    tape.advance(3_600_000_000_000, np.empty(0, np.int32))
    async with StandIn(tape, speed=1e-9) as standin:
        client = massive.RESTClient(api_key="demo-key", base=standin.rest_url, retries=0)

        def page() -> list[object]:
            return list(client.list_snapshot_options_chain("GOOG", params={"limit": 250}))

        rows = await asyncio.to_thread(page)
    assert len(rows) == 2_192
    assert len({row.details.ticker for row in rows}) == 2_192
    quoted = next(row for row in rows if row.greeks is not None and row.greeks.delta is not None)
    assert quoted.last_quote.bid <= quoted.last_quote.ask
    assert -1 <= quoted.greeks.delta <= 1
    assert quoted.underlying_asset.price == pytest.approx(750, abs=10)


async def test_its_errors_carry_our_bodies(tape: Tape) -> None:
    async with StandIn(tape, speed=1e-9) as standin:
        client = massive.RESTClient(api_key="demo-key", base=standin.rest_url, retries=0)

        def ask() -> None:
            list(client.list_snapshot_options_chain("XYZ", params={"limit": 251}))

        with pytest.raises(massive.exceptions.BadResponse, match="limit must be between 1 and 250"):
            await asyncio.to_thread(ask)
