"""Each detector fires on its scenario and stays silent on the near misses around it."""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec
import pytest

from schemas.decisions import Signal
from schemas.frames import Lane
from services.core.calendar import NS
from services.core.contract import Finding
from services.core.pipeline import SuppressionReason
from services.runtime.config import RulesConfig
from services.scanner import Scanner
from services.wiring import build_pipeline
from tests.support.conformance import signals_of
from tests.support.logs import CALENDAR, CLOSE, OPEN, Row, chain_row, frames, heartbeat, later, option, stock, trade
from tests.support.scenarios import (
    SWEPT,
    WALLED,
    everything,
    quiet_prints,
    steady_price,
    sweep,
    sweeps,
    unusual,
    wall,
    wall_path,
)


def said(rows: Iterable[Row], detector: str) -> list[Signal]:
    return [signal for signal in signals_of(frames(rows)) if signal.detector == detector]


class TestSweepConfirmation:
    """spec/detectors.md B.12."""

    def test_two_sweeps_within_ten_minutes_speak_once_the_second_has_closed(self) -> None:
        (signal,) = said(sweeps(), "sweep_confirmation")
        assert signal.direction == "LONG"
        assert signal.evidence["premium_usd"] == 420_000
        assert signal.emitted_ns - signal.event_ns == 500_000_000

    def test_its_inputs_are_the_prints_of_the_sweeps(self) -> None:
        (signal,) = said(sweeps(), "sweep_confirmation")
        assert len(signal.inputs) == 10

    @pytest.mark.parametrize(
        ("why", "how"),
        [
            ("eleven minutes apart", {"gap_s": 661.0}),
            ("too little premium", {"size": 90}),
            ("multi-leg", {"conditions": (232,)}),
            ("side unknown", {"price": 2.05}),
            ("one venue and no intermarket flag", {"conditions": (209,), "venues": 1}),
            ("prints too far apart", {"gap_s": 60.0, "conditions": (209,), "prints": 2}),
            ("late reports", {"conditions": (202,)}),
            ("the underlying hardly seen", {"warm": 0}),
        ],
    )
    def test_is_silent_when(self, why: str, how: dict[str, object]) -> None:
        rows = sweeps(**how)  # type: ignore[arg-type]
        if why == "the underlying hardly seen":
            rows = [row for row in rows if row.columns is None or row.columns.get("size_contracts") != 1]
        assert said(rows, "sweep_confirmation") == []

    def test_its_horizon_is_the_close(self) -> None:
        (signal,) = said(sweeps(days=5), "sweep_confirmation")
        assert signal.horizon_s == (CLOSE - signal.emitted_ns) // NS

    def test_beyond_seven_days_to_expiry_its_horizon_is_the_next_sessions_close(self) -> None:
        (signal,) = said(sweeps(days=8), "sweep_confirmation")
        assert signal.horizon_s == (CLOSE + 3 * 86_400 * NS - signal.emitted_ns) // NS  # over a weekend

    @pytest.mark.parametrize(("days", "spoken"), [(7, 0), (8, 1)])
    def test_after_the_close_it_speaks_of_the_next_session_only(self, days: int, spoken: int) -> None:
        rows = later(sweeps(days=days), CLOSE - OPEN - 330 * NS)
        assert len(said(rows, "sweep_confirmation")) == spoken

    def test_sold_calls_are_short(self) -> None:
        (signal,) = said(sweeps(price=2.0), "sweep_confirmation")
        assert signal.direction == "SHORT"

    def test_opposite_sweeps_cancel_out(self) -> None:
        call = option(SWEPT, 20, 100, "C")
        rows = sweeps() + sweep(310, call, price=2.0) + sweep(330, call, price=2.0)
        assert said(rows, "sweep_confirmation") == []

    def test_one_direction_speaks_once_in_twenty_minutes(self) -> None:
        call = option(SWEPT, 20, 100, "C")
        again = [row for minute in range(7, 30) for row in sweep(60 * minute, call)]
        fired = said([*sweeps(), *again, heartbeat(1900)], "sweep_confirmation")
        assert len(fired) == 2
        assert fired[1].emitted_ns - fired[0].emitted_ns >= 1200 * 10**9

    def test_without_a_price_it_has_no_barriers(self) -> None:
        rows = [row for row in sweeps() if row.columns is None or "symbol" not in row.columns]
        (signal,) = said(rows, "sweep_confirmation")
        assert (signal.stop_usd, signal.target_usd, signal.null_probability) == (None, None, None)

    @pytest.mark.parametrize(("age_s", "reference_usd"), [(60, 99.0), (61, None)])
    def test_without_a_price_of_the_last_minute_it_has_no_barriers(
        self, age_s: int, reference_usd: float | None
    ) -> None:
        rows = sweeps(gap_s=299.5)
        (signal,) = said(rows, "sweep_confirmation")
        last_ns = signal.emitted_ns - age_s * NS
        rows = [row for row in rows if row.lane is not Lane.TICKS or row.received_ns < last_ns]
        (signal,) = said([*rows, stock((last_ns - OPEN) / NS, SWEPT, 99.0)], "sweep_confirmation")
        assert signal.reference_usd == reference_usd
        assert (signal.stop_usd is None) == (reference_usd is None)

    def test_index_options_walk_the_book_of_their_only_exchange(self) -> None:
        call = option("SPXW", 20, 100, "C")
        rows = [chain_row(0.5, call, bid_usd=20.0, ask_usd=21.0, delta=0.5, open_interest=90_000, spot_usd=6000.0)]
        rows += steady_price("SPX", 6000.0, 600, volume=0) + quiet_prints(call, 60)
        for start in (300, 360):
            rows += [
                trade(start + 0.04 * n, call, 21.0 + 0.1 * n, 30, bid=20.0, ask=21.0, exchange=302) for n in range(6)
            ]
        (signal,) = said([*rows, heartbeat(900)], "sweep_confirmation")
        assert signal.underlying == "SPX"
        assert signal.evidence["book_walks"] == 2
        assert signal.evidence["iso_sweeps"] == 0


class TestUnusualActivity:
    """spec/detectors.md B.14."""

    def test_five_times_open_interest_bought_speaks_at_the_minutes_end(self) -> None:
        (signal,) = said(unusual(), "unusual_activity")
        assert signal.direction == "LONG"
        assert signal.contract == option("XYZ", 20, 100, "C")
        assert signal.emitted_ns % (60 * 10**9) == 0

    @pytest.mark.parametrize(
        ("why", "how"),
        [
            ("open interest is nearly as large", {"open_interest": 600}),
            ("open interest is unknown", {"open_interest": -1}),
            ("too few contracts", {"size": 20}),
            ("nobody knows the side", {"price": 2.05}),
        ],
    )
    def test_is_silent_when(self, why: str, how: dict[str, float]) -> None:
        assert said(unusual(**how), "unusual_activity") == []  # type: ignore[arg-type]

    def test_speaks_again_when_the_premium_has_doubled(self) -> None:
        first, second = said(unusual(count=90), "unusual_activity")
        assert second.evidence["premium_usd"] >= 2 * first.evidence["premium_usd"]


class TestPutWallSupport:
    """spec/detectors.md B.5."""

    def test_a_bounce_off_a_stable_wall_speaks(self) -> None:
        (signal,) = said(wall(), "put_wall_support")
        assert signal.direction == "LONG"
        assert signal.evidence["level_usd"] == 95.0
        assert signal.stop_usd is not None
        assert signal.stop_usd < 95.0

    def test_a_wall_that_breaks_is_silent(self) -> None:
        assert said(wall(bounce=False), "put_wall_support") == []

    def test_without_concentrated_interest_there_is_no_wall(self) -> None:
        assert said(wall(put_interest=1_500), "put_wall_support") == []

    @pytest.mark.parametrize(("left_s", "horizons"), [(300, [300]), (0, [])])
    def test_its_horizon_is_the_close_and_a_bounce_at_the_bell_is_silent(
        self, left_s: int, horizons: list[int]
    ) -> None:
        rows = later(wall(lower=0.1), CLOSE - OPEN - (left_s + 3600) * NS)  # so late the turn takes until minute 60
        assert [signal.horizon_s for signal in said(rows, "put_wall_support")] == horizons

    def test_a_touch_before_three_marks_is_silent(self) -> None:
        assert said(wall(minutes=50), "put_wall_support") == []

    @pytest.mark.parametrize("fades", [False, True])
    def test_a_touch_lapses_after_three_bars_also_while_the_wall_is_not_stable(self, fades: bool) -> None:
        """A wall that fades at the mark of 10:30 is stable again at 11:15, an hour after price touched it."""

        def level(minute: float) -> float:
            return wall_path(minute) if minute < 51 else 95.1 if minute < 75 else 97.0

        def faded(row: Row) -> Row:
            now = fades and OPEN + 54 * 60 * NS < row.received_ns < OPEN + 61 * 60 * NS
            return row._replace(columns={**(row.columns or {}), "open_interest": 1_500}) if now else row

        chain = [faded(row) for row in wall(minutes=110) if row.lane is Lane.GREEKS]
        ticks = [
            stock(second, WALLED, level(second / 60) * (1 + 0.0006 * math.sin(second / 30)), volume=500)
            for second in range(1, 110 * 60, 5)
        ]
        assert bool(said([*chain, *ticks], "put_wall_support")) is not fades


SPEAKERS = {"put_wall_support": WALLED, "sweep_confirmation": SWEPT, "unusual_activity": "XYZ"}


class TestEveryDetector:
    """What all of them have."""

    @pytest.mark.parametrize(("only", "spoken"), [((), True), (("OWN",), True), (("SPX", "NDX"), False)])
    @pytest.mark.parametrize("detector", SPEAKERS)
    def test_watches_the_underlyings_it_is_told_to(self, detector: str, only: tuple[str, ...], spoken: bool) -> None:
        names = tuple(SPEAKERS[detector] if name == "OWN" else name for name in only)
        rules = msgspec.convert({"detectors": {detector: {"underlyings": names}}}, RulesConfig)
        pipeline = build_pipeline(rules, CALENDAR, 0, sampling=False)
        signals = [one for frame in frames(everything()) for one in pipeline.step(frame).signals]
        assert (detector in {one.detector for one in signals}) is spoken
        assert {one.detector for one in signals} >= SPEAKERS.keys() - {detector}

    def test_says_what_it_counts_on_and_the_level_it_hangs_on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        said: dict[str, tuple[str, float | None]] = {}

        def judge(_: Scanner, signal: Signal, finding: Finding, *__: object) -> SuppressionReason:
            said[signal.detector] = finding.thesis, finding.level_usd
            return "score"

        monkeypatch.setattr(Scanner, "judge", judge)
        assert len(signals_of(frames(everything()))) == 3
        assert said == {
            "put_wall_support": ("reversal", 95.0),
            "sweep_confirmation": ("momentum", None),
            "unusual_activity": ("momentum", None),
        }
