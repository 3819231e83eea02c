"""Every context and detector, found in its folder, keeps the promises of the contract; nothing is left out."""

from __future__ import annotations

import ast
import builtins
import hashlib
import math
import os
import pickle
import socket
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import services.contexts
import services.detectors
from schemas.decisions import Alert, Signal
from schemas.frames import Frame, Header, Lane, TradeRows, empty_rows
from services.core.sequencer import Sequencer
from tests.support.conformance import CONTEXTS, DETECTORS, cut, decisions, machine, noise, rich_log, signals_of, told
from tests.support.logs import OPEN, Row, frames, heartbeat, option, stock, trade

CONTEXTS_DIR = Path(services.contexts.__path__[0])
DETECTORS_DIR = Path(services.detectors.__path__[0])
SOURCES = sorted([*CONTEXTS_DIR.rglob("*.py"), *DETECTORS_DIR.rglob("*.py"), CONTEXTS_DIR.parent / "scanner.py"])
# Each example is a handful of whole pipeline runs; the seeds are fixed, so more examples are more of the same log.
EXAMPLES = settings(max_examples=8)


def files_of(folder: Path) -> list[str]:
    """Files, and folders that are packages; what begins with an underscore is a helper."""
    found = [*folder.glob("*.py"), *(path.parent for path in folder.glob("*/__init__.py"))]
    return sorted(path.stem for path in found if not path.stem.startswith("_"))


def test_discovery_finds_exactly_the_files_in_the_folders() -> None:
    assert list(CONTEXTS) == files_of(CONTEXTS_DIR)
    assert list(DETECTORS) == files_of(DETECTORS_DIR)


@pytest.mark.parametrize("name", DETECTORS)
def test_the_rich_log_makes_it_speak(name: str) -> None:
    assert name in {signal.detector for signal in signals_of(cut(rich_log(), None))}


@pytest.mark.parametrize("name", CONTEXTS)
def test_the_rich_log_makes_its_view_ready(name: str) -> None:
    pipeline = machine()
    views = [view for frame in cut(rich_log(), None) for view in pipeline.step(frame).views]
    assert any(view.ready for view in views if view.context == name)


@pytest.mark.parametrize("kind", [*CONTEXTS.values(), *DETECTORS.values()], ids=lambda kind: kind.name)
def test_it_says_what_it_is(kind: type) -> None:
    assert len(kind.__doc__ or "") > 200, "its docstring is its specification"
    assert kind.version
    parameters = kind.Parameters()
    with pytest.raises(AttributeError):
        setattr(parameters, next(iter(msgspec.structs.asdict(parameters))), 0)


@pytest.mark.parametrize("kind", DETECTORS.values(), ids=lambda kind: kind.name)
def test_a_detector_listens_only_to_what_a_context_raises(kind: type) -> None:
    raised = {trigger for context in CONTEXTS.values() for trigger in context.raises}
    assert kind.triggers <= raised


def test_the_same_log_twice_gives_the_same_decisions() -> None:
    log = cut(rich_log(), None)
    first = decisions(log)
    assert first
    assert decisions(log) == first


@EXAMPLES
@given(extra=noise(), cuts=st.sets(st.integers(0, 3_000), max_size=60))
def test_any_split_and_merge_of_the_log_gives_equal_decisions(extra: list[Row], cuts: set[int]) -> None:
    rows = [*rich_log(), *extra]
    whole = told(cut(rows, None))
    lines, _, views = whole
    assert lines
    assert told(cut(rows, cuts)) == whole
    assert told(cut(rows, set(range(10_000)))) == whole, "a frame for every row"
    long = cut([row for row in rows if row.columns is not None], set())
    assert told(long) == whole, "as long as can be"
    assert told(long, machine(sampling=False)) == (lines, [], views), "and not even cut where views are sampled"


@pytest.mark.parametrize("name", CONTEXTS)
@EXAMPLES
@given(extra=noise(), cuts=st.sets(st.integers(0, 3_000), max_size=60))
def test_a_context_alone_ends_with_equal_views_under_any_split(name: str, extra: list[Row], cuts: set[int]) -> None:
    # Alone, because another's due times cut the log for it too and would hide that its own are missing.
    rows = [row for row in [*rich_log(), *extra] if row.columns is not None]

    def views(cuts: set[int] | None) -> list[bytes]:
        return told(cut(rows, cuts), machine(sampling=False, only=name))[2]

    whole = views(None)
    assert whole
    assert views(cuts) == whole
    assert views(set()) == whole


@EXAMPLES
@given(extra=noise(), at=st.floats(0, 1))
def test_pickling_the_state_at_any_frame_and_going_on_changes_nothing(extra: list[Row], at: float) -> None:
    log = cut([*rich_log(), *extra], None)
    here = int(at * len(log))
    pipeline = machine()
    before = decisions(log[:here], pipeline)
    assert before + decisions(log[here:], pickle.loads(pickle.dumps(pipeline))) == decisions(log)


@EXAMPLES
@given(extra=noise(), at=st.floats(0, 1))
def test_a_restart_at_any_frame_changes_nothing(extra: list[Row], at: float) -> None:
    log = cut([*rich_log(), *extra], None)
    here = int(at * len(log))
    before = decisions(log[:here])
    fresh = machine()
    again = decisions(log[:here], fresh)  # recovery is replay
    assert again == before
    assert before + decisions(log[here:], fresh) == decisions(log)


@EXAMPLES
@given(seed=st.integers(0, 2**32 - 1))
def test_duplicates_and_lanes_out_of_step_change_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    opening = [
        Frame(Header(lane, 0, 1, seq, 0, 0, OPEN - 10**9, opening=True), empty_rows(lane))
        for seq, lane in enumerate(Lane)
    ]
    log = [
        frame._replace(header=frame.header._replace(seq=frame.header.seq + len(opening)))
        for frame in cut(rich_log(), None)
    ]
    # Each lane keeps its order; which lane comes next is chance, and a lane may repeat its last frames.
    lanes = {lane: [frame for frame in opening + log if frame.header.lane == lane] for lane in Lane}
    arrived: list[Frame] = []
    places = dict.fromkeys(Lane, 0)
    while waiting := [lane for lane in Lane if places[lane] < len(lanes[lane])]:
        lane = waiting[int(rng.integers(len(waiting)))]
        start = max(0, places[lane] - int(rng.integers(0, 3)))
        arrived += lanes[lane][start : places[lane] + 1]
        places[lane] += 1
    sequencer = Sequencer()
    ordered = [frame for frame in arrived for frame in sequencer.push(frame)]
    assert sequencer.duplicates > 0
    assert decisions(ordered) == decisions(opening + log)


def poisoned(row: Row, rng: np.random.Generator) -> Row:
    """The same row with its numbers gone mad."""
    if row.columns is None:
        return row
    columns = dict(row.columns)
    for name, value in columns.items():
        if isinstance(value, float):
            columns[name] = float(rng.choice([math.nan, 0.0, value * 7, -value]))
        elif name in ("size_contracts", "open_interest", "volume"):
            columns[name] = int(rng.integers(0, 1_000_000))
    return row._replace(columns=columns)


@EXAMPLES
@given(seed=st.integers(0, 2**32 - 1), at=st.floats(0.05, 1))
def test_poisoning_the_future_changes_nothing_before_it(seed: int, at: float) -> None:
    rng = np.random.default_rng(seed)
    from_ns = OPEN + int(at * 4_600) * 10**9
    mad = [poisoned(row, rng) if row.received_ns >= from_ns else row for row in rich_log()]

    def before(rows: list[Row]) -> list[bytes]:
        pipeline = machine()
        made = [decision for frame in cut(rows, None) for decision in pipeline.step(frame).decisions]
        return [msgspec.json.encode(decision) for decision in made if decision.emitted_ns < from_ns]

    assert before(mad) == before(list(rich_log()))


def test_what_contexts_leave_out_because_nobody_listens_changes_no_decision() -> None:
    log = cut(rich_log(), None)
    pipeline = machine()
    for context in pipeline.contexts:
        context.listened = None
    assert [line for frame in log for line in pipeline.step(frame).lines()] == decisions(log)


def test_a_prefix_of_the_log_gives_a_prefix_of_the_decisions() -> None:
    log = cut(rich_log(), None)
    whole = decisions(log)
    for here in range(0, len(log), max(1, len(log) // 12)):
        part = decisions(log[:here])
        assert part == whole[: len(part)]


def test_every_detector_is_silent_before_its_warm_up() -> None:
    # The first five minutes of the rich log hold everything but the events themselves.
    early = [row for row in rich_log() if row.received_ns < OPEN + 300 * 10**9]
    assert decisions(frames([*early, heartbeat(299.9)])) == []


def test_every_detector_is_silent_without_a_session() -> None:
    saturday_ns = 86_400 * 10**9
    moved = [
        row._replace(
            received_ns=row.received_ns + saturday_ns,
            columns=None if row.columns is None else {**row.columns, "event_ns": row.columns["event_ns"] + saturday_ns},
        )
        for row in rich_log()
    ]
    spoke = {signal.detector for signal in signals_of(frames(moved))}
    assert "put_wall_support" not in spoke, "no price bars and no levels without a session"


@EXAMPLES
@given(extra=noise(80))
def test_gaps_halts_and_mad_quotes_are_survived_and_published_numbers_stay_finite(extra: list[Row]) -> None:
    pipeline = machine()
    # A quarter of an hour is missing, as after a halt.
    holed = [row for row in [*rich_log(), *extra] if not 1_800 < (row.received_ns - OPEN) / 1e9 < 2_700]
    for frame in cut(holed, None):
        outputs = pipeline.step(frame)
        for decision in outputs.decisions:
            numbers = [decision.base, *decision.evidence.values()]
            numbers += [decision.score] if isinstance(decision, Alert) else []
            assert all(math.isfinite(number) for number in numbers), decision
        for view in outputs.views:
            values = [number for number in view.values.values() if number is not None]
            assert all(math.isfinite(number) for number in values), view
            assert 0.0 <= view.confidence <= 1.0


@EXAMPLES
@given(extra=noise())
def test_every_signal_keeps_the_rules_of_its_record(extra: list[Row]) -> None:
    log = cut([*rich_log(), *extra], None)
    rows_before = sum(frame.header.rows for frame in log)
    for signal in signals_of(log):
        assert isinstance(signal, Signal)
        assert 0 <= signal.base <= 100
        assert abs(sum(signal.factors.values()) - signal.base) < 1e-3
        assert 0 <= signal.confidence <= 1
        assert signal.event_ns <= signal.emitted_ns + 10**9
        assert signal.inputs
        assert all(epoch == 1 and 0 <= position < signal.position <= rows_before for epoch, position in signal.inputs)
        if signal.stop_usd is not None:
            assert signal.reference_usd is not None
            assert signal.target_usd is not None
            risk, reward = abs(signal.reference_usd - signal.stop_usd), abs(signal.target_usd - signal.reference_usd)
            assert reward >= 1.499 * risk
            assert signal.null_probability == pytest.approx(risk / (risk + reward), abs=1e-3)
            assert (signal.target_usd > signal.stop_usd) == (signal.direction == "LONG")


def test_memory_does_not_grow_with_time() -> None:
    ticker = option("ABC", 20, 100, "C")

    def hours(count: int) -> int:
        pipeline = machine()
        rows = [trade(2 * n, ticker, 2.0 + 0.01 * (n % 9), 600, conditions=(219,)) for n in range(count * 1_800)]
        rows += [stock(2 * n, "ABC", 100.0 + 0.01 * (n % 7)) for n in range(count * 1_800)]
        for frame in frames(rows):
            pipeline.step(frame)
        return len(pickle.dumps(pipeline))

    assert hours(4) < 1.2 * hours(1)


def test_no_clock_socket_or_file_is_touched_while_the_log_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    log = cut(rich_log(), None)
    expected = decisions(log)  # compiles, which does read files

    def forbidden(*arguments: object, **named: object) -> None:
        raise AssertionError(f"a pure room reached outside: {arguments}")

    with monkeypatch.context() as patched:
        for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"):
            patched.setattr(time, name, forbidden)
        patched.setattr(builtins, "open", forbidden)
        patched.setattr(socket, "socket", forbidden)
        patched.setattr(os, "getenv", forbidden)
        patched.setattr(np.random, "default_rng", forbidden)
        made = decisions(log)
    assert made == expected


# `mmap` is memory here: without a file there is nothing of the world in it.
PURE_IMPORTS = {
    "__future__", "abc", "collections", "contextlib", "datetime", "functools", "math", "mmap", "typing", "msgspec",
    "numba", "numpy", "schemas", "services",
}  # fmt: skip
PURE_SERVICES = ("services.market", "services.contexts", "services.core", "services.detectors", "services.quant")
FORBIDDEN_NAMES = {
    "open",
    "print",
    "input",
    "exec",
    "eval",
    "now",
    "today",
    "utcnow",
    "time",
    "perf_counter",
    "environ",
}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_its_source_imports_and_names_nothing_of_the_world(path: Path) -> None:
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        modules = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
        for module in modules:
            assert module.split(".")[0] in PURE_IMPORTS, f"{path.name} imports {module}; that room is pure"
            if module.startswith("services."):
                assert module.startswith(PURE_SERVICES), f"{path.name} imports {module}; imports go down only"
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            assert called not in FORBIDDEN_NAMES, f"{path.name}:{node.lineno} calls {called}; that room is pure"
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    if path.is_relative_to(CONTEXTS_DIR):
        assert not any(node.module.startswith("services.detectors") for node in imports), "contexts know no detectors"


DIGEST_OF_THE_RICH_LOG = """
import hashlib
from tests.support.conformance import cut, decisions, rich_log
print(hashlib.sha256(b"".join(decisions(cut(rich_log(), None)))).hexdigest())
"""


@pytest.mark.parametrize("hash_seed", ["1", "77"])
def test_hash_seeds_change_nothing(hash_seed: str) -> None:
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    run = subprocess.run(
        [sys.executable, "-c", DIGEST_OF_THE_RICH_LOG],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == hashlib.sha256(b"".join(decisions(cut(rich_log(), None)))).hexdigest()


def test_frames_are_not_changed_by_reading_them() -> None:
    log = cut(rich_log(), None)
    before = [[column.tobytes() for column in frame.rows] for frame in log]
    decisions(log)
    assert [[column.tobytes() for column in frame.rows] for frame in log] == before
    assert any(isinstance(frame.rows, TradeRows) for frame in log)
