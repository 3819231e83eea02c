"""Charts as SVG text, by hand: a few lines or bars with axes. Needs no plotting library and renders everywhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import NamedTuple

from services.quant.arrays import Floats

__all__ = ["Band", "Bars", "Chart", "Line", "Mark", "ticks"]

Numbers = Sequence[float] | Floats

_WIDTH, _HEIGHT = 960, 540
_LEFT, _RIGHT, _TOP, _BOTTOM = 90, 20, 54, 56
# Width of a letter at the charts' size, the wide ones of common sans-serif fonts included.
_CHARACTER = 7.5
# From one row of names to the next.
_ROW = 17
# Okabe & Ito's colours, distinguishable with any colour vision, sky blue last: dots of the first look like it. And the
# same thinned to a quarter on white.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#000000", "#56b4e9")
_SHADES = ("#bfdcec", "#f5d7bf", "#bfe7dc", "#f2dde9", "#f9e7bf", "#bfbfbf", "#d5edfa")


@dataclass(frozen=True)
class Line:
    """A curve; `dots` draws its points instead, and without a label in the colour of the line before."""

    label: str
    x: Numbers
    y: Numbers
    dots: bool = False
    dashed: bool = False


@dataclass(frozen=True)
class Band:
    """What lies between two curves, shaded behind everything; `colour` is that of the legend's entry so numbered, from
    0, or grey for none."""

    label: str
    x: Numbers
    low: Numbers
    high: Numbers
    colour: int | None = None


@dataclass(frozen=True)
class Bars:
    """Vertical bars from zero."""

    label: str
    x: Numbers
    y: Numbers


@dataclass(frozen=True)
class Mark:
    """A vertical line with a name, such as spot."""

    label: str
    x: float


class _PlacedMark(NamedTuple):
    """Where a mark and its name go, in pixels and rows from the top."""

    label: str
    x: float
    left: float
    row: int


@dataclass(frozen=True)
class Chart:
    """One chart; NaN and infinite points are left out."""

    title: str
    x_label: str
    y_label: str
    lines: Sequence[Line] = ()
    bars: Sequence[Bars] = ()
    marks: Sequence[Mark] = ()
    bands: Sequence[Band] = ()
    x_range: tuple[float, float] | None = None
    # For an axis that is no plain scale: where, and what it says there.
    x_ticks: Sequence[tuple[float, str]] = ()
    y_ticks: Sequence[tuple[float, str]] = ()

    def render(self) -> str:
        """The SVG document."""
        points = [point for line in self.lines for point in self._visible(line.x, line.y)]
        points += [point for bars in self.bars for point in self._visible(bars.x, bars.y)]
        points += [
            point for band in self.bands for side in (band.low, band.high) for point in self._visible(band.x, side)
        ]
        xs = [x for x, _ in points] + [mark.x for mark in self.marks if self._in_range(mark.x)]
        ys = [y for _, y in points] + ([0.0] if self.bars else [])
        if not points:
            xs, ys = [0.0, 1.0], [0.0, 1.0]
        x_axis = _Axis.around(xs, _LEFT, _WIDTH - _RIGHT, margin=0.02)
        names = self._placed_marks(x_axis)
        # Names of marks stand above whatever is drawn, not over it.
        names_px = _ROW * max((name.row + 1 for name in names), default=0)
        y_axis = _Axis.around(ys, _HEIGHT - _BOTTOM, _TOP + names_px, margin=0.06)
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
            'font-size="13">',
            f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
            f'<text x="{_LEFT}" y="24" font-size="17" font-weight="bold">{escape(self.title)}</text>',
            *self._grid(x_axis, y_axis),
        ]
        parts += [part for band in self.bands for part in self._draw_band(band, x_axis, y_axis)]
        colours = iter(_COLOURS * (1 + (len(self.lines) + len(self.bars)) // len(_COLOURS)))
        legend: list[tuple[str, str]] = []
        for bars in self.bars:
            colour = next(colours)
            legend.append((bars.label, colour))
            parts += self._draw_bars(bars, colour, x_axis, y_axis)
        for line in self.lines:
            colour = legend[-1][1] if legend and not line.label else next(colours)
            if line.label:
                legend.append((line.label, colour))
            parts += self._draw_line(line, colour, x_axis, y_axis)
        parts += [part for name in names for part in self._draw_mark(name)]
        if not points:
            parts.append(f'<text x="{_WIDTH / 2}" y="{_HEIGHT / 2}" text-anchor="middle">no data</text>')
        legend += [(band.label, _shade(band)) for band in self.bands if band.label]
        parts += self._legend(legend)
        return "\n".join([*parts, "</svg>\n"])

    def _in_range(self, x: float) -> bool:
        return math.isfinite(x) and (self.x_range is None or self.x_range[0] <= x <= self.x_range[1])

    def _visible(self, x: Numbers, y: Numbers) -> list[tuple[float, float]]:
        return [
            (float(a), float(b)) for a, b in zip(x, y, strict=True) if self._in_range(float(a)) and math.isfinite(b)
        ]

    def _draw_line(self, line: Line, colour: str, x_axis: _Axis, y_axis: _Axis) -> list[str]:
        points = [(x_axis.at(x), y_axis.at(y)) for x, y in self._visible(line.x, line.y)]
        if line.dots:
            return [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2" fill="{colour}" opacity="0.55"/>' for x, y in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dashes = ' stroke-dasharray="6 4"' if line.dashed else ""
        return [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"{dashes}/>']

    def _draw_band(self, band: Band, x_axis: _Axis, y_axis: _Axis) -> list[str]:
        there = [self._visible(band.x, side) for side in (band.low, band.high)]
        around = [*there[0], *reversed(there[1])]
        path = " ".join(f"{x_axis.at(x):.1f},{y_axis.at(y):.1f}" for x, y in around)
        return [f'<polygon points="{path}" fill="{_shade(band)}"/>']

    def _draw_bars(self, bars: Bars, colour: str, x_axis: _Axis, y_axis: _Axis) -> list[str]:
        points = self._visible(bars.x, bars.y)
        gaps = [b - a for (a, _), (b, _) in pairwise(points) if b > a]
        width = max(1.0, 0.8 * abs(x_axis.at(min(gaps, default=1.0)) - x_axis.at(0.0)))
        zero = y_axis.at(0.0)
        drawn = []
        for x, y in points:
            top, height = min(zero, y_axis.at(y)), abs(y_axis.at(y) - zero)
            left = x_axis.at(x) - 0.5 * width
            drawn.append(
                f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>'
            )
        return drawn

    def _placed_marks(self, x_axis: _Axis) -> list[_PlacedMark]:
        """Each name in the first row where it covers no other."""
        placed: list[_PlacedMark] = []
        taken: list[float] = []  # where the last name of each row ends
        for mark in sorted((mark for mark in self.marks if self._in_range(mark.x)), key=lambda mark: mark.x):
            x, width = x_axis.at(mark.x), _CHARACTER * len(mark.label) + 8
            left = x + 4 if x + width < _WIDTH - _RIGHT else x - width
            row = next((row for row, end in enumerate(taken) if end < left), len(taken))
            taken[row : row + 1] = [left + width]
            placed.append(_PlacedMark(mark.label, x, left, row))
        return placed

    def _draw_mark(self, mark: _PlacedMark) -> list[str]:
        """A dashed line and its name, white behind the letters where a neighbour's line passes."""
        return [
            f'<line x1="{mark.x:.1f}" y1="{_TOP}" x2="{mark.x:.1f}" y2="{_HEIGHT - _BOTTOM}" stroke="#444" '
            'stroke-dasharray="5 4"/>',
            f'<text x="{mark.left:.1f}" y="{_TOP + 14 + _ROW * mark.row}" fill="#222" stroke="white" '
            f'stroke-width="4" paint-order="stroke">{escape(mark.label)}</text>',
        ]

    def _grid(self, x_axis: _Axis, y_axis: _Axis) -> list[str]:
        parts = []
        across = self.y_ticks or [(value, _short(value)) for value in ticks(y_axis.low, y_axis.high)]
        for value, name in across:
            y = y_axis.at(value)
            if not min(y_axis.start, y_axis.end) <= y <= max(y_axis.start, y_axis.end):
                continue
            stroke = "#888" if value == 0.0 else "#ddd"
            parts.append(f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDTH - _RIGHT}" y2="{y:.1f}" stroke="{stroke}"/>')
            parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{escape(name)}</text>')
        base = _HEIGHT - _BOTTOM
        parts.append(f'<line x1="{_LEFT}" y1="{base}" x2="{_WIDTH - _RIGHT}" y2="{base}" stroke="#444"/>')
        named = self.x_ticks or [(value, _short(value)) for value in ticks(x_axis.low, x_axis.high)]
        for value, name in named:
            x = x_axis.at(value)
            if not _LEFT <= x <= _WIDTH - _RIGHT:
                continue
            parts.append(f'<line x1="{x:.1f}" y1="{base}" x2="{x:.1f}" y2="{base + 5}" stroke="#444"/>')
            parts.append(f'<text x="{x:.1f}" y="{base + 20}" text-anchor="middle">{escape(name)}</text>')
        middle = (_TOP + _HEIGHT - _BOTTOM) / 2
        parts.append(
            f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 12}" text-anchor="middle">'
            f"{escape(self.x_label)}</text>"
        )
        parts.append(
            f'<text transform="translate(20 {middle}) rotate(-90)" text-anchor="middle">{escape(self.y_label)}</text>'
        )
        return parts

    def _legend(self, entries: list[tuple[str, str]]) -> list[str]:
        parts, x = [], float(_LEFT)
        for label, colour in entries:
            parts.append(f'<rect x="{x:.0f}" y="34" width="12" height="10" fill="{colour}"/>')
            parts.append(f'<text x="{x + 16:.0f}" y="44">{escape(label)}</text>')
            x += 34 + _CHARACTER * len(label)
        return parts


def _shade(band: Band) -> str:
    return "#e4e4e4" if band.colour is None else _SHADES[band.colour % len(_SHADES)]


@dataclass(frozen=True)
class _Axis:
    """Values to pixels, linearly."""

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def around(cls, values: Sequence[float], start: float, end: float, margin: float) -> _Axis:
        low, high = min(values), max(values)
        room = margin * (high - low) or max(abs(high), 1.0) * 0.5
        return cls(low - room, high + room, start, end)

    def at(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def ticks(low: float, high: float, wanted: int = 7) -> list[float]:
    """Round values inside the range, in steps of 1, 2 or 5 times a power of ten.

    >>> ticks(0.0, 10.0)
    [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    """
    raw = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(multiple * power for multiple in (1.0, 2.0, 5.0, 10.0) if multiple * power >= raw)
    first = math.ceil(low / step)
    return [round(i * step, 12) for i in range(first, math.floor(high / step) + 1)]


def _short(value: float) -> str:
    """1.2B, 350M, 6,450, 0.18."""
    for size, letter in ((1e9, "B"), (1e6, "M")):
        if abs(value) >= size:
            return f"{value / size:,.4g}{letter}"
    return f"{value:,.6g}"
