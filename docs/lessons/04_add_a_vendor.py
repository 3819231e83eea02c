"""Lesson 4: a vendor is a dialect: its bytes become events, and everything behind them stays as it is.

This vendor sends a print a line: `contract,price,size,venue,sale,ms,sequence`; OPRA letters stand for venue and sale.
"""

from __future__ import annotations

from services.core.partitioner import Partitioner
from services.gateway.decoding.tabulate import Tabulator
from services.gateway.massive.messages import Decoded, Reject, Trade
from services.gateway.sequencing.writer import Writer
from strikewire import Lane, TradeRows, symbol_text

NOON_MS = 1_765_990_800_000
BYTES = f"""\
SPY251219C00650000,12.41,25,C,S,{NOON_MS},1
SPY251219C00650000,twelve,25,C,S,{NOON_MS},2
AAPL251219P00200000,0.55,100,X,I,{NOON_MS + 4},3
""".encode()


def decode(data: bytes) -> Decoded:
    """A block of the vendor's lines; each is judged on its own, and what cannot be understood spoils nothing beside."""
    events, rejects = [], []
    for line in data.splitlines():
        try:
            events.append(_trade(line.decode()))
        except ValueError as error:
            rejects.append(Reject("malformed", str(error), line))
    return Decoded(events, rejects, Trade if events else None)


def _trade(line: str) -> Trade:
    contract, price, size, venue, sale, t_ms, sequence = line.split(",")
    return Trade(
        sym=f"O:{contract}",
        p=float(price),
        s=int(size),
        x=300 + ord(venue) - ord("A"),
        c=(201 + ord(sale) - ord("A"),),
        t=int(t_ms),
        q=int(sequence),
    )


def main() -> None:
    """From the vendor's bytes to numbered frames; one dead letter on the way."""
    decoded = decode(BYTES)
    partitioner = Partitioner(2)
    table = Tabulator(partitioner).trades(decoded)
    writer = Writer(partitions=2, epoch=1)
    now_ns = (NOON_MS + 20) * 1_000_000
    frames = writer.write(Lane.TRADES, table.rows, table.partitions, now_ns) + writer.flush(now_ns)
    for head, rows in frames:
        for symbol, price in zip(rows.underlying, rows.price_usd, strict=True) if isinstance(rows, TradeRows) else ():
            where = f"partition {head.partition}, epoch {head.epoch}, seq {head.seq}"
            print(f"{where}: {symbol_text(int(symbol))} at {price}")
    for reject in decoded.rejects:
        print(f"dead letter, {reject.reason}: {reject.detail}")
    assert sum(frame.header.rows for frame in frames) == 2
    assert len(decoded.rejects) == 1


if __name__ == "__main__":
    main()
