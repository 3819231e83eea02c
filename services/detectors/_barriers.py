"""Stop, target and null probability of a directional signal, and factors that add up to a base."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from services.contexts.price import PriceView

__all__ = ["NO_BARRIERS", "Barriers", "barriers", "null_probability", "weighted"]


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


def weighted(factors: Mapping[str, tuple[float, float]]) -> dict[str, float]:
    """Points of each factor: its weight times its strength, clipped to 0..1. Weights must add up to 100.

    >>> weighted({"size": (60, 0.5), "speed": (40, 3.0)})
    {'size': 30.0, 'speed': 40.0}
    """
    total = sum(weight for weight, _ in factors.values())
    assert abs(total - 100) < 1e-9, f"weights add up to {total}, not 100"
    return {name: weight * min(1.0, max(0.0, strength)) for name, (weight, strength) in factors.items()}
