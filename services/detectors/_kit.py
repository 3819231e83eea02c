"""What detectors share, so that each says only what it watches for: when it may speak, its base and confidence, its
barriers, and the words for people.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from typing import Generic, NamedTuple, TypeVar

import msgspec

from schemas.decisions import Direction
from schemas.symbols import Contract
from services.contexts.flow import FlowView
from services.contexts.price import PriceView
from services.core.calendar import NS
from services.core.contract import Finding, Moment

__all__ = [
    "NO_BARRIERS",
    "Barriers",
    "Cooldown",
    "Growth",
    "Weights",
    "barriers",
    "contract_words",
    "direction",
    "in_session",
    "money",
    "null_probability",
    "seconds_to_close",
    "side_certainty",
    "side_words",
    "warm",
    "watched",
    "with_barriers",
]

K = TypeVar("K", bound=Hashable)
# One in a billion: far below what is published, far above what arithmetic loses.
DIGITS = 9


# Whom, and when.


def watched(underlying: str, only: Collection[str]) -> bool:
    """Whether a rule is for an underlying; one that names nobody is for all.

    >>> watched("SPX", ("SPX", "NDX")), watched("AAPL", ("SPX", "NDX")), watched("AAPL", ())
    (True, False, True)
    """
    return not only or underlying in only


def warm(flow: FlowView | None, prints_min: int) -> bool:
    """Whether an underlying was seen trading today, so that a start in mid-session is not itself an event."""
    return flow is not None and flow.prints_day >= prints_min


def in_session(moment: Moment, after_open_s: int = 0, before_close_s: int = 0) -> bool:
    """Whether the regular session is on: from so long after its open until so long before its close, half days' too."""
    session = moment.session
    if session is None:
        return False
    return session.open_ns + after_open_s * NS <= moment.now_ns < session.close_ns - before_close_s * NS


def seconds_to_close(moment: Moment, *, next_session: bool = False) -> int:
    """Seconds to the close of the day's session, or of the next; 0 or less when that is over, or there is none."""
    session = moment.next_session if next_session else moment.session
    return 0 if session is None else (session.close_ns - moment.now_ns) // NS


class Cooldown(Generic[K]):
    """Speaks once in so many seconds of log time, each key for itself."""

    def __init__(self, seconds: int) -> None:
        self._span_ns = seconds * NS
        self._spoke_ns: dict[K, int] = {}

    def clear(self) -> None:
        """Start a day afresh."""
        self._spoke_ns.clear()

    def over(self, key: K, now_ns: int) -> bool:
        """Whether it may speak of `key` again."""
        spoke_ns = self._spoke_ns.get(key)
        return spoke_ns is None or now_ns - spoke_ns >= self._span_ns

    def start(self, key: K, now_ns: int) -> None:
        """It speaks of `key` now."""
        self._spoke_ns[key] = now_ns


class Growth(Generic[K]):
    """Speaks once, and is armed again when a size has grown so many times since, each key for itself."""

    def __init__(self, times: float) -> None:
        self._times = times
        self._told: dict[K, float] = {}

    def clear(self) -> None:
        """Start a day afresh."""
        self._told.clear()

    def armed(self, key: K, size: float) -> bool:
        """Whether it may speak of `key` at that size."""
        return size >= self._times * self._told.get(key, 0.0)

    def disarm(self, key: K, size: float) -> None:
        """It speaks of `key` at that size."""
        self._told[key] = size


# How much, and how sure.


class Weights:
    """The points of each factor of a base; they add up to 100. Raises ValueError when they do not."""

    def __init__(self, points: Mapping[str, float]) -> None:
        total = sum(points.values())
        if abs(total - 100) > 1e-9:
            raise ValueError(f"the weights of {', '.join(points)} add up to {total:g}, not to 100")
        self._points = dict(points)

    def factors(self, strengths: Mapping[str, float]) -> dict[str, float]:
        """Points of each factor: its weight times its strength, clipped to 0..1. Every factor must have one.

        >>> Weights({"size": 60, "speed": 40}).factors({"size": 0.5, "speed": 3.0})
        {'size': 30.0, 'speed': 40.0}
        """
        assert strengths.keys() == self._points.keys(), f"{sorted(strengths)} are not {sorted(self._points)}"
        return {name: self._points[name] * min(1.0, max(0.0, strength)) for name, strength in strengths.items()}


def side_certainty(p_side: float, p_best: float) -> float:
    """How sure a side is, 0 for a coin's throw and 1 for what the best rule knows (`p_best`, from the facts).

    >>> round(side_certainty(0.83, 0.83), 9), side_certainty(0.5, 0.83), side_certainty(0.9, 0.83)
    (1.0, 0.0, 1.0)
    """
    best = round(2 * p_best - 1, DIGITS)
    return min(1.0, (2 * p_side - 1) / best) if best > 0 else 0.0


# Barriers.


class Barriers(NamedTuple):
    """Prices in dollars; all None when the price view is not ready, or its price is old."""

    reference_usd: float | None
    stop_usd: float | None
    target_usd: float | None
    null_probability: float | None


NO_BARRIERS = Barriers(None, None, None, None)


def null_probability(stop_usd: float, target_usd: float) -> float:
    """Chance that a price without drift reaches the target before the stop, both as distances (gambler's ruin).

    >>> null_probability(1.0, 1.5)
    0.4
    """
    return stop_usd / (stop_usd + target_usd)


def barriers(
    price: PriceView | None, now_ns: int, way: int, stop_atr: float, target_r: float, session: bool = False
) -> Barriers:
    """Stop at `stop_atr` ranges of 15 minutes (of a session if `session`) against `way`, target `target_r` times that.

    Without a ready price of the last minute there are none, and without a way (0) there is only the reference.
    """
    if price is None or not price.ready or not price.fresh(now_ns) or price.atr_15m_usd is None:
        return NO_BARRIERS
    unit = price.session_atr_usd if session else price.atr_15m_usd
    if way == 0 or not unit:
        return Barriers(price.price_usd, None, None, None)
    stop = stop_atr * unit
    if stop >= price.price_usd:
        return Barriers(price.price_usd, None, None, None)
    return Barriers(
        price.price_usd,
        price.price_usd - way * stop,
        price.price_usd + way * stop * target_r,
        null_probability(stop, stop * target_r),
    )


def with_barriers(finding: Finding, bars: Barriers) -> Finding:
    """The finding with its barriers."""
    return msgspec.structs.replace(finding, **bars._asdict())


# Words.


def direction(way: int) -> Direction:
    """The direction of +1, -1 and 0."""
    return "LONG" if way > 0 else "SHORT" if way < 0 else "NEUTRAL"


def side_words(side: int) -> str:
    """What was done with a contract by whoever paid for it: +1, -1, 0 for both."""
    return "bought" if side > 0 else "sold" if side < 0 else "traded both ways"


def money(usd: float) -> str:
    """Dollars as the tape's readers write them.

    >>> money(1_234_567), money(250_000), money(-999)
    ('$1.2M', '$250k', '-$999')
    """
    sign, size = "-" if usd < 0 else "", abs(usd)
    if size >= 999_500:
        return f"{sign}${size / 1e6:.1f}M"
    return f"{sign}${size / 1e3:.0f}k" if size >= 1000 else f"{sign}${size:.0f}"


def contract_words(contract: Contract) -> str:
    """A contract as one reads it out.

    >>> contract_words(Contract("SPY", 20441, 650000, 1))
    'SPY 650 call 2025-12-19'
    """
    return f"{contract.root} {contract.strike_usd:g} {'call' if contract.right > 0 else 'put'} {contract.expiry}"
