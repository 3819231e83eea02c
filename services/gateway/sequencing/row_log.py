"""A log made of rows that came over no wire: placed, ranked and numbered as a gateway would have done.

For history on demand, whose rows are made and not decoded. The log runs on the feed's clock.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from schemas.frames import CLOCK_FEED, Frame, GreekRows, Int16, Lane, TickRows, TradeRows
from schemas.symbols import symbol_text
from services.core.partitioner import Partitioner
from services.gateway.decoding.tabulate import Tabulator
from services.gateway.policy.contract_ranking import ContractRanking
from services.gateway.sequencing.writer import Writer
from services.settings.gateway import GatewaySettings

__all__ = ["RowLog"]

# A frame of history: what a replay joins anyway. Heartbeats cut it at every second of the log's time as live.
FRAME_ROWS = 5_000
_NO_IDS = np.empty(0, np.intp)


class RowLog:
    """One epoch of frames. Rows are handed in in the order of the market, with the vendor's venues and conditions;
    `listed` `(n,)` are positions in the tickers of the day.
    """

    def __init__(self, settings: GatewaySettings) -> None:
        self._quotes_max = settings.quote_contracts_max
        self._table = Tabulator(Partitioner(settings.partitions, settings.partition_overrides))
        self._ranking = ContractRanking(self._table.contracts)
        self._writer = Writer(
            settings.partitions, settings.epoch, CLOCK_FEED, FRAME_ROWS, settings.flush_ms, settings.start_ns
        )
        self._ids: NDArray[np.intp] = _NO_IDS
        self._quoted: frozenset[str] = frozenset()

    def open_day(self, tickers: Sequence[str], day: int) -> None:
        """The option tickers listed on a day (days since 1970); what expired before it is forgotten."""
        contracts = self._table.contracts
        self._ranking.keep(contracts.retire(day))
        self._ids = np.array([contracts.id_of(ticker) for ticker in tickers], np.intp)
        assert not np.any(self._ids < 0), "listed tickers are tickers"
        self._quoted = frozenset()

    def write_trades(self, rows: TradeRows, listed: NDArray[np.integer]) -> list[Frame]:
        """Take prints; the frames that are full by now."""
        ids = self._ids[listed]
        self._ranking.prints(ids, rows.price_usd, rows.size_contracts)
        rows = rows._replace(condition_bits=self._table.codes.bits.take(rows.condition))
        return self._writer.write(Lane.TRADES, rows, self._table.contracts.partition.take(ids), 0)

    def write_chains(self, rows: GreekRows, listed: NDArray[np.integer]) -> list[Frame]:
        """Take a part of a chain snapshot; the frames that are full by now."""
        ids = self._ids[listed]
        self._ranking.chain(ids, rows)
        return self._writer.write(Lane.GREEKS, rows, self._table.contracts.partition.take(ids), 0)

    def write_ticks(self, rows: TickRows) -> list[Frame]:
        """Take index values or stock bars; the frames that are full by now."""
        return self._writer.write(Lane.TICKS, rows, self._partitions(rows.symbol), 0)

    def flush(self) -> list[Frame]:
        """The frames of what is pending."""
        return self._writer.flush(0)

    def finish(self) -> list[Frame]:
        """The last frames of a session, so that every partition's time arrives where the market's did."""
        return self._writer.finish(0)

    def quoted(self, now_ns: int) -> Sequence[str]:
        """The tickers of the contracts to quote from now on, the most important first; halves the flow seen so far."""
        chosen = self._ranking.best(self._quotes_max, self._quoted, now_ns)
        self._quoted = frozenset(chosen)
        return chosen

    def _partitions(self, symbol: NDArray[np.uint64]) -> Int16:
        """The partition of each tick."""
        codes, inverse = np.unique(symbol, return_inverse=True)
        places = [self._table.place_stock(symbol_text(code)) for code in codes.tolist()]
        partitions = [place[1] for place in places if place is not None]
        return np.array(partitions, np.int16).take(inverse)
