"""Other people's option arithmetic, each called the way it wants to be; what must be prepared is prepared once."""

from __future__ import annotations

import iv_engine
import lbriv
import numpy as np
import QuantLib
from vollib.black.implied_volatility import implied_volatility

from bench.option_data import RATE, Options
from services.quant.arrays import Floats

__all__ = ["IvEngine", "Lbriv", "quantlib_vols", "vollib_vols"]


class IvEngine:
    """iv-engine takes one right a call and undiscounted prices: split and prepared here, outside the clock."""

    def __init__(self, o: Options) -> None:
        self.parts = []
        for is_call in (True, False):
            rows = np.flatnonzero((o.right > 0) == is_call)
            columns = (o.price / o.discount, o.forward, o.strike, o.years, o.vol)
            self.parts.append((rows, is_call, *(np.ascontiguousarray(column[rows]) for column in columns)))

    def vols(self) -> list[Floats]:
        """Implied vols of both parts."""
        return [
            iv_engine.implied_volatilities(price, f, k, t, is_call, parallel=False)
            for _, is_call, price, f, k, t, _ in self.parts
        ]

    def greeks(self) -> None:
        """All five greeks it has for arrays."""
        for _, is_call, _, f, k, t, vol in self.parts:
            iv_engine.deltas(f, k, t, vol, is_call, parallel=False)
            for greek in (iv_engine.gammas, iv_engine.vegas, iv_engine.vannas, iv_engine.vommas):
                greek(f, k, t, vol, parallel=False)

    def both(self) -> None:
        """Vols, then greeks."""
        self.vols()
        self.greeks()

    def error(self, o: Options) -> float:
        """Largest |vol - true|."""
        pairs = zip(self.parts, self.vols(), strict=True)
        return max(float(np.abs(found - o.vol[part[0]]).max()) for part, found in pairs)


class Lbriv:
    """lbriv's batch call: total vol (it knows no time), delta, gamma and vega of undiscounted prices."""

    def __init__(self, o: Options) -> None:
        undiscounted = np.ascontiguousarray(o.price / o.discount)
        is_call = (o.right > 0).astype(np.int8)
        self.columns = undiscounted, o.forward, o.strike, is_call, o.discount
        self.out = tuple(np.empty(o.price.size) for _ in range(4))

    def vols_and_greeks(self) -> Floats:
        """The total vols."""
        lbriv.compute_trades_greeks(*self.columns, *self.out)
        return self.out[0]


def vollib_vols(o: Options) -> list[float]:
    """One Python call an option."""
    rights = np.where(o.right > 0, "c", "p").tolist()
    rows = zip(o.price.tolist(), o.forward.tolist(), o.strike.tolist(), o.years.tolist(), rights, strict=True)
    return [
        implied_volatility(price, forward, strike, RATE, years, right) for price, forward, strike, years, right in rows
    ]


def quantlib_vols(o: Options) -> list[float]:
    """One call into C++ an option, asked for what the kernel gives (1e-12 of total vol)."""
    rights = [QuantLib.Option.Call if right > 0 else QuantLib.Option.Put for right in o.right.tolist()]
    rows = zip(
        rights,
        o.strike.tolist(),
        o.forward.tolist(),
        o.price.tolist(),
        o.discount.tolist(),
        o.years.tolist(),
        strict=True,
    )
    accurate = 0.0, QuantLib.nullDouble(), 1e-12
    return [
        QuantLib.blackFormulaImpliedStdDev(right, strike, forward, price, discount, *accurate) / years**0.5
        for right, strike, forward, price, discount, years in rows
    ]
