"""The made-up market's portrait: a page of stylised facts beside what others published and, when given, recorded data.

`write_report` leaves `index.html`, which needs nothing but itself, and `facts.json` with every figure and curve.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from standin.errors import StandInError
from standin.report.sections import SECTIONS, Fact, Section
from standin.stylized_facts.market_stats import MINUTE_SESSIONS, SESSIONS, MarketStats
from standin.stylized_facts.published import PUBLISHED

__all__ = ["write_report"]

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1b1b1b; max-width: 860px; margin: 2.5rem auto 5rem;
padding: 0 1rem; }
h1 { font-size: 1.7rem; margin-bottom: .3rem; }
h2 { font-size: 1.2rem; margin: 3rem 0 .4rem; padding-top: .8rem; border-top: 1px solid #ccc; }
table { border-collapse: collapse; margin: .8rem 0 1.2rem; }
th, td { text-align: left; padding: .25rem 1.6rem .25rem 0; border-bottom: 1px solid #e2e2e2; vertical-align: top; }
th { font-weight: 600; } th.n, td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.off { color: #b3261e; font-weight: 600; }
p.source { color: #555; font-size: .9rem; margin: .15rem 0; }
svg { display: block; width: 100%; height: auto; margin: 1.2rem 0 0; }
"""


def write_report(directory: Path, made: MarketStats, recorded: MarketStats | None) -> Path:
    """Write the page; returns its path. Raises StandInError when the folder cannot be written."""
    markets = [made] if recorded is None else [made, recorded]
    try:
        directory.mkdir(parents=True, exist_ok=True)
        page = directory / "index.html"
        page.write_text(_page(markets), encoding="utf-8")
        (directory / "facts.json").write_text(json.dumps([_plain(market) for market in markets], indent=1))
    except OSError as error:
        raise StandInError(f"{directory}: {error.strerror or error}") from None
    return page


def _page(markets: Sequence[MarketStats]) -> str:
    made = markets[0]
    beside = "published figures and recorded data" if len(markets) > 1 else "published figures"
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8"><title>Stylised facts of a made-up market</title>',
        f"<style>{STYLE}</style></head><body>",
        "<h1>Does the made-up market look like one?</h1>",
        f"<p>{escape(_capital(made.name))}: {made.prints:,} prints of one session, one chain of SPX, its levels in"
        f" {MINUTE_SESSIONS} sessions by the minute and {SESSIONS} by the day, beside {beside}.</p>",
    ]
    if len(markets) > 1:
        parts.append(f"<p>{escape(_verdict(markets))}</p>")
    for section in SECTIONS:
        parts += _section(section, markets)
    return "\n".join([*parts, "</body></html>\n"])


def _verdict(markets: Sequence[MarketStats]) -> str:
    """What lies outside the recorded ranges, in one sentence."""
    judged = [fact for section in SECTIONS for fact in section.facts if _range(fact, markets) is not None]
    judged = [fact for fact in judged if fact.read(markets[0]) is not None]
    if not judged:
        return "The recorded data say nothing about how far a figure may be off."
    off = [fact.name for fact in judged if _is_off(fact, markets)]
    text = f"outside it: {'; '.join(off)}" if off else "none lies outside it"
    return f"Of {len(judged)} figures with a recorded range, {text}."


def _section(section: Section, markets: Sequence[MarketStats]) -> list[str]:
    figure = PUBLISHED[section.published]
    parts = [f"<h2>{escape(section.title)}</h2>"]
    parts.append(f'<p class="source">Published: {escape(figure.value)} ({escape(figure.source)}).</p>')
    origins = [market.origin[name] for market in markets for name in section.origins if name in market.origin]
    parts += [f'<p class="source">Recorded: {escape(origin)}.</p>' for origin in origins]
    parts += _table(section.facts, markets)
    charts = [draw(markets) for draw in section.charts]
    return parts + [chart.render() for chart in charts if chart is not None]


def _table(facts: Sequence[Fact], markets: Sequence[MarketStats]) -> list[str]:
    """A row a fact; a column nobody has anything for is left out."""
    facts = [fact for fact in facts if any(_known(fact.read(market)) for market in markets)]
    if not facts:
        return []
    columns = [
        (market.name.partition(":")[0], [_cell(fact.read(market), fact.form) for fact in facts]) for market in markets
    ]
    columns.append(("recorded range", [_between(fact, markets) for fact in facts]))
    columns.append(("published", [fact.published for fact in facts]))
    shown = [(head, cells) for head, cells in columns if any(cells)]
    parts = ["<table>", "<tr><th></th>" + "".join(f'<th class="n">{escape(head)}</th>' for head, _ in shown) + "</tr>"]
    for row, fact in enumerate(facts):
        off = ["n off" if index == 0 and _is_off(fact, markets) else "n" for index in range(len(shown))]
        cells = "".join(
            f'<td class="{kind}">{escape(texts[row])}</td>' for kind, (_, texts) in zip(off, shown, strict=True)
        )
        parts.append(f"<tr><td>{escape(fact.name)}</td>{cells}</tr>")
    return [*parts, "</table>"]


def _range(fact: Fact, markets: Sequence[MarketStats]) -> tuple[float, float] | None:
    """The first range that a market has for a fact."""
    found = [fact.recorded(market) for market in markets] if fact.recorded is not None else []
    return next((each for each in found if each is not None and all(map(math.isfinite, each))), None)


def _is_off(fact: Fact, markets: Sequence[MarketStats]) -> bool:
    value, within = fact.read(markets[0]), _range(fact, markets)
    return value is not None and within is not None and not within[0] <= value <= within[1]


def _between(fact: Fact, markets: Sequence[MarketStats]) -> str:
    within = _range(fact, markets)
    return "" if within is None else " to ".join(_formatted(value, fact.form) for value in within)


def _known(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _cell(value: float | None, form: str) -> str:
    return _formatted(value, form) if value is not None and math.isfinite(value) else ""


def _formatted(value: float, form: str) -> str:
    return f"{value:{form}}".replace("%", " %")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _plain(value: Any) -> Any:
    """Arrays as lists, named tuples by name, and what JSON has no word for as null."""
    if isinstance(value, np.ndarray):
        return [_plain(one) for one in value.tolist()]
    if hasattr(value, "_asdict"):
        return _plain(value._asdict())
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
