"""The vendor's messages for tests: one function an element, `frame` around them."""

from __future__ import annotations

from typing import Any

import msgspec

SPY_CALL = "O:SPY251219C00650000"
SPX_PUT = "O:SPXW251219P06800000"
T0_MS = 1_765_981_806_123
MS = 1_000_000
T0_NS = T0_MS * MS


def frame(*elements: dict[str, Any]) -> bytes:
    return msgspec.json.encode(elements)


def trade(sym: str = SPY_CALL, **changes: Any) -> dict[str, Any]:
    return {"ev": "T", "sym": sym, "x": 302, "p": 12.41, "s": 25, "c": [219], "t": T0_MS, "q": 1844730912} | changes


def quote(sym: str = SPY_CALL, **changes: Any) -> dict[str, Any]:
    base = {"ev": "Q", "sym": sym, "bx": 302, "ax": 313, "bp": 12.38, "ap": 12.42, "bs": 41, "as": 17}
    return base | {"t": T0_MS - 4, "q": 1844730871} | changes


def index_value(ticker: str = "I:SPX", **changes: Any) -> dict[str, Any]:
    return {"ev": "V", "val": 6873.42, "T": ticker, "t": T0_MS} | changes


def stock_bar(sym: str = "SPY", **changes: Any) -> dict[str, Any]:
    base = {"ev": "A", "sym": sym, "v": 18250, "dv": "18250.0", "o": 687.42, "c": 687.44, "h": 687.46, "l": 687.4}
    return base | {"a": 686.902, "z": 96, "s": T0_MS - 1000, "e": T0_MS} | changes


def status(code: str, message: str = "") -> dict[str, Any]:
    return {"ev": "status", "status": code, "message": message}


def without(element: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in element.items() if key not in keys}
