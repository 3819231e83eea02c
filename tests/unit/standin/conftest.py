"""A small recorded tape of two contracts, written where the test wants it, and clients that speak the vendor's way."""

from __future__ import annotations

import datetime as dt
import zipfile
from pathlib import Path

import pytest

from standin.files.tape import Tape

DAY = dt.date(2014, 6, 6)
OPEN_MS = 34_200_000
MINUTE_MS = 60_000
CALL = "O:XYZ140620C00100000"
PUT = "O:XYZ140620P00095000"


def write_tape(base: Path) -> Path:
    """Three prints, two quotes, open interest and four minutes of a stock at 100 USD; returns `base`."""
    trade = "20140606_xyz_minute_trade_american_{}.csv"
    quote = "20140606_xyz_minute_quote_american_{}.csv"
    interest = "20140606_xyz_minute_openinterest_american_{}.csv"
    call, put = "call_1000000_20140620", "put_950000_20140620"

    def at(minute: int) -> int:
        return OPEN_MS + minute * MINUTE_MS

    _zip(
        base / "option/xyz/20140606_trade_american.zip",
        {
            trade.format(call): f"{at(0)},15000,16000,14000,15500,12\n{at(2)},15000,15000,15000,15000,3\n",
            trade.format(put): f"{at(1)},2500,2500,2500,2500,700",
        },
    )
    _zip(
        base / "option/xyz/20140606_quote_american.zip",
        {
            quote.format(call): f"{at(0)},15000,15000,15000,15000,9,15600,15600,15600,15600,4\n"
            f"{at(2)},14800,14800,14800,14800,9,15200,15200,15200,15200,4\n",
            quote.format(put): f"{at(1)},,,,,0,2600,2600,2600,2600,5\n",
        },
    )
    _zip(
        base / "option/xyz/20140606_openinterest_american.zip",
        {interest.format(call): "23460000,321\n", interest.format("call_1100000_20140620"): "23460000,77\n"},
    )
    _zip(
        base / "equity/xyz/20140606_trade.zip",
        {
            "20140606_xyz_minute_trade.csv": "".join(
                f"{at(minute)},1000000,1001000,999000,{1000000 + 1000 * minute},500\n" for minute in (-1, 0, 1, 2)
            )
        },
    )
    return base


@pytest.fixture
def tape(tmp_path: Path) -> Tape:
    """The small tape, opened."""
    return Tape.open(write_tape(tmp_path), DAY, "XYZ")


def _zip(path: Path, members: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
