"""[kafka]: where the brokers are and how to speak to them. Passwords are never here (see `client`)."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

__all__ = ["KafkaSettings"]

Count = Annotated[int, Meta(ge=1, le=100)]


class KafkaSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The cluster. What concerns a single topic stands in the registry, `schemas.topics`."""

    brokers: str = "127.0.0.1:9092"
    """host:port of one broker or more, separated by commas."""
    prefix: Annotated[str, Meta(pattern="^[a-zA-Z0-9._-]{0,64}$")] = ""
    """In front of every topic and group name, so that two stacks can share a cluster."""
    group: str = "agents"
    """The agents' consumer group; workers of one group share the partitions."""
    instance: str = ""
    """This worker's own name in the group, kept over restarts: it gets its partitions back without a rebalance."""

    replication: Count = 1
    """Copies of each partition. One is for one machine; three is for production."""
    min_isr: Count = 1
    """Copies that must have a record before it counts as written. Two of three survives any one loss."""

    security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    ca_file: str = ""
    """PEM of the authority that signed the brokers' certificates; the system's authorities when empty."""
    cert_file: str = ""
    """PEM of our own certificate, where brokers ask for one."""
    key_file: str = ""
    """PEM of its key. A passphrase is read from STRIKEWIRE_KAFKA_KEY_PASSWORD."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    sasl_username: str = ""
    """Its password is read from STRIKEWIRE_KAFKA_PASSWORD or the file STRIKEWIRE_KAFKA_PASSWORD_FILE names."""

    def topic(self, name: str) -> str:
        """The name a topic has on this cluster."""
        return self.prefix + name

    @property
    def group_id(self) -> str:
        """The group's name on this cluster."""
        return f"{self.prefix}{self.group}"
