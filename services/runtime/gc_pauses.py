"""The garbage collector, kept from going over what stays.

A program of ours has some 300,000 objects once it is up (compilers, clients, rules) that live as long as it does. Every
full collection looks at all of them: 60 to 200 ms in which no print is read, once in some seconds.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

__all__ = ["no_collection", "spare_what_stays"]

# Objects made and not freed before the youngest are looked at. A frame makes some dozens, nearly all freed by count.
YOUNG_MAX = 10_000


@contextlib.contextmanager
def no_collection() -> Iterator[None]:
    """While a program is imported and built: hundreds of thousands of objects come, and nearly all of them stay.

    Ends with the block, or with `spare_what_stays` inside it.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def spare_what_stays() -> None:
    """Call once everything is built and compiled, before live data comes. From here on the collector runs."""
    gc.freeze()
    gc.set_threshold(YOUNG_MAX, *gc.get_threshold()[1:])
    gc.enable()
