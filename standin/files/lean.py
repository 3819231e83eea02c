"""LEAN's folders of zipped CSV, as arrays. The only file that knows their layout.

    DIR/option/aapl/20140606_trade_american.zip            one CSV a contract: ms,open,high,low,close,volume
    DIR/option/goog/20151224_quote_american.zip            ms,bid o,h,l,c,bid size,ask o,h,l,c,ask size
    DIR/option/aapl/20140606_openinterest_american.zip     ms,open interest
    DIR/indexoption/spxw/20210104_trade_european.zip       as above
    DIR/equity/aapl/20140606_trade.zip                     ms,o,h,l,c,v
    DIR/index/spx/20210104_trade.zip                       ms,o,h,l,c,ticks

`ms` counts from midnight of the exchange's own clock: New York everywhere but in the index files, which keep Chicago's
(in the SPX file the day's first cash print stands at 08:30). Prices of stocks and options are x 10,000, index levels
plain; an empty field is a side without a quote. A contract is in its member's name, the strike x 10,000:
`20140606_aapl_minute_trade_american_call_10000000_20150117.csv`.
"""

from __future__ import annotations

import datetime as dt
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from schemas.symbols import EPOCH_ORDINAL, Contract
from services.core.calendar import NEW_YORK
from standin.errors import StandInError

__all__ = ["PRICE_SCALE", "Folder", "LeanTable", "locate"]

PRICE_SCALE = 10_000.0
CHICAGO = ZoneInfo("America/Chicago")


class LeanTable(NamedTuple):
    """The rows of one kind of file: which contract of `contracts` (0 for a stock), start of the bar, and the numbers.

    contract (n,) int32; start_ns (n,) int64; columns (n, k) float64, NaN where the file had nothing.
    """

    contracts: tuple[Contract, ...]
    contract: NDArray[np.int32]
    start_ns: NDArray[np.int64]
    columns: NDArray[np.float64]


class Folder(NamedTuple):
    """Where the files of one underlying and date lie. `root` is the option root, `ticker` the underlying's."""

    base: Path
    date: dt.date
    ticker: str
    root: str
    is_index: bool

    @property
    def options(self) -> Path:
        """The folder of the option files."""
        return self.base / ("indexoption" if self.is_index else "option") / self.root.lower()

    def option_table(self, kind: str, *, required: bool) -> LeanTable | None:
        """`trade`, `quote` or `openinterest` of every contract; None when not required and not there."""
        style = "european" if self.is_index else "american"
        return self._read(self.options / f"{self.date:%Y%m%d}_{kind}_{style}.zip", required, NEW_YORK)

    def underlying_trades(self) -> LeanTable | None:
        """The underlying's own minutes, prices in USD, or None when the folder has none."""
        if self.is_index:
            path = self.base / "index" / self.ticker.lower() / f"{self.date:%Y%m%d}_trade.zip"
            return self._read(path, False, CHICAGO)
        path = self.base / "equity" / self.ticker.lower() / f"{self.date:%Y%m%d}_trade.zip"
        table = self._read(path, False, NEW_YORK)
        if table is not None:
            table.columns[:, :4] /= PRICE_SCALE
        return table

    def rate(self) -> float:
        """The discount rate known on that day, a decimal a year, from `interest-rate.csv`; 0 where there is none."""
        path = self.base / "interest-rate.csv"
        if not path.is_file():
            return 0.0
        rate = 0.0
        for line in path.read_text().splitlines()[1:]:
            day, _, percent = line.partition(",")
            if day > self.date.isoformat():
                break
            rate = float(percent) / 100.0
        return rate

    def _read(self, path: Path, required: bool, zone: ZoneInfo) -> LeanTable | None:
        if not path.is_file():
            if required:
                raise StandInError(f"the tape has no file {path}")
            return None
        midnight_ns = int(dt.datetime.combine(self.date, dt.time(), zone).timestamp()) * 1_000_000_000
        try:
            with zipfile.ZipFile(path) as archive:
                # Sorted, so that equal tapes give equal bytes however the archive was packed.
                members = {name: archive.read(name) for name in sorted(archive.namelist())}
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
            raise StandInError(f"{path} is not a readable zip file: {error}") from None
        return _table(path, members, midnight_ns, self.root)


def locate(base: Path, date: dt.date, underlying: str) -> Folder:
    """Find the folder of `underlying` (a stock, an index such as SPX, or its root SPXW). Raises StandInError."""
    name = underlying.upper().removeprefix("I:")
    if not base.is_dir():
        raise StandInError(f"there is no tape directory {base}")
    if (base / "option" / name.lower()).is_dir():
        return Folder(base, date, name, name, is_index=False)
    for root in (f"{name}W", name):  # SPX's own tape is that of its p.m. settled root
        if (base / "indexoption" / root.lower()).is_dir():
            ticker = name.removesuffix("W") if root == name else name
            return Folder(base, date, ticker, root, is_index=True)
    looked = f"option/{name.lower()} and indexoption/{name.lower()}"
    raise StandInError(f"{base} has no options of {name}: looked in {looked}")


def _table(path: Path, members: dict[str, bytes], midnight_ns: int, root: str) -> LeanTable:
    contracts: list[Contract] = []
    blocks: list[NDArray[np.float64]] = []
    counts: list[int] = []
    for name, raw in members.items():
        try:
            blocks.append(_numbers(raw))
        except ValueError as error:
            raise StandInError(f"{path}, member {name}: {error}") from None
        counts.append(len(blocks[-1]))
        contracts.append(_contract(path, name, root) if name.count("_") > 3 else Contract(root, 0, 0, 1))
    if len({block.shape[1] for block in blocks if len(block)}) > 1:
        raise StandInError(f"{path}: its members have different numbers of columns")
    filled = [block for block in blocks if len(block)]
    rows = np.concatenate(filled) if filled else np.empty((0, 7))
    return LeanTable(
        tuple(contracts),
        np.repeat(np.arange(len(contracts), dtype=np.int32), counts),
        midnight_ns + rows[:, 0].astype(np.int64) * 1_000_000,
        rows[:, 1:],
    )


def _numbers(raw: bytes) -> NDArray[np.float64]:
    """A CSV without header as (rows, columns) float64; an empty field is NaN. Raises ValueError."""
    text = raw.decode("ascii").strip()
    if not text:
        return np.empty((0, 0))
    while ",," in text:
        text = text.replace(",,", ",nan,")
    lines = text.split("\n")
    columns = lines[0].count(",") + 1
    # One split of the whole text is ten times faster than a reader that looks at each line.
    values = np.array(text.replace("\n", ",").split(","), np.float64)
    if len(values) != columns * len(lines):
        raise ValueError("its lines have different numbers of columns")
    return values.reshape(-1, columns)


def _contract(path: Path, member: str, root: str) -> Contract:
    try:
        *_, right, strike, expiry = member.removesuffix(".csv").split("_")
        day = dt.datetime.strptime(expiry, "%Y%m%d").date()
        return Contract(root, day.toordinal() - EPOCH_ORDINAL, int(strike) // 10, {"call": 1, "put": -1}[right])
    except (ValueError, KeyError):
        raise StandInError(f"{path}: its member {member} is not named after a contract") from None
