# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (compiled functions state their types in the decorator, where numba checks them)
"""What a print adds to the sums of its underlying's minute and day, and takes back when it was none."""

from __future__ import annotations

from services.market.hash_table import inlined

__all__ = ["add_direction", "add_volume", "start_minute", "undirect"]


@inlined
def start_minute(bucket, minute):
    """Clear a bucket that still holds an older minute."""
    if bucket.minute != minute:
        bucket.minute = minute
        bucket.prints = 0.0
        bucket.premium_usd = 0.0
        bucket.single_usd = 0.0
        bucket.net_premium_usd = 0.0
        bucket.delta_usd = 0.0
        bucket.delta_sq = 0.0
        bucket.bought_call_usd = 0.0
        bucket.bought_put_usd = 0.0
        bucket.sure_usd = 0.0
        bucket.sweep_usd = 0.0


@inlined
def add_volume(bucket, times, premium, single):
    """Count a print's premium, or take it back with times = -1."""
    bucket.prints += times
    bucket.premium_usd += times * premium
    bucket.single_usd += times * premium * single


@inlined
def add_direction(bucket, times, premium, right, side, sure, delta_usd):
    """Count a print's direction, or take it back with times = -1."""
    bucket.net_premium_usd += times * side * right * sure * premium
    bucket.delta_usd += times * delta_usd
    bucket.delta_sq += times * delta_usd * delta_usd
    bucket.sure_usd += times * sure * premium
    # Products in place of branches, which the processor would guess wrong every other time: adding 0.0 changes no bit.
    bought = times * sure * premium * (side > 0)
    bucket.bought_call_usd += bought * (right > 0)
    bucket.bought_put_usd += bought * (right < 0)


@inlined
def undirect(contract, traded, printed, bucket, day):
    """Take a counted print's direction back: it was cancelled, or turned out to be a leg."""
    add_direction(bucket, -1.0, printed.premium_usd, contract.right, printed.side, printed.sure, printed.delta_usd)
    add_direction(day, -1.0, printed.premium_usd, contract.right, printed.side, printed.sure, printed.delta_usd)
    traded.weight -= printed.sure * printed.size
    traded.signed -= printed.side * printed.sure * printed.size
    traded.delta_usd -= printed.delta_usd
