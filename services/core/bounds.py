"""Kinds of numbers that parameters are, each with its bounds and the reason for them.

A parameter is declared by one of these (or by bounds of its own) and refused outside them, at the start, in a sentence.
Bounds say what can make sense at all, so that whoever tunes searches where there is something; defaults, what is meant.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta

__all__ = [
    "Chance",
    "Count",
    "CountOrNone",
    "Days",
    "Milliseconds",
    "Points",
    "Ranges",
    "Room",
    "Seconds",
    "SecondsOrNone",
    "Share",
    "SignedPoints",
    "StandardErrors",
    "Times",
    "Usd",
    "UsdSome",
]

# Part of a whole.
Share: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
# How often a side is right: a rule that is right less often than a coin names the other side.
Chance: TypeAlias = Annotated[float, Meta(ge=0.5, le=1)]
# A score has a hundred.
Points: TypeAlias = Annotated[float, Meta(ge=0, le=100)]
SignedPoints: TypeAlias = Annotated[float, Meta(ge=-100, le=100)]
# State starts afresh each day: what lasts longer than one never ends.
Seconds: TypeAlias = Annotated[int, Meta(ge=1, le=86_400)]
SecondsOrNone: TypeAlias = Annotated[int, Meta(ge=0, le=86_400)]
# What belongs to one order is over within a minute; longer spans are told in seconds.
Milliseconds: TypeAlias = Annotated[int, Meta(ge=1, le=60_000)]
# LEAPS run three years; twenty is more than anything listed.
Days: TypeAlias = Annotated[int, Meta(ge=0, le=7_300)]
# All of OPRA prints some ten million trades a day, of a hundred million contracts.
Count: TypeAlias = Annotated[int, Meta(ge=1, le=1_000_000_000)]
CountOrNone: TypeAlias = Annotated[int, Meta(ge=0, le=1_000_000_000)]
# A trillion dollars is more premium than a year of listed options trades.
Usd: TypeAlias = Annotated[float, Meta(ge=0, le=1e12)]
# As much at most, and more than nothing, where it is divided by or its logarithm is taken.
UsdSome: TypeAlias = Annotated[float, Meta(gt=0, le=1e12)]
# Average true ranges, and multiples of a risk: beyond twenty no price goes within a horizon.
Ranges: TypeAlias = Annotated[float, Meta(gt=0, le=20)]
# One number over another of its kind (volume over open interest, premium over what was asked).
Times: TypeAlias = Annotated[float, Meta(ge=0, le=1_000)]
# Beyond ten standard errors there is no chance left to speak of.
StandardErrors: TypeAlias = Annotated[float, Meta(ge=0, le=10)]
# Records of a table: ten times all of OPRA's 1.6 million contracts, which still fits a machine's memory.
Room: TypeAlias = Annotated[int, Meta(ge=1, le=16_777_216)]
