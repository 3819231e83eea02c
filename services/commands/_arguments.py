"""How arguments are read: durations, moments, speeds, symbols."""

from __future__ import annotations

import argparse
import datetime as dt
import re
from urllib.parse import urlsplit

from schemas.symbols import SymbolError, symbol_code
from services.core.calendar import NEW_YORK, NS
from services.errors import InputError
from services.settings.gateway import GatewaySettings

__all__ = ["check_feed", "day", "duration", "moment", "speed", "symbol"]

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def duration(text: str) -> float:
    """Seconds of `90s`, `5m`, `1h`, or a bare number of seconds.

    >>> duration("1.5m")
    90.0
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?", text.strip())
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration such as 20s, 5m or 1h")
    return float(match[1]) * _UNITS_S[match[2] or "s"]


def speed(text: str) -> float | None:
    """A factor of real time, or None for `max`."""
    if text == "max":
        return None
    try:
        value = float(text.removesuffix("x"))
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a speed such as 1, 20 or max")
    return value


def day(text: str) -> dt.date:
    """A date such as 2014-06-06."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date such as 2014-06-06") from None


def moment(text: str) -> int:
    """Nanoseconds of `2014-06-06` or `2014-06-06T10:30`, New York time unless an offset is given."""
    try:
        value = dt.datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 2014-06-06T10:30") from None
    if value.tzinfo is None:
        value = value.replace(tzinfo=NEW_YORK)
    return int(value.timestamp() * 1_000_000) * (NS // 1_000_000)


def symbol(text: str) -> str:
    """An underlying: `spx`, `SPX` and the vendor's `I:SPX` are one.

    >>> symbol("I:spx")
    'SPX'
    """
    name = text.upper().removeprefix("I:")
    try:
        symbol_code(name)
    except SymbolError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return name


def check_feed(settings: GatewaySettings) -> None:
    """Raises InputError for an address of the feed that no try will ever reach."""
    for url, schemes in ((settings.ws_url, ("ws://", "wss://")), (settings.rest_url, ("http://", "https://"))):
        if not url.startswith(schemes):
            raise InputError(url, f"is no address of that kind; it starts with {' or '.join(schemes)}")
        try:
            parts = urlsplit(url)
            reachable = bool(parts.hostname) and parts.port != 0
        except ValueError:
            reachable = False
        if not reachable:
            raise InputError(url, "has no host, or its port is not a number from 1 to 65535")
