"""What a gateway is told. A frozen struct that refuses unknown fields; the key never shows in its text."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from schemas.frames import CLOCK_FEED, CLOCK_WALL
from services.core.partitioner import Partitioner

__all__ = ["GatewaySettings"]

DELAYED_NS = 900 * 1_000_000_000
Positive = Annotated[float, Meta(gt=0)]


class GatewaySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The feed, how its rows are sequenced, and what is asked over REST."""

    ws_url: str = "wss://socket.massive.com"
    rest_url: str = "https://api.massive.com"
    api_key: str = ""

    partitions: Annotated[int, Meta(ge=1, le=1024)] = 4
    partition_overrides: dict[str, int] = {}
    epoch: Annotated[int, Meta(ge=0)] = 0
    clock: Literal["wall", "feed"] = "wall"
    start_ns: Annotated[int, Meta(ge=0)] = 0
    """How far the log's time had come before this epoch; no frame is stamped earlier."""
    flush_ms: Annotated[int, Meta(ge=1, le=1000)] = 20
    frame_rows_max: Annotated[int, Meta(ge=1, le=100_000)] = 500

    clusters: tuple[Literal["options", "indices", "stocks"], ...] = ("options", "indices", "stocks")
    indices: tuple[str, ...] = ("SPX", "NDX", "RUT", "VIX", "VIX9D", "VIX3M", "VIX6M", "VVIX")
    """Indices asked for in the REST snapshot at the start; on the socket all of them come (`V.*`)."""
    quote_contracts_max: Annotated[int, Meta(ge=0, le=1000)] = 950
    """Contracts with a streaming quote. The vendor allows 1,000 a connection; 50 are kept as room for a swap."""
    quote_rerank_s: Positive = 60.0

    poll: bool = True
    """Whether chains are asked over REST at all."""
    poll_near_s: Positive = 30.0
    """Seconds between snapshots of the expiries within a week, where open interest and gamma decide."""
    poll_far_s: Positive = 300.0
    """Seconds between snapshots of the later expiries."""
    poll_concurrency: Annotated[int, Meta(ge=1, le=64)] = 8
    """Requests at a time. The vendor asks to stay under some 100 a second; a page takes 0.1 s and more."""
    underlyings: tuple[str, ...] | None = None
    """Whose chains are asked for. None: the watch list, then each whose options trade."""
    watch: tuple[str, ...] = ("SPX", "SPY", "QQQ", "NDX", "RUT", "IWM", "VIX")
    """Asked for from the start when `underlyings` is None."""
    underlyings_max: Annotated[int, Meta(ge=1, le=10_000)] = 200
    """At most so many chains: two hundred of a hundred pages each are what 100 requests a second can carry."""

    silence_s: Positive = 30.0
    """In a session a connection that says nothing for so long is made anew. On the feed's clock these are seconds of
    the market, told by the other connections."""
    refill: bool = True
    """Whether the prints of a gap are asked for over REST."""
    refill_contracts_max: Annotated[int, Meta(ge=0, le=10_000)] = 950
    """In how many contracts, those of most interest. At 8 requests at a time a thousand take a quarter of a minute."""

    lockstep: bool = False
    """The market waits for us: polls are driven by its clock, and no socket is read meanwhile."""
    seed: int = 0
    """Of the jitter of the reconnect ladders."""

    @property
    def delay_ns(self) -> int:
        """How far the feed is behind the clock: a quarter of an hour on the vendor's delayed hosts, by the wall's."""
        return DELAYED_NS if self.clock == "wall" and "://delayed" in self.ws_url else 0

    @property
    def frame_clock(self) -> int:
        """The clock's number in a frame's header."""
        return CLOCK_WALL if self.clock == "wall" else CLOCK_FEED

    def __repr__(self) -> str:
        shown = {name: getattr(self, name) for name in self.__struct_fields__ if name != "api_key"}
        return f"GatewaySettings({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    def __post_init__(self) -> None:
        """Raises ValueError, which whoever reads a configuration turns into a sentence."""
        Partitioner(self.partitions, self.partition_overrides)
