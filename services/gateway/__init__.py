"""The gateway: the vendor's feed in, sequenced frames out. `docs/gateway.md` is its map."""

from services.gateway.errors import FeedRefusedError, RestRefusedError, RestUnavailableError
from services.gateway.gateway import Gateway, GatewayStats
from services.gateway.settings import GatewaySettings

__all__ = [
    "FeedRefusedError",
    "Gateway",
    "GatewaySettings",
    "GatewayStats",
    "RestRefusedError",
    "RestUnavailableError",
]
