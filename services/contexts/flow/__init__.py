"""Flow: who trades options how, print by print, and which way it leans."""

from services.contexts.flow.context import ContractMinute, Flow, FlowCluster, FlowParameters, FlowView

__all__ = ["ContractMinute", "Flow", "FlowCluster", "FlowParameters", "FlowView"]
