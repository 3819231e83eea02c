"""Crafted logs: each makes one detector speak, and names what a near miss would change.

Minutes are counted from the open of `tests.support.logs.DAY`. Prices wander by a fixed recipe, not by chance, so that a
log is the same everywhere.
"""

from __future__ import annotations

import math

from tests.support.logs import Row, chain_row, heartbeat, option, stock, trade

__all__ = ["everything", "quiet_prints", "steady_price", "sweep", "sweeps", "unusual", "wall", "wall_path"]

SWEPT, UNUSUAL, WALLED = "ABC", "XYZ", "WAL"


def steady_price(symbol: str, price: float, until_s: int, every_s: int = 5, volume: int = 100) -> list[Row]:
    """A price that hums around a level, so that ranges exist."""
    return [
        stock(second, symbol, price * (1 + 0.001 * math.sin(second / 40)), volume=volume)
        for second in range(1, until_s, every_s)
    ]


def quiet_prints(ticker: str, count: int, start_s: float = 5.0, every_s: float = 2.0) -> list[Row]:
    """One-lots bought and sold in turn inside a standing quote of 2.00 at 2.10: a warm-up, and no signal."""
    return [
        trade(start_s + every_s * n, ticker, 2.1 if n % 2 else 2.0, 1, bid=2.0, ask=2.1, exchange=302 + n % 3)
        for n in range(count)
    ]


def sweep(
    at_s: float,
    ticker: str,
    *,
    prints: int = 5,
    size: int = 200,
    price: float = 2.1,
    bid: float = 2.0,
    ask: float = 2.1,
    conditions: tuple[int, ...] = (219,),
    gap_s: float = 0.03,
    first_exchange: int = 301,
    venues: int = 5,
) -> list[Row]:
    """Prints of one order over several venues; the defaults are worth $210k, bought at the ask."""
    return [
        trade(
            at_s + gap_s * n, ticker, price, size, exchange=first_exchange + n % venues, conditions=conditions, bid=bid,
            ask=ask,
        )
        for n in range(prints)
    ]  # fmt: skip


def sweeps(symbol: str = SWEPT, *, gap_s: float = 60.0, warm: int = 60, days: int = 20, **how: object) -> list[Row]:
    """Two call sweeps within ten minutes, after enough prints: `sweep_confirmation` LONG at the second."""
    call = option(symbol, days, 100, "C")
    rows = [
        chain_row(0.5, call, bid_usd=2.0, ask_usd=2.1, delta=0.5, open_interest=90_000, spot_usd=100.0, iv_annual=0.3)
    ]
    rows += steady_price(symbol, 100.0, 600) + quiet_prints(call, warm)
    rows += sweep(300, call, **how) + sweep(300 + gap_s, call, **how)  # type: ignore[arg-type]
    # Prints of another contract all around, so that clusters end and minutes turn inside a run of prints.
    other = option(symbol, 20, 110, "C")
    rows += quiet_prints(other, 280, start_s=gap_s + 236.1, every_s=0.25)
    return [*rows, heartbeat(1200)]


def unusual(
    symbol: str = UNUSUAL, *, open_interest: int = 200, price: float = 2.1, size: int = 50, count: int = 20
) -> list[Row]:
    """A call bought print by print, five times its open interest: `unusual_activity` LONG at the minute's end."""
    call = option(symbol, 20, 100, "C")
    rows = [
        chain_row(
            0.5, call, bid_usd=2.0, ask_usd=2.1, delta=0.5, open_interest=open_interest, spot_usd=100.0, iv_annual=0.3
        )
    ]
    rows += steady_price(symbol, 100.0, 600) + quiet_prints(call, 60)
    rows += [trade(301 + 2 * n, call, price, size, bid=2.0, ask=2.1, exchange=302 + n % 4) for n in range(count)]
    return [*rows, heartbeat(1200)]


def wall_path(minute: float) -> float:
    """From 100 down to a put wall at 95 in three quarters of an hour, a touch, and up again."""
    if minute < 20:
        return 100.0 - 0.05 * minute
    if minute < 51:
        return 99.0 - 3.9 * (minute - 20) / 31
    return min(97.0, 95.1 + 0.25 * (minute - 51))


def wall(
    symbol: str = WALLED, *, bounce: bool = True, put_interest: int = 40_000, minutes: int = 75, lower: float = 0.0
) -> list[Row]:
    """A stable put wall at 95, touched at 10:20 and left upwards: `put_wall_support` LONG.

    Ticks are `lower` than the path.
    """
    rows: list[Row] = []
    chain = [(strike, right) for strike in range(88, 111) for right in "CP"]
    for minute in range(0, minutes, 5):
        spot = wall_path(minute)
        for strike, right in chain:
            interest = {(95, "P"): put_interest, (105, "C"): 60_000}.get((strike, right), 1_500)
            rows.append(
                chain_row(
                    60 * minute + 2,
                    option(symbol, 14, strike, right),
                    bid_usd=1.0,
                    ask_usd=1.1,
                    iv_annual=0.3,
                    delta=0.4 if right == "C" else -0.4,
                    open_interest=interest,
                    spot_usd=spot,
                )
            )
    for second in range(1, 60 * minutes, 5):
        level = wall_path(second / 60) - lower
        if not bounce and second > 51 * 60:
            level = 95.1 - 0.05 * (second / 60 - 51)
        rows.append(stock(second, symbol, level * (1 + 0.0006 * math.sin(second / 30)), volume=500))
    return [*rows, heartbeat(60 * minutes + 120)]


def everything() -> list[Row]:
    """All of them in one log, on three underlyings."""
    return sweeps() + unusual() + wall()
