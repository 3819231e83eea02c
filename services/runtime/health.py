"""`/live`, `/ready` and `/metrics` of a long-running process, on loopback.

In a container they must be reached from outside: STRIKEWIRE_HEALTH_BIND names another interface, and then /metrics
wants the token of STRIKEWIRE_HEALTH_TOKEN (or of the file its _FILE names) as `Authorization: Bearer TOKEN`.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from services.errors import ConfigError
from services.runtime.secrets import secret

__all__ = ["serve_health"]

LOOPBACK = "127.0.0.1"
PORT_MAX = 65_535
BIND, TOKEN = "STRIKEWIRE_HEALTH_BIND", "STRIKEWIRE_HEALTH_TOKEN"


@asynccontextmanager
async def serve_health(
    registry: CollectorRegistry, not_ready: Callable[[], str | None], port: int = 0, host: str | None = None
) -> AsyncIterator[int]:
    """Serve while the context is open; gives the port. `not_ready` returns the reason, or None when ready.

    Raises ConfigError for a port that is none or is taken and for an interface beyond loopback without a token.
    """
    host = host or os.environ.get(BIND) or LOOPBACK
    if not 0 <= port <= PORT_MAX:
        raise ConfigError(f"port {port}", f"is not between 0 and {PORT_MAX}")
    token = secret(TOKEN)
    if host != LOOPBACK and not token:
        raise ConfigError(BIND, f"{host} is not loopback, so {TOKEN} must be set")

    async def live(_: web.Request) -> web.Response:
        return web.Response(text="live\n")

    async def ready(_: web.Request) -> web.Response:
        reason = not_ready()
        return web.Response(text=f"{reason or 'ready'}\n", status=200 if reason is None else 503)

    async def metrics(request: web.Request) -> web.Response:
        shown = request.headers.get("Authorization", "")
        if token and not hmac.compare_digest(shown.encode(), f"Bearer {token}".encode()):
            return web.Response(status=401, text="a token is wanted\n", headers={"WWW-Authenticate": "Bearer"})
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/live", live), web.get("/ready", ready), web.get("/metrics", metrics)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise ConfigError(f"port {port}", error.strerror or "cannot be bound") from None
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
