"""How every Redis client of the program connects: TLS by the URL's scheme, the password from environment or file."""

from __future__ import annotations

from typing import Any

from services.errors import ConfigError
from services.runtime.config import RedisConfig, refuse_missing_file, split_address
from services.runtime.secrets import secret

__all__ = ["PASSWORD_VARIABLE", "open_redis"]

PASSWORD_VARIABLE = "STRIKEWIRE_REDIS_PASSWORD"
# A Redis on the same network answers in a millisecond; one that takes two seconds is treated as away.
ANSWER_S = 2.0


def open_redis(config: RedisConfig) -> Any | None:
    """An asyncio client (which connects at its first command), or None where no URL is configured.

    Raises ConfigError for a URL that is none, or that carries a password, and for an authority without TLS or
    that is not there.
    """
    if not config.url:
        return None
    import redis.asyncio
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    url = split_address("redis.url", config.url)
    if url.scheme not in ("redis", "rediss", "unix"):
        raise ConfigError("redis.url", "is not redis://HOST:PORT/0, rediss:// or unix://")
    if url.password:
        raise ConfigError("redis.url", f"a password belongs in {PASSWORD_VARIABLE}, not in an address")
    more: dict[str, Any] = {}
    if config.ca_file:
        if url.scheme != "rediss":
            raise ConfigError("redis.ca_file", f"is for TLS, and redis.url begins with {url.scheme}://, not rediss://")
        refuse_missing_file("redis.ca_file", config.ca_file)
        more["ssl_ca_certs"] = config.ca_file
    password = secret(PASSWORD_VARIABLE) or None
    try:
        return redis.asyncio.from_url(
            config.url,
            password=password,
            socket_timeout=ANSWER_S,
            socket_connect_timeout=ANSWER_S,
            retry=Retry(NoBackoff(), 1),  # once, for a connection that was closed meanwhile; patience is the caller's
            **more,
        )
    except ValueError as error:  # an option behind the `?`, named without its value
        raise ConfigError("redis.url", str(error)) from None
