"""Frames: how market data travels. One frame is a header and one Arrow record batch of one lane.

    offset  bytes  field
    0       4      b"SWF1"
    4       1      version of this header
    5       1      lane (1 options.trades, 2 options.greeks, 3 index.ticks)
    6       1      clock (0 wall: `received_ns` is when the gateway cut the frame; 1 feed: the largest exchange time it
                   had seen, as for a tape or an accelerated market)
    7       1      flags (bit 0: opening frame of an epoch)
    8       4      partition
    12      4      rows
    16      8      epoch
    24      8      seq: contiguous within (partition, epoch), across all lanes
    32      8      position: rows of (partition, epoch) before this frame, across all lanes
    40      8      received_ns
    48      16     reserved, zero
    64      ...    an Arrow IPC stream of one record batch; absent when rows is 0

A frame without rows is a heartbeat: it moves time on. The stream carries its own schema, so any Arrow library reads it
after skipping 64 bytes, and schemas may evolve by the rule of `LANE_DEFAULTS`: a reader fills what it misses with the
default and ignores what it does not know.

In memory a lane's rows are a named tuple of numpy arrays, one a column, viewed without copying.
"""

from __future__ import annotations

import enum
import functools
import struct
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas import layouts
from schemas.layouts import END_OF_STREAM, BatchLayout, learn_layout
from schemas.symbols import SYMBOL_BYTES

__all__ = [
    "CLOCK_FEED",
    "CLOCK_WALL",
    "CONDITION_REFILLED",
    "HEADER_BYTES",
    "LANE_SCHEMAS",
    "Frame",
    "FrameError",
    "GreekRows",
    "Header",
    "Lane",
    "Rows",
    "TickRows",
    "TradeRows",
    "decode_batch",
    "decode_frame",
    "decode_header",
    "empty_rows",
    "encode_frame",
    "record_batch",
    "rows_from_arrow",
    "take_rows",
    "well_formed",
]

MAGIC = b"SWF1"
VERSION = 1
HEADER = struct.Struct("<4sBBBBIIQQQq16x")
HEADER_BYTES = HEADER.size
FLAG_OPENING = 1
CLOCK_WALL, CLOCK_FEED = 0, 1

Array: TypeAlias = npt.NDArray[np.generic]
Int8: TypeAlias = npt.NDArray[np.int8]
Int16: TypeAlias = npt.NDArray[np.int16]
Int32: TypeAlias = npt.NDArray[np.int32]
Int64: TypeAlias = npt.NDArray[np.int64]
UInt64: TypeAlias = npt.NDArray[np.uint64]
Float64: TypeAlias = npt.NDArray[np.float64]


class FrameError(ValueError):
    """Bytes that are not a frame, or a frame this reader cannot understand; the sentence says where."""


class Lane(enum.IntEnum):
    """The three lanes. Values are on the wire and in the warehouse; they never change."""

    TRADES = 1
    GREEKS = 2
    TICKS = 3

    @property
    def topic(self) -> str:
        """The lane's topic."""
        return _TOPICS[self]


_TOPICS = {Lane.TRADES: "options.trades", Lane.GREEKS: "options.greeks", Lane.TICKS: "index.ticks"}


class TradeRows(NamedTuple):
    """Option prints, each with the NBBO that stood just before it where the gateway had one.

    `received_ns` is the frame's stamp repeated per row (not on the wire: it stands in the header).
    """

    received_ns: Int64
    event_ns: Int64
    underlying: UInt64
    root: UInt64
    expiry_day: Int32
    strike_mills: Int32
    right: Int8
    price_usd: Float64
    size_contracts: Int32
    exchange: Int16
    condition: Int16
    condition_bits: UInt64
    vendor_seq: Int64
    bid_usd: Float64
    ask_usd: Float64
    bid_size: Int32
    ask_size: Int32
    quote_age_ns: Int64


class GreekRows(NamedTuple):
    """Chain-snapshot rows as the vendor gave them: quote, implied volatility, greeks, open interest."""

    received_ns: Int64
    event_ns: Int64
    underlying: UInt64
    root: UInt64
    expiry_day: Int32
    strike_mills: Int32
    right: Int8
    multiplier: Int32
    bid_usd: Float64
    ask_usd: Float64
    bid_size: Int32
    ask_size: Int32
    iv_annual: Float64
    delta: Float64
    gamma: Float64
    theta_day: Float64
    vega_point: Float64
    open_interest: Int64
    day_volume: Int64
    spot_usd: Float64


class TickRows(NamedTuple):
    """Prices of indices (`kind` 1: one value) and of stocks (`kind` 2: a bar of one second)."""

    received_ns: Int64
    event_ns: Int64
    symbol: UInt64
    kind: Int8
    price_usd: Float64
    high_usd: Float64
    low_usd: Float64
    volume: Int64


KIND_INDEX, KIND_STOCK = 1, 2

# Of `condition_bits`: the print was not heard on the socket but asked for afterwards, to fill a gap. It stands in the
# log where it became known, later than its `event_ns` by as long as that took; no vendor's condition has this bit.
CONDITION_REFILLED = 1 << 63

Rows: TypeAlias = TradeRows | GreekRows | TickRows
ROW_TYPES: dict[Lane, type[TradeRows] | type[GreekRows] | type[TickRows]] = {
    Lane.TRADES: TradeRows,
    Lane.GREEKS: GreekRows,
    Lane.TICKS: TickRows,
}


def _field(name: str, kind: pa.DataType, unit: str, about: str) -> pa.Field:
    return pa.field(name, kind, nullable=False, metadata={"unit": unit, "about": about})


_TIME = pa.timestamp("ns", tz="UTC")
_SYMBOL = pa.binary(SYMBOL_BYTES)
_EVENT = _field("event_ns", _TIME, "ns since 1970 UTC", "exchange (SIP) time; the vendor streams milliseconds")
_CONTRACT = [
    _field("underlying", _SYMBOL, "symbol", "what the option is on, NUL padded"),
    _field("root", _SYMBOL, "symbol", "OPRA root; differs from the underlying for SPXW, NDXP, adjusted contracts"),
    _field("expiry_day", pa.date32(), "day", "expiry"),
    _field("strike_mills", pa.int32(), "USD / 1000", "strike in thousandths of a dollar"),
    _field("right", pa.int8(), "1 call, -1 put", "option right"),
]

LANE_SCHEMAS: dict[Lane, pa.Schema] = {
    Lane.TRADES: pa.schema(
        [
            _EVENT,
            *_CONTRACT,
            _field("price_usd", pa.float64(), "USD per share", "premium"),
            _field("size_contracts", pa.int32(), "contracts", "size"),
            _field("exchange", pa.int16(), "vendor id", "300 + OPRA participant letter"),
            _field("condition", pa.int16(), "vendor id", "first condition, 0 when none"),
            _field("condition_bits", pa.uint64(), "bit set", "bit (id - 200) of each condition; 0 unknown, 63 refill"),
            _field("vendor_seq", pa.int64(), "count", "vendor's sequence number, rising per ticker and session"),
            _field("bid_usd", pa.float64(), "USD per share", "best bid just before the print; NaN when unknown"),
            _field("ask_usd", pa.float64(), "USD per share", "best ask just before the print; NaN when unknown"),
            _field("bid_size", pa.int32(), "contracts", "size at the bid; -1 when unknown"),
            _field("ask_size", pa.int32(), "contracts", "size at the ask; -1 when unknown"),
            _field("quote_age_ns", pa.int64(), "ns", "print time less quote time; -1 when no quote was known"),
        ]
    ),
    Lane.GREEKS: pa.schema(
        [
            _EVENT,
            *_CONTRACT,
            _field("multiplier", pa.int32(), "shares per contract", "normally 100"),
            _field("bid_usd", pa.float64(), "USD per share", "best bid; NaN when unknown"),
            _field("ask_usd", pa.float64(), "USD per share", "best ask; NaN when unknown"),
            _field("bid_size", pa.int32(), "contracts", "size at the bid; -1 when unknown"),
            _field("ask_size", pa.int32(), "contracts", "size at the ask; -1 when unknown"),
            _field("iv_annual", pa.float64(), "1/sqrt(year)", "implied volatility, decimal; NaN when unknown"),
            _field("delta", pa.float64(), "1", "dV/dS; NaN when unknown"),
            _field("gamma", pa.float64(), "1/USD", "d2V/dS2; NaN when unknown"),
            _field("theta_day", pa.float64(), "USD per day", "NaN when unknown"),
            _field("vega_point", pa.float64(), "USD per vol point", "NaN when unknown"),
            _field("open_interest", pa.int64(), "contracts", "as of the previous close; -1 when unknown"),
            _field("day_volume", pa.int64(), "contracts", "today so far; -1 when unknown"),
            _field("spot_usd", pa.float64(), "USD", "price of the underlying in the snapshot; NaN when unknown"),
        ]
    ),
    Lane.TICKS: pa.schema(
        [
            _EVENT,
            _field("symbol", _SYMBOL, "symbol", "index without the vendor's I: prefix, or stock"),
            _field("kind", pa.int8(), "1 index, 2 stock", "what the row is"),
            _field("price_usd", pa.float64(), "USD or points", "value, or close of the second"),
            _field("high_usd", pa.float64(), "USD or points", "high of the second; equals the price for an index"),
            _field("low_usd", pa.float64(), "USD or points", "low of the second; equals the price for an index"),
            _field("volume", pa.int64(), "shares", "shares traded in the second; 0 for an index"),
        ]
    ),
}

# What a reader puts where a column is missing, because an older writer did not know it.
LANE_DEFAULTS: dict[str, float | int] = {
    "multiplier": 100,
    "bid_usd": float("nan"),
    "ask_usd": float("nan"),
    "bid_size": -1,
    "ask_size": -1,
    "quote_age_ns": -1,
    "iv_annual": float("nan"),
    "delta": float("nan"),
    "gamma": float("nan"),
    "theta_day": float("nan"),
    "vega_point": float("nan"),
    "open_interest": -1,
    "day_volume": -1,
    "spot_usd": float("nan"),
    "condition": 0,
    "condition_bits": 0,
    "vendor_seq": 0,
    "volume": 0,
}

# How an Arrow column looks as a numpy array: the same bytes.
_VIEWS: dict[pa.DataType, np.dtype[np.generic]] = {
    _TIME: np.dtype("<i8"),
    _SYMBOL: np.dtype("<u8"),
    pa.date32(): np.dtype("<i4"),
    pa.int8(): np.dtype("<i1"),
    pa.int16(): np.dtype("<i2"),
    pa.int32(): np.dtype("<i4"),
    pa.int64(): np.dtype("<i8"),
    pa.uint64(): np.dtype("<u8"),
    pa.float64(): np.dtype("<f8"),
}
COLUMN_DTYPES: dict[Lane, dict[str, np.dtype[np.generic]]] = {
    lane: {field.name: _VIEWS[field.type] for field in schema} for lane, schema in LANE_SCHEMAS.items()
}

_TYPES: dict[Lane, list[pa.DataType]] = {lane: [field.type for field in s] for lane, s in LANE_SCHEMAS.items()}
_DTYPES: dict[Lane, list[np.dtype[np.generic]]] = {
    lane: list(dtypes.values()) for lane, dtypes in COLUMN_DTYPES.items()
}
_ROW_DTYPES: dict[Lane, list[np.dtype[np.generic]]] = {
    lane: [np.dtype(np.int64), *dtypes] for lane, dtypes in _DTYPES.items()
}
_ROW_STRIDES = {lane: [(dtype.itemsize,) for dtype in dtypes] for lane, dtypes in _ROW_DTYPES.items()}
_SCHEMA_BYTES = {lane: schema.serialize().to_pybytes() for lane, schema in LANE_SCHEMAS.items()}
# Where a frame's batch begins, behind header and schema.
BATCH_AT = {lane: HEADER_BYTES + len(known) for lane, known in _SCHEMA_BYTES.items()}


class Header(NamedTuple):
    """A frame's place in the log. See the table at the top of this file."""

    lane: Lane
    partition: int
    epoch: int
    seq: int
    position: int
    rows: int
    received_ns: int
    clock: int = CLOCK_WALL
    opening: bool = False


class Frame(NamedTuple):
    """A header and its rows."""

    header: Header
    rows: Rows

    def __str__(self) -> str:
        head = self.header
        what = "opening" if head.opening else f"{head.rows} rows" if head.rows else "heartbeat"
        return f"<{head.lane.topic} p{head.partition} e{head.epoch} #{head.seq} {what}>"


_EMPTY: dict[Lane, Rows] = {}


def empty_rows(lane: Lane) -> Rows:
    """The rows of a heartbeat."""
    if lane not in _EMPTY:
        dtypes = COLUMN_DTYPES[lane].values()
        _EMPTY[lane] = ROW_TYPES[lane](np.empty(0, np.int64), *(np.empty(0, dtype) for dtype in dtypes))
    return _EMPTY[lane]


def well_formed(lane: Lane, rows: Rows) -> bool:
    """Whether the columns are what they should be: one-dimensional, contiguous, of the lane's dtypes."""
    return [column.dtype for column in rows] == _ROW_DTYPES[lane] and (
        [column.strides for column in rows] == _ROW_STRIDES[lane]
    )


def take_rows(rows: Rows, start: int, stop: int) -> Rows:
    """A view of rows `[start, stop)`."""
    return type(rows)(*(column[start:stop] for column in rows))  # type: ignore[arg-type]


def record_batch(lane: Lane, rows: Rows) -> pa.RecordBatch:
    """The rows as an Arrow record batch, without `received_ns`. Contiguous columns are not copied."""
    count, from_buffers, buffer = len(rows.received_ns), pa.Array.from_buffers, pa.py_buffer
    arrays = [
        from_buffers(kind, count, [None, buffer(np.ascontiguousarray(column))])
        for kind, column in zip(_TYPES[lane], rows[1:], strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=LANE_SCHEMAS[lane])


def rows_from_arrow(lane: Lane, batch: pa.RecordBatch, received_ns: int | Int64) -> Rows:
    """Views of a record batch's columns as numpy arrays.

    Columns this version does not know are ignored; columns the writer did not know take `LANE_DEFAULTS`. Raises
    FrameError when a column that has no default is missing, holds nulls, or has another type.
    """
    count = batch.num_rows
    stamps = received_ns if isinstance(received_ns, np.ndarray) else np.full(count, received_ns, np.int64)
    arrays: list[Array] = [stamps]
    columns = batch.schema.names
    for name, dtype in COLUMN_DTYPES[lane].items():
        if name in columns:
            arrays.append(_view(lane, batch.column(columns.index(name)), name, dtype))
        elif name in LANE_DEFAULTS:
            arrays.append(np.full(count, LANE_DEFAULTS[name], dtype))
        else:
            raise FrameError(f"{lane.topic}: a frame without the column {name}")
    return ROW_TYPES[lane](*arrays)  # type: ignore[arg-type]


def _view(lane: Lane, column: pa.Array, name: str, dtype: np.dtype[np.generic]) -> Array:
    wanted = LANE_SCHEMAS[lane].field(name).type
    if column.type != wanted:
        raise FrameError(f"{lane.topic}: column {name} is {column.type}, not {wanted}")
    if column.null_count:
        raise FrameError(f"{lane.topic}: column {name} holds nulls")
    data = column.buffers()[1]
    if data is None:
        return np.empty(0, dtype)
    return np.frombuffer(data, dtype, count=len(column), offset=column.offset * dtype.itemsize)


def encode_frame(frame: Frame) -> bytes:
    """The bytes of a frame."""
    head = frame.header
    prefix = HEADER.pack(
        MAGIC, VERSION, head.lane, head.clock, FLAG_OPENING if head.opening else 0, head.partition, head.rows,
        head.epoch, head.seq, head.position, head.received_ns,
    )  # fmt: skip
    if not head.rows:
        return prefix
    known = _SCHEMA_BYTES[head.lane]
    if head.rows == len(frame.rows.event_ns) <= layouts.ROWS_MAX and well_formed(head.lane, frame.rows):
        layout = _layout(head.lane, head.rows)
        parts: list[Any] = [prefix, known, layout.message]
        for column, gap in zip(frame.rows[1:], layout.gaps, strict=True):
            parts += (column, gap)
        return b"".join(parts)
    return b"".join((prefix, known, record_batch(head.lane, frame.rows).serialize(), END_OF_STREAM))


@functools.lru_cache(maxsize=2 * layouts.ROWS_MAX)
def _layout(lane: Lane, rows: int) -> BatchLayout:
    return learn_layout(LANE_SCHEMAS[lane], rows)


def plain_layout(head: Header, data: bytes) -> BatchLayout | None:
    """How the rows lie in a frame that this version's `encode_frame` wrote; None when it may be another's."""
    if not 0 < head.rows <= layouts.ROWS_MAX or not data.startswith(_SCHEMA_BYTES[head.lane], HEADER_BYTES):
        return None
    layout, begin = _layout(head.lane, head.rows), BATCH_AT[head.lane]
    return layout if data.startswith(layout.message, begin) and len(data) >= begin + layout.end else None


def decode_header(data: bytes | memoryview) -> Header:
    """Read a frame's first 64 bytes. Raises FrameError."""
    if len(data) < HEADER_BYTES:
        raise FrameError(f"a frame of {len(data)} bytes, shorter than its header of {HEADER_BYTES}")
    magic, version, lane, clock, flags, partition, rows, epoch, seq, position, received_ns = HEADER.unpack_from(data)
    if magic != MAGIC:
        raise FrameError(f"a frame that starts with {magic!r}, not {MAGIC!r}")
    if version != VERSION:
        raise FrameError(f"a frame of version {version}; this program reads {VERSION}")
    try:
        known = Lane(lane)
    except ValueError:
        raise FrameError(f"a frame of lane {lane}, which does not exist") from None
    return Header(known, partition, epoch, seq, position, rows, received_ns, clock, bool(flags & FLAG_OPENING))


def decode_frame(data: bytes) -> Frame:
    """Read a frame; its columns are views of `data`. Raises FrameError."""
    head = decode_header(data)
    if not head.rows:
        return Frame(head, empty_rows(head.lane))
    try:
        return Frame(head, _rows(head, data))
    except FrameError:
        raise
    # Arrow reports damage by exceptions of its own, but also as EOFError, and as ValueError where a name is not UTF-8
    # or a buffer is shorter than its rows.
    except (pa.ArrowException, StopIteration, OSError, EOFError, ValueError) as error:
        raise FrameError(f"{head.lane.topic}: not an Arrow stream: {error}") from None


def decode_batch(data: bytes) -> tuple[Header, pa.RecordBatch | None]:
    """A frame's header and its rows as a record batch of this version's schema, for whoever passes them on as they are.

    None when there are no rows. The batch is a view of `data`. Raises FrameError.
    """
    head = decode_header(data)
    if not head.rows:
        return head, None
    if plain_layout(head, data) is None:
        return head, record_batch(head.lane, decode_frame(data).rows)
    body = pa.py_buffer(data).slice(BATCH_AT[head.lane])
    return head, pa.ipc.read_record_batch(body, LANE_SCHEMAS[head.lane])


def _rows(head: Header, data: bytes) -> Rows:
    layout = plain_layout(head, data)
    if layout is not None:
        arrays: list[Array] = [np.full(head.rows, head.received_ns, np.int64)]
        for offset, dtype in zip(layout.offsets, _DTYPES[head.lane], strict=True):
            arrays.append(np.frombuffer(data, dtype, head.rows, BATCH_AT[head.lane] + offset))
        return ROW_TYPES[head.lane](*arrays)  # type: ignore[arg-type]
    batch = pa.ipc.open_stream(pa.py_buffer(data).slice(HEADER_BYTES)).read_next_batch()
    if batch.num_rows != head.rows:
        raise FrameError(f"{head.lane.topic}: {batch.num_rows} rows where the header says {head.rows}")
    return rows_from_arrow(head.lane, batch, head.received_ns)
