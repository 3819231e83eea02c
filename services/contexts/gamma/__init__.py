"""Gamma: what dealers would have to trade as the underlying moves, and the strikes where that piles up."""

from services.contexts.gamma.context import LEVELS, Gamma, GammaParameters, GammaView

__all__ = ["LEVELS", "Gamma", "GammaParameters", "GammaView"]
