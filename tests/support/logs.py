"""Logs as literals: lists of prints, chain rows and ticks in, frames out, cut however a test wants.

A log is a list of `Row`: the log's time, the lane, and the row's columns by name. `frames(rows)` makes one frame a
run of rows with the same lane and time, as a gateway would; `frames(rows, cuts)` cuts elsewhere; rows of one lane that
follow each other may share a frame whatever their times, as they do in a replay. A `Row` without columns is a
heartbeat.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from schemas.frames import (
    COLUMN_DTYPES,
    KIND_INDEX,
    KIND_STOCK,
    LANE_DEFAULTS,
    ROW_TYPES,
    Frame,
    Header,
    Lane,
    empty_rows,
)  # fmt: skip
from schemas.symbols import parse_contract, symbol_code
from services.core.calendar import Calendar, Session, ny_ns

__all__ = [
    "CALENDAR",
    "CLOSE",
    "DAY",
    "OPEN",
    "Row",
    "chain_row",
    "frames",
    "heartbeat",
    "later",
    "option",
    "stock",
    "trade",
]

# A Friday in an ordinary week, and the sessions around it.
DAY = dt.date(2025, 12, 12)
CALENDAR = Calendar(
    tuple(
        Session(day, ny_ns(day, 9, 30), ny_ns(day, 16))
        for day in (dt.date(2025, 12, 1) + dt.timedelta(days=n) for n in range(60))
        if day.weekday() < 5
    )
)
OPEN = ny_ns(DAY, 9, 30)
CLOSE = ny_ns(DAY, 16)
MS = 1_000_000

# Roots whose underlying has another name.
UNDERLYING_OF = {"SPXW": "SPX", "NDXP": "NDX", "RUTW": "RUT", "VIXW": "VIX"}


class Row(NamedTuple):
    """One row of a log; a heartbeat when `columns` is None."""

    received_ns: int
    lane: Lane
    columns: dict[str, Any] | None


def option(root: str, days: int, strike: float, right: str) -> str:
    """The ticker of an option that expires `days` after DAY.

    >>> option("SPY", 7, 650, "C")
    'O:SPY251219C00650000'
    """
    return f"O:{root}{DAY + dt.timedelta(days=days):%y%m%d}{right}{round(strike * 1000):08d}"


def _contract_columns(ticker: str) -> dict[str, Any]:
    contract = parse_contract(ticker)
    return {
        "underlying": symbol_code(UNDERLYING_OF.get(contract.root, contract.root)),
        "root": symbol_code(contract.root),
        "expiry_day": contract.expiry_day,
        "strike_mills": contract.strike_mills,
        "right": contract.right,
    }


def trade(
    at_s: float,
    ticker: str,
    price: float,
    size: int,
    *,
    exchange: int = 302,
    conditions: Sequence[int] = (209,),
    bid: float = float("nan"),
    ask: float = float("nan"),
    age_ms: float = 1.0,
    event_s: float | None = None,
) -> Row:
    """A print `at_s` seconds after the open; its exchange time is the same unless `event_s` says otherwise."""
    received_ns = OPEN + round(at_s * 1000) * MS
    quoted = bid == bid or ask == ask
    columns = {
        **_contract_columns(ticker),
        "event_ns": received_ns if event_s is None else OPEN + round(event_s * 1000) * MS,
        "price_usd": price,
        "size_contracts": size,
        "exchange": exchange,
        "condition": conditions[0] if conditions else 0,
        "condition_bits": sum(1 << (condition - 200) for condition in conditions),
        "bid_usd": bid,
        "ask_usd": ask,
        "bid_size": 10 if quoted else -1,
        "ask_size": 10 if quoted else -1,
        "quote_age_ns": round(age_ms * MS) if quoted else -1,
    }
    return Row(received_ns, Lane.TRADES, columns)


def chain_row(at_s: float, ticker: str, **columns: Any) -> Row:
    """A chain row: `bid_usd`, `ask_usd`, `iv_annual`, `delta`, `gamma`, `open_interest`, `spot_usd`, ... by name."""
    received_ns = OPEN + round(at_s * 1000) * MS
    return Row(received_ns, Lane.GREEKS, {**_contract_columns(ticker), "event_ns": received_ns, **columns})


def stock(
    at_s: float, symbol: str, price: float, *, high: float | None = None, low: float | None = None, volume: int = 100
) -> Row:
    """A one-second bar of a stock, or an index value when `volume` is 0."""
    received_ns = OPEN + round(at_s * 1000) * MS
    columns = {
        "event_ns": received_ns,
        "symbol": symbol_code(symbol),
        "kind": KIND_STOCK if volume else KIND_INDEX,
        "price_usd": price,
        "high_usd": price if high is None else high,
        "low_usd": price if low is None else low,
        "volume": volume,
    }
    return Row(received_ns, Lane.TICKS, columns)


def heartbeat(at_s: float) -> Row:
    """The log's time moves on and nothing else happens."""
    return Row(OPEN + round(at_s * 1000) * MS, Lane.TRADES, None)


def later(rows: Iterable[Row], by_ns: int) -> list[Row]:
    """The same rows, so much later."""
    return [
        Row(
            row.received_ns + by_ns,
            row.lane,
            None if row.columns is None else {**row.columns, "event_ns": row.columns["event_ns"] + by_ns},
        )
        for row in rows
    ]


def frames(rows: Iterable[Row], cuts: set[int] | None = None, *, partition: int = 0, epoch: int = 1) -> list[Frame]:
    """The log as frames of one epoch, sorted by time.

    Without `cuts`, rows of one lane and one time share a frame. With `cuts`, rows of one lane that follow each other
    share a frame unless a cut (the index of a row in time order) falls between them.
    """
    ordered = sorted(rows, key=lambda row: row.received_ns)
    made: list[Frame] = []
    group: list[Row] = []
    position = 0

    def close() -> None:
        nonlocal position
        if group:
            made.append(_frame(group, partition, epoch, len(made), position))
            position += made[-1].header.rows
            group.clear()

    for index, row in enumerate(ordered):
        if group:
            alike = row.lane == group[-1].lane and row.columns is not None and group[-1].columns is not None
            together = index not in cuts if cuts is not None else row.received_ns == group[-1].received_ns
            if not (alike and together):
                close()
        group.append(row)
    close()
    return made


def _frame(rows: list[Row], partition: int, epoch: int, seq: int, position: int) -> Frame:
    lane, last = rows[0].lane, rows[-1]
    if last.columns is None:
        return Frame(Header(lane, partition, epoch, seq, position, 0, last.received_ns), empty_rows(lane))
    arrays = [np.array([row.received_ns for row in rows], np.int64)]
    for name, dtype in COLUMN_DTYPES[lane].items():
        values = [row.columns.get(name, LANE_DEFAULTS.get(name)) for row in rows if row.columns is not None]
        arrays.append(np.array(values, dtype))
    columns = ROW_TYPES[lane](*arrays)  # type: ignore[arg-type]
    return Frame(Header(lane, partition, epoch, seq, position, len(rows), last.received_ns), columns)
