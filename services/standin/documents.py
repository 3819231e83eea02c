"""The vendor's REST documents from a source's present state: columns in, JSON-ready rows out. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from math import isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.symbols import EPOCH_ORDINAL
from services.core.calendar import NEW_YORK, Calendar
from services.standin.listing import Listing
from services.standin.source import IndexState, Source

__all__ = ["Row", "chain_rows", "contract_rows", "holiday_rows", "index_row", "market_status"]

Row = dict[str, Any]

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


def chain_rows(source: Source, rows: NDArray[np.intp]) -> list[Row]:
    """Rows of the chain snapshot. What is not known is left out, except `day`, which is then an empty object."""
    listing = source.listing
    state = source.snapshot(rows)
    columns: dict[str, list[Any]] = {name: getattr(state, name).tolist() for name in state._fields}
    return [
        _chain_row(listing, row, {name: values[at] for name, values in columns.items()})
        for at, row in enumerate(rows.tolist())
    ]


def _chain_row(listing: Listing, row: int, now: dict[str, Any]) -> Row:
    underlying = listing.underlyings[listing.underlying[row]]
    strike = int(listing.strike_mills[row]) / 1000.0
    right = int(listing.right[row])
    document: Row = {
        "day": {},
        "details": {
            "contract_type": "call" if right > 0 else "put",
            "exercise_style": underlying.exercise_style,
            "expiration_date": _iso(listing.expiry_day[row]),
            "shares_per_contract": 100,
            "strike_price": strike,
            "ticker": listing.tickers[row],
        },
        "open_interest": int(listing.open_interest[row]),
        "underlying_asset": {"ticker": underlying.wire_ticker},
    }
    has_quote, has_trade = not isnan(now["ask"]), not isnan(now["last"])
    if has_quote:
        document["last_quote"] = {
            "ask": now["ask"],
            "ask_exchange": now["ask_exchange"],
            "ask_size": now["ask_size"],
            "bid": now["bid"],
            "bid_exchange": now["bid_exchange"],
            "bid_size": now["bid_size"],
            "last_updated": now["quote_ns"],
            "midpoint": round((now["bid"] + now["ask"]) / 2, 6),
            "timeframe": "REAL-TIME",
        }
    if has_trade:
        document["last_trade"] = {
            "conditions": [now["last_condition"]],
            "exchange": now["last_exchange"],
            "price": now["last"],
            "sip_timestamp": now["last_ns"],
            "size": now["last_size"],
            "timeframe": "REAL-TIME",
        }
    if now["day_volume"] > 0:
        document["day"] = _day(now)
    if not isnan(now["iv"]):
        document["implied_volatility"] = now["iv"]
        document["greeks"] = {name: now[name] for name in ("delta", "gamma", "theta", "vega")}
    if not isnan(now["spot"]):
        asset = document["underlying_asset"]
        asset["value" if underlying.kind == "index" else "price"] = now["spot"]
        asset["last_updated"] = now["spot_ns"]
        asset["timeframe"] = "REAL-TIME"
        premium = now["last"] if has_trade else (now["bid"] + now["ask"]) / 2 if has_quote else None
        if premium is not None:
            break_even = strike + right * premium
            document["break_even_price"] = round(break_even, 6)
            asset["change_to_break_even"] = round(break_even - now["spot"], 6)
    return document


def _day(now: dict[str, Any]) -> Row:
    day: Row = {
        "close": now["last"],
        "high": now["day_high"],
        "last_updated": now["last_ns"],
        "low": now["day_low"],
        "open": now["day_open"],
        "volume": now["day_volume"],
        "vwap": round(now["day_vwap"], 4),
    }
    return day | _change(now["last"], now["previous_close"])


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
            "expiration_date": _iso(listing.expiry_day[row]),
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


def index_row(ticker: str, state: IndexState | None, *, is_open: bool) -> Row:
    """A row of `/v3/snapshot/indices`; an unknown ticker is an element with an error."""
    if state is None:
        return {"ticker": ticker, "error": "NOT_FOUND", "message": "Ticker not found."}
    row: Row = {"ticker": ticker, "name": INDEX_NAMES.get(ticker, ticker), "type": "indices"}
    row["market_status"] = "regular_trading" if is_open else "closed"
    if isnan(state.value):
        return row
    session = {"close": state.value, "high": state.high, "low": state.low, "open": state.open}
    return row | {
        "value": state.value,
        "last_updated": state.updated_ns,
        "timeframe": "REAL-TIME",
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


def _iso(expiry_day: np.int32) -> str:
    return dt.date.fromordinal(EPOCH_ORDINAL + int(expiry_day)).isoformat()
