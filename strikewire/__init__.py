"""What a rule of one's own imports: contexts, detectors, what they are given and what they answer with.

    from strikewire import Detector, Finding, Moment, Parameters, Trigger, Views

A file with one detector or one context, in a folder that `[rules] folders` names, runs live and in replay beside the
program's own (docs/lessons). Importing this starts nothing: no thread, no socket, no file.
"""

from schemas.decisions import (
    Alert,
    Contribution,
    DeadLetter,
    Outcome,
    Record,
    Signal,
    View,
    rounded,
)
from schemas.frames import Frame, GreekRows, Header, Lane, TickRows, TradeRows
from schemas.symbols import Contract, contract_ticker, parse_contract, symbol_code, symbol_text
from services.contexts.flow import (
    BLOCK_CLOSED,
    CONTRACT_MINUTE,
    SPLIT_CLOSED,
    SWEEP_CLOSED,
    ClusterFilter,
    ContractMinute,
    FlowCluster,
    FlowView,
    MinuteFilter,
)
from services.contexts.gamma import LEVELS, GammaView
from services.contexts.price import BAR_1M, BAR_5M, BAR_15M, Bar, PriceView
from services.core.calendar import Calendar, Session
from services.core.contract import (
    Context,
    ContextView,
    Detector,
    Finding,
    MarketView,
    Moment,
    Parameters,
    Trigger,
    TriggerFilter,
    TriggerKind,
    Views,
)
from services.detectors._kit import (
    Barriers,
    Cooldown,
    Growth,
    Weights,
    barriers,
    contract_words,
    direction,
    in_session,
    money,
    side_certainty,
    with_barriers,
)

__all__ = [
    "BAR_1M",
    "BAR_5M",
    "BAR_15M",
    "BLOCK_CLOSED",
    "CONTRACT_MINUTE",
    "LEVELS",
    "SPLIT_CLOSED",
    "SWEEP_CLOSED",
    "Alert",
    "Bar",
    "Barriers",
    "Calendar",
    "ClusterFilter",
    "Context",
    "ContextView",
    "Contract",
    "ContractMinute",
    "Contribution",
    "Cooldown",
    "DeadLetter",
    "Detector",
    "Finding",
    "FlowCluster",
    "FlowView",
    "Frame",
    "GammaView",
    "GreekRows",
    "Growth",
    "Header",
    "Lane",
    "MarketView",
    "MinuteFilter",
    "Moment",
    "Outcome",
    "Parameters",
    "PriceView",
    "Record",
    "Session",
    "Signal",
    "TickRows",
    "TradeRows",
    "Trigger",
    "TriggerFilter",
    "TriggerKind",
    "View",
    "Views",
    "Weights",
    "barriers",
    "contract_ticker",
    "contract_words",
    "direction",
    "in_session",
    "money",
    "parse_contract",
    "rounded",
    "side_certainty",
    "symbol_code",
    "symbol_text",
    "with_barriers",
]
