"""How strict the server is: what the vendor's documents leave open is a switch here, with the safer default. Pure.

Safer is what teaches a client the more careful habit: to wait for `auth_success`, to name its contracts, to keep an eye
on its own quota. `requested.py` reads switches from text, `strikewire standin --list-faults` prints them.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from standin.faults.named import CLOSE_CODES, Channel

__all__ = ["FRAME_EVENTS_MAX", "QUOTED_CONTRACTS_MAX", "ProtocolOptions"]

# The vendor's limit of option contracts with streaming quotes on one connection.
QUOTED_CONTRACTS_MAX = 1000
# Half a minute of the busiest options second the vendor is known for (20,000 events of 110 bytes would be 66 MB; a
# vendor's buffer is smaller): beyond it the client is not late but gone.
BUFFER_BYTES_MAX = 32 * 1024 * 1024
# About 110 kB a frame at 110 bytes an event: well under the 1 MiB at which a client with library defaults hangs up.
FRAME_EVENTS_MAX = 1000


class ProtocolOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Every switch and its default."""

    early_subscribe: Annotated[
        Literal["refuse", "drop", "ignore"], "subscribing before auth_success (2.2): auth_failed, a cut, no answer"
    ] = "refuse"
    auth_timeout_s: Annotated[float, "how long a client may take to send its key (2.4)"] = 10.0
    entitled: Annotated[frozenset[Channel], "channels of the plan (1)"] = frozenset({"T", "Q", "A", "AM", "V"})
    plan_includes_websocket: Annotated[bool, "whether the plan has the WebSocket (2.4)"] = True
    business: Annotated[bool, "a business host: FMV is served, and `fmv` in chains (3.4, 7.2)"] = False
    quote_wildcard: Annotated[Literal["refuse", "allow"], "Q.* on options (2.3)"] = "refuse"
    prefix_wildcards: Annotated[bool, "whether T.O:SPXW* means something (2.3)"] = False
    quoted_contracts_max: Annotated[int, "contracts with streaming quotes on a connection (2.6)"] = QUOTED_CONTRACTS_MAX
    limit_counts: Annotated[Literal["Q", "all"], "which channels count toward that limit (2.6)"] = "Q"
    # A refused 200-contract request was seen to give about 27 error elements: neither one nor one a pair.
    limit_errors: Annotated[int, "error elements of a request past the limit (2.6)"] = 27
    unsubscribed: Annotated[Literal["to", "from"], "the word in `unsubscribed to: ...` (2.4)"] = "to"
    connections_max: Annotated[int, "connections of a key on a cluster (2.7)"] = 1
    victim: Annotated[Literal["older", "newer", "random"], "which connection a new one costs (2.7)"] = "older"
    buffer_bytes: Annotated[int, "what may wait for a client before it is a slow consumer (2.8)"] = BUFFER_BYTES_MAX
    slow_consumer: Annotated[Literal["frame", "abort"], "status and close frame, or a reset (2.8)"] = "frame"
    slow_consumer_code: Annotated[int, "the close code of slow_consumer (2.4)", CLOSE_CODES] = 1008
    force_disconnect_code: Annotated[int, "the close code of force_disconnect (2.4)", CLOSE_CODES] = 1008
    compression: Annotated[bool, "whether permessage-deflate is offered (2.1)"] = False
    ping_s: Annotated[float, "wall time between the server's own pings; 0: none (2.9)"] = 0.0
    flush_s: Annotated[float, "wall time over which events are batched (11.1/11)"] = 0.025
    frame_events_max: Annotated[int, "events in a frame (11.1/11)"] = FRAME_EVENTS_MAX
    mix_statuses: Annotated[bool, "whether acknowledgements ride in frames of events (11.1/11)"] = True
    bar_delay_s: Annotated[float, "market time from a bar's end to its A or AM on options and indices (3.3)"] = 1.0
    index_every: Annotated[
        int, "market seconds between two values of an index; volatility indices have fifteen at least (3.5)"
    ] = 1
    stock_sizes: Annotated[Literal["shares", "lots"], "what sizes of stock quotes count (3.7)"] = "shares"
    rest_delayed: Annotated[
        bool, "whether REST says DELAYED as to a delayed plan, in status and timeframe; what it tells stays new (7.1)"
    ] = False
    newer_limit_max: Annotated[Literal[49_999, 50_000], "the most rows of a page on the newer paths (7.8)"] = 49_999
    not_found: Annotated[Literal["json", "text"], "the body of REST's 404 (7.1)"] = "json"
    retry_after: Annotated[bool, "whether 429 carries Retry-After (7.1)"] = False
