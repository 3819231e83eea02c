"""What is emitted twice has one name; what differs anywhere has another."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from typing import ClassVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.core.identity import Digest, identity, parameters_digest

parts = st.lists(st.text(max_size=6) | st.integers(), min_size=1, max_size=5)


@given(parts, parts)
def test_ids_are_equal_just_when_their_parts_are(one: list[str | int], other: list[str | int]) -> None:
    same = [str(part) for part in one] == [str(part) for part in other]
    assert (identity(*one) == identity(*other)) == same


@given(parts)
def test_an_id_is_twenty_four_hex_digits(some: list[str | int]) -> None:
    assert len(identity(*some)) == 24
    int(identity(*some), 16)


def test_an_id_does_not_depend_on_the_hash_seed() -> None:
    program = "from services.core.identity import identity; print(identity('sweep', 'SPY', 'LONG', 17))"
    told = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "77")
    }
    assert told == {identity("sweep", "SPY", "LONG", 17) + "\n"}


def test_this_id_never_changes() -> None:
    """Alerts are known by their ids in warehouses and chats: another formula would tell everything twice.

    `printf 5:sweep,3:SPY,4:LONG,2:17, | sha256sum`, cut to 24 digits.
    """
    assert identity("sweep", "SPY", "LONG", 17) == "3b24dec4af07eda1542c9abc"


class Tuned(msgspec.Struct, frozen=True):
    premium_usd: float = 25_000.0
    weights: dict[str, float] = {}


def test_parameters_are_named_by_their_values() -> None:
    assert parameters_digest(Tuned()) == parameters_digest(Tuned(premium_usd=25_000.0))
    assert parameters_digest(Tuned()) != parameters_digest(Tuned(premium_usd=25_001.0))
    assert parameters_digest(Tuned(weights={"a": 1, "b": 2})) == parameters_digest(Tuned(weights={"b": 2, "a": 1}))


class Grown(Tuned, frozen=True):
    window_s: int = 60
    added: ClassVar[frozenset[str]] = frozenset({"window_s"})


def test_a_parameter_that_came_later_renames_nothing_until_it_is_turned() -> None:
    assert parameters_digest(Grown()) == parameters_digest(Tuned())
    assert parameters_digest(Grown(premium_usd=1.0)) == parameters_digest(Tuned(premium_usd=1.0))
    assert parameters_digest(Grown(window_s=61)) != parameters_digest(Grown())


def test_the_digest_is_the_sha256_of_the_lines() -> None:
    digest = Digest()
    digest.add(0, [b"one", b"two"])
    digest.add(0, [b"three"])
    digest.add(2, [b"four"])
    assert digest.hexdigest() == hashlib.sha256(b"one\ntwo\nthree\nfour\n").hexdigest()


def test_partitions_come_one_whole_after_the_other() -> None:
    digest = Digest()
    digest.add(1, [])
    with pytest.raises(AssertionError, match="lines of partition 0 after partition 1"):
        digest.add(0, [b"late"])
