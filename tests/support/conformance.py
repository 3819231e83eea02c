"""What the conformance suite runs: everything the folders hold, in one pipeline, over logs that make it speak."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence

from hypothesis import strategies as st

import services.contexts
import services.detectors
from schemas.decisions import Signal, canonical
from schemas.frames import Frame
from services.core.contract import Context, Detector
from services.core.pipeline import Pipeline
from services.core.registry import build, discover
from services.scanner import Scanner
from tests.support.logs import CALENDAR, Row, chain_row, frames, heartbeat, option, stock, trade
from tests.support.scenarios import everything

__all__ = [
    "CONTEXTS", "DETECTORS", "cut", "decisions", "machine", "noise", "rich_log", "signals_of", "state_of",
    "told",
]  # fmt: skip

CONTEXTS = discover(services.contexts, Context)
DETECTORS = discover(services.detectors, Detector)


def machine(*, sampling: bool = True, only: str | None = None) -> Pipeline:
    """A pipeline of everything there is, with default parameters; or of one context and nothing else."""
    contexts, detectors = build("contexts", CONTEXTS, {}), build("detectors", DETECTORS, {})
    if only is not None:
        contexts, detectors = [context for context in contexts if context.name == only], []
    return Pipeline(0, CALENDAR, contexts, detectors, Scanner(), sampling=sampling)


def decisions(log: Iterable[Frame], pipeline: Pipeline | None = None) -> list[bytes]:
    """The canonical lines of what a log leads to."""
    pipeline = machine() if pipeline is None else pipeline
    return [line for frame in log for line in pipeline.step(frame).lines()]


def state_of(pipeline: Pipeline) -> list[bytes]:
    """Every context's view of every name, as it would be published now."""
    views = [context.published(name) for context in pipeline.contexts for name in (*NAMES, "SPX")]
    return [canonical(view) for view in views if view is not None]


def told(log: Iterable[Frame], pipeline: Pipeline | None = None) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """(decisions, sampled views, every view at the end) of a log."""
    pipeline = machine() if pipeline is None else pipeline
    lines: list[bytes] = []
    views: list[bytes] = []
    for frame in log:
        outputs = pipeline.step(frame)
        lines += outputs.lines()
        views += [canonical(view) for view in outputs.views]
    return lines, views, state_of(pipeline)


def signals_of(log: Iterable[Frame]) -> list[Signal]:
    """The signals a log leads to."""
    pipeline = machine()
    return [signal for frame in log for signal in pipeline.step(frame).signals]


@functools.cache
def rich_log() -> tuple[Row, ...]:
    """A log on which every detector speaks; the audit holds it to that."""
    return tuple(everything())


# Values a broken feed has sent somebody: none of them may change more than it says.
ODD_PRICES = (0.0, -1.0, float("nan"), float("inf"), 0.01, 2.05, 1e12)
ODD_QUOTES = ((float("nan"), float("nan")), (2.0, 2.1), (2.1, 2.0), (0.0, 0.0), (2.05, 2.05), (2.0, float("nan")))
CONDITIONS = (
    (209,),
    (219,),
    (227,),
    (229,),
    (231,),
    (232,),
    (237,),
    (201,),
    (203,),
    (205,),
    (207,),
    (202,),
    (248,),
    (),
)
NAMES = ("ABC", "XYZ", "WAL", "SPXW", "NEW")


@st.composite
def noise(draw: st.DrawFn, rows_max: int = 40) -> list[Row]:
    """Random prints, chain rows, ticks, bursts, heartbeats and gaps among the hours that the rich log spans."""
    rows: list[Row] = []
    for _ in range(draw(st.integers(0, rows_max))):
        at_s = draw(st.floats(-60, 4_600, allow_nan=False).map(lambda second: round(second, 2)))
        name = draw(st.sampled_from(NAMES))
        ticker = option(
            name, draw(st.integers(0, 60)), draw(st.sampled_from((95, 100, 105))), draw(st.sampled_from("CP"))
        )
        kind = draw(st.integers(0, 5))
        bid, ask = draw(st.sampled_from(ODD_QUOTES))
        price = draw(st.sampled_from(ODD_PRICES))
        if kind <= 1:
            rows += [
                trade(
                    at_s + 0.02 * n, ticker, price, draw(st.sampled_from((0, 1, 10, 500, 2**31 - 1))), bid=bid, ask=ask,
                    conditions=draw(st.sampled_from(CONDITIONS)), exchange=300 + n % 5,
                    event_s=at_s + draw(st.sampled_from((0.0, -0.5, 0.1))),
                )
                for n in range(draw(st.integers(1, 6)))
            ]  # fmt: skip
        elif kind == 2:
            rows += [
                trade(at_s + 0.02 * n, ticker, 2.1, 300, bid=2.0, ask=2.1, conditions=(219,), exchange=301 + n)
                for n in range(draw(st.integers(1, 6)))
            ]
        elif kind == 3:
            rows.append(
                chain_row(
                    at_s, ticker, bid_usd=bid, ask_usd=ask, delta=draw(st.sampled_from((0.5, -0.4, float("nan")))),
                    iv_annual=draw(st.sampled_from((0.3, 0.0, float("nan")))),
                    gamma=draw(st.sampled_from((0.02, float("nan")))),
                    open_interest=draw(st.sampled_from((-1, 0, 100, 10**9))), spot_usd=price,
                )
            )  # fmt: skip
        elif kind == 4:
            rows.append(stock(at_s, name, price, volume=draw(st.sampled_from((0, 100)))))
        else:
            rows.append(heartbeat(at_s))
    return rows


def cut(rows: Sequence[Row], cuts: set[int] | None) -> list[Frame]:
    """The log in frames, a last heartbeat at its end."""
    end_s = 4_800
    return frames([*rows, heartbeat(end_s)], cuts)
