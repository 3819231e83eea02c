"""What follows from gamma and open interest by strike: walls, the largest strike, concentration, max pain.

One compiled pass for whoever asks, the live context every few minutes or a chain file once. Rows are grouped by
strike once (`listed`), since sorting costs more than all that follows; sums run in row order, so that they are the
same bits wherever they are taken.
"""

from typing import NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from services.quant.arrays import Floats, Signs
from services.quant.jit import F64_IN, F64_OUT, F64_OUT_2D, I8_IN, I64_IN, kernel

__all__ = ["Listed", "StrikeLevels", "Wall", "levels", "listed", "max_pain", "pain", "sum_by_strike"]

# Rows of the table by strike.
_CALL_GEX, _PUT_GEX, _CALL_INTEREST, _PUT_INTEREST, _PAY = range(5)
# Where each figure stands; a wall is four of them. Strikes are numbers in `Listed.strikes`, -1 for none.
_NET, _SQUARES, _LARGEST, _PAIN, _CALL_WALL, _PUT_WALL, _FIGURES = 0, 1, 2, 3, 4, 8, 12
_AT, _SIZE, _TOTAL, _SECOND = range(4)


class Listed(NamedTuple):
    """The distinct strikes of some contracts, and where each contract's stands among them."""

    strikes: Floats  # (n_strikes,) ascending, dollars
    place: NDArray[np.int64]  # (n,)


class Wall(NamedTuple):
    """The strike where most gamma of one right lies on its side of spot."""

    strike: float
    share: float  # of all gamma of that right
    lead: float  # over the runner-up on that side; infinity without one


class StrikeLevels(NamedTuple):
    """Figures of one chain under the sign convention of the gamma handed in; strikes in dollars, None is none."""

    net_usd: float
    call_wall: Wall | None  # at or above spot; a wall is a size, so the dealer's sign is ignored
    put_wall: Wall | None  # at or below spot
    largest: float | None  # of absolute net gamma, anywhere
    concentration: float  # Herfindahl's, of absolute net gamma over strikes
    max_pain: float | None  # where open contracts pay least at expiry; the lowest of equals


def listed(strike: Floats) -> Listed:
    """The strikes of (n,) contracts, sorted.

    >>> listed(np.array([5.0, 4.0, 5.0])).place.tolist()
    [1, 0, 1]
    """
    return Listed(*np.unique(strike, return_inverse=True))


def sum_by_strike(at: Listed, values: Floats) -> Floats:
    """(n_strikes,) sum of (n,) `values` at each strike.

    >>> sum_by_strike(listed(np.array([5.0, 4.0, 5.0])), np.array([1.0, 2.0, 3.0])).tolist()
    [2.0, 4.0]
    """
    return np.bincount(at.place, weights=values, minlength=at.strikes.size).astype(np.float64, copy=False)


def levels(at: Listed, right: Signs, gex_usd: Floats, open_interest: Floats, spot: float) -> StrikeLevels:
    """Levels of (n,) contracts from their signed dollar gamma and open interest.

    >>> at = listed(np.array([90.0, 100.0, 110.0]))
    >>> rights, ones = np.array([-1, 1, 1], dtype=np.int8), np.array([1.0, 1.0, 1.0])
    >>> found = levels(at, rights, np.array([-4.0, 2.0, 6.0]), ones, 100.0)
    >>> found.net_usd, found.call_wall, found.largest, found.max_pain
    (4.0, Wall(strike=110.0, share=0.75, lead=3.0), 110.0, 90.0)
    """
    _, figures = _measured(at, right, gex_usd, open_interest, spot)
    return StrikeLevels(
        net_usd=float(figures[_NET]),
        call_wall=_wall(at.strikes, figures[_CALL_WALL:]),
        put_wall=_wall(at.strikes, figures[_PUT_WALL:]),
        largest=_strike(at.strikes, figures[_LARGEST]),
        concentration=float(figures[_SQUARES]),
        max_pain=_strike(at.strikes, figures[_PAIN]),
    )


def max_pain(at: Listed, right: Signs, open_interest: Floats) -> float | None:
    """The listed strike at which open contracts pay least at expiry; the lowest of equals, None without interest.

    >>> max_pain(listed(np.array([90.0, 100.0, 110.0])), np.array([-1, 1, 1], dtype=np.int8), np.full(3, 5.0))
    90.0
    """
    figures = _measured(at, right, np.zeros(at.place.size), open_interest, np.nan)[1]
    return _strike(at.strikes, figures[_PAIN])


def pain(at: Listed, right: Signs, open_interest: Floats) -> Floats:
    """(n_strikes,) what all open contracts pay if spot settles at each strike, in units of one share per contract."""
    table, _ = _measured(at, right, np.zeros(at.place.size), open_interest, np.nan)
    pay: Floats = table[_PAY]
    return pay


def _measured(at: Listed, right: Signs, gex_usd: Floats, open_interest: Floats, spot: float) -> tuple[Floats, Floats]:
    """(table by strike, figures)."""
    table, figures = np.zeros((5, at.strikes.size)), np.zeros(_FIGURES)
    _sum_rows(at.place, right, gex_usd, open_interest, table)
    _measure(at.strikes, spot, table, figures)
    return table, figures


def _strike(strikes: Floats, number: float) -> float | None:
    return float(strikes[int(number)]) if number >= 0 else None


def _wall(strikes: Floats, block: Floats) -> Wall | None:
    number, size, total, second = block[:4].tolist()
    if number < 0:
        return None
    return Wall(float(strikes[int(number)]), size / total, size / second if second > 0.0 else float("inf"))


@kernel(I64_IN, I8_IN, F64_IN, F64_IN, F64_OUT_2D)
def _sum_rows(place: NDArray[np.int64], right: Signs, gex_usd: Floats, open_interest: Floats, table: Floats) -> None:
    for row in range(place.shape[0]):
        number = place[row]
        call = right[row] > 0
        table[_CALL_GEX if call else _PUT_GEX, number] += gex_usd[row]
        table[_CALL_INTEREST if call else _PUT_INTEREST, number] += open_interest[row]


@kernel(F64_IN, types.float64, F64_OUT_2D, F64_OUT)
def _measure(strikes: Floats, spot: float, table: Floats, figures: Floats) -> None:
    figures[_LARGEST] = figures[_PAIN] = figures[_CALL_WALL + _AT] = figures[_PUT_WALL + _AT] = -1.0
    largest = absolute = 0.0
    for number in range(strikes.shape[0]):
        net = table[_CALL_GEX, number] + table[_PUT_GEX, number]
        figures[_NET] += net
        absolute += abs(net)
        if abs(net) > largest:
            largest, figures[_LARGEST] = abs(net), number
        for wall, side in ((_CALL_WALL, _CALL_GEX), (_PUT_WALL, _PUT_GEX)):
            size = abs(table[side, number])
            figures[wall + _TOTAL] += size
            beyond = strikes[number] >= spot if side == _CALL_GEX else strikes[number] <= spot
            if beyond and size > figures[wall + _SIZE]:
                figures[wall + _SECOND] = figures[wall + _SIZE]
                figures[wall + _SIZE], figures[wall + _AT] = size, number
            elif beyond and size > figures[wall + _SECOND]:
                figures[wall + _SECOND] = size
    if absolute > 0.0:
        for number in range(strikes.shape[0]):
            share = (table[_CALL_GEX, number] + table[_PUT_GEX, number]) / absolute
            figures[_SQUARES] += share * share
    # Upwards, each call struck below pays the step more and each put struck above the step less.
    pay = calls_below = puts_above = held = 0.0
    for number in range(strikes.shape[0]):
        pay += table[_PUT_INTEREST, number] * (strikes[number] - strikes[0])
        puts_above += table[_PUT_INTEREST, number]
        held += table[_CALL_INTEREST, number] + table[_PUT_INTEREST, number]
    least = np.inf
    for number in range(strikes.shape[0]):
        if number > 0:
            pay += (calls_below - puts_above) * (strikes[number] - strikes[number - 1])
        calls_below += table[_CALL_INTEREST, number]
        puts_above -= table[_PUT_INTEREST, number]
        table[_PAY, number] = pay
        if pay < least and held > 0.0:
            least, figures[_PAIN] = pay, number
