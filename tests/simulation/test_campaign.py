"""Bad days drawn from a seed, end to end: `make campaign N=200` plays more of them than there is time for here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from standin.faults.named import FAULTS
from standin.faults.requested import draw_faults
from tests.simulation.campaign import FAULTS_S, play_session

pytestmark = pytest.mark.slow

# Between them these draw every fault that a seed may draw at least once.
SEEDS = (2, 4, 5, 7, 9, 14, 33, 35, 36, 88)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One warehouse for all sessions: the embedded engine keeps to one path a process."""
    return tmp_path_factory.mktemp("campaign")


@pytest.mark.parametrize("seed", SEEDS)
def test_every_print_is_recorded_once_or_lies_in_a_gap_and_replay_agrees(
    seed: int, data_dir: Path, figure: Callable[[str], None]
) -> None:
    books = play_session(seed, data_dir)
    figure(f"{', '.join(books.faults)}: {books.facts}, gaps {books.causes}")
    assert books.wrong == ()


def test_these_seeds_draw_every_fault_there_is_to_draw() -> None:
    drawn = {type(fault) for seed in SEEDS for fault in draw_faults(seed, over_s=FAULTS_S)}
    assert drawn == {kind for kind in FAULTS.values() if kind.drawn}
