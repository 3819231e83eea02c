"""The vendor's REST on aiohttp: routes, keys, errors, pages. What a document says is decided in `documents.py`.

GET /v3/snapshot/options/{underlying}              pages of at most 250; index chains under I:SPX
GET /v3/snapshot/options/{underlying}/{contract}
GET /v3/snapshot/indices?ticker.any_of=I:SPX,I:VIX
GET /v3/reference/options/contracts[/{ticker}]
GET /v3/reference/conditions, /v3/reference/exchanges
GET /v1/marketstatus/now, /v1/marketstatus/upcoming
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec
import numpy as np
from aiohttp import web

from services.core.calendar import Calendar, ny_date
from services.standin import documents
from services.standin.query import BadQueryError, ChainQuery, Page, limit_of, page_of
from services.standin.reference import CONDITIONS, EXCHANGES, condition_row, exchange_row
from services.standin.source import Source

__all__ = ["Rest"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

CHAIN_LIMIT_MAX = 250
CONTRACTS_LIMIT_MAX = 1000
REFERENCE_LIMIT_MAX = 1000
TICKERS_MAX = 250
HOLIDAY_DAYS = 365


class Rest:
    """The HTTP side of one source. `app()` is what a runner serves."""

    def __init__(self, source: Source, keys: frozenset[str]) -> None:
        self._source = source
        self._keys = keys
        self._requests = itertools.count(1)
        self._calendar: Calendar | None = None

    def app(self) -> web.Application:
        """An application with every route; nothing outside it is needed."""
        app = web.Application(middlewares=[self._manners])
        app.router.add_get("/v3/snapshot/options/{underlying}", self._chain)
        app.router.add_get("/v3/snapshot/options/{underlying}/{contract}", self._contract_snapshot)
        app.router.add_get("/v3/snapshot/indices", self._indices)
        app.router.add_get("/v3/reference/options/contracts", self._contracts)
        app.router.add_get("/v3/reference/options/contracts/{contract}", self._contract)
        app.router.add_get("/v3/reference/conditions", self._conditions)
        app.router.add_get("/v3/reference/exchanges", self._exchanges)
        app.router.add_get("/v1/marketstatus/now", self._status)
        app.router.add_get("/v1/marketstatus/upcoming", self._holidays)
        return app

    @web.middleware
    async def _manners(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Keys first, then the vendor's error bodies for whatever a handler raises, then compression."""
        if not self._knows(request):
            return self._error(401, status="ERROR", error="Unknown API Key")
        try:
            response = await handler(request)
        except BadQueryError as error:
            response = self._error(400, status="ERROR", error=str(error))
        except web.HTTPNotFound:
            response = self._error(404, status="NOT_FOUND", message="Not found.")
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            response.enable_compression(web.ContentCoding.gzip)
        return response

    def _knows(self, request: web.Request) -> bool:
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        key = bearer if scheme.lower() == "bearer" else request.query.get("apiKey", "")
        return key in self._keys

    async def _chain(self, request: web.Request) -> web.Response:
        listing = self._source.listing
        rows = listing.slices.get(self._bare(request))
        if rows is None:
            raise web.HTTPNotFound
        page = page_of(listing, rows, ChainQuery.parse(request.query, CHAIN_LIMIT_MAX))
        return self._page(request, documents.chain_rows(self._source, page.rows), page)

    def _bare(self, request: web.Request) -> str:
        """The underlying's bare ticker; an index answers only under its prefix, as the vendor's does."""
        asked: str = request.match_info["underlying"]
        wire_names = {underlying.wire_ticker: underlying.ticker for underlying in self._source.listing.underlyings}
        return wire_names.get(asked, "")

    async def _contract_snapshot(self, request: web.Request) -> web.Response:
        listing = self._source.listing
        rows = listing.slices.get(self._bare(request), slice(0, 0))
        row = listing.row_of.get(request.match_info["contract"], -1)
        if not rows.start <= row < rows.stop:
            raise web.HTTPNotFound
        return self._results(documents.chain_rows(self._source, np.array([row]))[0])

    async def _indices(self, request: web.Request) -> web.Response:
        asked = request.query.get("ticker.any_of") or request.query.get("ticker")
        tickers = asked.split(",") if asked else list(self._source.index_tickers)
        if len(tickers) > TICKERS_MAX:
            raise BadQueryError(f"ticker.any_of takes at most {TICKERS_MAX} tickers, not {len(tickers)}")
        # A list of tickers is answered whole; the page size matters only to a request that names none.
        limit = len(tickers) if asked else limit_of(request.query, TICKERS_MAX)
        source = self._source
        return self._results(
            [documents.index_row(t, source.index_state(t), is_open=source.is_open) for t in tickers[:limit]]
        )

    async def _contracts(self, request: web.Request) -> web.Response:
        listing = self._source.listing
        asked = request.query.get("underlying_ticker")
        rows = slice(0, len(listing)) if asked is None else listing.slices.get(asked, slice(0, 0))
        page = page_of(listing, rows, ChainQuery.parse(request.query, CONTRACTS_LIMIT_MAX))
        return self._page(request, documents.contract_rows(listing, page.rows), page)

    async def _contract(self, request: web.Request) -> web.Response:
        row = self._source.listing.row_of.get(request.match_info["contract"])
        if row is None:
            raise web.HTTPNotFound
        return self._results(documents.contract_rows(self._source.listing, np.array([row]))[0])

    async def _conditions(self, request: web.Request) -> web.Response:
        limit = limit_of(request.query, REFERENCE_LIMIT_MAX)
        rows = [condition_row(condition) for condition in CONDITIONS] if _asks_options(request) else []
        return self._results(rows[:limit], count=len(rows))

    async def _exchanges(self, request: web.Request) -> web.Response:
        return self._results([exchange_row(exchange) for exchange in EXCHANGES] if _asks_options(request) else [])

    async def _status(self, request: web.Request) -> web.Response:
        return _json(documents.market_status(self._source.clock_ns, is_open=self._source.is_open))

    async def _holidays(self, request: web.Request) -> web.Response:
        today = ny_date(self._source.clock_ns)
        if self._calendar is None:
            self._calendar = Calendar.load(today, today + dt.timedelta(days=HOLIDAY_DAYS + 30))
        return _json(list(documents.holiday_rows(self._calendar, today, HOLIDAY_DAYS)))

    def _page(self, request: web.Request, rows: Sequence[object], page: Page) -> web.Response:
        envelope = {} if page.cursor is None else {"next_url": _next_url(request, page.cursor)}
        return self._results(rows, **envelope)

    def _results(self, results: object, **envelope: object) -> web.Response:
        return _json({"status": "OK", "request_id": self._request_id(), "results": results} | envelope)

    def _error(self, code: int, **body: str) -> web.Response:
        return _json({"request_id": self._request_id(), **body}, code)

    def _request_id(self) -> str:
        return f"{next(self._requests):032x}"


def _asks_options(request: web.Request) -> bool:
    return request.query.get("asset_class", "options") == "options"


def _next_url(request: web.Request, cursor: str) -> str:
    """Absolute, on the origin the client used, with the opaque cursor and never with the key."""
    return f"{request.url.origin()}{request.rel_url.raw_path}?{urlencode({'cursor': cursor})}"


def _json(document: Any, code: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(document), status=code, content_type="application/json")
