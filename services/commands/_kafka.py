"""What the commands that speak to Kafka share."""

from __future__ import annotations

import argparse

import msgspec

from services.commands._replaying import configuration
from services.config import Config

__all__ = ["add_broker_arguments", "kafka_configuration"]


def add_broker_arguments(parser: argparse.ArgumentParser) -> None:
    """Where Kafka is."""
    parser.add_argument("--brokers", metavar="HOST:PORT,...", help="Kafka (default: kafka.brokers, 127.0.0.1:9092)")


def kafka_configuration(options: argparse.Namespace) -> Config:
    """The configuration, with --brokers applied."""
    config = configuration(options)
    if options.brokers is None:
        return config
    return msgspec.structs.replace(config, kafka=msgspec.structs.replace(config.kafka, brokers=options.brokers))
