"""The vendor's own client (`massive`, a test dependency only), whole protocol: what it reads is what we meant."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
import urllib3

from standin.faults.named import ForceDisconnect, MissingGreeks, NotEntitled, RateLimit, Unentitled
from standin.faults.protocol_options import ProtocolOptions
from standin.files.tape import Tape
from tests.support.rows import Feed
from tests.unit.standin.conftest import CALL, PUT

massive = pytest.importorskip("massive", reason="the vendor's client `massive` is not installed")

Found = TypeVar("Found")


@pytest.fixture
def feed(tmp_path: Path) -> Feed:
    return Feed(tmp_path, {})


async def ask(feed: Feed, question: Callable[[Any], Found], **arguments: Any) -> Found:
    """What the client's REST side answers after a whole day, in a thread of its own: it is synchronous."""
    async with feed.http(**arguments) as http:
        client = massive.RESTClient(api_key="demo-key", base=http.base, retries=0)
        return await asyncio.to_thread(question, client)


async def listen(feed: Feed, path: str, *subscriptions: str, **arguments: Any) -> list[Any]:
    """Every typed message of a whole day."""
    received: list[Any] = []

    async def collect(messages: list[Any]) -> None:
        received.extend(messages)

    start = frozenset({f"{path}.{subscriptions[0].partition('.')[0]}"})
    tape = feed.tape(index=path == "indices")
    async with feed.standin(tape, at_end="close", start_when=start, **arguments) as standin:
        client = massive.WebSocketClient(
            api_key="demo-key",
            feed=standin.ws_url.removeprefix("ws://"),
            market=path,
            secure=False,
            max_reconnects=0,
            subscriptions=list(subscriptions),
        )
        await asyncio.wait_for(client.connect(collect), 20)  # returns at the clean close
    return received


async def test_options_arrive_typed(feed: Feed) -> None:
    received = await listen(feed, "options", "T.*", f"Q.{CALL}", "AM.*")
    kinds = [type(message).__name__ for message in received]
    assert kinds.count("EquityAgg") == 3
    assert [kind for kind in kinds if kind != "EquityAgg"] == [
        "EquityQuote", "EquityTrade", "EquityTrade", "EquityQuote", "EquityTrade",
    ]  # fmt: skip
    quote, trade = received[:2]
    assert (trade.symbol, trade.price, trade.size, trade.conditions, trade.exchange) == (CALL, 1.55, 12, [209], 302)
    assert (quote.bid_price, quote.ask_price, quote.bid_size) == (1.5, 1.56, 9)
    bar = next(message for message in received if type(message).__name__ == "EquityAgg")
    assert (bar.symbol, bar.close, bar.accumulated_volume, bar.official_open_price) == (CALL, 1.55, 12, 1.55)


async def test_fair_values_arrive_typed(feed: Feed) -> None:
    received = await listen(feed, "options", f"FMV.{CALL}", options=ProtocolOptions(business=True))
    assert [(type(value).__name__, value.fmv, value.ticker) for value in received] == [
        ("FairMarketValue", 1.53, CALL), ("FairMarketValue", 1.5, CALL),
    ]  # fmt: skip


async def test_index_values_arrive_typed(feed: Feed) -> None:
    received = await listen(feed, "indices", "V.I:SPX")
    assert [(type(value).__name__, value.ticker, value.value) for value in received] == [
        ("IndexValue", "I:SPX", 3700.0), ("IndexValue", "I:SPX", 3701.0), ("IndexValue", "I:SPX", 3702.0),
    ]  # fmt: skip


async def test_stock_bars_arrive_typed(feed: Feed) -> None:
    received = await listen(feed, "stocks", "A.XYZ")
    assert [(type(bar).__name__, bar.symbol, bar.close) for bar in received] == [
        ("EquityAgg", "XYZ", 100.0), ("EquityAgg", "XYZ", 100.1), ("EquityAgg", "XYZ", 100.2),
    ]  # fmt: skip


async def test_stock_trades_and_quotes_arrive_typed(feed: Feed) -> None:
    received = await listen(feed, "stocks", "T.XYZ", "Q.XYZ")
    assert {type(message).__name__ for message in received} == {"EquityTrade", "EquityQuote"}
    quote, trade = received[:2]
    assert (quote.symbol, trade.symbol, trade.price, trade.tape) == ("XYZ", "XYZ", 100.0, 1)
    assert quote.bid_price <= trade.price <= quote.ask_price


async def test_a_refused_channel_is_logged_and_the_rest_arrives(feed: Feed, caplog: pytest.LogCaptureFixture) -> None:
    received = await listen(feed, "options", "T.*", f"Q.{CALL}", faults=[Unentitled()])
    assert {type(message).__name__ for message in received} == {"EquityTrade"}
    assert "not authorized" in caplog.text


async def test_a_wrong_key_is_its_authentication_error(feed: Feed) -> None:
    async def ignore(messages: list[object]) -> None:
        raise AssertionError(f"nothing should arrive, but {messages} did")

    async with feed.still() as standin:
        client = massive.WebSocketClient(
            api_key="wrong", feed=standin.ws_url.removeprefix("ws://"), market="options", secure=False
        )
        with pytest.raises(massive.exceptions.AuthError, match="authentication failed"):
            await asyncio.wait_for(client.connect(ignore), 10)


async def test_a_forced_disconnect_ends_it_with_an_error(feed: Feed) -> None:
    with pytest.raises(Exception, match=r"(?i)disconnect|reconnect"):
        await listen(feed, "options", "T.*", faults=[ForceDisconnect(times=100, every_s=0.0)])


async def test_it_pages_trades_and_quotes(feed: Feed) -> None:
    def question(client: Any) -> tuple[list[Any], list[Any]]:
        return list(client.list_trades(CALL, order="asc", limit=1)), list(client.list_quotes(CALL, limit=1))

    trades, quotes = await ask(feed, question)
    assert [(trade.price, trade.size, trade.sip_timestamp) for trade in trades] == [
        (1.55, 12, 1402061459999000000), (1.5, 3, 1402061579999000000),
    ]  # fmt: skip
    assert [(quote.bid_price, quote.ask_price) for quote in quotes] == [(1.48, 1.52), (1.5, 1.56)]


async def test_it_finds_the_quote_at_a_trades_time(feed: Feed) -> None:
    (quote,) = await ask(
        feed, lambda client: list(client.list_quotes(CALL, timestamp_lte=1402061460000000000, order="desc", limit=50))
    )
    assert (quote.bid_price, quote.ask_price) == (1.5, 1.56)


async def test_it_pages_aggregates(feed: Feed) -> None:
    bars = await ask(
        feed, lambda client: list(client.list_aggs("XYZ", 1, "minute", "2014-06-06", "2014-06-06", limit=1))
    )
    assert [bar.close for bar in bars] == [100.0, 100.1, 100.2]


async def test_empty_aggregates_are_an_empty_list(feed: Feed) -> None:
    def question(client: Any) -> object:
        return client.get_aggs(CALL, 1, "day", "2014-05-01", "2014-05-02")

    assert await ask(feed, question) == []


async def test_it_reads_the_universal_snapshot(feed: Feed) -> None:
    def question(client: Any) -> list[Any]:
        return list(client.list_universal_snapshots(ticker_any_of=[CALL, "XYZ", "O:NOPE"]))

    option, stock, unknown = await ask(feed, question)
    assert (option.type, option.session.volume, option.details.strike_price) == ("options", 15, 100.0)
    assert (stock.type, stock.session.close) == ("stocks", 100.2)
    assert (unknown.error, unknown.message) == ("NOT_FOUND", "Ticker not found.")


async def test_it_pages_the_universal_snapshot(feed: Feed) -> None:
    def question(client: Any) -> list[str]:
        return [row.ticker for row in client.list_universal_snapshots(type="options", limit=1)]

    assert await ask(feed, question) == [CALL, "O:XYZ140620C00110000", PUT]


async def test_it_pages_a_chain_with_holes(feed: Feed) -> None:
    def question(client: Any) -> list[Any]:
        return list(client.list_snapshot_options_chain("XYZ", params={"limit": 1}))

    rows = await ask(feed, question, faults=[MissingGreeks(share=1.0)])
    assert [row.details.ticker for row in rows] == [CALL, "O:XYZ140620C00110000", PUT]
    assert all(row.greeks is None or row.greeks.delta is None for row in rows)


async def test_it_pages_a_real_chain_and_reads_its_fields(feed: Feed, realdata: Path) -> None:
    tape = Tape.open(realdata / "lean", dt.date(2015, 12, 24), "GOOG")
    tape.advance(3_600_000_000_000, np.empty(0, np.int32))
    async with feed.standin(tape, speed=1e-9) as standin:
        client = massive.RESTClient(api_key="demo-key", base=standin.rest_url, retries=0)

        def question() -> list[Any]:
            return list(client.list_snapshot_options_chain("GOOG", params={"limit": 250}))

        rows = await asyncio.to_thread(question)
    assert len(rows) == 2_192
    assert len({row.details.ticker for row in rows}) == 2_192
    quoted = next(row for row in rows if row.greeks is not None and row.greeks.delta is not None)
    assert quoted.last_quote.bid <= quoted.last_quote.ask
    assert -1 <= quoted.greeks.delta <= 1
    assert quoted.underlying_asset.price == pytest.approx(750, abs=10)


async def test_a_page_that_is_too_long_is_refused_in_our_words(feed: Feed) -> None:
    def question(client: Any) -> list[Any]:
        return list(client.list_snapshot_options_chain("XYZ", params={"limit": 251}))

    with pytest.raises(massive.exceptions.BadResponse, match="limit must be between 1 and 250"):
        await ask(feed, question)


async def test_it_reads_reference_and_status(feed: Feed) -> None:
    def question(client: Any) -> tuple[Any, ...]:
        return (
            [contract.ticker for contract in client.list_options_contracts("XYZ", limit=2)],
            {condition.id: condition.sip_mapping for condition in client.list_conditions("options", limit=1000)},
            {venue.id: venue.participant_id for venue in client.get_exchanges("options")},
            client.get_market_status().market,
            {holiday.name for holiday in client.get_market_holidays()},
            client.get_last_trade(PUT).price,
        )

    tickers, conditions, venues, market, holidays, price = await ask(feed, question)
    assert tickers == [CALL, "O:XYZ140620C00110000", PUT]
    assert (len(conditions), venues[302], market, price) == (33, "C", "closed", 0.25)
    assert holidays == {"Market holiday", "Half day"}


@pytest.mark.parametrize(
    ("fault", "key", "description"),
    [
        (None, "wrong", "Unknown API Key"),
        (NotEntitled(documents=("trades",)), "demo-key", "NOT_AUTHORIZED"),
        # Its retries are urllib3's, which keep the code and lose the body.
        (RateLimit(requests=1, per_s=60.0), "demo-key", "too many 429 error responses"),
    ],
)
async def test_its_errors_carry_our_bodies(feed: Feed, fault: Any, key: str, description: str) -> None:
    async with feed.http(faults=[] if fault is None else [fault]) as http:
        client = massive.RESTClient(api_key=key, base=http.base, retries=0)

        def question() -> None:
            list(client.list_trades(CALL, limit=1))

        with pytest.raises((massive.exceptions.BadResponse, urllib3.exceptions.MaxRetryError), match=description):
            await asyncio.to_thread(question)
