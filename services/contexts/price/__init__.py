"""Price: where an underlying trades, and how far it moves."""

from services.contexts.price.context import BAR_1M, BAR_5M, BAR_15M, Bar, Price, PriceParameters, PriceView

__all__ = ["BAR_1M", "BAR_5M", "BAR_15M", "Bar", "Price", "PriceParameters", "PriceView"]
