"""American values by other people's methods, to hold ours against: a lattice, and the formula the book tabulates."""

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

STEPS = 2000


def european(spot, strike, years, rate, dividend_yield, vol, right):
    total = vol * np.sqrt(years)
    d1 = (np.log(spot / strike) + (rate - dividend_yield) * years) / total + 0.5 * total
    held = spot * np.exp(-dividend_yield * years) * norm.cdf(right * d1)
    return right * (held - strike * np.exp(-rate * years) * norm.cdf(right * (d1 - total)))


def lattice(spot, strike, years, rate, dividend_yield, vol, right):
    """BBSR of Broadie & Detemple (1996): the last step by Black-Scholes, then Richardson's extrapolation."""
    terms = spot, strike, years, rate, dividend_yield, vol, right
    return 2.0 * _smooth_lattice(*terms, STEPS) - _smooth_lattice(*terms, STEPS // 2)


def _smooth_lattice(spot, strike, years, rate, dividend_yield, vol, right, steps):
    step = years / steps
    up = np.exp(vol * np.sqrt(step))
    chance = (np.exp((rate - dividend_yield) * step) - 1.0 / up) / (up - 1.0 / up)
    held = np.exp(-rate * step)
    powers = spot * up ** np.arange(-steps, steps + 1.0)
    level = powers[1:-1:2]  # after steps - 1 moves
    value = european(level, strike, step, rate, dividend_yield, vol, right)
    value = np.maximum(value, right * (level - strike))
    for moves in range(steps - 2, -1, -1):
        level = powers[steps - moves : steps + moves + 1 : 2]
        value = held * (chance * value[1:] + (1.0 - chance) * value[:-1])
        value = np.maximum(value, right * (level - strike))
    return float(value[0])


def barone_adesi_whaley(spot, strike, years, rate, dividend_yield, vol, right):
    """Barone-Adesi & Whaley's quadratic approximation (1987), its critical price solved to the last digit."""
    carry = np.exp(-dividend_yield * years)
    n = 2.0 * (rate - dividend_yield) / vol**2 - 1.0
    exponent = 0.5 * (-n + right * np.sqrt(n * n + 8.0 * rate / (vol**2 * (1.0 - np.exp(-rate * years)))))

    def kept(level):  # of a unit of the underlying, after the European delta
        total = vol * np.sqrt(years)
        d1 = (np.log(level / strike) + (rate - dividend_yield) * years) / total + 0.5 * total
        return 1.0 - carry * norm.cdf(right * d1)

    def smooth_pasting(level):
        held = european(level, strike, years, rate, dividend_yield, vol, right)
        return right * (level - strike) - held - right * kept(level) * level / exponent

    critical = brentq(smooth_pasting, strike, 1e3 * strike) if right > 0 else brentq(smooth_pasting, 1e-6, strike)
    if right * (spot - critical) >= 0.0:
        return right * (spot - strike)
    premium = right * kept(critical) * critical / exponent * (spot / critical) ** exponent
    return european(spot, strike, years, rate, dividend_yield, vol, right) + premium
