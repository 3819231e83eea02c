"""How every Kafka client of the program connects: one function, so that TLS and passwords are handled in one place.

A password comes from the environment (STRIKEWIRE_KAFKA_PASSWORD) or from a file that the environment names
(STRIKEWIRE_KAFKA_PASSWORD_FILE, as container secrets are mounted); it goes into the client's arguments and nowhere
else.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.conn import get_ip_port_afi
from aiokafka.errors import KafkaConnectionError, KafkaError, SaslAuthenticationFailed

from services.errors import ConfigError, StrikewireError
from services.runtime.config import refuse_missing_file
from services.runtime.secrets import secret
from services.settings.kafka import KafkaSettings

__all__ = [
    "KafkaRefusedError",
    "KafkaUnreachableError",
    "client_arguments",
    "plain_consumer",
    "producer",
    "reaching",
    "refusals_in_a_sentence",
]

PASSWORD_ENV = "STRIKEWIRE_KAFKA_PASSWORD"
KEY_PASSWORD_ENV = "STRIKEWIRE_KAFKA_KEY_PASSWORD"
# A frame of 100,000 rows, the most a configuration may ask for, is some 13 MB.
REQUEST_BYTES_MAX = 16 * 1024 * 1024
# aiokafka keeps one fetch a broker in flight; a long one for empty lanes delays the data of the others.
FETCH_WAIT_MS = 20

_DEFAULTS = KafkaSettings()


class KafkaUnreachableError(StrikewireError):
    """No broker answers, or none that we may speak to."""

    def __init__(self, brokers: str, why: object) -> None:
        self.brokers = brokers
        if isinstance(why, SaslAuthenticationFailed):
            sentence = f"Kafka refused the user or the password (kafka.sasl_username, {PASSWORD_ENV})"
        elif isinstance(why, ssl.SSLCertVerificationError):
            sentence = f"the broker's certificate is of nobody we trust (kafka.ca_file): {why.verify_message}"
        else:
            sentence = f"no Kafka broker answers there: {why}"
        super().__init__(f"{brokers}: {sentence}")


def client_arguments(settings: KafkaSettings) -> dict[str, Any]:
    """The arguments any aiokafka client takes to connect. Raises ConfigError naming the key, file or variable."""
    _refuse_bad_address(settings.brokers)
    _refuse_what_would_be_ignored(settings)
    arguments: dict[str, Any] = {
        "bootstrap_servers": settings.brokers,
        "client_id": "strikewire",
        "security_protocol": settings.security,
    }
    if settings.security in ("SSL", "SASL_SSL"):
        arguments["ssl_context"] = _ssl_context(settings)
    if settings.security.startswith("SASL"):
        password = secret(PASSWORD_ENV)
        if not settings.sasl_username:
            raise ConfigError("kafka.sasl_username", f"is empty, and {settings.security} wants one")
        if not password:
            raise ConfigError(PASSWORD_ENV, f"is not set, and {settings.security} wants a password")
        arguments |= {
            "sasl_mechanism": settings.sasl_mechanism,
            "sasl_plain_username": settings.sasl_username,
            "sasl_plain_password": password,
        }
    return arguments


def _refuse_bad_address(brokers: str) -> None:
    for one in brokers.split(","):
        try:
            host, port, _ = get_ip_port_afi(one)  # as the client will read it
        except ValueError:
            host, port = "", 0
        if not host or not 1 <= port <= 65_535:
            raise ConfigError("kafka.brokers", f"{one.strip()!r} is not HOST:PORT with a port from 1 to 65535")


def _refuse_what_would_be_ignored(settings: KafkaSettings) -> None:
    """Whoever names an authority or a user wants a connection that uses them, and not one in clear."""
    files = {name: getattr(settings, name) for name in ("ca_file", "cert_file", "key_file")}
    named = next((name for name, path in files.items() if path), None)
    if named and "SSL" not in settings.security.split("_"):
        raise ConfigError(
            f"kafka.{named}", f"is for TLS, and kafka.security is {settings.security}, not SSL or SASL_SSL"
        )
    users = {"sasl_username": settings.sasl_username, "sasl_mechanism": settings.sasl_mechanism}
    wished = next((name for name, value in users.items() if value != getattr(_DEFAULTS, name)), None)
    if wished and not settings.security.startswith("SASL"):
        problem = f"is for a password, and kafka.security is {settings.security}, not SASL_SSL or SASL_PLAINTEXT"
        raise ConfigError(f"kafka.{wished}", problem)
    if settings.key_file and not settings.cert_file:
        raise ConfigError("kafka.key_file", "is the key of a certificate, and kafka.cert_file is empty")
    for name, path in files.items():
        refuse_missing_file(f"kafka.{name}", path)


def _ssl_context(settings: KafkaSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError("kafka.ca_file", f"{settings.ca_file}: {error}") from None
    if settings.cert_file:
        try:
            context.load_cert_chain(settings.cert_file, settings.key_file or None, lambda: secret(KEY_PASSWORD_ENV))
        except (OSError, ssl.SSLError) as error:
            raise ConfigError("kafka.cert_file", f"{settings.cert_file}: {error}") from None
    return context


@asynccontextmanager
async def producer(settings: KafkaSettings, **more: Any) -> AsyncIterator[AIOKafkaProducer]:
    """A started producer that writes every record once, in order, and is told when all copies have it."""
    made = AIOKafkaProducer(
        **client_arguments(settings), enable_idempotence=True, acks="all", linger_ms=0,
        max_request_size=REQUEST_BYTES_MAX, **more,
    )  # fmt: skip
    async with _started(settings, made) as started:
        yield started


@asynccontextmanager
async def plain_consumer(settings: KafkaSettings, *topics: str, **more: Any) -> AsyncIterator[AIOKafkaConsumer]:
    """A started consumer that commits nothing. Without topics it waits for `assign`."""
    arguments = {
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",
        "fetch_max_wait_ms": FETCH_WAIT_MS,
        "max_partition_fetch_bytes": REQUEST_BYTES_MAX,
        **more,
    }
    async with _started(settings, AIOKafkaConsumer(*topics, **client_arguments(settings), **arguments)) as started:
        yield started


class KafkaRefusedError(StrikewireError):
    """A broker, or the way to it, refused something that will be refused again."""

    def __init__(self, error: KafkaError) -> None:
        problem, name = " ".join(str(error).split()), type(error).__name__.removesuffix("Error")
        super().__init__(f"Kafka: {problem}" if name in problem else f"Kafka: {name}: {problem}".removesuffix(": "))


@contextmanager
def refusals_in_a_sentence() -> Iterator[None]:
    """Turns what a Kafka client raises into a KafkaRefusedError."""
    try:
        yield
    except KafkaError as error:
        raise KafkaRefusedError(error) from error


@contextmanager
def reaching(settings: KafkaSettings) -> Iterator[None]:
    """Around the start of a client: raises KafkaUnreachableError with the reason, which the library only logs."""
    reasons: list[BaseException] = []

    def keep(record: logging.LogRecord) -> bool:
        found = [one for one in record.args or () if isinstance(one, BaseException)]
        reasons.extend(found)
        return not found

    library = logging.getLogger("aiokafka")
    library.addFilter(keep)
    try:
        yield
    except (KafkaConnectionError, SaslAuthenticationFailed, OSError) as error:
        raise KafkaUnreachableError(settings.brokers, reasons[-1] if reasons else error) from None
    except KafkaError as error:
        raise StrikewireError(f"{settings.brokers}: {error}") from None
    finally:
        library.removeFilter(keep)


@asynccontextmanager
async def _started(settings: KafkaSettings, client: Any) -> AsyncIterator[Any]:
    try:
        with reaching(settings):
            await client.start()
        yield client
    finally:
        await client.stop()
