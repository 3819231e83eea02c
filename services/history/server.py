"""The embedded engine on ClickHouse's HTTP interface, so that sinks, replay and readers can be processes of their own.

Any ClickHouse HTTP client works unchanged: `/ping`, queries by GET and POST, parameters, settings, INSERT with rows in
any format, compressed or chunked, results streamed, errors with ClickHouse's own codes. What it is not: sessions
(a `SET`, a `USE` and a temporary table end with their statement), several users, read access by table. It listens on
loopback unless it has a password, and whoever may ask it may read what this process may read: the engine knows table
functions on files. Only a POST may change anything. A page in a browser can send one across origins, here as to
ClickHouse itself; where browsers run beside it, a password keeps them out.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import hmac
import ipaddress
import json
import logging
import threading
import zlib
from collections.abc import AsyncIterator, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import NamedTuple, ParamSpec, TypeVar

import lz4.frame
from aiohttp import web

from services.errors import InputError
from services.history.handles import EngineError, Handles
from services.history.statements import BadRequestError, Statement, read_statement

__all__ = ["ServerLimits", "serve_engine"]

log = logging.getLogger(__name__)

# ClickHouse's own numbers of the reasons given here.
_TOO_MANY_QUERIES, _READONLY, _AUTHENTICATION, _TOO_LARGE = 202, 164, 516, 307
P = ParamSpec("P")
R = TypeVar("R")


class ServerLimits(NamedTuple):
    """What one server takes on."""

    # Four statements beside each other: a long replay, a dashboard, the sink's insert, and one to spare.
    handles: int = 4
    # Those that wait; a client that meets more is told to come again, as by ClickHouse itself.
    waiting_max: int = 32
    # A batch of 100,000 trades is 12 MB; twenty of them.
    body_bytes_max: int = 256 * 1024 * 1024
    # A reader that takes no block for so long has its handle taken away.
    stalled_s_max: float = 60.0


@asynccontextmanager
async def serve_engine(
    path: Path,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    user: str = "default",
    password: str = "",
    limits: ServerLimits = ServerLimits(),  # noqa: B008  (immutable)
) -> AsyncIterator[int]:
    """Serve the engine at `path`, which this process must own, while the context is open; gives the port.

    Raises InputError for a bind beyond loopback without a password, and for a port that is taken.
    """
    if not password and not _is_loopback(host):
        raise InputError(f"--bind {host}", "only loopback may go without a password (STRIKEWIRE_WAREHOUSE_PASSWORD)")
    server = _Server(path, user, password, limits)
    app = web.Application(client_max_size=limits.body_bytes_max)
    app.add_routes([web.get("/ping", server.ping), web.get("/", server.answer), web.post("/", server.answer)])
    # Bodies are decompressed here, because aiohttp knows no lz4 and no limit on what comes out.
    runner = web.AppRunner(app, access_log=None, auto_decompress=False)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port, shutdown_timeout=5.0).start()
        except OSError as error:
            raise InputError(f"{host}:{port}", error.strerror or "cannot be bound") from None
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
        server.close()


class _Server:
    """Requests in, the engine's answers out."""

    def __init__(self, path: Path, user: str, password: str, limits: ServerLimits) -> None:
        self._user, self._password, self._limits = user, password, limits
        self._handles = Handles(path, limits.handles)
        # A thread for every handle, and one more for each that waits for one.
        self._threads = ThreadPoolExecutor(limits.handles + limits.waiting_max, thread_name_prefix="engine")
        self._running = 0

    def close(self) -> None:
        """Wait for what runs, then let the engine go."""
        self._threads.shutdown(wait=True)
        self._handles.close()

    async def ping(self, _: web.Request) -> web.Response:
        """ClickHouse's own health check."""
        return web.Response(text="Ok.\n")

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """One statement."""
        url = {key: request.query.getall(key)[-1] for key in request.query}
        if not self._admits(request, url):
            return _refusal(403, _AUTHENTICATION, f"{self._user}: Authentication failed: password is incorrect")
        if self._running >= self._limits.handles + self._limits.waiting_max:
            return _refusal(503, _TOO_MANY_QUERIES, "Too many simultaneous queries")
        self._running += 1
        try:
            return await self._answer(request, url)
        finally:
            self._running -= 1

    async def _answer(self, request: web.Request, url: dict[str, str]) -> web.StreamResponse:
        try:
            body = await request.read()
            body = _decompressed(body, request.headers.get("Content-Encoding", ""), self._limits.body_bytes_max)
            statement = read_statement(url, body, request.headers.get("X-ClickHouse-Format"))
        except web.HTTPRequestEntityTooLarge:
            return _refusal(413, _TOO_LARGE, f"a request of more than {self._limits.body_bytes_max} bytes")
        except BadRequestError as error:
            return _refusal(400, error.code, str(error))
        # GET and HEAD: what any link, picture or crawler may send.
        reading = request.method != "POST"
        if reading and not statement.reads_only:
            return _refusal(500, _READONLY, "Cannot execute query in readonly mode: only a POST changes anything")
        try:
            if statement.may_stream:
                return await self._stream(request, statement, url, reading)
            answer = await self._in_thread(partial(self._handles.run, statement, reading=reading))
        except EngineError as error:
            return _refused(500, error.code, str(error), statement)
        summary = {"read_rows": answer.read_rows, "written_rows": answer.written_rows}
        encoding = _wanted_encoding(request, url)
        response = web.Response(body=_compressed(answer.body, encoding), headers=_headers(statement, summary))
        if encoding:
            response.headers["Content-Encoding"] = encoding
        return response

    async def _stream(
        self, request: web.Request, statement: Statement, url: dict[str, str], reading: bool
    ) -> web.StreamResponse:
        blocks = _Blocks(self._handles.stream(statement, reading=reading))
        try:
            # Most errors come before the first block, when there is still a status to say so.
            block = await self._in_thread(blocks.next)
            encoding = _wanted_encoding(request, url)
            tag = token_hex(8)
            response = web.StreamResponse(headers={**_headers(statement, {}), "X-ClickHouse-Exception-Tag": tag})
            if encoding:
                response.headers["Content-Encoding"] = encoding
            response.enable_chunked_encoding()
            await response.prepare(request)
            while block is not None:
                async with asyncio.timeout(self._limits.stalled_s_max):
                    await response.write(_compressed(block, encoding))
                try:
                    block = await self._in_thread(blocks.next)
                except EngineError as error:
                    log.warning("a result broke off: %s", error)
                    await response.write(_compressed(_late_exception(str(error), tag), encoding))
                    break
            await response.write_eof()
            return response
        finally:
            await self._in_thread(blocks.close)

    async def _in_thread(self, function: Callable[P, R], *arguments: P.args, **_: P.kwargs) -> R:
        # Shielded: a statement cannot be called back, and its handle must not be lent again before it is done.
        return await asyncio.shield(
            asyncio.get_running_loop().run_in_executor(self._threads, partial(function, *arguments))
        )

    def _admits(self, request: web.Request, url: dict[str, str]) -> bool:
        if not self._password:
            return True
        user, password = url.get("user", "default"), url.get("password", "")
        headers = request.headers
        if "X-ClickHouse-User" in headers or "X-ClickHouse-Key" in headers:
            user, password = headers.get("X-ClickHouse-User", "default"), headers.get("X-ClickHouse-Key", "")
        elif headers.get("Authorization", "").startswith("Basic "):
            try:
                text = base64.b64decode(headers["Authorization"][6:], validate=True).decode()
            except ValueError:
                return False
            user, _, password = text.partition(":")
        same_user = hmac.compare_digest(user.encode(), self._user.encode())
        return hmac.compare_digest(password.encode(), self._password.encode()) and same_user


class _Blocks:
    """A result's blocks, taken by one thread at a time even when the request that wanted them is gone."""

    def __init__(self, blocks: Generator[bytes, None, None]) -> None:
        self._blocks, self._lock = blocks, threading.Lock()

    def next(self) -> bytes | None:
        """The next block, None at the end. Raises EngineError."""
        with self._lock:
            return next(self._blocks, None)

    def close(self) -> None:
        """Give the handle back."""
        with self._lock:
            self._blocks.close()


def _headers(statement: Statement, summary: dict[str, int]) -> dict[str, str]:
    return {
        "Content-Type": "application/octet-stream",
        "X-ClickHouse-Format": statement.format,
        "X-ClickHouse-Timezone": "UTC",
        "X-ClickHouse-Summary": json.dumps({key: str(value) for key, value in summary.items()}),
    }


def _late_exception(problem: str, tag: str) -> bytes:
    """An error after the status was sent, as ClickHouse writes it from 25.11 on; the header told the client the tag.

    __exception__\r\n<tag>\r\nCode: 241. DB::Exception: ...\n<its length> <tag>\r\n__exception__\r\n
    """
    text = problem.encode() + b"\n"
    mark = tag.encode()
    return b"__exception__\r\n%b\r\n%b%d %b\r\n__exception__\r\n" % (mark, text, len(text), mark)


def _refusal(status: int, code: int, problem: str) -> web.Response:
    return _refused(status, code, f"Code: {code}. DB::Exception: {problem}", None)


def _refused(status: int, code: int, text: str, statement: Statement | None) -> web.Response:
    headers = {"X-ClickHouse-Exception-Code": str(code)}
    if statement is not None:
        headers["X-ClickHouse-Format"] = statement.format
    return web.Response(status=status, text=text + "\n", headers=headers)


def _wanted_encoding(request: web.Request, url: dict[str, str]) -> str:
    """How the client wants the answer, of what this server can do; empty for plain."""
    if url.get("enable_http_compression") != "1":
        return ""
    accepted = [part.split(";")[0].strip() for part in request.headers.get("Accept-Encoding", "").split(",")]
    return next((name for name in accepted if name in ("lz4", "gzip")), "")


def _compressed(block: bytes, encoding: str) -> bytes:
    """A block as a whole frame (lz4) or member (gzip); readers take one after the other."""
    if encoding == "lz4":
        return lz4.frame.compress(block)  # type: ignore[no-any-return]
    return gzip.compress(block, 1) if encoding == "gzip" else block


def _decompressed(body: bytes, encoding: str, bytes_max: int) -> bytes:
    """Raises BadRequestError, also for what grows beyond `bytes_max`."""
    try:
        plain: bytes
        if encoding in ("", "identity"):
            return body
        if encoding == "lz4":
            decoder = lz4.frame.LZ4FrameDecompressor()
            plain = decoder.decompress(body, max_length=bytes_max + 1)
        elif encoding in ("gzip", "deflate"):
            plain = zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(body, bytes_max + 1)
        else:
            raise BadRequestError(f"Content-Encoding {encoding[:20]!r}; known are lz4, gzip and deflate")
    except (RuntimeError, zlib.error) as error:
        raise BadRequestError(f"a body that is not {encoding}: {error}") from None
    if len(plain) > bytes_max:
        raise BadRequestError(f"a body of more than {bytes_max} bytes")
    return plain


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
