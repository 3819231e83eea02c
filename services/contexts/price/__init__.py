"""Price: where an underlying trades, and how far it moves."""

from services.contexts.price.context import Bar, Price, PriceParameters, PriceView

__all__ = ["Bar", "Price", "PriceParameters", "PriceView"]
