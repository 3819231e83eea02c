"""Signals and alerts for tests, complete but for what a test wants to say."""

from __future__ import annotations

from typing import Any

from schemas.decisions import Alert, Record, Signal, View


def signal(identity: str = "s1", **fields: Any) -> Signal:
    """A signal; `fields` replace the defaults."""
    values: dict[str, Any] = {
        "id": identity, "detector": "sweep", "version": "1", "parameters": "p", "underlying": "SPY", "contract": None,
        "direction": "LONG", "label": "PRICE_BARRIER", "event_ns": 10, "emitted_ns": 20, "partition": 0, "epoch": 1,
        "position": 5, "inputs": ((1, 3), (1, 4)), "base": 61.5, "confidence": 0.5, "reference_usd": 100.0,
        "stop_usd": 99.0, "target_usd": 102.0, "horizon_s": 3600, "null_probability": 0.33, "factors": {"size": 61.5},
        "evidence": {"premium_usd": 50_000.0}, "headline": "a sweep",
    }  # fmt: skip
    return Signal(**{**values, **fields})


def alert(identity: str = "a1", **fields: Any) -> Alert:
    """An alert; `fields` replace the defaults."""
    values: dict[str, Any] = {
        "id": identity, "signal_id": "s1", "detector": "sweep", "version": "1", "underlying": "SPY", "contract": None,
        "direction": "LONG", "score": 70.0, "base": 61.5, "boosts": (), "penalties": (), "coverage": 1.0, "flags": (),
        "event_ns": 10, "emitted_ns": 20, "partition": 0, "epoch": 1, "position": 5, "inputs": ((1, 3),),
        "reference_usd": 100.0, "stop_usd": 99.0, "target_usd": 102.0, "horizon_s": 3600, "evidence": {},
        "record": Record(), "headline": "an alert",
    }  # fmt: skip
    return Alert(**{**values, **fields})


def view(as_of_ns: int = 60, **fields: Any) -> View:
    """A view; `fields` replace the defaults."""
    values: dict[str, Any] = {
        "context": "price", "version": "1", "underlying": "SPY", "as_of_ns": as_of_ns, "ready": True, "reason": "",
        "stance": "RISING", "confidence": 0.5, "values": {"last_usd": 101.5},
    }  # fmt: skip
    return View(**{**values, **fields})
