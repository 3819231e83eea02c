"""The vendor's REST documents from a source's present state: columns in, JSON-ready rows out. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from functools import lru_cache
from math import isnan
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.symbols import EPOCH_ORDINAL
from services.core.calendar import NEW_YORK, Calendar
from standin.feed.listing import Kind, Listing
from standin.feed.source import IndexState, Snapshot, Source

__all__ = [
    "ChainRow",
    "Row",
    "Timeframe",
    "chain_rows",
    "contract_rows",
    "emptied_day",
    "emptied_greeks",
    "holiday_rows",
    "index_row",
    "market_status",
    "not_entitled_row",
    "universal_row",
]

Row = dict[str, Any]
Timeframe = Literal["REAL-TIME", "DELAYED"]

INDEX_NAMES = {
    "I:SPX": "S&P 500 Index",
    "I:NDX": "Nasdaq-100 Index",
    "I:RUT": "Russell 2000 Index",
    "I:VIX": "Cboe Volatility Index",
    "I:VIX1D": "Cboe 1-Day Volatility Index",
    "I:VIX9D": "Cboe S&P 500 9-Day Volatility Index",
    "I:VIX3M": "Cboe S&P 500 3-Month Volatility Index",
    "I:VIX6M": "Cboe S&P 500 6-Month Volatility Index",
    "I:VIX1Y": "Cboe S&P 500 1-Year Volatility Index",
    "I:VVIX": "Cboe VIX of VIX Index",
}


class _DetailsDocument(msgspec.Struct, gc=False):
    contract_type: str
    exercise_style: str
    expiration_date: str
    shares_per_contract: int
    strike_price: float
    ticker: str


class _GreeksDocument(msgspec.Struct, gc=False, omit_defaults=True):
    delta: float | None = None
    gamma: float | None = None
    theta: float | None = None
    vega: float | None = None


class _LastQuoteDocument(msgspec.Struct, gc=False):
    ask: float
    ask_exchange: int
    ask_size: int
    bid: float
    bid_exchange: int
    bid_size: int
    last_updated: int
    midpoint: float
    timeframe: Timeframe


class _LastTradeDocument(msgspec.Struct, gc=False):
    conditions: tuple[int]
    exchange: int
    price: float
    sip_timestamp: int
    size: int
    timeframe: Timeframe


class _DayDocument(msgspec.Struct, gc=False, omit_defaults=True):
    close: float | None = None
    high: float | None = None
    last_updated: int | None = None
    low: float | None = None
    open: float | None = None
    volume: int | None = None
    vwap: float | None = None
    change: float | None = None
    change_percent: float | None = None
    previous_close: float | None = None


class _Asset(msgspec.Struct, gc=False, omit_defaults=True):
    ticker: str
    price: float | None = None
    value: float | None = None
    change_to_break_even: float | None = None
    last_updated: int | None = None
    timeframe: Timeframe | None = None


class ChainRow(msgspec.Struct, gc=False, omit_defaults=True):
    """A row of the chain snapshot (spec/vendor.md 7.2). `day` is always there, empty for a contract without a trade."""

    details: _DetailsDocument
    open_interest: int
    underlying_asset: _Asset
    day: _DayDocument
    break_even_price: float | None = None
    greeks: _GreeksDocument | None = None
    implied_volatility: float | None = None
    last_quote: _LastQuoteDocument | msgspec.UnsetType | None = msgspec.UNSET
    last_trade: _LastTradeDocument | None = None
    fmv: float | None = None
    fmv_last_updated: int | None = None

    def add_fair_value(self) -> None:
        """Say the fair value, as to a business plan: the middle of the quote, as on the WebSocket."""
        quote = self.last_quote
        if isinstance(quote, _LastQuoteDocument):
            self.fmv, self.fmv_last_updated = round((quote.bid + quote.ask) / 2, 4), quote.last_updated

    def drop_quote(self, how: Literal["absent", "null"]) -> None:
        """Leave the quote out, or say that there is none."""
        self.last_quote = msgspec.UNSET if how == "absent" else None


_NO_DAY = _DayDocument()


def emptied_greeks(how: Literal["absent", "empty"]) -> _GreeksDocument | None:
    """What stands in the place of greeks that are not there."""
    return None if how == "absent" else _GreeksDocument()


def emptied_day(day: _DayDocument, how: Literal["empty", "partial"]) -> _DayDocument:
    """The day without its fields, or without those that say how much was traded."""
    return _NO_DAY if how == "empty" else msgspec.structs.replace(day, volume=None, vwap=None)


def chain_rows(source: Source, rows: NDArray[np.intp], timeframe: Timeframe = "REAL-TIME") -> list[ChainRow]:
    """Rows of the chain snapshot; what is not known is left out."""
    state = _published(source.snapshot(rows))
    now = (_Now(*values) for values in zip(*(column.tolist() for column in state), strict=True))
    return [_chain_row(source.listing, row, state, timeframe) for row, state in zip(rows.tolist(), now, strict=True)]


def _published(state: Snapshot) -> Snapshot:
    """The state at the precision it is published with: eight decimals (gamma ten), which no last bit reaches."""
    return state._replace(
        iv=np.round(state.iv, 8),
        delta=np.round(state.delta, 8),
        gamma=np.round(state.gamma, 10),
        theta=np.round(state.theta, 8),
        vega=np.round(state.vega, 8),
        day_vwap=np.round(state.day_vwap, 4),
    )


class _Now(NamedTuple):
    """One row of a Snapshot, as plain numbers."""

    bid: float
    ask: float
    bid_size: int
    ask_size: int
    bid_exchange: int
    ask_exchange: int
    quote_ns: int
    last: float
    last_size: int
    last_exchange: int
    last_condition: int
    last_ns: int
    day_open: float
    day_high: float
    day_low: float
    day_volume: int
    day_vwap: float
    previous_close: float
    iv: float
    delta: float
    gamma: float
    theta: float
    vega: float
    spot: float
    spot_ns: int


def _chain_row(listing: Listing, row: int, now: _Now, timeframe: Timeframe) -> ChainRow:
    underlying = listing.underlyings[listing.underlying[row]]
    strike, right = int(listing.strike_mills[row]) / 1000.0, int(listing.right[row])
    middle = round((now.bid + now.ask) / 2, 6)
    asset = _Asset(underlying.wire_ticker)
    document = ChainRow(
        _DetailsDocument(
            "call" if right > 0 else "put",
            underlying.exercise_style,
            _iso(int(listing.expiry_day[row])),
            100,
            strike,
            listing.tickers[row],
        ),
        int(listing.open_interest[row]),
        asset,
        _day(now) if now.day_volume > 0 else _NO_DAY,
    )
    if not isnan(now.ask):
        document.last_quote = _LastQuoteDocument(
            now.ask, now.ask_exchange, now.ask_size, now.bid, now.bid_exchange, now.bid_size, now.quote_ns, middle,
            timeframe,
        )  # fmt: skip
    if not isnan(now.last):
        document.last_trade = _LastTradeDocument(
            (now.last_condition,), now.last_exchange, now.last, now.last_ns, now.last_size, timeframe
        )
    if not isnan(now.iv):
        document.implied_volatility = now.iv
        document.greeks = _GreeksDocument(now.delta, now.gamma, now.theta, now.vega)
    if not isnan(now.spot):
        asset.price, asset.value = _price_and_value(underlying.kind, now.spot)
        asset.last_updated, asset.timeframe = now.spot_ns, timeframe
        premium = middle if isnan(now.last) else now.last
        if not isnan(premium):
            document.break_even_price = round(strike + right * premium, 6)
            asset.change_to_break_even = round(document.break_even_price - now.spot, 6)
    return document


def _price_and_value(kind: Kind, spot: float) -> tuple[float | None, float | None]:
    """A stock has a price, an index a value."""
    return (None, spot) if kind == "index" else (spot, None)


def _day(now: _Now) -> _DayDocument:
    day = _DayDocument(
        close=now.last,
        high=now.day_high,
        last_updated=now.last_ns,
        low=now.day_low,
        open=now.day_open,
        volume=now.day_volume,
        vwap=now.day_vwap,
    )
    if now.previous_close > 0:
        day.change = round(now.last - now.previous_close, 4)
        day.change_percent = round(100 * (now.last / now.previous_close - 1), 4)
        day.previous_close = now.previous_close
    return day


def universal_row(row: ChainRow, name: str, *, is_open: bool) -> Row:
    """An option's row of the universal snapshot: `session` stands in place of `day`, the ticker at the top."""
    document: Row = msgspec.to_builtins(row)
    details = document.pop("details")
    return {
        "ticker": details.pop("ticker"),
        "type": "options",
        "name": f"{name} ${details['strike_price']:g} {details['contract_type']}",
        "market_status": "open" if is_open else "closed",
        "session": {key: value for key, value in document.pop("day").items() if key in SESSION_KEYS},
        "details": details,
        **document,
    }


SESSION_KEYS = frozenset({"change", "change_percent", "close", "high", "low", "open", "previous_close", "volume"})


def _change(value: float, previous_close: float) -> Row:
    if isnan(previous_close) or isnan(value) or previous_close <= 0:
        return {}
    return {
        "change": round(value - previous_close, 4),
        "change_percent": round(100 * (value / previous_close - 1), 4),
        "previous_close": previous_close,
    }


def contract_rows(listing: Listing, rows: NDArray[np.intp]) -> list[Row]:
    """Rows of `/v3/reference/options/contracts`. The vendor gives the underlying without `I:` here."""
    return [
        {
            # ISO 10962: option, call or put, American or European, on a stock or index, physical or cash, standardised.
            "cfi": _cfi(listing, row),
            "contract_type": "call" if listing.right[row] > 0 else "put",
            "exercise_style": listing.underlyings[listing.underlying[row]].exercise_style,
            "expiration_date": _iso(int(listing.expiry_day[row])),
            "primary_exchange": "XCBO" if listing.underlyings[listing.underlying[row]].kind == "index" else "BATO",
            "shares_per_contract": 100,
            "strike_price": int(listing.strike_mills[row]) / 1000.0,
            "ticker": listing.tickers[row],
            "underlying_ticker": listing.underlyings[listing.underlying[row]].ticker,
        }
        for row in rows.tolist()
    ]


def _cfi(listing: Listing, row: int) -> str:
    is_index = listing.underlyings[listing.underlying[row]].kind == "index"
    return "O" + ("C" if listing.right[row] > 0 else "P") + ("EICS" if is_index else "ASPS")


def not_found_row(ticker: str) -> Row:
    """What stands in the place of a ticker that nobody knows."""
    return {"ticker": ticker, "error": "NOT_FOUND", "message": "Ticker not found."}


def not_entitled_row(ticker: str) -> Row:
    """What stands in the place of a ticker whose kind the plan lacks."""
    return {"ticker": ticker, "error": "NOT_ENTITLED", "message": "Not entitled to this ticker."}


def index_row(ticker: str, state: IndexState | None, *, is_open: bool, timeframe: Timeframe = "REAL-TIME") -> Row:
    """A row of `/v3/snapshot/indices`; an unknown ticker is an element with an error."""
    if state is None:
        return not_found_row(ticker)
    row: Row = {"ticker": ticker, "name": INDEX_NAMES.get(ticker, ticker), "type": "indices"}
    row["market_status"] = "regular_trading" if is_open else "closed"
    if isnan(state.value):
        return row
    session = {"close": state.value, "high": state.high, "low": state.low, "open": state.open}
    return row | {
        "value": state.value,
        "last_updated": state.updated_ns,
        "timeframe": timeframe,
        "session": session | _change(state.value, state.previous_close),
    }


def market_status(now_ns: int, *, is_open: bool) -> Row:
    """`/v1/marketstatus/now`, without an envelope."""
    word = "open" if is_open else "closed"
    stamp = dt.datetime.fromtimestamp(now_ns // 1_000_000_000, NEW_YORK)
    return {
        "afterHours": False,
        "earlyHours": False,
        "market": word,
        "serverTime": stamp.isoformat(),
        "exchanges": dict.fromkeys(("nasdaq", "nyse", "otc"), word),
        "currencies": {"crypto": "open", "fx": "open"},
        "indicesGroups": dict.fromkeys(("s_and_p", "cgi", "dow_jones", "ftse_russell", "msci", "nasdaq", "cccy"), word),
    }


def holiday_rows(calendar: Calendar, today: dt.date, days: int) -> Iterable[Row]:
    """Rows of `/v1/marketstatus/upcoming`: weekdays without a session and half days, one row an exchange."""
    for ahead in range(1, days + 1):
        day = today + dt.timedelta(days=ahead)
        session = calendar.session_on(day)
        if day.weekday() >= 5 or (session is not None and session.minutes >= FULL_SESSION_MINUTES):
            continue
        row: Row = {"date": day.isoformat(), "name": "Market holiday", "status": "closed"}
        if session is not None:
            row |= {"name": "Half day", "status": "early-close"}
            row |= {"open": _utc(session.open_ns), "close": _utc(session.close_ns)}
        for exchange in ("NYSE", "NASDAQ", "OTC"):
            yield row | {"exchange": exchange}


FULL_SESSION_MINUTES = 390


def _utc(time_ns: int) -> str:
    return f"{dt.datetime.fromtimestamp(time_ns // 1_000_000_000, dt.UTC):%Y-%m-%dT%H:%M:%S}.000Z"


@lru_cache(maxsize=4096)  # ten years of days
def _iso(expiry_day: int) -> str:
    return dt.date.fromordinal(EPOCH_ORDINAL + expiry_day).isoformat()
