"""What the portrait shows, section by section: charts, figures, and what each is held against. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from standin.report import charts
from standin.report.charts import SESSION_MINUTES, Draw
from standin.stylized_facts.facts import DELTAS, TEN
from standin.stylized_facts.market_stats import SESSIONS, MarketStats
from standin.stylized_facts.vix import FAMILY, VixFacts, VixRange

__all__ = ["SECTIONS", "Fact", "Section"]

Read = Callable[[MarketStats], float | None]
Range = Callable[[MarketStats], tuple[float, float] | None]


class Fact(NamedTuple):
    """One figure: its name, how it is read from a market and written, the range recorded data have for it, and what
    others published."""

    name: str
    read: Read
    form: str
    recorded: Range | None = None
    published: str = ""


class Section(NamedTuple):
    """One heading: which published figure belongs to it, its charts, its figures, and which origins of recorded data it
    names."""

    title: str
    published: str
    charts: tuple[Draw, ...] = ()
    facts: tuple[Fact, ...] = ()
    origins: tuple[str, ...] = ()


def _share(group: str) -> Read:
    return lambda stats: None if stats.conditions is None else stats.conditions[group]


def _first(name: str) -> Read:
    """The first value of a curve: an autocorrelation at lag 1."""
    return lambda stats: None if (curve := getattr(stats, name)) is None else float(np.asarray(curve[1])[0])


def _opening(stats: MarketStats) -> float | None:
    """The first half hour over the middle of the day, 12:00 to 13:30."""
    return None if stats.half_hours is None else float(stats.half_hours[1][0] / np.mean(stats.half_hours[1][5:8]))


def _closing(stats: MarketStats) -> float | None:
    return None if stats.half_hours is None else float(stats.half_hours[1][-1] / np.mean(stats.half_hours[1][5:8]))


def _smile(name: str, call_delta: float) -> Fact:
    """The smile at one delta (a put's by its call's), and between what recorded chains have it."""
    index = int(np.flatnonzero(call_delta == DELTAS)[0])

    def read(stats: MarketStats) -> float | None:
        return None if stats.smile is None else float(stats.smile[1][index])

    def recorded(stats: MarketStats) -> tuple[float, float] | None:
        band = stats.bands.get("smile")
        return None if band is None else (float(band[0][index]), float(band[1][index]))

    return Fact(name, read, ".2f", recorded)


def _vix(read: Callable[[VixFacts], float | None]) -> Read:
    return lambda stats: None if stats.vix is None else read(stats.vix)


def _vix_range(read: Callable[[VixRange], tuple[float, float]]) -> Range:
    return lambda stats: None if stats.vix_range is None else read(stats.vix_range)


def _lag(sessions: int) -> Callable[[VixFacts], float | None]:
    return lambda vix: float(vix.log_acf[1][sessions - 1]) if len(vix.log_acf[1]) >= sessions else None


def _lag_range(sessions: int) -> Range:
    return _vix_range(lambda known: (float(known.log_acf[0][sessions - 1]), float(known.log_acf[1][sessions - 1])))


def _move(name: str) -> Callable[[VixFacts], float | None]:
    return lambda vix: vix.moves.get(name)


SECTIONS = (
    Section(
        "Through the day", "u_shape",
        (charts.curves("half_hours", "Prints by half hour", "hours after the open", "% of the session's", 100.0),),
        (
            Fact("first half hour over noon's", _opening, ".2f"),
            Fact("last half hour over noon's", _closing, ".2f"),
        ),
        ("half_hours",),
    ),
    Section(
        "Sizes", "mean_size",
        (charts.sizes,),
        (
            Fact("mean size, contracts", lambda stats: stats.mean_size, ".1f", published="8 to 9"),
            Fact("one to ten contracts", lambda s: None if s.sizes is None else float(s.sizes[:TEN].sum()), ".1%"),
            Fact("more than 500", lambda stats: None if stats.sizes is None else float(stats.sizes[-1]), ".2%"),
        ),
        ("sizes",),
    ),
    Section(
        "Conditions", "conditions", (),
        tuple(
            Fact(group, _share(group), ".1%", published=published)
            for group, published in (
                ("ordinary", "45 %"), ("multi-leg", "30 %"), ("auction", "12 %"), ("sweep", "8 %"), ("cross", "2 %"),
                ("floor", "2 %"), ("stock-tied", ""), ("late or cancelled", "0.1 to 0.5 %"),
            )
        ),
        ("sizes",),
    ),
    Section("Spreads", "spread", (charts.spreads,), origins=("spreads",)),
    Section(
        "Smile and term structure", "smile",
        (
            charts.curves(
                "smile", "SPX volatility at thirty days over that at the money",
                "call delta (puts to the right, calls to the left)", "ratio",
            ),
            charts.term,
        ),
        (
            _smile("25-delta put over the money", 0.75),
            _smile("25-delta call over the money", 0.25),
        ),
        ("spreads",),
    ),
    Section(
        "What a return says of the next", "acf",
        (
            charts.autocorrelations(
                "minute_acf", "Autocorrelation of SPX's one-minute returns", "lag, minutes", SESSION_MINUTES
            ),
            charts.autocorrelations(
                "minute_abs_acf", "Autocorrelation of their absolute values", "lag, minutes", SESSION_MINUTES
            ),
            charts.autocorrelations(
                "daily_abs_acf", "Autocorrelation of absolute daily returns", "lag, sessions", SESSIONS
            ),
        ),
        (
            Fact("daily returns, lag 1", _first("daily_acf"), "+.3f", published="about 0"),
            Fact("their absolute values, lag 1", _first("daily_abs_acf"), "+.3f", published="positive"),
            Fact("kurtosis of daily returns", lambda stats: stats.kurtosis, ".1f", published="4 to 15"),
        ),
        ("minute_acf",),
    ),
    Section(
        "VIX", "vix",
        (charts.years, charts.log_vix_memory, charts.vix_moves),
        (
            Fact("median VIX", _vix(lambda vix: vix.median), ".1f", _vix_range(lambda known: known.median)),
            Fact("deviation of its daily log change", _vix(lambda it: it.move), ".3f", _vix_range(lambda it: it.move)),
            Fact("skewness of that", _vix(lambda vix: vix.skew), ".2f", _vix_range(lambda known: known.skew)),
            Fact("kurtosis of that", _vix(lambda vix: vix.kurtosis), ".1f", _vix_range(lambda known: known.kurtosis)),
            *(
                Fact(f"autocorrelation of log VIX, lag {lag}", _vix(_lag(lag)), ".2f", _lag_range(lag))
                for lag in (1, 5, 22)
            ),
        ),
        ("vix",),
    ),
    Section(
        "VIX and the index", "leverage",
        (charts.vix_spx,),
        (
            Fact("correlation of daily changes", lambda s: None if s.leverage is None else s.leverage[0], "+.2f"),
            Fact(
                "% of VIX for 1 % of SPX", lambda s: None if s.leverage is None else s.leverage[1], "+.2f",
                published="-3.0 to -4.5",
            ),
        ),
        ("leverage",),
    ),
    Section(
        "The VIX family", "term", (),
        (
            Fact("VIX over VIX3M, median", _vix(lambda vix: vix.over_vix3m), ".2f", published="0.88"),
            Fact("days on which it is above 1", _vix(lambda vix: vix.inverted), ".1%", published="7.7 %"),
            *(Fact(f"{name}: deviation of its daily log change", _vix(_move(name)), ".3f") for name in FAMILY),
        ),
    ),
    Section(
        "The premium", "premium", (),
        (Fact("VIX less what the next month realises, points", lambda s: s.vix_less_realised, "+.1f", published="4"),),
    ),
)  # fmt: skip
