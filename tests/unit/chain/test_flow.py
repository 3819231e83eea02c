"""Customers' signed positions laid along a chain, and the convention they make."""

import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from services.chain.analysis import analyse
from services.chain.flow import read_flow
from services.chain.table import ChainContract, ChainFileError, Expiry, table_of
from services.core.calendar import Calendar
from tests.unit.chain.test_analysis import AS_OF_NS, EXPIRIES, QUOTE_DATE, SPOT, made

HEADER = "expiration,type,strike,position,volume"


@pytest.fixture(scope="module")
def calendar():
    return Calendar.load(dt.date(2024, 2, 20), dt.date(2025, 4, 1))


@pytest.fixture
def flow_file(tmp_path):
    def write(*lines, header=HEADER):
        path = tmp_path / "flow.csv"
        path.write_text("\n".join((header, *lines)) + "\n")
        return path

    return write


def test_positions_stand_at_their_contracts(flow_file, calendar):
    table = made(calendar)
    found = read_flow(flow_file("2024-03-28,call,5000,-40,90", "2024-03-28,put,4900,25,25"), table)
    (at,) = np.flatnonzero(found.position < 0.0)
    assert (table.strike[at], table.right[at], table.expiries[table.expiry[at]]) == (5000.0, 1, EXPIRIES[1])
    assert (found.position.sum(), found.volume.sum()) == (-15.0, 115.0)


def test_the_convention_is_minus_what_customers_hold(flow_file, calendar):
    table = made(calendar)
    everything = [
        f"{table.expiries[at].date},{'call' if right > 0 else 'put'},{strike:g},100,100"
        for at, right, strike in zip(table.expiry, table.right, table.strike, strict=True)
    ]
    bought = analyse(table, calendar, flow=read_flow(flow_file(*everything), table)).report
    assert bought.exposure["flow"].net_gex == pytest.approx(bought.exposure["all_short"].net_gex)
    nothing = analyse(table, calendar, flow=read_flow(flow_file(), table)).report
    assert nothing.exposure["flow"].net_gex == pytest.approx(nothing.exposure["naive"].net_gex)


def test_without_positions_the_convention_is_absent_and_says_so(calendar):
    report = analyse(made(calendar), calendar).report
    assert set(report.exposure) == {"naive", "all_short"}
    assert "--flow" in report.exposure_absent["flow"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("2024-03-28,call,5001,1,1", "line 2, column 'strike': is no contract of the chain"),
        ("2024-03-28,straddle,5000,1,1", "line 2, column 'type': 'straddle' is neither call nor put"),
        ("2024-03-28,call,5000,many,1", "line 2, column 'position': 'many' is not a number"),
        ("2024-03-28,call,5000,1,-1", "line 2, column 'volume': is negative"),
        ("soon,call,5000,1,1", "line 2, column 'expiration': 'soon' is not a date"),
        ("2024-03-28,call,5000", "line 2, column 'position': the row ends after 3 of 5 cells"),
    ],
)
def test_a_bad_line_is_named_by_its_place(flow_file, calendar, line, told):
    with pytest.raises(ChainFileError) as error:
        read_flow(flow_file(line), made(calendar))
    assert told in str(error.value)


def test_two_series_of_a_day_are_told_apart_by_their_settlement(flow_file):
    day = dt.date(2024, 3, 15)
    twins = [ChainContract(EXPIRIES[0], 1, 5000.0, 9.0, 9.2), ChainContract(Expiry(day), 1, 5000.0, 9.5, 9.7)]
    table = table_of(Path("x.csv"), "made", "SPX", SPOT, QUOTE_DATE, twins, as_of_ns=AS_OF_NS)
    with pytest.raises(ChainFileError, match="'settlement' must say which"):
        read_flow(flow_file("2024-03-15,call,5000,1,1"), table)
    found = read_flow(flow_file("2024-03-15,call,5000,7,9,pm", header=HEADER + ",settlement"), table)
    assert [table.expiries[table.expiry[row]].am_settled for row in np.flatnonzero(found.position)] == [False]
