"""A gateway's running totals as metrics."""

from __future__ import annotations

import asyncio

from services.gateway.shell.stats import GatewayStats
from services.runtime.metrics import Metrics

__all__ = ["count_forever", "count_gateway"]

EVENTS = ("trades", "quotes", "ticks", "greeks", "refilled")


def count_gateway(stats: GatewayStats, metrics: Metrics) -> None:
    """Bring the metrics up to what the gateway has counted."""
    for event in EVENTS:
        metrics.total("strikewire_gateway_events_total", getattr(stats, event), event=event)
    metrics.total("strikewire_gateway_bytes_total", stats.socket_bytes + stats.rest_bytes)
    metrics.total("strikewire_gateway_reconnects_total", stats.reconnects)
    metrics.total("strikewire_gateway_repeated_total", stats.repeated)
    metrics.total("strikewire_gateway_backward_total", stats.backward)
    metrics.total("strikewire_gateway_silences_total", stats.silences)
    for (channel, cause), count in stats.gaps.items():
        metrics.total("strikewire_gateway_gaps_total", count, cluster=channel.partition(".")[0], reason=cause)
    metrics.set("strikewire_gateway_open_gaps", stats.open_gaps)
    metrics.set("strikewire_gateway_refilling_gaps", stats.refilling)
    for cluster, coverage in stats.subscriptions.items():
        for state, pairs in coverage._asdict().items():
            metrics.set("strikewire_gateway_subscriptions", pairs, cluster=cluster, state=state)


async def count_forever(stats: GatewayStats, metrics: Metrics) -> None:
    """Once a second, for ever."""
    while True:
        count_gateway(stats, metrics)
        await asyncio.sleep(1.0)
