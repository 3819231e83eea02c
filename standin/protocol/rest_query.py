"""What a REST request asks for: the vendor's filters, sorting and cursors, over a listing's rows. Pure.

?expiration_date=2025-12-19&strike_price.gte=600&contract_type=call&sort=strike_price&order=desc&limit=250
?cursor=eyJ...      opaque: the first request's filters and how many rows were already given
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import math
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.symbols import EPOCH_ORDINAL
from standin.feed.listing import Listing

__all__ = [
    "RANGES",
    "BadQueryError",
    "ChainQuery",
    "Order",
    "Page",
    "UniversalQuery",
    "cursor_of",
    "decoded",
    "limit_of",
    "order_of",
    "page_of",
    "refuse_other_days",
    "type_of",
    "wants_expired",
]

Order = Literal["asc", "desc"]
Sort = Literal["ticker", "underlying_ticker", "expiration_date", "strike_price"]
Query = TypeVar("Query", bound=msgspec.Struct)
RANGES = ("", ".gt", ".gte", ".lt", ".lte")


class BadQueryError(ValueError):
    """A parameter the vendor would answer with 400; the sentence names it."""


class ChainQuery(msgspec.Struct, frozen=True, omit_defaults=True):
    """Filters over contracts. `ranges` holds e.g. {"strike_price.gte": 600.0, "expiration_date": 20441.0}."""

    ranges: dict[str, float] = {}
    contract_type: str | None = None
    sort: Sort = "ticker"
    order: Order = "asc"
    limit: int = 10
    offset: int = 0

    @classmethod
    def parse(cls, parameters: Mapping[str, str], limit_max: int) -> ChainQuery:
        """Read query parameters, or go on from their cursor. Raises BadQueryError."""
        if "cursor" in parameters:
            return decoded(parameters["cursor"], cls)
        ranges: dict[str, float] = {}
        for suffix in RANGES:
            if (text := parameters.get(f"strike_price{suffix}")) is not None:
                ranges[f"strike_price{suffix}"] = _number("strike_price", text) * 1000.0
            if (text := parameters.get(f"expiration_date{suffix}")) is not None:
                ranges[f"expiration_date{suffix}"] = float(_day("expiration_date", text))
        contract_type = parameters.get("contract_type")
        if contract_type not in (None, "call", "put"):
            raise BadQueryError(f"contract_type must be call or put, not {contract_type!r}")
        sort, order = parameters.get("sort", "ticker"), parameters.get("order", "asc")
        if sort not in ("ticker", "underlying_ticker", "expiration_date", "strike_price"):
            raise BadQueryError(f"sort must be ticker, expiration_date or strike_price, not {sort!r}")
        return cls(ranges, contract_type, sort, order_of(order), limit_of(parameters, limit_max))  # type: ignore[arg-type]

    def cursor(self, offset: int) -> str:
        """The cursor of the page that begins `offset` rows in."""
        return cursor_of(msgspec.structs.replace(self, offset=offset))


class UniversalQuery(msgspec.Struct, frozen=True, omit_defaults=True):
    """The universal snapshot: the tickers of a list, or pages over all there are."""

    tickers: tuple[str, ...] | None = None
    type: str | None = None
    ranges: dict[str, str] = {}
    order: Order = "asc"
    limit: int = 10
    offset: int = 0

    @classmethod
    def parse(cls, parameters: Mapping[str, str], limit_max: int) -> UniversalQuery:
        """Read query parameters, or go on from their cursor. Raises BadQueryError."""
        if "cursor" in parameters:
            return decoded(parameters["cursor"], cls)
        named = tuple(filter(None, parameters.get("ticker.any_of", "").split(",")))
        if len(named) > limit_max:
            raise BadQueryError(f"ticker.any_of takes at most {limit_max} tickers, not {len(named)}")
        kind = parameters.get("type")
        if kind not in (None, *UNIVERSAL_TYPES):
            raise BadQueryError(f"type must be one of {', '.join(UNIVERSAL_TYPES)}, not {kind!r}")
        tickers = tuple(ticker for ticker in named if kind in (None, type_of(ticker))) if named else None
        ranges = {suffix: parameters[f"ticker{suffix}"] for suffix in RANGES if f"ticker{suffix}" in parameters}
        order, sort = order_of(parameters.get("order", "asc")), parameters.get("sort", "ticker")
        if sort != "ticker":
            raise BadQueryError(f"sort must be ticker, not {sort!r}")
        return cls(tickers, kind, ranges, order, limit_of(parameters, limit_max))

    def page(self, tickers: Sequence[str]) -> tuple[list[str], str | None]:
        """The tickers of this page out of all there are, and the cursor of the next."""
        chosen = [ticker for ticker in tickers if all(_holds(op, ticker, bound) for op, bound in self.ranges.items())]
        chosen.sort(reverse=self.order == "desc")
        end = self.offset + self.limit
        following = cursor_of(msgspec.structs.replace(self, offset=end)) if end < len(chosen) else None
        return chosen[self.offset : end], following


UNIVERSAL_TYPES = ("stocks", "options", "crypto", "fx", "indices")
# What a ticker's prefix says it is; stocks have none.
PREFIXES = {"O:": "options", "I:": "indices", "X:": "crypto", "C:": "fx"}


def type_of(ticker: str) -> str:
    """The type of a ticker by its prefix, whether or not there is such a ticker."""
    return PREFIXES.get(ticker[:2], "stocks")


def _holds(operator: str, ticker: str, bound: str) -> bool:
    if operator == "":
        return ticker == bound
    return {".gt": ticker > bound, ".gte": ticker >= bound, ".lt": ticker < bound, ".lte": ticker <= bound}[operator]


class Page(NamedTuple):
    """Rows of one page in their order, and the cursor of the next or None."""

    rows: NDArray[np.intp]
    cursor: str | None


def order_of(text: str, name: str = "order") -> Order:
    """Ascending or descending. Raises BadQueryError that names the parameter."""
    if text not in ("asc", "desc"):
        raise BadQueryError(f"{name} must be asc or desc, not {text!r}")
    return "asc" if text == "asc" else "desc"


def limit_of(parameters: Mapping[str, str], limit_max: int, default: int = 10) -> int:
    """The page size asked for. Raises BadQueryError above the endpoint's maximum or below one."""
    text = parameters.get("limit")
    if text is None:
        return default
    limit = _number("limit", text)
    if not 1 <= limit <= limit_max:
        raise BadQueryError(f"limit must be between 1 and {limit_max}, not {text}")
    return int(limit)


def refuse_other_days(parameters: Mapping[str, str], today: dt.date) -> None:
    """Raises BadQueryError for contracts as of another day than the market's: what was listed then is not known here,
    and what is listed now would be an untruth.
    """
    as_of = parameters.get("as_of")
    if as_of is not None and _day("as_of", as_of) != today.toordinal() - EPOCH_ORDINAL:
        raise BadQueryError(f"as_of must be {today}: what is listed on {as_of} is not served")


def wants_expired(parameters: Mapping[str, str]) -> bool:
    """Whether contracts that have expired are asked for. Raises BadQueryError."""
    expired = parameters.get("expired", "false")
    if expired not in ("true", "false"):
        raise BadQueryError(f"expired must be true or false, not {expired!r}")
    return expired == "true"


def page_of(listing: Listing, rows: slice, query: ChainQuery) -> Page:
    """The page of a chain (a slice of the listing) that the query asks for."""
    wanted = np.arange(rows.start, rows.stop)
    keep = np.ones(len(wanted), bool)
    columns: dict[str, NDArray[np.int64]] = {
        "strike_price": listing.strike_mills[rows],
        "expiration_date": listing.expiry_day[rows].astype(np.int64),
    }
    for name, bound in query.ranges.items():
        field, _, operator = name.partition(".")
        column = columns[field]
        comparisons = {"": column == bound, "gt": column > bound, "gte": column >= bound}
        comparisons |= {"lt": column < bound, "lte": column <= bound}
        keep &= comparisons[operator]
    if query.contract_type is not None:
        keep &= listing.right[rows] == (1 if query.contract_type == "call" else -1)
    wanted = wanted[keep]
    if query.sort in columns:
        # Stable, so that ties keep the order of their tickers and pages never overlap.
        wanted = wanted[np.argsort(columns[query.sort][keep], kind="stable")]
    if query.order == "desc":
        wanted = wanted[::-1]
    end = query.offset + query.limit
    return Page(wanted[query.offset : end], query.cursor(end) if end < len(wanted) else None)


def cursor_of(query: msgspec.Struct) -> str:
    """A query as an opaque cursor."""
    return base64.urlsafe_b64encode(msgspec.json.encode(query)).decode()


def decoded(cursor: str, kind: type[Query]) -> Query:
    """The query of a cursor. Raises BadQueryError."""
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(cursor.encode()), type=kind)
    except (msgspec.MsgspecError, binascii.Error, ValueError):
        raise BadQueryError("cursor is not one that was given out") from None


def _number(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    # JSON has no word for what is not finite, in mills either: a cursor that held it could not be read again.
    if not math.isfinite(number * 1000.0):
        raise BadQueryError(f"{name} must be a number, not {text!r}")
    return number


def _day(name: str, text: str) -> int:
    try:
        return dt.date.fromisoformat(text).toordinal() - EPOCH_ORDINAL
    except ValueError:
        raise BadQueryError(f"{name} must be a date such as 2025-12-19, not {text!r}") from None
