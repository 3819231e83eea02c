"""What an HTTP status of the vendor's REST means (spec/vendor.md 7.1). Pure."""

from __future__ import annotations

import enum

__all__ = ["RestVerdict", "verdict_of"]

# Refusals of the moment, not of the request.
_RETRIED = frozenset({429, 499})


class RestVerdict(enum.Enum):
    """What is done with an answer."""

    TAKEN = "taken"
    REFUSED = "refused"  # it will be the same however often it is asked for
    RETRIED = "retried"


def verdict_of(http_status: int) -> RestVerdict:
    """What an answer with this status is.

    >>> [verdict_of(status).value for status in (200, 404, 429, 503)]
    ['taken', 'refused', 'retried', 'retried']
    """
    if http_status == 200:
        return RestVerdict.TAKEN
    return RestVerdict.RETRIED if http_status >= 500 or http_status in _RETRIED else RestVerdict.REFUSED
