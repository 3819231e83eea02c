"""Flow: who trades options how, print by print, and which way it leans."""

from services.contexts.flow.context import (
    BLOCK_CLOSED,
    CONTRACT_MINUTE,
    SPLIT_CLOSED,
    SWEEP_CLOSED,
    ContractMinute,
    Flow,
    FlowCluster,
    FlowParameters,
    FlowView,
)
from services.contexts.flow.filters import ClusterFilter, MinuteFilter

__all__ = [
    "BLOCK_CLOSED", "CONTRACT_MINUTE", "SPLIT_CLOSED", "SWEEP_CLOSED", "ClusterFilter", "ContractMinute", "Flow",
    "FlowCluster", "FlowParameters", "FlowView", "MinuteFilter",
]  # fmt: skip
