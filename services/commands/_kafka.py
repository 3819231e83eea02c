"""What the commands that speak to Kafka share."""

from __future__ import annotations

import argparse

import msgspec

from services.commands._replaying import configuration
from services.runtime.config import Config

__all__ = ["add_broker_arguments", "add_metrics_argument", "kafka_configuration"]


def add_broker_arguments(parser: argparse.ArgumentParser) -> None:
    """Where Kafka is."""
    parser.add_argument("--brokers", metavar="HOST:PORT,...", help="Kafka (default: kafka.brokers, 127.0.0.1:9092)")


def kafka_configuration(options: argparse.Namespace) -> Config:
    """The configuration, with --brokers and --instance applied where they were given."""
    config = configuration(options)
    given = {name: value for name in ("brokers", "instance") if (value := getattr(options, name, None)) is not None}
    return msgspec.structs.replace(config, kafka=msgspec.structs.replace(config.kafka, **given))


def add_metrics_argument(parser: argparse.ArgumentParser) -> None:
    """Where health and metrics are served."""
    parser.add_argument(
        "--metrics-port", type=int, default=0, metavar="PORT", help="/live, /ready, /metrics on loopback (default: any)"
    )
