"""The prints of one contract over REST, as they are asked for to fill a gap. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, NamedTuple

from msgspec import Meta, Struct

from services.gateway.massive.messages import Code, Contracts, Price, Reject, Sequence, Trade
from services.gateway.massive.rest_body import bodies, rows_of

__all__ = ["TRADES_LIMIT", "TradePage", "trade_page", "trades_path", "trades_query"]

TRADES_LIMIT = 50_000  # the vendor's maximum: one request is enough for any gap of any contract but the busiest
MS = 1_000_000
# 2000-01-01 to 2100-01-01, as on the WebSocket.
_Nanoseconds = Annotated[int, Meta(ge=946_684_800_000 * MS, le=4_102_444_800_000 * MS)]


# {"conditions":[219],"exchange":302,"price":12.41,"sequence_number":1844730912,"sip_timestamp":1765981806123000000,
#  "size":25}
class _TradeRow(Struct, gc=False):
    price: Price
    size: Contracts
    sip_timestamp: _Nanoseconds
    exchange: Code = 0
    conditions: tuple[Code, ...] | None = ()
    sequence_number: Sequence = 0


class TradePage(NamedTuple):
    """Prints of one contract as the socket would have sent them, what was malformed, and the next page's address."""

    trades: list[Trade]
    rejects: list[Reject]
    next_url: str | None


_TRADES = bodies("trades", _TradeRow)


def trades_path(ticker: str) -> str:
    """The path of a contract's prints.

    >>> trades_path("O:SPY251219C00650000")
    '/v3/trades/O:SPY251219C00650000'
    """
    return f"/v3/trades/{ticker}"


def trades_query(from_ns: int, to_ns: int) -> Mapping[str, str]:
    """Prints from `from_ns` to `to_ns`, both included, the oldest first."""
    return {
        "timestamp.gte": str(from_ns),
        "timestamp.lte": str(to_ns),
        "order": "asc",
        "sort": "timestamp",
        "limit": str(TRADES_LIMIT),
    }


def trade_page(body: bytes, ticker: str) -> TradePage:
    """The prints of a body. Times lose what lies below the millisecond: the socket knows no finer ones."""
    rows, rejects, next_url = rows_of(body, _TRADES)
    trades = [
        Trade(
            sym=ticker,
            p=row.price,
            s=row.size,
            t=row.sip_timestamp // MS,
            x=row.exchange,
            c=row.conditions,
            q=row.sequence_number,
        )
        for row in rows
    ]
    return TradePage(trades, rejects, next_url)
