"""What is decided, as frozen structs: View, Signal, Alert, Outcome, DeadLetter.

Their JSON is canonical (`canonical`): fields in the order declared here, mappings sorted by key, numbers rounded by
whoever made them (`rounded`), one line. Equal decisions are equal bytes; the digest of a run is taken over these lines.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import msgspec

__all__ = [
    "Alert",
    "Contribution",
    "DeadLetter",
    "Direction",
    "Outcome",
    "Record",
    "Signal",
    "Thesis",
    "View",
    "canonical",
    "rounded",
]

Direction: TypeAlias = Literal["LONG", "SHORT", "NEUTRAL", "LONG_VOL", "SHORT_VOL"]
Label: TypeAlias = Literal["PRICE_BARRIER", "IV_CHANGE", "PIN", "VOL_RATIO", "OPTION_PNL"]
# What a signal counts on: that a move goes on, that it turns back, or that there is more (or less) of it.
Thesis: TypeAlias = Literal["momentum", "reversal", "volatility"]
Status: TypeAlias = Literal["SUPPORTED", "UNPROVEN", "REFUTED"]

# Six significant digits: a processor whose logarithm differs in the last bit (1e-16 relative) still prints the same.
SIGNIFICANT_DIGITS = 6


def rounded(value: float, digits: int = SIGNIFICANT_DIGITS) -> float:
    """`value` to `digits` significant digits; every published number goes through here.

    >>> rounded(1234567.891), rounded(0.00012345678)
    (1234570.0, 0.000123457)
    """
    if value == 0 or not math.isfinite(value):
        return 0.0 if value == 0 else value
    return float(f"{value:.{digits}g}")


class View(msgspec.Struct, frozen=True, kw_only=True):
    """A context's answer for one underlying as of a moment, in the form that is published.

    `values` holds named numbers (unit last in the name); `confidence` is 0 to 1; `stance` is the context's one word.
    """

    context: str
    version: str
    underlying: str
    as_of_ns: int
    ready: bool
    reason: str  # why not ready, or empty
    stance: str
    confidence: float
    values: dict[str, float | None]


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """A detector spoke.

    `position` counts the rows of (partition, epoch) seen before; `inputs` are (epoch, position) of the rows it stands
    on. `event_ns` is the largest exchange time used, `emitted_ns` the log's time when it spoke. `factors` are the parts
    of `base` (0 to 100), `evidence` whatever a person wants to check.
    """

    id: str
    detector: str
    version: str
    parameters: str
    underlying: str
    contract: str | None
    direction: Direction
    label: Label
    event_ns: int
    emitted_ns: int
    partition: int
    epoch: int
    position: int
    inputs: tuple[tuple[int, int], ...]
    base: float
    confidence: float
    reference_usd: float | None
    stop_usd: float | None
    target_usd: float | None
    horizon_s: int
    null_probability: float | None
    factors: dict[str, float]
    evidence: dict[str, float]
    headline: str


class Contribution(msgspec.Struct, frozen=True, kw_only=True):
    """One boost (points > 0) or penalty (points < 0) that moved an alert's score, and why."""

    source: str
    points: float
    confidence: float
    age_s: float
    reason: str


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A detector's own record out of sample. Without one the status is UNPROVEN and `n` is 0."""

    status: Status = "UNPROVEN"
    n: int = 0
    win_rate: float | None = None
    win_rate_low: float | None = None
    win_rate_high: float | None = None
    base_rate: float | None = None
    expectancy_r: float | None = None


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """The scanner decided that a signal is worth a person's attention. `score` is 0 to 100 and no probability."""

    id: str
    signal_id: str
    detector: str
    version: str
    underlying: str
    contract: str | None
    direction: Direction
    score: float
    base: float
    boosts: tuple[Contribution, ...]
    penalties: tuple[Contribution, ...]
    coverage: float
    flags: tuple[str, ...]
    event_ns: int
    emitted_ns: int
    partition: int
    epoch: int
    position: int
    inputs: tuple[tuple[int, int], ...]
    reference_usd: float | None
    stop_usd: float | None
    target_usd: float | None
    horizon_s: int
    evidence: dict[str, float]
    record: Record
    headline: str


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What then happened to a signal; only replay and the nightly labeller make one."""

    signal_id: str
    label: Label
    result: Literal["WIN", "LOSS", "TIMEOUT"]
    entry_usd: float
    exit_usd: float
    exit_ns: int
    r_multiple: float
    ambiguous: bool


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """What could not be understood: where it came from, why, and the bytes (cut to a limit, base64 in JSON)."""

    source: str
    reason: str
    detail: str
    received_ns: int
    data: bytes


_ENCODER = msgspec.json.Encoder(order="deterministic")


def canonical(document: object) -> bytes:
    """The one line of JSON that stands for a document."""
    return _ENCODER.encode(document)
