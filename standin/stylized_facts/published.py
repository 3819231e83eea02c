"""Figures that others have published about option markets, each with where: what a made-up market is held against."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["PUBLISHED", "Figure"]


class Figure(NamedTuple):
    """One published figure: a value or a range, in words as the source has it, and the source."""

    value: str
    source: str


PUBLISHED: dict[str, Figure] = {
    "u_shape": Figure(
        "option volume is U-shaped through the day, most in the first half hour",
        "Chan, Chung and Johnson, The intraday behavior of bid-ask spreads for NYSE stocks and CBOE options, JFQA 1995",
    ),
    "mean_size": Figure("8 to 9 contracts a print", "OCC 2025 volume of 60 to 67 million over 7 to 8 million prints"),
    "conditions": Figure(
        "ordinary 45 %, multi-leg 30 %, auctions 12 %, sweeps 8 %, crosses 2 %, floor 2 %, late 0.1 to 0.5 %",
        "indicative shares of the project's feed notes; not published by OPRA",
    ),
    "spread": Figure(
        "relative spreads fall as delta rises: cheap options are quoted several times as wide as those at the money",
        "Wei and Zheng, Trading activity and bid-ask spreads of individual equity options, JBF 2010",
    ),
    "smile": Figure(
        "index volatility falls with strike: 25-delta puts some 10 to 20 % above the money, calls below it",
        "Bollen and Whaley, Does net buying pressure affect the shape of implied volatility functions?, JF 2004",
    ),
    "acf": Figure(
        "returns are uncorrelated beyond minutes; absolute returns stay correlated for days, decaying slowly",
        "Cont, Empirical properties of asset returns: stylized facts and statistical issues, Quantitative Finance 2001",
    ),
    "kurtosis": Figure("daily returns above 3, around 4 to 15", "Cont 2001"),
    "vix": Figure(
        "log-volatility has a quick and a slow scale, jumps upwards and comes back: no single mean reversion fits",
        "Gatheral, Consistent modeling of SPX and VIX options, 2008; Todorov and Tauchen, Volatility jumps, JBES 2011",
    ),
    "leverage": Figure(
        "VIX moves -3.0 to -4.5 % for 1 % of the index, more when it falls",
        "Whaley, Understanding the VIX, Journal of Portfolio Management 2009",
    ),
    "term": Figure("VIX over VIX3M: median 0.88, above 1 on one day in thirteen", "thetrading.tools; systemtrader.co"),
    "premium": Figure(
        "implied variance exceeds realised: VIX about 4 points over what follows",
        "Carr and Wu, Variance risk premiums, RFS 2009",
    ),
}
