"""What stays is not looked at again; what is made later still is."""

from __future__ import annotations

import gc
import weakref

from services.runtime.gc_pauses import no_collection, spare_what_stays


class Knot:
    """Refers to itself: only the collector can free it."""

    def __init__(self) -> None:
        self.me = self


def test_what_is_there_is_spared_and_what_comes_later_is_collected() -> None:
    before = gc.get_threshold()
    try:
        spare_what_stays()
        assert gc.get_freeze_count() > 10_000
        knot = weakref.ref(Knot())
        gc.collect()
        assert knot() is None
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)


def test_nothing_is_looked_for_while_a_program_is_built() -> None:
    with no_collection():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_what_is_built_may_be_left_behind_before_the_block_ends() -> None:
    before = gc.get_threshold()
    try:
        with no_collection():
            spare_what_stays()
            assert gc.isenabled()
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
