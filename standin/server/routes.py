"""The vendor's REST on aiohttp: routes, keys, errors, snapshots and reference. What a document says is decided in
`rest_documents.py`, what goes wrong in `rest_faults.py`; trades, quotes and aggregates are in `history_routes.py`.

GET /v3/snapshot                                   stocks, options and indices together, at most 250
GET /v3/snapshot/options/{underlying}              pages of at most 250; index chains under I:SPX
GET /v3/snapshot/options/{underlying}/{contract}
GET /v3/snapshot/indices?ticker.any_of=I:SPX,I:VIX
GET /v3/reference/options/contracts[/{ticker}]
GET /v3/reference/conditions, /v3/reference/exchanges, /options/v1/exchanges
GET /v1/marketstatus/now, /v1/marketstatus/upcoming
"""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from functools import partial

import numpy as np
from aiohttp import web
from numpy.typing import NDArray

from services.core.calendar import Calendar, ny_date
from standin.faults.protocol_options import ProtocolOptions
from standin.faults.rest_faults import RestFaults
from standin.feed.reference import CONDITIONS, EXCHANGES, condition_row, exchange_row
from standin.feed.source import Source
from standin.protocol import rest_documents as documents
from standin.protocol.archive import Archive
from standin.protocol.history_documents import stock_row
from standin.protocol.rest_query import (
    BadQueryError,
    ChainQuery,
    UniversalQuery,
    limit_of,
    page_of,
    refuse_other_days,
    type_of,
    wants_expired,
)
from standin.server.answers import Answers, json_answer
from standin.server.history_routes import Handler, HistoryRoutes

__all__ = ["Rest"]

CHAIN_LIMIT_MAX = 250
CONTRACTS_LIMIT_MAX = 1000
REFERENCE_LIMIT_MAX = 1000
NEWER_EXCHANGES_LIMIT_MAX = 999
TICKERS_MAX = 250
HOLIDAY_DAYS = 365
# What a plan must have of the documents to see a ticker of a type in the universal snapshot.
PLAN_DOCUMENTS = {"options": "chain", "indices": "indices"}


class Rest:
    """The HTTP side of one source. `app()` is what a runner serves."""

    def __init__(
        self,
        source: Source,
        keys: frozenset[str],
        archive: Archive,
        options: ProtocolOptions | None = None,
        rest_faults: RestFaults | None = None,
    ) -> None:
        self._source, self._keys, self._archive = source, keys, archive
        self._rest_faults = rest_faults or RestFaults()
        self._options = options or ProtocolOptions()
        self._timeframe: documents.Timeframe = "DELAYED" if self._options.rest_delayed else "REAL-TIME"
        self._answers = Answers(self._options)
        self._past = HistoryRoutes(source, archive, self._answers, self._rest_faults, self._options.newer_limit_max)
        self._calendar, self._calendar_ends = Calendar(()), dt.date.min

    def app(self) -> web.Application:
        """An application with every route; nothing outside it is needed."""
        app = web.Application()

        # Options are put around handlers here and not as a middleware: aiohttp keeps the last thousand handlers that
        # middlewares were put around in a cache of its module, and with them every market a process ever served.
        def add(path: str, handler: Handler, name: str | None = None) -> None:
            app.router.add_get(path, partial(self._mannered, handler), name=name)

        add("/v3/snapshot", self._universal, "universal")
        add("/v3/snapshot/indices", self._indices, "indices")
        add("/v3/snapshot/options/{underlying}", self._chain, "chain")
        add("/v3/snapshot/options/{underlying}/{contract}", self._contract_snapshot, "chain-contract")
        add("/v3/reference/options/contracts", self._contracts, "contracts")
        add("/v3/reference/options/contracts/{contract}", self._contract, "contracts-one")
        add("/v3/reference/conditions", self._conditions)
        add("/v3/reference/exchanges", self._exchanges)
        add("/options/v1/exchanges", self._newer_exchanges)
        add("/v1/marketstatus/now", self._status)
        add("/v1/marketstatus/upcoming", self._holidays)
        self._past.add_routes(add)
        app.router.add_route("*", "/{anything:.*}", partial(self._mannered, self._nowhere))
        return app

    async def _mannered(self, handler: Handler, request: web.Request) -> web.StreamResponse:
        """Keys first, then what goes wrong today, then the handler and the vendor's error bodies, then compression."""
        if not self._authorized(request):
            return self._answers.error(401, status="ERROR", error="Unknown API Key")
        await asyncio.sleep(self._rest_faults.delay_s())
        # A name such as `trades-newer` is a way to the document `trades`.
        document = (request.match_info.route.name or "").partition("-")[0]
        refusal = self._rest_faults.refusal(document, time.monotonic())
        try:
            response = await handler(request) if refusal is None else self._answers.refused(refusal)
        except BadQueryError as error:
            response = self._answers.error(400, status="ERROR", error=str(error))
        except web.HTTPNotFound:
            response = self._answers.not_found()
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            response.enable_compression(web.ContentCoding.gzip)
        return response

    async def _nowhere(self, _: web.Request) -> web.Response:
        raise web.HTTPNotFound

    def _authorized(self, request: web.Request) -> bool:
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        key = bearer if scheme.lower() == "bearer" else request.query.get("apiKey", "")
        return key in self._keys

    # Snapshots

    async def _universal(self, request: web.Request) -> web.Response:
        query = UniversalQuery.parse(request.query, TICKERS_MAX)
        if query.tickers is not None:
            return self._answers.results([self._universal_row(ticker) for ticker in query.tickers])
        source = self._source
        indices = filter(self._rest_faults.has, source.index_tickers)
        kinds = {"indices": indices, "options": source.listing.tickers, "stocks": source.stock_tickers}
        tickers = [ticker for kind, them in kinds.items() if query.type in (None, kind) for ticker in them]
        chosen, cursor = query.page(tickers)
        return self._answers.page(request, [self._universal_row(ticker) for ticker in chosen], cursor)

    def _universal_row(self, ticker: str) -> documents.Row:
        source, listing = self._source, self._source.listing
        if self._rest_faults.lacks(PLAN_DOCUMENTS.get(type_of(ticker), "")):
            return documents.not_entitled_row(ticker)
        row = listing.row_of.get(ticker)
        if row is not None:
            (chain_row,) = self._chain_rows(np.array([row]))
            name = listing.underlyings[listing.underlying[row]].ticker
            return documents.universal_row(chain_row, name, is_open=source.is_open)
        if ticker in source.stock_tickers:
            return stock_row(ticker, self._archive.bars(ticker), is_open=source.is_open)
        return self._index_row(ticker)

    async def _chain(self, request: web.Request) -> web.Response:
        listing = self._source.listing
        rows = listing.slices.get(self._bare(request))
        if rows is None:
            raise web.HTTPNotFound
        page = page_of(listing, rows, ChainQuery.parse(request.query, CHAIN_LIMIT_MAX))
        return self._answers.page(request, self._chain_rows(page.rows), page.cursor)

    def _chain_rows(self, rows: NDArray[np.intp]) -> list[documents.ChainRow]:
        """Contracts as the plan shows them and the faults leave them."""
        shown = documents.chain_rows(self._source, rows, self._timeframe)
        if self._options.business:
            for row in shown:
                row.add_fair_value()
        return self._rest_faults.holed(shown)

    def _bare(self, request: web.Request) -> str:
        """The underlying's bare ticker; an index answers only under its prefix, as the vendor's does."""
        requested: str = request.match_info["underlying"]
        wire_names = {underlying.wire_ticker: underlying.ticker for underlying in self._source.listing.underlyings}
        return wire_names.get(requested, "")

    async def _contract_snapshot(self, request: web.Request) -> web.Response:
        listing = self._source.listing
        rows = listing.slices.get(self._bare(request), slice(0, 0))
        row = listing.row_of.get(request.match_info["contract"], -1)
        if not rows.start <= row < rows.stop:
            raise web.HTTPNotFound
        (found,) = self._chain_rows(np.array([row]))
        return self._answers.results(found)

    async def _indices(self, request: web.Request) -> web.Response:
        requested = request.query.get("ticker.any_of") or request.query.get("ticker")
        served = self._source.index_tickers
        tickers = requested.split(",") if requested else [ticker for ticker in served if self._rest_faults.has(ticker)]
        if len(tickers) > TICKERS_MAX:
            raise BadQueryError(f"ticker.any_of takes at most {TICKERS_MAX} tickers, not {len(tickers)}")
        # A list of tickers is answered whole; the page size matters only to a request that names none.
        limit = len(tickers) if requested else limit_of(request.query, TICKERS_MAX)
        return self._answers.results([self._index_row(ticker) for ticker in tickers[:limit]])

    def _index_row(self, ticker: str) -> documents.Row:
        state = self._source.index_state(ticker) if self._rest_faults.has(ticker) else None
        return documents.index_row(ticker, state, is_open=self._source.is_open, timeframe=self._timeframe)

    # Reference

    async def _contracts(self, request: web.Request) -> web.Response:
        listing = self._source.listing
        refuse_other_days(request.query, self._today())
        # What a market lists has not expired.
        if wants_expired(request.query):
            return self._answers.results([])
        requested = request.query.get("underlying_ticker")
        rows = slice(0, len(listing)) if requested is None else listing.slices.get(requested, slice(0, 0))
        page = page_of(listing, rows, ChainQuery.parse(request.query, CONTRACTS_LIMIT_MAX))
        return self._answers.page(request, documents.contract_rows(listing, page.rows), page.cursor)

    async def _contract(self, request: web.Request) -> web.Response:
        refuse_other_days(request.query, self._today())
        row = self._source.listing.row_of.get(request.match_info["contract"])
        if row is None:
            raise web.HTTPNotFound
        return self._answers.results(documents.contract_rows(self._source.listing, np.array([row]))[0])

    async def _conditions(self, request: web.Request) -> web.Response:
        limit = limit_of(request.query, REFERENCE_LIMIT_MAX)
        rows = [condition_row(condition) for condition in CONDITIONS] if _wants_options(request) else []
        kind = request.query.get("data_type", "trade")
        rows = [row for row in rows if kind in row["data_types"]]
        return self._answers.results(rows[:limit], count=len(rows))

    async def _exchanges(self, request: web.Request) -> web.Response:
        return self._answers.results(
            [exchange_row(exchange) for exchange in EXCHANGES] if _wants_options(request) else []
        )

    async def _newer_exchanges(self, request: web.Request) -> web.Response:
        """The newer path has ids as strings, and a limit one short."""
        limit = limit_of(request.query, NEWER_EXCHANGES_LIMIT_MAX)
        rows = [exchange_row(exchange) | {"id": str(exchange.id)} for exchange in EXCHANGES]
        return self._answers.results(rows[:limit])

    async def _status(self, request: web.Request) -> web.Response:
        return json_answer(documents.market_status(self._source.clock_ns, is_open=self._source.is_open))

    async def _holidays(self, request: web.Request) -> web.Response:
        today = self._today()
        # A market goes on for years: a day beyond what was loaded would look like a holiday.
        if today + dt.timedelta(days=HOLIDAY_DAYS) > self._calendar_ends:
            self._calendar_ends = today + dt.timedelta(days=HOLIDAY_DAYS + 30)
            self._calendar = Calendar.load(today, self._calendar_ends)
        return json_answer(list(documents.holiday_rows(self._calendar, today, HOLIDAY_DAYS)))

    def _today(self) -> dt.date:
        return ny_date(self._source.clock_ns)


def _wants_options(request: web.Request) -> bool:
    return request.query.get("asset_class", "options") == "options"
