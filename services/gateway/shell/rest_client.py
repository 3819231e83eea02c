"""One REST client for the vendor: auth, retries, pages on the same host only. The one file here that imports aiohttp.

The key travels in the Authorization header and nowhere else, so no address that is logged or cached holds it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType

import aiohttp
from yarl import URL

from services.gateway.errors import RestRefusedError, RestUnavailableError
from services.gateway.massive.rest_answers import RestVerdict, verdict_of
from services.gateway.massive.rest_pages import error_text

__all__ = ["BODY_BYTES_MAX", "TRIES", "RestClient"]

TRIES = 3  # as the vendor's own client
BACKOFF_S = 1.0  # then 2, then 4: the vendor documents no Retry-After
TIMEOUT_S = 20.0
BODY_BYTES_MAX = 16 * 1024 * 1024  # a page of 250 contracts is some 150 kB
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class RestClient:
    """An async context manager around one HTTP session.

    `backoff_s` is the first wait after a failure; each further one doubles, with up to half again as jitter.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        dice: random.Random,
        backoff_s: float = BACKOFF_S,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.bytes_read = 0
        self._base = URL(base_url)
        # A chain page shrinks tenfold, which is worth its CPU on a network and nowhere else.
        encoding = "identity" if self._base.host in _LOOPBACK else "gzip"
        self._headers = {"Authorization": f"Bearer {api_key}", "Accept-Encoding": encoding}
        self._dice = dice
        self._backoff_s = backoff_s
        self._sleep = sleep
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> RestClient:
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._http is not None:
            await self._http.close()

    async def get(self, path: str, parameters: Mapping[str, str] | None = None) -> bytes:
        """The body of one answer.

        Raises RestRefusedError for 4xx, RestUnavailableError after `TRIES` attempts at 429, 499, 5xx or no answer.
        """
        return await self._get(self._base.join(URL(path)).update_query(parameters or {}))

    async def follow(self, next_url: str) -> bytes:
        """The body behind a `next_url`. Raises as `get`, and RestRefusedError when it leads nowhere or elsewhere."""
        try:
            url = URL(next_url)
            elsewhere = url.origin() != self._base.origin()
        except ValueError:  # relative, empty, or no address at all
            raise RestRefusedError("next_url", 0, f"{next_url[:80]!r} is no address") from None
        if elsewhere:
            raise RestRefusedError(url.path, 0, f"next_url leads to another host, {url.host}")
        return await self._get(url)

    async def _get(self, url: URL) -> bytes:
        reason = ""
        for attempt in range(TRIES):
            if attempt:
                await self._sleep(self._backoff_s * 2 ** (attempt - 1) * (1.0 + 0.5 * self._dice.random()))
            try:
                status, body = await self._once(url)
            except (aiohttp.ClientError, TimeoutError) as error:
                reason = f"{type(error).__name__} {error}".strip()
                continue
            verdict = verdict_of(status)
            if verdict is RestVerdict.TAKEN:
                self.bytes_read += len(body)
                return body
            if verdict is RestVerdict.REFUSED:
                raise RestRefusedError(url.path, status, error_text(body))
            reason = f"{status}: {error_text(body)}"
        raise RestUnavailableError(url.path, TRIES, reason)

    async def _once(self, url: URL) -> tuple[int, bytes]:
        assert self._http is not None, "the client is used outside its context"
        async with self._http.get(url, headers=self._headers, allow_redirects=False) as response:
            chunks: list[bytes] = []
            size = 0
            async for chunk in response.content.iter_chunked(1 << 16):
                size += len(chunk)
                if size > BODY_BYTES_MAX:
                    raise aiohttp.ClientPayloadError(f"a body above {BODY_BYTES_MAX} bytes")
                chunks.append(chunk)
            return response.status, b"".join(chunks)
