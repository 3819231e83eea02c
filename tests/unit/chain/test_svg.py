"""Charts draw what they are given, and name it once."""

from __future__ import annotations

import re

import numpy as np

from services.chain.svg import Band, Chart, Line

X = np.arange(4.0)


def test_a_band_lies_behind_the_lines_in_a_lighter_shade_and_is_named_after_them() -> None:
    svg = Chart("t", "x", "y", [Line("ours", X, X)], bands=[Band("all of ours", X, X - 1.0, X + 1.0, 0)]).render()
    assert svg.index("<polygon") < svg.index("<polyline")
    assert svg.index(">ours<") < svg.index(">all of ours<")
    (shade,) = set(re.findall(r'<polygon[^>]*fill="(#\w+)"', svg))
    assert shade not in re.findall(r'stroke="(#\w+)"', svg)


def test_a_band_counts_for_the_axis_and_leaves_out_what_is_not_known() -> None:
    low, high = np.array([0.0, 0.0, np.nan, 0.0]), np.array([100.0, 50.0, np.nan, 10.0])
    svg = Chart("t", "x", "y", [Line("a", X, X)], bands=[Band("", X, low, high)]).render()
    assert ">100</text>" in svg
    assert "nan" not in svg


def test_names_of_ticks_may_be_given_on_both_axes_and_those_outside_are_left_out() -> None:
    svg = Chart("t", "x", "y", [Line("a", X, X)], y_ticks=[(1.0, "one"), (9.0, "nine")]).render()
    assert ">one</text>" in svg
    assert "nine" not in svg


def test_a_line_without_a_name_has_the_colour_of_the_one_before() -> None:
    svg = Chart("t", "x", "y", [Line("a", X, X), Line("", X, -X, dashed=True)]).render()
    strokes = re.findall(r'<polyline[^>]*stroke="(#\w+)"', svg)
    assert strokes[0] == strokes[1]
    assert svg.count("stroke-dasharray") == 1
