"""Every SELECT on the warehouse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.frames import KIND_INDEX, KIND_STOCK, LANE_SCHEMAS, Lane, Rows, rows_from_arrow
from schemas.gaps import CHANNELS, EarlierGaps, Gap
from schemas.kinds import KINDS
from schemas.symbols import SYMBOL_BYTES
from schemas.topics import TOPICS
from services.sinks.clickhouse import Epoch

__all__ = ["Frames", "RowLocation", "Warehouse"]

# Rows read at once. A trade row is about 120 bytes in memory: 30 MB a window, so a replay's memory stays flat.
WINDOW_ROWS = 250_000
# Where each channel's events stand.
_CHANNEL_ROWS = {
    CHANNELS["options"]: "FROM option_trades WHERE 1",
    CHANNELS["indices"]: f"FROM index_ticks WHERE kind = {KIND_INDEX}",
    CHANNELS["stocks"]: f"FROM index_ticks WHERE kind = {KIND_STOCK}",
}
# What is older than a long weekend says nothing of today's session, and the tables are cut by days.
_RECENT = "received_ns >= (SELECT max(received_ns) FROM frames) - INTERVAL 4 DAY"


class Frames(NamedTuple):
    """Frame headers of one partition and epoch as columns, in the order of their seq."""

    seq: npt.NDArray[np.uint64]
    lane: npt.NDArray[np.uint8]
    clock: npt.NDArray[np.uint8]
    opening: npt.NDArray[np.uint8]
    rows: npt.NDArray[np.uint32]
    position: npt.NDArray[np.uint64]
    received_ns: npt.NDArray[np.int64]

    def where(self, keep: npt.NDArray[np.bool_]) -> Frames:
        """The headers that `keep` marks."""
        columns: list[Any] = [column[keep] for column in self]
        return Frames(*columns)


class RowLocation(NamedTuple):
    """Where a row stands: `row` counts within its frame."""

    epoch: int
    seq: int
    row: int
    lane: Lane


class Warehouse:
    """Reads through one client. Not for use from two threads at once."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def epochs(self) -> list[Epoch]:
        """Every start of the gateway, oldest first."""
        result = self._rows(
            "SELECT epoch, toUnixTimestamp64Nano(started_ns), source, clock, partitions, rules, rules_digest, program"
            " FROM epochs ORDER BY epoch"
        )
        return [Epoch(*row) for row in result]

    def partitions(self) -> list[int]:
        """The partitions of which there is a log or a decision: one without the other is a difference to be told."""
        parts = " UNION DISTINCT ".join(f"SELECT partition FROM {table}" for table in ("frames", *_decision_tables()))
        return sorted(row[0] for row in self._rows(f"SELECT DISTINCT partition FROM ({parts})"))

    def partitions_of(self, underlying: str) -> list[int]:
        """Where an underlying's options were recorded: by the rule of then, whatever today's configuration says."""
        its = f"underlying = toFixedString({{symbol:String}}, {SYMBOL_BYTES})"
        found = (
            self._rows(f"SELECT DISTINCT partition FROM {table} WHERE {its}", {"symbol": underlying})
            for table in ("option_trades", "option_greeks")
        )
        return sorted({row[0] for rows in found for row in rows})

    def last_received_ns(self) -> int | None:
        """The log's last moment, None when nothing was recorded."""
        (row,) = self._rows("SELECT count(), toUnixTimestamp64Nano(max(received_ns)) FROM frames")
        return row[1] if row[0] else None

    def events(self) -> int:
        """Market rows in the log."""
        return int(self._rows("SELECT sum(rows) FROM frames")[0][0])

    def frames(self, partition: int, epoch: int) -> Frames:
        """The headers of an epoch's frames."""
        table = self._arrow(
            "SELECT seq, lane, clock, opening, rows, position, toUnixTimestamp64Nano(received_ns) AS received_ns"
            " FROM frames WHERE partition = {partition:UInt16} AND epoch = {epoch:UInt64} ORDER BY seq",
            {"partition": partition, "epoch": epoch},
        )
        return Frames(*(table.column(name).to_numpy() for name in Frames._fields))

    def lane_rows(self, lane: Lane, partition: int, epoch: int, start: int, stop: int) -> Iterator[tuple[Rows, Any]]:
        """A lane's rows with positions in `[start, stop)`, in order: (rows, their positions), a window at a time."""
        names = ", ".join(field.name for field in LANE_SCHEMAS[lane])
        table = TOPICS[lane.topic].table
        while start < stop:
            batch = self._arrow(
                f"SELECT {names}, received_ns, position FROM {table} WHERE partition = {{partition:UInt16}}"
                f" AND epoch = {{epoch:UInt64}} AND position >= {{start:UInt64}} AND position < {{stop:UInt64}}"
                f" ORDER BY partition, epoch, position LIMIT {WINDOW_ROWS}",
                {"partition": partition, "epoch": epoch, "start": start, "stop": stop},
            )
            if not batch.num_rows:
                return
            market = batch.select([field.name for field in LANE_SCHEMAS[lane]]).cast(LANE_SCHEMAS[lane])
            (market_batch,) = market.combine_chunks().to_batches()
            stamps = batch.column("received_ns").combine_chunks().cast(pa.int64()).to_numpy(zero_copy_only=False)
            positions = batch.column("position").to_numpy()
            yield rows_from_arrow(lane, market_batch, stamps), positions
            if batch.num_rows < WINDOW_ROWS:
                return
            start = int(positions[-1]) + 1

    def locations(self, partition: int, inputs: list[tuple[int, int]]) -> list[RowLocation]:
        """Where rows given by (epoch, position) stand in their frames."""
        locations = []
        for epoch, position in inputs:
            row = self._rows(
                "SELECT seq, position, lane FROM frames WHERE partition = {partition:UInt16} AND epoch = {epoch:UInt64}"
                " AND position <= {position:UInt64} AND rows > 0 ORDER BY position DESC LIMIT 1",
                {"partition": partition, "epoch": epoch, "position": position},
            )
            if row:
                seq, first, lane = row[0]
                locations.append(RowLocation(epoch, seq, position - first, Lane(lane)))
        return locations

    def decisions(self, partition: int) -> Iterator[tuple[str, int, bytes]]:
        """What of a partition's decisions the digest is taken over, in log order: (kind, epoch, document)."""
        parts = " UNION ALL ".join(
            f"SELECT '{kind.name}' AS kind, position, ordinal, document FROM {kind.table} FINAL"
            " WHERE partition = {partition:UInt16} AND epoch = {epoch:UInt64}"
            for kind in KINDS.values()
            if kind.digested
        )
        for epoch in [epoch.epoch for epoch in self.epochs()]:
            yield from (
                (row[0], epoch, row[1].encode() if isinstance(row[1], str) else row[1])
                for row in self._rows(
                    f"SELECT kind, document FROM ({parts}) ORDER BY position, ordinal",
                    {"partition": partition, "epoch": epoch},
                )
            )

    def decision_ids(self) -> set[str]:
        """The ids of all stored decisions."""
        parts = (f"SELECT {kind.identity} FROM {kind.table}" for kind in KINDS.values())
        return {row[0] for row in self._rows(" UNION ALL ".join(parts))}

    def gaps(self) -> list[Gap]:
        """The gap ledger, in order, each entry as it was written last."""
        rows = self._rows("SELECT document FROM gaps FINAL ORDER BY epoch, number")
        return [msgspec.json.decode(row[0], type=Gap) for row in rows]

    def past(self) -> EarlierGaps:
        """What earlier epochs leave to the gateway's gap ledger; after `cut_torn_rows`."""
        received_until_ns = {}
        for channel, its_rows in _CHANNEL_ROWS.items():
            ((rows, last_ns),) = self._rows(
                f"SELECT count(), toUnixTimestamp64Nano(max(event_ns)) {its_rows} AND {_RECENT}"
            )
            if rows:
                received_until_ns[channel] = last_ns
        return EarlierGaps(received_until_ns, [gap for gap in self.gaps() if gap.state == "open"])

    def document(self, table: str, identity: str) -> bytes | None:
        """A signal or alert by its id."""
        rows = self._rows(f"SELECT document FROM {table} FINAL WHERE id = {{id:String}} LIMIT 1", {"id": identity})
        return rows[0][0].encode() if rows else None

    def count(self, table: str) -> int:
        """Rows of a table, replaced ones counted once."""
        return int(self._rows(f"SELECT count() FROM {table} SETTINGS final = 1")[0][0])

    def newest(
        self, table: str, order: str, where: str, parameters: dict[str, Any], limit: int
    ) -> list[dict[str, Any]]:
        """The newest rows of a table, oldest first, as dictionaries."""
        result = self._client.query(
            f"SELECT * FROM (SELECT * FROM {table} {where} ORDER BY {order} DESC LIMIT {limit}) ORDER BY {order}"
            " SETTINGS final = 1",
            parameters=parameters,
        )
        return [dict(zip(result.column_names, row, strict=True)) for row in result.result_rows]

    def latest_views(self, underlying: str | None) -> list[bytes]:
        """The last published view of each context and underlying."""
        where = "WHERE underlying = {underlying:String}" if underlying else ""
        rows = self._rows(
            "SELECT argMax(document, as_of_ns) FROM contexts"
            f" {where} GROUP BY underlying, context ORDER BY underlying, context",
            {"underlying": underlying} if underlying else {},
        )
        return [row[0].encode() for row in rows]

    def cut_torn_rows(self) -> int:
        """Remove market rows whose frame was never committed (a process died between the two); rows removed."""
        removed = 0
        for lane in Lane:
            table = TOPICS[lane.topic].table
            torn = self._rows(
                f"SELECT t.partition, t.epoch, count() FROM (SELECT partition, epoch, seq FROM {table}"
                " WHERE (partition, epoch) IN (SELECT partition, max(epoch) FROM epochs"
                f" ARRAY JOIN range(partitions) AS partition GROUP BY partition)) AS t"
                " LEFT ANTI JOIN frames AS f ON t.partition = f.partition AND t.epoch = f.epoch AND t.seq = f.seq"
                " GROUP BY t.partition, t.epoch"
            )
            for partition, epoch, count in torn:
                self._client.command(
                    f"ALTER TABLE {table} DELETE WHERE partition = {partition} AND epoch = {epoch} AND seq NOT IN"
                    f" (SELECT seq FROM frames WHERE partition = {partition} AND epoch = {epoch})"
                    " SETTINGS mutations_sync = 2"
                )
                removed += count
        return removed

    def _rows(self, sql: str, parameters: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        return list(self._client.query(sql, parameters=parameters or {}).result_rows)

    def _arrow(self, sql: str, parameters: dict[str, Any]) -> pa.Table:
        return self._client.query_arrow(sql, parameters=parameters)


def _decision_tables() -> list[str]:
    """The tables of all kinds of decision."""
    return [kind.table for kind in KINDS.values()]
