"""Flow on 98 real prints of one SPY contract: four fifths are legs of complex orders, and a leg has no direction.

SPY 2024-06-21 500 call on 2024-06-14, each print with the NBBO before it, in ThetaData's codes. They come in by the
vendor's wire, their conditions translated by meaning. What flow must make of the 21 single-leg prints was worked out by
hand from price and quote.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from schemas.frames import CLOCK_FEED, Frame, Header, Lane
from schemas.symbols import parse_contract, symbol_code
from services.contexts.flow import Flow, FlowParameters, FlowView
from services.core.partitioner import Partitioner
from services.gateway.decoding.tabulate import Tabulator
from services.gateway.massive.messages import decode_frame
from services.gateway.sequencing.writer import Writer
from tests.simulation.reading import Reading, read
from tests.support.frames import constant_rows
from tests.support.vendor import frame, quote, trade

Note = Callable[[str], None]

FILE = Path("thetadata/option_history_trade_quote.csv")
TICKER = "O:SPY240621C00500000"
DAY = dt.date(2024, 6, 14)

# ThetaData's condition (trade-conditions.csv beside the prints) -> the vendor's id of the same OPRA message type.
CONDITIONS = {
    18: 209,  # AUTO_EXECUTION              AUTO  electronic execution
    95: 219,  # INTERMARKET_SWEEP           ISOI  intermarket sweep order
    125: 227,  # SINGLE_LEG_AUCTION_NON_ISO  SLAN
    130: 232,  # MULTI_LEG_AUTOELEC_TRADE    MLET
    131: 233,  # MULTI_LEG_AUCTION           MLAT
}
# Its exchange (exchanges.csv) -> 300 + the place in the alphabet of the OPRA participant's letter.
EXCHANGES = {
    1: 317,  # Nasdaq Options Market, Q
    5: 303,  # Cboe, C
    6: 309,  # International Securities Exchange, I
    7: 314,  # NYSE Arca, N
    9: 324,  # Philadelphia, X
    22: 310,  # ISE Mercury, J
    31: 308,  # ISE Gemini, H
    42: 323,  # Cboe C2, W
    43: 313,  # Miami, M
    46: 304,  # MIAX Emerald, D
    47: 320,  # Nasdaq BX Options, T
    65: 305,  # Cboe EDGX, E
}
# By hand, for the single-leg prints in their order: where the price lies in the quote decides (+1 bought, -1 sold);
# 0 within a tenth of the spread of its middle, with no other print within a minute before to compare it with.
SIDES = (0, -1, 0, 1, 1, -1, -1, None, None, None, -1, -1, -1, 0, None, 0, None, -1, -1, -1, -1)
# One chain row, so that a print has a delta: a call 8 % in the money a week before expiry moves with its stock.
SPOT_USD, DELTA = 541.5, 0.98


class Real(NamedTuple):
    """The prints as flow read them. single: those that are no legs, (98,)."""

    reading: Reading
    frames: list[Frame]
    single: np.ndarray
    size: np.ndarray


@pytest.fixture(scope="module")
def real(realdata: Path) -> Real:
    with (realdata / FILE).open(newline="") as file:
        prints = list(csv.DictReader(file))
    frames = [_chain(int(prints[0]["trade_timestamp"])), *_log(prints)]
    flow = _flow()
    condition = np.array([int(row["condition"]) for row in prints])
    size = np.array([int(row["size"]) for row in prints])
    return Real(read(flow, frames), frames, (condition < 130), size)


def test_four_fifths_are_legs_and_none_of_them_has_a_side(real: Real, figure: Note) -> None:
    legs = ~real.single
    figure(f"{np.count_nonzero(legs)} of {len(legs)} prints are legs ({legs.mean():.0%}); none was read as direction")
    assert len(legs) == 98
    assert legs.mean() == pytest.approx(0.79, abs=0.005)
    assert not real.reading.side[legs].any()
    assert set(real.reading.tier[legs].tolist()) == {""}


def test_single_legs_are_sided_by_their_quote(real: Real, figure: Note) -> None:
    side, tier = real.reading.side[real.single].tolist(), real.reading.tier[real.single].tolist()
    figure("single legs: " + " ".join(f"{tier}{side:+d}" for tier, side in zip(tier, side, strict=True)))
    for number, (by_hand, found, how) in enumerate(zip(SIDES, side, tier, strict=True)):
        if by_hand is None:
            assert how == "D", f"print {number} lies in the middle and follows another"
        else:
            assert found == by_hand, f"print {number} by tier {how}"
            assert how == ("A" if by_hand else "U")


def test_net_delta_stems_from_single_legs_alone(real: Real, figure: Note) -> None:
    view = real.reading.flow.view("SPY")
    assert isinstance(view, FlowView)
    signed = real.reading.side * real.reading.sure * real.size
    expected = DELTA * 100 * SPOT_USD * float(signed[real.single].sum())
    figure(f"net delta ${view.net_delta_day_usd:,.0f} from {np.count_nonzero(real.single)} single legs")
    assert view.net_delta_day_usd == pytest.approx(expected, rel=1e-9)
    assert view.net_delta_day_usd < 0
    assert view.prints_day == 98


def _flow() -> Flow:
    flow = Flow(FlowParameters())
    flow.open_session(DAY, None)
    return flow


def _log(prints: list[dict[str, str]]) -> list[Frame]:
    """Quote and trade of each print, as the vendor would send them."""
    table, writer = Tabulator(Partitioner(1, {})), Writer(1, 1, CLOCK_FEED)
    frames: list[Frame] = []
    for number, row in enumerate(prints):
        before = quote(
            TICKER, t=int(row["quote_timestamp"]), bp=float(row["bid"]), ap=float(row["ask"]),
            bs=int(row["bid_size"]), **{"as": int(row["ask_size"])}, q=2 * number,
        )  # fmt: skip
        printed = trade(
            TICKER, t=int(row["trade_timestamp"]), p=float(row["price"]), s=int(row["size"]), q=2 * number + 1,
            x=EXCHANGES[int(row["exchange"])], c=[CONDITIONS[int(row["condition"])]],
        )  # fmt: skip
        trades = table.trades(decode_frame("options", frame(before, printed)))
        assert not trades.rejects
        frames += writer.write(Lane.TRADES, trades.rows, trades.partitions, 0)
        frames += writer.flush(0)
    return [frame for frame in frames if frame.header.rows]


def _chain(first_ms: int) -> Frame:
    """One chain row a minute before the first print, without a quote: only delta and spot matter."""
    contract, at_ns = parse_contract(TICKER), (first_ms - 60_000) * 1_000_000
    rows = constant_rows(
        Lane.GREEKS, [at_ns], event_ns=at_ns, underlying=symbol_code("SPY"), root=symbol_code("SPY"),
        expiry_day=contract.expiry_day, strike_mills=contract.strike_mills, right=contract.right, multiplier=100,
        bid_usd=np.nan, ask_usd=np.nan, delta=DELTA, open_interest=1000, spot_usd=SPOT_USD,
    )  # fmt: skip
    return Frame(Header(Lane.GREEKS, 0, 1, 0, 0, 1, at_ns), rows)
