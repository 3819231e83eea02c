"""The vendor's REST by statement (spec/vendor.md 11.2): each holds, and each check fails without its behaviour."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from standin.faults.named import (
    AbsentIndices,
    EmptyDay,
    HttpError,
    MissingGreeks,
    NoLastQuote,
    NotEntitled,
    RateLimit,
    SlowHttp,
)
from standin.faults.protocol_options import ProtocolOptions
from standin.protocol import history_documents
from standin.protocol import rest_documents as documents
from standin.protocol import rest_query as query_module
from standin.server import answers as answers_module
from standin.server import history_routes as rest_past
from standin.server import routes as rest_module
from standin.server.history_routes import HistoryRoutes
from standin.server.routes import Rest
from tests.support.rows import INDEX_CALL, Feed, Row, Table, holds, is_red, named, settings
from tests.unit.standin.conftest import CALL, PUT

ROWS = Table()
LISTED = "O:XYZ140620C00110000"
CHAIN = "/v3/snapshot/options/XYZ"
MINUTES = "/v2/aggs/ticker/XYZ/range/{}/minute/2014-06-06/2014-06-06"


async def gone(*_: object) -> web.Response:
    """A path that is not served."""
    raise web.HTTPNotFound


def without(kind: type, handler: str) -> Any:
    return settings(kind, handler, gone)


# The documents of 7.2 to 7.11


@ROWS.row("7.1", "DELAYED to a delayed plan", options=ProtocolOptions(rest_delayed=True), off=settings())
async def delayed(feed: Feed) -> None:
    async with feed.http() as http:
        _, page, _ = await http.get(CHAIN)
        _, bars, _ = await http.get(MINUTES.format(1))
    async with feed.http(index=True) as http:
        (level,) = await http.rows("/v3/snapshot?ticker.any_of=I:SPX")
    traded = page["results"][0]
    assert (page["status"], bars["status"], level["timeframe"]) == ("DELAYED", "DELAYED", "DELAYED")
    assert {traded[part]["timeframe"] for part in ("last_quote", "last_trade", "underlying_asset")} == {"DELAYED"}


@ROWS.row("7.2", "a chain", off=without(Rest, "_chain"))
async def chain(feed: Feed) -> None:
    async with feed.http() as http:
        rows = await http.rows(CHAIN)
    assert [row["details"]["ticker"] for row in rows] == [CALL, LISTED, PUT]
    assert rows[0]["last_trade"]["price"] == 1.5
    assert rows[0]["open_interest"] == 321


@ROWS.row("7.2", "one contract", off=without(Rest, "_contract_snapshot"))
async def contract(feed: Feed) -> None:
    async with feed.http() as http:
        row = await http.rows(f"{CHAIN}/{CALL}")
    assert row["details"]["ticker"] == CALL


@ROWS.row("7.2", "fair values to a business plan", options=ProtocolOptions(business=True), off=settings())
async def fair_value(feed: Feed) -> None:
    async with feed.http() as http:
        quoted, unquoted, _ = await http.rows(CHAIN)
        (universal,) = await http.rows(f"/v3/snapshot?ticker.any_of={CALL}")
    assert (quoted["fmv"], quoted["fmv_last_updated"]) == (1.5, quoted["last_quote"]["last_updated"])
    assert universal["fmv"] == 1.5
    assert "fmv" not in unquoted


@ROWS.row("7.3", "not entitled", faults=[NotEntitled(documents=("chain", "indices"))], off=settings())
async def universal_not_entitled(feed: Feed) -> None:
    async with feed.http() as http:
        rows = await http.rows(f"/v3/snapshot?ticker.any_of={CALL},XYZ,I:SPX")
    assert [row.get("error") for row in rows] == ["NOT_ENTITLED", None, "NOT_ENTITLED"]
    assert rows[1]["session"]["close"] == 100.2


@ROWS.row("7.3", "the universal snapshot", off=without(Rest, "_universal"))
async def universal(feed: Feed) -> None:
    async with feed.http() as http:
        rows = await http.rows(f"/v3/snapshot?ticker.any_of={CALL},XYZ,O:NOPE")
        pages = await http.get("/v3/snapshot?type=options&limit=2&order=desc")
        following = await http.rows(pages[1]["next_url"])
    option, stock, unknown = rows
    assert (option["type"], option["session"]["volume"], option["details"]["strike_price"]) == ("options", 15, 100.0)
    assert "day" not in option
    assert (stock["type"], stock["session"]["close"]) == ("stocks", 100.2)
    assert unknown == {"ticker": "O:NOPE", "error": "NOT_FOUND", "message": "Ticker not found."}
    assert [row["ticker"] for row in [*pages[1]["results"], *following]] == [PUT, LISTED, CALL]


@ROWS.row("7.4", "indices", off=without(Rest, "_indices"))
async def indices(feed: Feed) -> None:
    async with feed.http(index=True) as http:
        known, unknown = await http.rows("/v3/snapshot/indices?ticker.any_of=I:SPX,I:NOPE")
    assert (known["value"], known["session"]["open"], known["type"]) == (3702.0, 3700.0, "indices")
    assert unknown["error"] == "NOT_FOUND"


@ROWS.row("7.4", "an index that is not there", faults=[AbsentIndices(tickers=("I:SPX",))], off=settings())
async def absent_index(feed: Feed) -> None:
    async with feed.http(index=True) as http:
        assert [row["error"] for row in await http.rows("/v3/snapshot/indices?ticker.any_of=I:SPX")] == ["NOT_FOUND"]
        for unnamed in ("/v3/snapshot/indices", "/v3/snapshot?type=indices"):
            assert await http.rows(unnamed) == [], "what is not there is listed nowhere"


@ROWS.row("7.5", "aggregates of a contract", off=without(HistoryRoutes, "_aggregates"))
async def aggregates(feed: Feed) -> None:
    async with feed.http() as http:
        _, body, _ = await http.get(f"/v2/aggs/ticker/{CALL}/range/1/minute/2014-06-06/2014-06-06")
        _, day, _ = await http.get(f"/v2/aggs/ticker/{CALL}/range/1/day/2014-06-06/1402100000000?sort=desc")
    first, second = body["results"]
    assert first == {"o": 1.55, "h": 1.55, "l": 1.55, "c": 1.55, "v": 12, "vw": 1.55, "n": 1, "t": 1402061400000}
    assert second["t"] - first["t"] == 120_000, "a window without trades has no bar"
    assert (body["queryCount"], body["resultsCount"], body["count"], body["adjusted"]) == (2, 2, 2, True)
    assert [(bar["o"], bar["c"], bar["v"]) for bar in day["results"]] == [(1.55, 1.5, 15)]


@ROWS.row("7.5", "index bars have no volume", off=settings(history_documents, "isnan", lambda _: False))
async def index_bars(feed: Feed) -> None:
    async with feed.http(index=True) as http:
        _, body, _ = await http.get("/v2/aggs/ticker/I:SPX/range/1/minute/2021-01-04/2021-01-04")
    assert len(body["results"]) == 3
    assert set(body["results"][0]) == {"o", "h", "l", "c", "t"}


@ROWS.row("7.6", "trades", off=without(HistoryRoutes, "_trades"))
async def trades(feed: Feed) -> None:
    async with feed.http() as http:
        rows = await http.rows(f"/v3/trades/{CALL}")
        between = await http.rows(f"/v3/trades/{CALL}?timestamp.gt={rows[1]['sip_timestamp']}&order=asc")
        on_another_day = await http.rows(f"/v3/trades/{CALL}?timestamp=2014-06-05")
    assert [row["sequence_number"] for row in rows] == [6, 2], "newest first, unless asked otherwise"
    assert rows[1] == {
        "conditions": [209], "exchange": 302, "price": 1.55, "sequence_number": 2,
        "sip_timestamp": 1402061459999000000, "size": 12,
    }  # fmt: skip
    assert [row["sequence_number"] for row in between] == [6]
    assert on_another_day == []


@ROWS.row("7.7", "quotes", off=without(HistoryRoutes, "_quotes"))
async def quotes(feed: Feed) -> None:
    async with feed.http() as http:
        rows = await http.rows(f"/v3/quotes/{CALL}?order=asc")
        nbbo = await http.rows(f"/v3/quotes/{CALL}?timestamp.lte=1402061460000000000&limit=1")
    assert [(row["bid_price"], row["ask_price"], row["sequence_number"]) for row in rows] == [
        (1.5, 1.56, 1), (1.48, 1.52, 5),
    ]  # fmt: skip
    assert [row["sequence_number"] for row in nbbo] == [1], "the quote at a trade's time"


@ROWS.row("7.8", "the newer paths", off=without(HistoryRoutes, "_newer_trades"))
async def newer(feed: Feed) -> None:
    async with feed.http() as http:
        (trade,) = await http.rows(f"/options/v3/trades/{PUT}?sort=timestamp.asc")
        (quote,) = await http.rows(f"/options/v3/quotes/{CALL}?sort=timestamp.desc&limit=1")
        venue = (await http.rows("/options/v1/exchanges?limit=1"))[0]
        last = await http.rows(f"/v2/last/trade/{CALL}")
        status, _, _ = await http.get(f"/options/v3/trades/{PUT}?limit=50000")
    assert (trade["ticker"], trade["size"], quote["ticker"], quote["sequence_number"]) == (PUT, 700, CALL, 5)
    assert (venue["id"], last["T"], last["q"], status) == ("300", CALL, 6, 400)


@ROWS.row("7.8", "50,000 rows", options=ProtocolOptions(newer_limit_max=50_000), off=settings())
async def newer_limit(feed: Feed) -> None:
    async with feed.http() as http:
        assert (await http.get(f"/options/v3/trades/{PUT}?limit=50000"))[0] == 200


@ROWS.row("7.9", "contracts", off=without(Rest, "_contracts"))
async def contracts(feed: Feed) -> None:
    async with feed.http(index=True) as http:
        (row,) = await http.rows("/v3/reference/options/contracts?underlying_ticker=SPX&limit=1000")
    assert (row["ticker"], row["underlying_ticker"], row["cfi"]) == (INDEX_CALL, "SPX", "OCEICS")


@ROWS.row("7.10", "conditions", off=without(Rest, "_conditions"))
async def conditions(feed: Feed) -> None:
    async with feed.http() as http:
        rows = await http.rows("/v3/reference/conditions?asset_class=options&data_type=trade&limit=1000")
    assert len(rows) == 33
    assert {row["id"]: row["sip_mapping"] for row in rows}[219] == {"OPRA": "S"}


@ROWS.row("7.10", "exchanges", off=without(Rest, "_exchanges"))
async def exchanges(feed: Feed) -> None:
    async with feed.http() as http:
        rows = await http.rows("/v3/reference/exchanges?asset_class=options&locale=us")
    assert {row["id"]: row["participant_id"] for row in rows}[302] == "C"


@ROWS.row("7.11", "market status without an envelope", off=without(Rest, "_status"))
async def market_status(feed: Feed) -> None:
    async with feed.http() as http:
        _, body, _ = await http.get("/v1/marketstatus/now")
    assert (body["market"], body["serverTime"]) == ("closed", "2014-06-06T16:00:00-04:00")
    assert "results" not in body


@ROWS.row(
    "7.11", "holidays are a bare array", off=settings(rest_module, "json_answer", lambda d: web.json_response({}))
)
async def holidays(feed: Feed) -> None:
    async with feed.http() as http:
        _, body, _ = await http.get("/v1/marketstatus/upcoming")
    assert {"date": "2014-07-04", "exchange": "NYSE", "name": "Market holiday", "status": "closed"} in body


# Keys and errors


@ROWS.row("keys", "Bearer and apiKey", off=settings(keys=frozenset({"other", "demo-key"})))
async def both_keys(feed: Feed) -> None:
    async with feed.http() as http:
        assert (await http.get(CHAIN))[0] == 200
        assert (await http.get(f"{CHAIN}?apiKey=demo-key", headers={"Authorization": ""}))[0] == 200
        status, body, _ = await http.get(CHAIN, headers={"Authorization": "Bearer other"})
    assert (status, body["status"], body["error"]) == (401, "ERROR", "Unknown API Key")
    assert body["request_id"]


@ROWS.row("403", "not entitled", faults=[NotEntitled(documents=("trades",))], off=settings())
async def not_entitled(feed: Feed) -> None:
    async with feed.http() as http:
        for path in (f"/v3/trades/{CALL}", f"/options/v3/trades/{CALL}"):
            status, body, _ = await http.get(path)
            assert (status, body["status"]) == (403, "NOT_AUTHORIZED")
            assert body["message"].startswith("You are not entitled to this data.")
        assert (await http.get(f"/v3/quotes/{CALL}"))[0] == 200


@ROWS.row("404", "in JSON", off=settings(options=ProtocolOptions(not_found="text")))
async def not_found(feed: Feed) -> None:
    async with feed.http() as http:
        status, body, _ = await http.get(f"{CHAIN}/O:NOPE")
    assert (status, body["status"]) == (404, "NOT_FOUND")


@ROWS.row("404", "in plain text", options=ProtocolOptions(not_found="text"), off=settings())
async def not_found_text(feed: Feed) -> None:
    async with feed.http() as http:
        status, body, response = await http.get("/v1/nothing")
    assert (status, body, response.content_type) == (404, "404 page not found\n", "text/plain")


@ROWS.row("429", "paced", faults=[RateLimit(requests=2, per_s=1.0)], off=settings())
async def paced(feed: Feed) -> None:
    async with feed.http() as http:
        answers = [await http.get(CHAIN) for _ in range(3)]
        assert [status for status, _, _ in answers] == [200, 200, 429]
        assert answers[2][1]["error"].startswith("You've exceeded the maximum requests per minute")
        assert "Retry-After" not in answers[2][2].headers
        await asyncio.sleep(1.1)
        assert (await http.get(CHAIN))[0] == 200, "the pace allows it again"


@ROWS.row(
    "429",
    "with Retry-After",
    faults=[RateLimit(requests=1)],
    options=ProtocolOptions(retry_after=True),
    off=settings(faults=[RateLimit(requests=1)]),
)
async def retry_after(feed: Feed) -> None:
    async with feed.http() as http:
        await http.get(CHAIN)
        _, _, response = await http.get(CHAIN)
    assert 0 < int(response.headers["Retry-After"]) <= 60


@ROWS.row("5xx", "maybe not JSON", faults=[HttpError(share=1.0, code=502)], off=settings())
async def server_error(feed: Feed) -> None:
    async with feed.http() as http:
        status, body, _ = await http.get(CHAIN)
    assert (status, "<html>" in body) == (502, True)


@ROWS.row("5xx", "late", faults=[SlowHttp(share=1.0, by_s=0.3)], off=settings())
async def slow_http(feed: Feed) -> None:
    async with feed.http() as http:
        began = asyncio.get_running_loop().time()
        await http.get(CHAIN)
        assert asyncio.get_running_loop().time() - began >= 0.3


# Pages and limits


def url_with_key(request: web.Request, cursor: str | None) -> dict[str, str]:
    """What a server that leaks the key would do."""
    return {} if cursor is None else {"next_url": f"{request.path}?cursor={cursor}&apiKey=demo-key"}


@ROWS.row("next_url", "absolute, opaque, no key", off=settings(answers_module, "next_url", url_with_key))
async def next_url(feed: Feed) -> None:
    async with feed.http() as http:
        _, page, _ = await http.get(f"{CHAIN}?limit=1&contract_type=call")
        assert page["next_url"].startswith(f"{http.base}{CHAIN}?cursor=")
        assert "demo-key" not in page["next_url"]
        assert "call" not in page["next_url"]
        following = await http.rows(page["next_url"])
    assert [row["details"]["ticker"] for row in following] == [LISTED]


def any_limit(parameters: dict[str, str], limit_max: int, default: int = 10) -> int:
    """What a server without limits would do."""
    return int(parameters.get("limit", default))


def unlimited(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(query_module, "limit_of", any_limit)
    monkeypatch.setattr(rest_module, "limit_of", any_limit)
    return {}


@ROWS.row("limits", "400 above the maximum", off=unlimited)
async def limits(feed: Feed) -> None:
    async with feed.http() as http:
        for path, most in (
            (CHAIN, 250), ("/v3/snapshot", 250), ("/v3/snapshot/indices", 250), ("/v3/reference/conditions", 1000),
            ("/v3/reference/options/contracts", 1000), (f"/v3/trades/{CALL}", 50_000), (f"/v3/quotes/{CALL}", 50_000),
            (MINUTES.format(1), 50_000), ("/options/v1/exchanges", 999),
        ):  # fmt: skip
            status, body, _ = await http.get(f"{path}?limit={most + 1}")
            assert (status, f"between 1 and {most}" in str(body)) == (400, True), path
            assert (await http.get(f"{path}?limit={most}"))[0] == 200, path


@ROWS.row("aggregates", "limit counts base bars", off=settings(history_documents, "base_of", lambda span: "day"))
async def base_bars(feed: Feed) -> None:
    async with feed.http() as http:
        _, page, _ = await http.get(MINUTES.format(2) + "?limit=2")
        _, rest, _ = await http.get(page["next_url"])
    assert (page["queryCount"], page["resultsCount"]) == (2, 1), "two minutes make one bar of two"
    assert page["results"][0]["c"] == 100.1
    assert [bar["c"] for bar in rest["results"]] == [100.2]


def always_results(document: dict[str, Any], code: int = 200) -> web.Response:
    return web.json_response({"results": []} | document)


@ROWS.row("aggregates", "no results key when empty", off=settings(rest_past, "json_answer", always_results))
async def empty_aggregates(feed: Feed) -> None:
    async with feed.http() as http:
        _, body, _ = await http.get(f"/v2/aggs/ticker/{CALL}/range/1/day/2014-06-01/2014-06-02")
        _, before, _ = await http.get(f"/v2/aggs/ticker/{CALL}/prev")
    assert (body["resultsCount"], "results" in body, "results" in before) == (0, False, False)


# Holes


@ROWS.row("holes", "missing greeks", faults=[MissingGreeks(share=1.0)], off=settings())
async def missing_greeks(feed: Feed) -> None:
    async with feed.http() as http:
        rows = await http.rows(CHAIN)
    assert rows
    assert not any({"greeks", "implied_volatility"} & set(row) for row in rows)


@ROWS.row("holes", "empty greeks", faults=[MissingGreeks(share=1.0, how="empty")], off=settings())
async def empty_greeks(feed: Feed) -> None:
    async with feed.http() as http:
        assert [row["greeks"] for row in await http.rows(CHAIN)] == [{}, {}, {}]


@ROWS.row("holes", "an untraded day is {}", off=settings(documents, "_NO_DAY", documents._DayDocument(volume=0)))
async def untraded_day(feed: Feed) -> None:
    async with feed.http() as http:
        rows = await http.rows(CHAIN)
    assert [row["day"] == {} for row in rows] == [False, True, False]


@ROWS.row("holes", "a traded day is {}", faults=[EmptyDay(share=1.0)], off=settings())
async def empty_day(feed: Feed) -> None:
    async with feed.http() as http:
        assert [row["day"] for row in await http.rows(CHAIN)] == [{}, {}, {}]


@ROWS.row("holes", "a day in part", faults=[EmptyDay(share=1.0, how="partial")], off=settings())
async def partial_day(feed: Feed) -> None:
    async with feed.http() as http:
        day = (await http.rows(CHAIN))[0]["day"]
    assert (day["close"], "volume" in day) == (1.5, False)


@ROWS.row("holes", "no last_quote", faults=[NoLastQuote(how="null")], off=settings())
async def no_last_quote(feed: Feed) -> None:
    async with feed.http() as http:
        rows = await http.rows(CHAIN)
    assert [row["last_quote"] for row in rows if "last_quote" in row] == [None] * 3


def always_price(kind: str, spot: float) -> tuple[float | None, float | None]:
    """What a server that does not tell indices from stocks would do."""
    return spot, None


@ROWS.row("holes", "value for indices, price for stocks", off=settings(documents, "_price_and_value", always_price))
async def value_or_price(feed: Feed) -> None:
    async with feed.http() as http:
        stock = (await http.get(CHAIN))[1]["results"]
    async with feed.http(index=True) as http:
        index = (await http.get("/v3/snapshot/options/I:SPX"))[1]["results"]
    if not stock or not index:
        raise LookupError("without rows there is nothing to be seen, right or wrong")
    kinds = [{"price", "value"} & set(rows[0]["underlying_asset"]) for rows in (stock, index)]
    assert kinds == [{"price"}, {"value"}]


@ROWS.row("7.2", "an index under I: only", off=settings(Rest, "_bare", lambda _, request: bare_name(request)))
async def index_prefix(feed: Feed) -> None:
    async with feed.http(index=True) as http:
        statuses = [(await http.get(f"/v3/snapshot/options/{name}"))[0] for name in ("I:SPX", "SPX")]
    assert statuses == [200, 404]


def bare_name(request: web.Request) -> str:
    return request.match_info["underlying"].removeprefix("I:")


@ROWS.row("gzip", "for who asks", off=settings(web.StreamResponse, "enable_compression", lambda *_: None))
async def compressed(feed: Feed) -> None:
    async with feed.http() as http, aiohttp.ClientSession(auto_decompress=False) as session:
        headers = {"Authorization": "Bearer demo-key", "Accept-Encoding": "gzip"}
        async with session.get(http.base + "/v3/reference/conditions", headers=headers) as response:
            raw = await response.read()
    with contextlib.suppress(gzip.BadGzipFile):
        raw = b"gzip" + gzip.decompress(raw)
    assert raw.startswith(b"gzip")


STATEMENTS = {
    "7.1", "7.2", "7.3", "7.4", "7.5", "7.6", "7.7", "7.8", "7.9", "7.10", "7.11", "keys", "403", "404", "429", "5xx",
    "next_url", "limits", "aggregates", "holes", "gzip",
}  # fmt: skip
# How a check fails: what it asserts does not hold, or the document lacks what it reads.
RED = (AssertionError, pytest.fail.Exception, TimeoutError, KeyError, TypeError)


@pytest.mark.parametrize("row", ROWS, ids=named)
async def test_row(row: Row, tmp_path: Path) -> None:
    await holds(row, tmp_path)


@pytest.mark.parametrize("row", ROWS, ids=named)
async def test_row_is_red_without_its_behaviour(row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await is_red(row, tmp_path, monkeypatch, RED)


def test_every_statement_of_the_checklist_is_here() -> None:
    assert {row.id for row in ROWS} == STATEMENTS
    assert len({named(row) for row in ROWS}) == len(ROWS)
