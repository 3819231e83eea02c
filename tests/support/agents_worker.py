"""One worker of the agents with the smallest pipeline, as a process: `python -m tests.support.agents_worker ...`."""

from __future__ import annotations

import argparse
import sys

from services.commands.agents import serve_agents
from services.config import Config
from services.gateway.settings import GatewaySettings
from services.kafka.settings import KafkaSettings
from services.logs import set_up
from tests.support.kafka_log import build_small


def main() -> int:
    """Until a signal."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--brokers", required=True)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--instance", default="")
    options = parser.parse_args()
    set_up("info")
    kafka = KafkaSettings(brokers=options.brokers, prefix=options.prefix, instance=options.instance)
    config = Config(kafka=kafka, gateway=GatewaySettings(partitions=options.partitions))
    return serve_agents(config, build_small, 0, json=True)


if __name__ == "__main__":
    sys.exit(main())
