"""Gamma: what dealers would have to trade as the underlying moves, and the strikes where that piles up."""

from services.contexts.gamma.context import Gamma, GammaParameters, GammaView

__all__ = ["Gamma", "GammaParameters", "GammaView"]
