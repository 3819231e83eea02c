"""The dialect of Massive.com over REST: response bodies to columns. Pure.

Every answer is an envelope `{"status":"OK","request_id":"...","results":[...],"next_url":"..."}`; `results` may be
absent, `next_url` is absolute and never carries the key. A row is judged on its own, as on the WebSocket.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from typing import Annotated, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta, Struct

from schemas.frames import KIND_INDEX, GreekRows, Int16
from services.gateway.decoding.contracts import ContractTable
from services.gateway.decoding.tabulate import Index, TickTable, tick_columns
from services.gateway.massive.messages import Count, Price, Reject, Shares
from services.gateway.massive.rest_body import MALFORMED, bodies, rows_of

__all__ = [
    "CHAIN_PAGE_ROWS",
    "INDEX_UNDERLYINGS",
    "ChainPage",
    "ContractPage",
    "chain_page",
    "chain_path",
    "contract_page",
    "error_text",
    "index_snapshot",
    "server_time_ns",
]

CHAIN_PAGE_ROWS = 250  # the vendor's maximum
# Their chains are asked for under the index's own ticker, `I:SPX`; the contracts reference takes the bare name.
INDEX_UNDERLYINGS = frozenset({"SPX", "XSP", "NDX", "XND", "RUT", "MRUT", "VIX", "DJX", "OEX", "XEO"})

_Ns = Annotated[int, Meta(ge=0, le=2**62)]
_Greek = Annotated[float, Meta(ge=-1e9, le=1e9)]
NAN = math.nan


class _Details(Struct, gc=False):
    ticker: str
    shares_per_contract: Annotated[float, Meta(ge=0, le=1e6)] = 100.0


class _Day(Struct, gc=False):
    volume: Shares = 0
    last_updated: _Ns | None = None


class _Greeks(Struct, gc=False):
    delta: _Greek = NAN
    gamma: _Greek = NAN
    theta: _Greek = NAN
    vega: _Greek = NAN


class _LastQuote(Struct, gc=False):
    bid: Price = NAN
    ask: Price = NAN
    bid_size: Count = -1
    ask_size: Count = -1
    last_updated: _Ns = 0


class _LastTrade(Struct, gc=False):
    sip_timestamp: _Ns = 0


class _UnderlyingAsset(Struct, gc=False):
    price: Price | None = None  # a stock's
    value: Price | None = None  # an index's
    last_updated: _Ns = 0


# {"day":{"last_updated":1765981806123000000,"volume":18422,...},
#  "details":{"contract_type":"call","exercise_style":"american","expiration_date":"2025-12-19",
#             "shares_per_contract":100,"strike_price":650,"ticker":"O:SPY251219C00650000"},
#  "greeks":{"delta":0.9132,"gamma":0.0071,"theta":-0.4112,"vega":0.0573},"implied_volatility":0.1874,
#  "last_quote":{"ask":12.42,"ask_size":17,"bid":12.38,"bid_size":41,"last_updated":1765981806119482112,...},
#  "last_trade":{"price":12.41,"sip_timestamp":1765981806123000000,...},"open_interest":10421,
#  "underlying_asset":{"last_updated":1765981806100000000,"price":662.68,"ticker":"SPY",...}}
class _ChainRow(Struct, gc=False):
    """Everything but `details` can be missing or empty: greeks deep in the money, `day` on a contract without trade,
    the quote without the entitlement, the underlying without its plan."""

    details: _Details
    day: _Day | None = None
    greeks: _Greeks | None = None
    implied_volatility: Annotated[float, Meta(ge=0, le=1e3)] | None = None
    last_quote: _LastQuote | None = None
    last_trade: _LastTrade | None = None
    open_interest: Shares | None = None
    underlying_asset: _UnderlyingAsset | None = None


class _ContractRow(Struct, gc=False):
    ticker: str
    expiration_date: str


# {"ticker":"I:VIX","value":17.04,"last_updated":1765981800000000000,...} or {"ticker":"I:NO","error":"NOT_FOUND",...}
class _IndexRow(Struct, gc=False):
    ticker: str
    value: Price | None = None
    last_updated: _Ns = 0


class _MarketStatus(Struct, rename="camel", gc=False):
    server_time: str


class _Error(Struct, gc=False):
    error: str | None = None
    message: str | None = None


class ChainPage(NamedTuple):
    """One page of a chain snapshot as columns, each row's contract id (of the table's `generation`) and partition, and
    the address of the next page."""

    rows: GreekRows
    contracts: Index
    generation: int
    partitions: Int16
    rejects: list[Reject]
    next_url: str | None

    def until(self, latest_ns: int) -> ChainPage:
        """The page without the rows that are later than `latest_ns` (exchange time); they are refused."""
        ahead = self.rows.event_ns > latest_ns
        if not np.count_nonzero(ahead):
            return self
        rejects = [Reject("time_ahead", f"chain: {time_ns} ns", b"") for time_ns in self.rows.event_ns[ahead].tolist()]
        good = np.flatnonzero(~ahead)
        return self._replace(
            rows=GreekRows(_NO_STAMP, *(column[good] for column in self.rows[1:])),  # type: ignore[arg-type]
            contracts=self.contracts[good],
            partitions=self.partitions[good],
            rejects=[*self.rejects, *rejects],
        )


class ContractPage(NamedTuple):
    """Expiry dates (`2025-12-19`) with their number of contracts on this page, and the next page."""

    expiries: dict[str, int]
    rejects: list[Reject]
    next_url: str | None


_STATUS = msgspec.json.Decoder(_MarketStatus)
_ERROR = msgspec.json.Decoder(_Error)
_CHAIN, _CONTRACTS, _INDICES = (
    bodies("chain", _ChainRow),
    bodies("contracts", _ContractRow),
    bodies("indices", _IndexRow),
)
_NO_STAMP = np.empty(0, np.int64)


def chain_path(underlying: str) -> str:
    """The path of an underlying's chain snapshot.

    >>> chain_path("SPX"), chain_path("SPY")
    ('/v3/snapshot/options/I:SPX', '/v3/snapshot/options/SPY')
    """
    return f"/v3/snapshot/options/{'I:' if underlying in INDEX_UNDERLYINGS else ''}{underlying}"


def error_text(body: bytes) -> str:
    """What an error body says in `error` or `message`, or its first bytes when it is no JSON."""
    try:
        document = _ERROR.decode(body)
    except MALFORMED:
        return body[:120].decode("utf-8", "replace")
    return document.error or document.message or "no reason given"


def chain_page(body: bytes, contracts: ContractTable, now_ns: int, day_start_ns: int) -> ChainPage:
    """A page of the chain snapshot as columns.

    `now_ns` stands in where a row carries no time of its own; `day_start_ns` is midnight in New York, because a `day`
    bar from before is not today's volume: it is then 0.
    """
    decoded, rejects, next_url = rows_of(body, _CHAIN)
    rows: list[_ChainRow] = []
    ids: list[int] = []
    for row in decoded:
        contract = contracts.id_of(row.details.ticker)
        if contract < 0:
            rejects.append(Reject("bad_ticker", f"chain: {row.details.ticker[:40]!r}", b""))
        else:
            rows.append(row)
            ids.append(contract)
    at = np.array(ids, np.intp)
    quote = [row.last_quote or _NO_QUOTE for row in rows]
    greeks = [row.greeks or _NO_GREEKS for row in rows]
    columns = GreekRows(
        _NO_STAMP,
        np.array([_time_ns(row, now_ns) for row in rows], np.int64),
        contracts.underlying.take(at),
        contracts.root.take(at),
        contracts.expiry_day.take(at),
        contracts.strike_mills.take(at),
        contracts.right.take(at),
        np.array([row.details.shares_per_contract for row in rows], np.float64).astype(np.int32),
        np.array([q.bid for q in quote], np.float64),
        np.array([q.ask for q in quote], np.float64),
        np.array([q.bid_size for q in quote], np.int32),
        np.array([q.ask_size for q in quote], np.int32),
        np.array([_known(row.implied_volatility) for row in rows], np.float64),
        np.array([g.delta for g in greeks], np.float64),
        np.array([g.gamma for g in greeks], np.float64),
        np.array([g.theta for g in greeks], np.float64),
        np.array([g.vega for g in greeks], np.float64),
        np.array([-1 if row.open_interest is None else row.open_interest for row in rows], np.int64),
        np.array([_day_volume(row.day, day_start_ns) for row in rows], np.int64),
        np.array([_spot_usd(row.underlying_asset) for row in rows], np.float64),
    )
    return ChainPage(columns, at, contracts.generation, contracts.partition.take(at), rejects, next_url)


_NO_QUOTE, _NO_GREEKS = _LastQuote(), _Greeks()


def _time_ns(row: _ChainRow, now_ns: int) -> int:
    """The freshest time the row carries: it is what the row was made from last."""
    newest = 0
    if row.last_quote is not None:
        newest = row.last_quote.last_updated
    if row.last_trade is not None:
        newest = max(newest, row.last_trade.sip_timestamp)
    if row.underlying_asset is not None:
        newest = max(newest, row.underlying_asset.last_updated)
    return newest or now_ns


def _known(value: float | None) -> float:
    return NAN if value is None else value


def _day_volume(day: _Day | None, day_start_ns: int) -> int:
    if day is None:
        return -1
    return 0 if day.last_updated is not None and day.last_updated < day_start_ns else day.volume


def _spot_usd(asset: _UnderlyingAsset | None) -> float:
    if asset is None:
        return NAN
    return _known(asset.price if asset.price is not None else asset.value)


# {"market":"open","serverTime":"2025-12-17T09:30:06-05:00",...}
def server_time_ns(body: bytes) -> int:
    """The vendor's clock in `/v1/marketstatus/now`, whole seconds; 0 when the body does not tell."""
    try:
        stamp = dt.datetime.fromisoformat(_STATUS.decode(body).server_time)
    except MALFORMED:
        return 0
    return int(stamp.timestamp()) * 1_000_000_000 if stamp.tzinfo is not None else 0


def contract_page(body: bytes) -> ContractPage:
    """A page of the contracts reference: only its expiries matter here."""
    rows, rejects, next_url = rows_of(body, _CONTRACTS)
    expiries: dict[str, int] = {}
    for row in rows:
        expiries[row.expiration_date] = expiries.get(row.expiration_date, 0) + 1
    return ContractPage(expiries, rejects, next_url)


def index_snapshot(
    body: bytes, now_ns: int, latest_ns: int, place: Callable[[str], tuple[int, int] | None]
) -> TickTable:
    """The indices snapshot as ticks; `place(ticker)` gives a ticker's (symbol code, partition) or None.

    `now_ns` stands in where a row carries no time of its own; one later than `latest_ns` is refused. A ticker the
    vendor does not know or the plan does not cover has no value and makes no row.
    """
    rows, rejects, _ = rows_of(body, _INDICES)
    table = []
    for row in rows:
        found = place(row.ticker)
        event_ns = row.last_updated or now_ns
        if event_ns > latest_ns:
            rejects.append(Reject("time_ahead", f"indices: {row.ticker[:40]!r}", b""))
        elif row.value is not None and found is not None:
            table.append((event_ns, *found, KIND_INDEX, row.value, row.value, row.value, 0))
    return TickTable(*tick_columns(table), rejects)
