"""REST bodies to columns."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import pytest

from schemas.frames import COLUMN_DTYPES, Lane
from schemas.symbols import symbol_code
from services.core.partitioner import Partitioner
from services.gateway.decoding.contracts import ContractTable
from services.gateway.decoding.tabulate import Tabulator
from services.gateway.massive.rest_pages import (
    ChainPage,
    chain_page,
    chain_path,
    contract_page,
    error_text,
    index_snapshot,
    server_time_ns,
)
from tests.support import vendor as v

NOW_NS = v.T0_NS + 5
DAY_START_NS = v.T0_NS - 10 * 3600 * 10**9


def chain_row(ticker: str = v.SPY_CALL, **changes: Any) -> dict[str, Any]:
    """The row of spec/vendor.md 7.2; a change to None takes a field out."""
    row = {
        "break_even_price": 662.41,
        "day": {"close": 12.41, "last_updated": v.T0_NS, "volume": 18422, "vwap": 12.2177},
        "details": {"contract_type": "call", "expiration_date": "2025-12-19", "shares_per_contract": 100,
                    "strike_price": 650, "ticker": ticker},
        "greeks": {"delta": 0.9132, "gamma": 0.0071, "theta": -0.4112, "vega": 0.0573},
        "implied_volatility": 0.1874,
        "last_quote": {"ask": 12.42, "ask_size": 17, "bid": 12.38, "bid_size": 41, "last_updated": v.T0_NS - 4},
        "last_trade": {"conditions": [219], "price": 12.41, "sip_timestamp": v.T0_NS, "size": 25},
        "open_interest": 10421,
        "underlying_asset": {"last_updated": v.T0_NS - 9, "price": 662.68, "ticker": "SPY"},
    } | changes  # fmt: skip
    return {key: value for key, value in row.items() if value is not None}


def page(*rows: Any, **envelope: Any) -> ChainPage:
    body = msgspec.json.encode({"status": "OK", "request_id": "6f0c", "results": rows} | envelope)
    return chain_page(body, ContractTable(Partitioner(4).of), NOW_NS, DAY_START_NS)


def only(column: np.ndarray) -> Any:  # type: ignore[type-arg]
    assert len(column) == 1
    return column[0].item()


def test_a_full_row_fills_every_column() -> None:
    rows = page(chain_row()).rows
    assert {name: c.dtype for name, c in rows._asdict().items() if name != "received_ns"} == COLUMN_DTYPES[Lane.GREEKS]
    values = {name: only(column) for name, column in rows._asdict().items() if name != "received_ns"}
    assert values == {
        "event_ns": v.T0_NS, "underlying": symbol_code("SPY"), "root": symbol_code("SPY"), "expiry_day": 20441,
        "strike_mills": 650_000, "right": 1, "multiplier": 100, "bid_usd": 12.38, "ask_usd": 12.42, "bid_size": 41,
        "ask_size": 17, "iv_annual": 0.1874, "delta": 0.9132, "gamma": 0.0071, "theta_day": -0.4112,
        "vega_point": 0.0573, "open_interest": 10421, "day_volume": 18422, "spot_usd": 662.68,
    }  # fmt: skip


def test_what_is_missing_is_nan_or_minus_one() -> None:
    sparse = chain_row(
        greeks=None, implied_volatility=None, last_quote=None, last_trade=None, open_interest=None, day=None,
        underlying_asset=None,
    )  # fmt: skip
    rows = page(sparse).rows
    for name in ("bid_usd", "ask_usd", "iv_annual", "delta", "gamma", "theta_day", "vega_point", "spot_usd"):
        assert math.isnan(only(getattr(rows, name))), name
    for name in ("bid_size", "ask_size", "open_interest", "day_volume"):
        assert only(getattr(rows, name)) == -1, name
    assert only(rows.event_ns) == NOW_NS


def test_empty_objects_are_as_good_as_missing() -> None:
    rows = page(chain_row(greeks={}, last_quote={}, underlying_asset={"ticker": "SPY"})).rows
    assert math.isnan(only(rows.delta))
    assert math.isnan(only(rows.bid_usd))
    assert math.isnan(only(rows.spot_usd))


def test_an_untraded_day_has_no_volume_and_yesterdays_is_not_todays() -> None:
    assert only(page(chain_row(day={})).rows.day_volume) == 0
    old = {"volume": 500, "last_updated": DAY_START_NS - 1}
    assert only(page(chain_row(day=old)).rows.day_volume) == 0


def test_an_index_gives_its_spot_as_value() -> None:
    rows = page(chain_row(v.SPX_PUT, underlying_asset={"value": 6873.42, "ticker": "I:SPX"})).rows
    assert only(rows.spot_usd) == 6873.42
    assert only(rows.underlying) == symbol_code("SPX")
    assert only(rows.root) == symbol_code("SPXW")


def test_an_adjusted_contract_passes_with_its_multiplier() -> None:
    details = {"ticker": "O:AAPL1251219C00150000", "shares_per_contract": 28}
    rows = page(chain_row(details=details)).rows
    assert only(rows.multiplier) == 28
    assert only(rows.root) == symbol_code("AAPL1")
    assert only(rows.underlying) == symbol_code("AAPL")


def test_numbers_are_lenient() -> None:
    rows = page(chain_row(open_interest=10421.0, day={"volume": 7.0})).rows
    assert (only(rows.open_interest), only(rows.day_volume)) == (10421, 7)


@pytest.mark.parametrize("broken", [{}, chain_row(open_interest=-4), chain_row("NONSENSE"), 7, chain_row(greeks=5)])
def test_a_malformed_row_is_a_reject_and_leaves_its_neighbours_alone(broken: Any) -> None:
    answer = page(chain_row(), broken, chain_row(v.SPX_PUT))
    assert len(answer.partitions) == len(answer.contracts) == 2
    assert len(answer.rejects) == 1


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"results":7}', b"[]"])
def test_a_body_that_is_no_answer_is_one_reject(body: bytes) -> None:
    answer = chain_page(body, ContractTable(Partitioner(4).of), NOW_NS, DAY_START_NS)
    assert [reject.reason for reject in answer.rejects] == ["not_json"]
    assert len(answer.partitions) == 0
    assert answer.next_url is None


def test_absent_results_are_no_rows() -> None:
    answer = chain_page(b'{"status":"OK"}', ContractTable(Partitioner(4).of), NOW_NS, DAY_START_NS)
    assert len(answer.partitions) == 0
    assert answer.rejects == []


def test_the_next_page_is_where_the_body_says() -> None:
    assert page(chain_row(), next_url="https://h/p?cursor=x").next_url == "https://h/p?cursor=x"


def test_an_index_chain_is_asked_for_under_its_prefix() -> None:
    assert chain_path("SPX") == "/v3/snapshot/options/I:SPX"
    assert chain_path("BRK.B") == "/v3/snapshot/options/BRK.B"


def test_the_contracts_reference_counts_expiries() -> None:
    rows = [{"ticker": v.SPY_CALL, "expiration_date": day} for day in ("2025-12-19", "2026-01-16", "2025-12-19")]
    answer = contract_page(msgspec.json.encode({"results": rows}))
    assert answer.expiries == {"2025-12-19": 2, "2026-01-16": 1}


def test_the_indices_snapshot_is_ticks_without_unknown_indices_and_those_ahead_of_time() -> None:
    rows = [
        {"ticker": "I:VIX", "value": 17.04, "last_updated": v.T0_NS},
        {"ticker": "I:NOPE", "error": "NOT_FOUND", "message": "Ticker not found."},
        {"ticker": "I:NDX", "value": 25_000},
        {"ticker": "I:RUT", "value": 2_500, "last_updated": NOW_NS + 1},
    ]
    table = Tabulator(Partitioner(4))
    ticks = index_snapshot(msgspec.json.encode({"results": rows}), NOW_NS, NOW_NS, table.place_index)
    assert ticks.rows.symbol.tolist() == [symbol_code("VIX"), symbol_code("NDX")]
    assert ticks.rows.event_ns.tolist() == [v.T0_NS, NOW_NS]
    assert ticks.rows.price_usd.tolist() == [17.04, 25_000.0]
    assert [(reject.reason, reject.detail) for reject in ticks.rejects] == [("time_ahead", "indices: 'I:RUT'")]


def test_rows_of_a_chain_that_are_ahead_of_time_are_refused_alone() -> None:
    ahead = {"underlying_asset": {"ticker": "SPY", "price": 687.4, "last_updated": NOW_NS + 1}}
    answer = page(chain_row(), chain_row(v.SPX_PUT, **ahead))
    assert answer.until(NOW_NS + 1) is answer
    kept = answer.until(NOW_NS)
    assert only(kept.rows.root) == symbol_code("SPY")
    assert (kept.contracts.tolist(), len(kept.partitions)) == (answer.contracts.tolist()[:1], 1)
    assert [reject.reason for reject in kept.rejects] == ["time_ahead"]


def test_the_vendors_clock_is_read_with_its_offset() -> None:
    body = b'{"market":"open","serverTime":"2025-12-17T09:30:06-05:00"}'
    assert server_time_ns(body) == 1_765_981_806 * 10**9
    assert server_time_ns(b'{"serverTime":"soon"}') == 0
    assert server_time_ns(b"") == 0


def test_an_error_body_speaks_in_either_field_or_as_text() -> None:
    assert error_text(b'{"status":"ERROR","error":"Unknown API Key"}') == "Unknown API Key"
    assert error_text(b'{"status":"NOT_AUTHORIZED","message":"Please upgrade"}') == "Please upgrade"
    assert error_text(b"404 page not found") == "404 page not found"
