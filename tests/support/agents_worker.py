"""One worker of the agents with the smallest pipeline, as a process: `python -m tests.support.agents_worker ...`.

At SIGUSR1 the way between it and the group's coordinator is cut for nine seconds: longer than a session. Everything
else reaches it, and it reaches everybody else.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from typing import Any

from aiokafka.consumer.group_coordinator import GroupCoordinator

from services.commands.agents import serve_agents
from services.runtime.config import Config
from services.runtime.logs import set_up
from services.settings.gateway import GatewaySettings
from services.settings.kafka import KafkaSettings
from tests.support.kafka_log import build_small

DEAF_S = 9.0
_deaf_until = 0.0


def _cut_the_way_at_a_signal() -> None:
    send = GroupCoordinator._send_req

    async def cut(self: GroupCoordinator, request: Any) -> Any:
        await asyncio.sleep(_deaf_until - time.monotonic())
        return await send(self, request)

    def go_deaf(*_: object) -> None:
        global _deaf_until
        _deaf_until = time.monotonic() + DEAF_S

    GroupCoordinator._send_req = cut
    signal.signal(signal.SIGUSR1, go_deaf)


def main() -> int:
    """Until a signal."""
    _cut_the_way_at_a_signal()
    parser = argparse.ArgumentParser()
    parser.add_argument("--brokers", required=True)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--instance", default="")
    options = parser.parse_args()
    set_up("info")
    kafka = KafkaSettings(brokers=options.brokers, prefix=options.prefix, instance=options.instance)
    config = Config(kafka=kafka, gateway=GatewaySettings(partitions=options.partitions))
    return serve_agents(config, lambda _: build_small, 0, json=True)


if __name__ == "__main__":
    sys.exit(main())
