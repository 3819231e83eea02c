"""What dealers' hedging does to a level when it is asked to: long gamma it pins, short gamma it amplifies. Pure.

Dealers hold the options of an underlying that are open, all with one sign, and hedge their delta. When the level moves
by one percent they trade their gamma against it (long) or with it (short); as time passes the deltas of what expires
today drift towards 0 or 1, and they trade that too, which draws a level towards a strike they are long (Avellaneda and
Lipkin, "A market-induced mechanism for stock pinning", 2003). What they trade moves the level in proportion
(Barbon and Buraschi, "Gamma fragility", 2021): IMPACT of a percent for as much as they would trade on a move of one
percent in the morning, at the level where that is most. What they moved by the close is gone by the next open, as
pressure is: `walk.py` does not know of it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.quant import black, exact
from standin.feed.listing import Listing
from standin.market.informed import MOVES
from standin.market.paths import Day, frozen
from standin.market.scenario import Scenario
from standin.market.universe import position_of
from standin.market.variance import intraday_shape, remaining_share, years_of_variance

__all__ = ["hedged"]

Floats = NDArray[np.float64]

# At its morning maximum long gamma takes nearly half out of a move, and short gamma adds two thirds to it.
IMPACT = {1: 0.8, -1: 0.4}
# However short they are: no more than this is traded on top of a move, or it would feed on itself.
AMPLIFIED_MAX = 2.0
# Levels and times at which gamma and delta are worked out; between them they are interpolated.
GRID = np.linspace(-0.12, 0.12, 121)
EVERY_S = 300
# What expires later hedges like what expires in a month, hardly.
DAYS_MAX = 35


class _Hedge(NamedTuple):
    """Shares dealers hold against their options as a fraction of what a one-percent move trades at most, by (time,
    level): `gamma` per percent, `delta` in all of what expires today."""

    gamma: Floats
    delta: Floats


def hedged(day: Day, listing: Listing, scenario: Scenario) -> Day:
    """The day with the hedging of the scenario's dealers in its path."""
    if not scenario.dealers:
        return day
    path = day.log_return.copy()
    for ticker, sign in scenario.dealers:
        who = position_of[ticker]
        path[:, who] = _pressed(path[:, who].astype(np.float64), _hedge(day, listing, ticker), sign)
    return day._replace(log_return=frozen(np.take(path, MOVES, axis=1), day.morning))


def _hedge(day: Day, listing: Listing, ticker: str) -> _Hedge:
    who, rows = position_of[ticker], listing.slices[ticker]
    settles = listing.settlement_ns[rows]
    open_ns = day.session.open_ns
    kept = (settles > open_ns) & (settles < open_ns + DAYS_MAX * 86_400 * 10**9)
    strike = listing.strike_mills[rows][kept] / 1000.0
    right, open_interest = listing.right[rows][kept], listing.open_interest[rows][kept].astype(np.float64)
    days = (settles[kept] - day.session.close_ns) / (86_400 * 10**9)
    # Sessions to come: five in seven days, and none for what settles today.
    nights = np.where(days <= 0, 0, np.maximum(np.round(days * 5 / 7), 1)).astype(np.int64)
    today = nights == 0
    level = day.open_usd[who] * exact.exp(GRID)
    vol = float(day.vols(0).now[who])
    remaining = remaining_share(intraday_shape(day.seconds))
    times = range(0, day.seconds + 1, EVERY_S)
    gamma, delta = np.empty((len(times), len(GRID))), np.empty((len(times), len(GRID)))
    for index, second in enumerate(times):
        tau = years_of_variance(nights, np.zeros(len(nights), bool), float(remaining[min(second, day.seconds - 60)]))
        greeks = black.greeks(level[:, None], strike, 1.0, 1.0, 0.0, right, vol * np.sqrt(np.maximum(tau, 1e-7)))
        gamma[index] = (greeks.gamma * open_interest).sum(axis=1) * level * 0.01
        delta[index] = (greeks.delta * open_interest * today).sum(axis=1)
    unit = max(float(gamma[0].max()), 1e-9)
    return _Hedge(gamma / unit, delta / unit)


def _pressed(path: Floats, hedge: _Hedge, sign: int) -> Floats:
    """The path, each second's move of which meets the hedging it causes."""
    impact = IMPACT[sign]
    width = GRID[1] - GRID[0]
    gamma = hedge.gamma.tolist()
    # Delta that time alone brings, a second: from one row of the grid to the next.
    decay = (np.diff(hedge.delta, axis=0, append=hedge.delta[-1:]) / EVERY_S).tolist()
    last = len(GRID) - 2
    moves = np.diff(path).tolist()
    x, pressed = 0.0, [0.0]
    for second, move in enumerate(moves):
        position = min(max((x - GRID[0]) / width, 0.0), last + 0.999)
        column = int(position)
        part = position - column
        row = second // EVERY_S
        g, d = gamma[row], decay[row]
        here = g[column] + part * (g[column + 1] - g[column])
        brought = d[column] + part * (d[column + 1] - d[column])
        if sign > 0:
            # Long options gain delta as they end in the money: dealers sell the difference.
            x += move / (1.0 + impact * here) - impact * 0.01 * brought
        else:
            x += move * min(1.0 / max(1.0 - impact * here, 0.1), AMPLIFIED_MAX) + impact * 0.01 * brought
        pressed.append(x)
    return np.array(pressed)
