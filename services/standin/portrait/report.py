"""The made-up market's portrait: a page of stylised facts beside what others published and, when given, recorded data.

`write_report` leaves `index.html`, which needs nothing but itself, and `facts.json` with every figure and curve.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from services.chain.svg import Chart, Line
from services.standin.errors import StandInError
from services.standin.portrait.facts import SIZES
from services.standin.portrait.published import PUBLISHED
from services.standin.portrait.seen import Seen

__all__ = ["write_report"]

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1b1b1b; max-width: 1020px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: .2rem; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .4rem; }
table { border-collapse: collapse; margin: .6rem 0; } th, td { text-align: left; padding: .25rem .9rem .25rem 0;
border-bottom: 1px solid #ddd; vertical-align: top; } td.n { font-variant-numeric: tabular-nums; white-space: nowrap; }
p.source { color: #555; font-size: .9rem; margin: .2rem 0 .6rem; } svg { width: 100%; height: auto; }
"""


class _Section(NamedTuple):
    """One fact: its heading, which published figure belongs to it, what it charts of each market, its figures, and
    which origin of recorded data it names."""

    title: str
    published: str
    charts: Callable[[Sequence[Seen]], list[Chart]]
    figures: tuple[tuple[str, Callable[[Seen], float | None], str], ...] = ()
    origin: str = ""


def write_report(directory: Path, made: Seen, recorded: Seen | None) -> Path:
    """Write the page; returns its path. Raises StandInError when the folder cannot be written."""
    markets = [made] if recorded is None else [made, recorded]
    try:
        directory.mkdir(parents=True, exist_ok=True)
        page = directory / "index.html"
        page.write_text(_page(markets))
        (directory / "facts.json").write_text(json.dumps([_plain(market._asdict()) for market in markets], indent=1))
    except OSError as error:
        raise StandInError(f"{directory}: {error.strerror or error}") from None
    return page


def _page(markets: Sequence[Seen]) -> str:
    made = markets[0]
    beside = "beside published figures and recorded data" if len(markets) > 1 else "beside published figures"
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8"><title>Stylised facts</title>',
        f"<style>{STYLE}</style></head><body>",
        "<h1>Does the made-up market look like one?</h1>",
        f"<p>{escape(made.name)}: {made.prints:,} prints of one session, one chain of SPX, 750 sessions of its walk,"
        f" {beside}.</p>",
    ]
    for section in SECTIONS:
        parts += _section(section, markets)
    return "\n".join([*parts, "</body></html>\n"])


def _section(section: _Section, markets: Sequence[Seen]) -> list[str]:
    figure = PUBLISHED[section.published]
    parts = [f"<h2>{escape(section.title)}</h2>"]
    parts.append(f'<p class="source">Published: {escape(figure.value)} ({escape(figure.source)}).</p>')
    origins = [market.origin[section.origin] for market in markets if section.origin in market.origin]
    parts += [f'<p class="source">Recorded: {escape(origin)}.</p>' for origin in origins]
    rows = [(name, [read(market) for market in markets], form) for name, read, form in section.figures]
    if rows:
        heads = "".join(f"<th>{escape(market.name)}</th>" for market in markets)
        parts.append(f"<table><tr><th></th>{heads}</tr>")
        for name, values, form in rows:
            cells = "".join(f'<td class="n">{_shown(value, form)}</td>' for value in values)
            parts.append(f"<tr><td>{escape(name)}</td>{cells}</tr>")
        parts.append("</table>")
    return parts + [chart.render() for chart in section.charts(markets)]


def _shown(value: float | None, form: str) -> str:
    return "" if value is None or not math.isfinite(value) else format(value, form)


def _curves(name: str, title: str, x_label: str, y_label: str, scale: float = 1.0) -> Callable[..., list[Chart]]:
    """A chart with one line a market that has the curve."""

    def charts(markets: Sequence[Seen]) -> list[Chart]:
        lines = [
            Line(market.name, curve[0], scale * np.asarray(curve[1]))
            for market in markets
            if (curve := getattr(market, name)) is not None
        ]
        return [Chart(title, x_label, y_label, lines)] if lines else []

    return charts


def _two(*parts: Callable[..., list[Chart]]) -> Callable[..., list[Chart]]:
    return lambda markets: [chart for part in parts for chart in part(markets)]


def _sizes(markets: Sequence[Seen]) -> list[Chart]:
    """Share of prints larger than a size, on logarithmic axes: blocks show as a straight tail."""
    lines = []
    for market in markets:
        if market.sizes is not None:
            beyond = 1.0 - np.cumsum(market.sizes)[:-1]
            seen = beyond > 0
            lines.append(Line(market.name, np.log10(np.array(SIZES))[seen], np.log10(beyond[seen])))
    return [Chart("Prints larger than a size", "size in contracts, log10", "share of prints, log10", lines)]


def _vix(markets: Sequence[Seen]) -> list[Chart]:
    made = markets[0].vix_change
    if made is None:
        return []
    return [Chart("VIX against SPX, day by day", "SPX, %", "VIX, %", [Line(markets[0].name, *made, dots=True)])]


def _no_charts(markets: Sequence[Seen]) -> list[Chart]:
    """Nothing to draw: the table says it."""
    return []


def _share(group: str) -> Callable[[Seen], float | None]:
    return lambda seen: None if seen.conditions is None else seen.conditions[group]


def _first(name: str) -> Callable[[Seen], float | None]:
    """The first value of a curve: an autocorrelation at lag 1."""
    return lambda seen: None if (value := getattr(seen, name)) is None else float(np.asarray(value[1])[0])


SECTIONS = (
    _Section(
        "Through the day",
        "u_shape",
        _curves("half_hours", "Prints by half hour", "hours after the open", "% of the session's", 100.0),
        origin="half_hours",
    ),
    _Section(
        "Sizes",
        "mean_size",
        _sizes,
        (
            ("mean size, contracts", lambda seen: seen.mean_size, ".1f"),
            ("for one to ten", lambda seen: None if seen.sizes is None else float(seen.sizes[:3].sum()), ".1%"),
            ("for more than 500", lambda seen: None if seen.sizes is None else float(seen.sizes[-1]), ".2%"),
        ),
        origin="sizes",
    ),
    _Section(
        "Conditions",
        "conditions",
        _no_charts,
        tuple(
            (group, _share(group), ".1%")
            for group in (
                "ordinary",
                "multi-leg",
                "auction",
                "sweep",
                "cross",
                "floor",
                "stock-tied",
                "late or cancelled",
            )
        ),
    ),
    _Section(
        "Spreads",
        "spread",
        _curves("spreads", "Spread over mid of SPX options of one to eight weeks", "absolute delta", "%", 100.0),
        origin="spreads",
    ),
    _Section(
        "Smile and term structure",
        "smile",
        _two(
            _curves("smile", "SPX volatility at thirty days over that at the money", "call delta", "ratio"),
            _curves("term", "SPX volatility at the money by expiry", "days to expiry", "%", 100.0),
        ),
        origin="spreads",
    ),
    _Section(
        "What a return says of the next",
        "acf",
        _two(
            _curves("minute_acf", "Autocorrelation of SPX's one-minute returns", "lag, minutes", "correlation"),
            _curves("minute_abs_acf", "Autocorrelation of their sizes", "lag, minutes", "correlation"),
            _curves("daily_abs_acf", "Autocorrelation of the sizes of daily returns", "lag, sessions", "correlation"),
        ),
        (
            ("daily returns, lag 1", _first("daily_acf"), "+.3f"),
            ("their sizes, lag 1", _first("daily_abs_acf"), "+.3f"),
            ("kurtosis of daily returns", lambda seen: seen.kurtosis, ".1f"),
        ),
        origin="minute_acf",
    ),
    _Section(
        "VIX and the index",
        "leverage",
        _vix,
        (
            ("correlation of daily changes", lambda s: None if s.leverage is None else s.leverage[0], "+.2f"),
            ("% of VIX for 1 % of SPX", lambda s: None if s.leverage is None else s.leverage[1], "+.2f"),
            ("median VIX", lambda seen: seen.vix_median, ".1f"),
            ("deviation of its daily log change", lambda seen: seen.vix_log_change_sd, ".3f"),
            ("its autocorrelation over a day", lambda seen: seen.vix_acf, ".3f"),
        ),
        origin="vix_median",
    ),
    _Section(
        "The VIX term structure", "term", _no_charts, (("median VIX / VIX3M", lambda s: s.vix_over_vix3m, ".2f"),)
    ),
    _Section(
        "The premium",
        "premium",
        _no_charts,
        (("VIX less what the next month realises, points", lambda s: s.vix_less_realised, "+.1f"),),
    ),
)


def _plain(value: Any) -> Any:
    """Arrays as lists, and what JSON has no word for as null."""
    if isinstance(value, np.ndarray):
        return [_plain(one) for one in value.tolist()]
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
