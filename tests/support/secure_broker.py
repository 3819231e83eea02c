"""A broker that lets in whom it knows: SASL over TLS on one listener, certificates of both sides on another."""

from __future__ import annotations

from pathlib import Path

from deploy.kafka.broker import Broker
from deploy.ports import free_port
from tests.support.certificates import Authority

__all__ = ["SecureBroker"]

# What a file of `deploy/kafka/server.properties` lacks. The broker speaks to itself on the plain listener.
SECURE = """
listeners=PLAINTEXT://127.0.0.1:{plain},CONTROLLER://127.0.0.1:{controller},SASL://127.0.0.1:{sasl},MUTUAL://127.0.0.1:{mutual}
advertised.listeners=PLAINTEXT://127.0.0.1:{plain},SASL://127.0.0.1:{sasl},MUTUAL://127.0.0.1:{mutual}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_SSL,MUTUAL:SSL
sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN
listener.name.sasl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
user_{user}="{password}";
listener.name.mutual.ssl.client.auth=required
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={truststore}
"""


class SecureBroker(Broker):
    """Knows one user, and whoever holds a certificate of the authority."""

    def __init__(self, folder: Path, authority: Authority, user: str, password: str) -> None:
        super().__init__(folder)
        self._authority, self._user, self._password = authority, user, password
        self._sasl_port, self._mutual_port = free_port(), free_port()
        self.format_options = ("--add-scram", f"SCRAM-SHA-512=[name={user},password={password}]")

    @property
    def sasl_address(self) -> str:
        """Where a user's name and password are asked for."""
        return f"127.0.0.1:{self._sasl_port}"

    @property
    def mutual_address(self) -> str:
        """Where a certificate is asked for."""
        return f"127.0.0.1:{self._mutual_port}"

    def _settings(self) -> Path:
        path = super()._settings()
        certificate, key = self._authority.sign("broker")
        keystore = self.folder / "broker.pem"
        keystore.write_text(key.read_text() + certificate.read_text())
        # A name given twice has the value it was given last.
        with path.open("a") as settings:
            settings.write(
                SECURE.format(
                    plain=self.port, controller=self.controller_port, sasl=self._sasl_port, mutual=self._mutual_port,
                    user=self._user, password=self._password, keystore=keystore,
                    truststore=self._authority.certificate,
                )
            )  # fmt: skip
        return path
