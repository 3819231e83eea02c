"""REST's past on aiohttp: what the feed has told since the stand-in started, and a tape from its open.

GET /v3/trades/{contract}, /options/v3/trades/{contract}      prints of one contract, by time
GET /v3/quotes/{contract}, /options/v3/quotes/{contract}      its quotes
GET /v2/last/trade/{contract}
GET /v2/aggs/ticker/{ticker}/range/{multiplier}/{timespan}/{from}/{to}, /v2/aggs/ticker/{ticker}/prev
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from services.core.calendar import ny_date
from standin.faults.rest_faults import RestFaults
from standin.feed.aggregates import Ticks, ticks_of_bars, ticks_of_prints, ticks_of_values
from standin.feed.source import QuoteHistory, Quotes, Source
from standin.protocol import history_documents as documents
from standin.protocol.archive import Archive
from standin.protocol.history_query import TICKS_MAX, AggregatesQuery, TicksQuery
from standin.server.answers import Answers, json_answer, next_url

__all__ = ["Handler", "HistoryRoutes"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# Quotes of a page; the seeded market makes so many again in half a second.
QUOTES_MAX = 1000


class HistoryRoutes:
    """Handlers of what has been."""

    def __init__(
        self, source: Source, archive: Archive, answers: Answers, rest_faults: RestFaults, newer_limit_max: int
    ) -> None:
        self._source, self._archive, self._answers, self._rest_faults = source, archive, answers, rest_faults
        self._newer_limit_max = newer_limit_max

    def add_routes(self, add: Callable[[str, Handler, str], None]) -> None:
        """Every route of this file by `add(path, handler, name)`; a route's name is the kind of document a plan may
        lack."""
        add("/v3/trades/{ticker}", self._trades, "trades")
        add("/v3/quotes/{ticker}", self._quotes, "quotes")
        add("/options/v3/trades/{ticker}", self._newer_trades, "trades-newer")
        add("/options/v3/quotes/{ticker}", self._newer_quotes, "quotes-newer")
        add("/v2/last/trade/{ticker}", self._last_trade, "trades-last")
        add("/v2/aggs/ticker/{ticker}/prev", self._previous, "aggregates-previous")
        add("/v2/aggs/ticker/{ticker}/range/{multiplier}/{timespan}/{from}/{to}", self._aggregates, "aggregates")

    async def _trades(self, request: web.Request) -> web.Response:
        return self._trade_page(request, TICKS_MAX, named=False)

    async def _newer_trades(self, request: web.Request) -> web.Response:
        return self._trade_page(request, self._newer_limit_max, named=True)

    async def _quotes(self, request: web.Request) -> web.Response:
        return self._quote_page(request, TICKS_MAX, named=False)

    async def _newer_quotes(self, request: web.Request) -> web.Response:
        return self._quote_page(request, self._newer_limit_max, named=True)

    def _trade_page(self, request: web.Request, limit_max: int, *, named: bool) -> web.Response:
        ticker = request.match_info["ticker"]
        query = TicksQuery.parse(request.query, self._now_ns(), limit_max)
        prints, cursor = documents.ticks_page(self._archive.trades(ticker), query)
        rows = documents.trade_rows(prints, ticker if named else None)
        return self._answers.page(request, rows, cursor)

    def _quote_page(self, request: web.Request, limit_max: int, *, named: bool) -> web.Response:
        ticker = request.match_info["ticker"]
        query = TicksQuery.parse(request.query, self._now_ns(), limit_max)
        # A page may be shorter than asked for: a seeded market has to make every quote again.
        limit = min(query.limit, QUOTES_MAX)
        quotes, cursor = documents.quotes_page(self._quotes_of(ticker, query, limit + 1), query, limit)
        rows = documents.quote_rows(quotes, ticker if named else None)
        return self._answers.page(request, rows, cursor)

    def _quotes_of(self, ticker: str, query: TicksQuery, count: int) -> Quotes:
        """What somebody had subscribed to, and what a source knows of its own past."""
        newest = query.order == "desc"
        received = documents.between(self._archive.quotes(ticker), query)
        known = Quotes.empty()
        if isinstance(self._source, QuoteHistory):
            known = self._source.quotes_of(ticker, query.first_ns, query.last_ns, count, newest=newest)
        return documents.with_received(known, received, count, newest=newest)

    async def _last_trade(self, request: web.Request) -> web.Response:
        ticker = request.match_info["ticker"]
        prints = self._archive.trades(ticker)
        if not len(prints.q):
            raise web.HTTPNotFound
        return self._answers.results(documents.last_trade(ticker, prints))

    async def _aggregates(self, request: web.Request) -> web.Response:
        query = AggregatesQuery.parse(request.match_info, request.query)
        return self._aggregates_of(request, query)

    async def _previous(self, request: web.Request) -> web.Response:
        day = ny_date(self._source.clock_ns) - dt.timedelta(days=1)
        requested = {"multiplier": "1", "timespan": "day", "from": "1970-01-02", "to": day.isoformat()}
        return self._aggregates_of(
            request, AggregatesQuery.parse(requested, {"sort": "desc", "limit": "1"}), follow=False
        )

    def _aggregates_of(self, request: web.Request, query: AggregatesQuery, *, follow: bool = True) -> web.Response:
        ticker = request.match_info["ticker"]
        page = documents.aggregates_page(self._ticks(ticker), query)
        rows = documents.aggregate_rows(page.bars)
        document: dict[str, Any] = {
            "ticker": ticker,
            "adjusted": request.query.get("adjusted", "true") != "false",
            "queryCount": page.base_bars,
            "resultsCount": len(rows),
            "count": len(rows),
            "status": self._answers.status,
            "request_id": self._answers.request_id(),
        }
        if rows:
            document["results"] = rows
        return json_answer(document | next_url(request, page.cursor if follow else None))

    def _ticks(self, ticker: str) -> Ticks:
        """What the ticker's bars are made of; nothing for one the vendor does not have."""
        if ticker.startswith("O:"):
            return ticks_of_prints(self._archive.trades(ticker))
        if ticker.startswith("I:") and self._rest_faults.has(ticker):
            return ticks_of_values(self._archive.values(ticker))
        return ticks_of_bars(self._archive.bars(ticker))

    def _now_ns(self) -> int:
        return self._source.clock_ns
