"""The vendor's protocol as rows to be checked: what must hold, and how it looks when the behaviour is switched off.

A row is written once and run twice: as it should be, where its check passes, and without its behaviour, where the same
check must fail. So no check here can be one that always passes.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from standin.files.tape import Tape
from standin.server.server import StandIn
from tests.unit.standin.conftest import DAY, write_tape

__all__ = [
    "INDEX_CALL", "Event", "Feed", "Row", "Table", "holds", "is_red", "named", "of", "settings", "write_index_tape",
]  # fmt: skip

Event = dict[str, Any]
Off = Callable[[pytest.MonkeyPatch], dict[str, Any]]
INDEX_DAY = dt.date(2021, 1, 4)
INDEX_CALL = "O:SPXW210105C03700000"
# What a check waits for comes within milliseconds; a busy machine needs more.
PATIENCE_S = 3.0
# How long nothing has to come before a check believes that nothing will.
QUIET_S = 0.25


class Row(NamedTuple):
    """One statement of the checklist. `on` are the stand-in's arguments with the behaviour; `off` takes it away."""

    id: str
    description: str
    on: dict[str, Any]
    off: Off
    check: Callable[[Feed], Awaitable[None]]


class Table(list[Row]):
    """Collects rows: `@table.row("11.1/4", "...", off=settings())`."""

    def row(
        self, number: str, description: str, *, off: Off, **on: Any
    ) -> Callable[[Callable[[Feed], Awaitable[None]]], Callable[[Feed], Awaitable[None]]]:
        """A decorator that adds a check to the table."""

        def add(check: Callable[[Feed], Awaitable[None]]) -> Callable[[Feed], Awaitable[None]]:
            self.append(Row(number, description, on, off, check))
            return check

        return add


def named(row: Row) -> str:
    """What a test of the row is called."""
    return f"{row.id}: {row.description}"


async def holds(row: Row, folder: Path) -> None:
    """The row's check passes on the stand-in as it is."""
    await asyncio.wait_for(row.check(Feed(folder, row.on)), 60)


async def is_red(
    row: Row, folder: Path, monkeypatch: pytest.MonkeyPatch, errors: tuple[type[BaseException], ...]
) -> None:
    """The row's check fails without its behaviour, with one of these errors; any other would be the check's own."""
    without = row.off(monkeypatch)
    with pytest.raises(errors):
        await asyncio.wait_for(row.check(Feed(folder, without)), 30)


def settings(target: object = None, name: str = "", value: object = None, **without: Any) -> Off:
    """The stand-in's arguments without the behaviour; and, where it has no switch, what to put in its place."""

    def apply(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        if target is not None:
            monkeypatch.setattr(target, name, value)
        return without

    return apply


class Feed:
    """Opens stand-ins on small tapes, with the arguments a row is checked with, and speaks to them."""

    def __init__(self, folder: Path, arguments: dict[str, Any]) -> None:
        self._folder, self._arguments = folder, arguments

    def tape(self, minutes: int = 0, *, index: bool = False) -> Tape:
        """The small tape of a stock, or of an index, some minutes into its day."""
        folder = self._folder / ("index" if index else "stock")
        if not folder.exists():
            (write_index_tape if index else write_tape)(folder)
        tape = Tape.open(folder, INDEX_DAY, "SPX") if index else Tape.open(folder, DAY, "XYZ")
        for _ in range(minutes):
            tape.advance(60_000_000_000, np.empty(0, np.int32))
        return tape

    def standin(self, tape: Tape | None = None, **arguments: Any) -> StandIn:
        """As fast as it is read, unless told otherwise."""
        return StandIn(tape or self.tape(), **({"speed": None} | arguments | self._arguments))

    @asynccontextmanager
    async def still(self, minutes: int = 0, **arguments: Any) -> AsyncIterator[StandIn]:
        """A stand-in whose market stands still."""
        async with self.standin(self.tape(minutes), speed=1e-9, **arguments) as standin:
            yield standin

    @asynccontextmanager
    async def client(
        self, url: str, subscriptions: str = "", key: str = "demo-key", **options: Any
    ) -> AsyncIterator[ClientConnection]:
        """A client that has been let in and has asked for something."""
        async with connect(url, compression=None, max_size=None, **options) as socket:
            assert statuses(await heard(socket)) == ["connected"]
            await say(socket, "auth", key)
            assert statuses(await heard(socket)) == ["auth_success"]
            if subscriptions:
                await say(socket, "subscribe", subscriptions)
            yield socket

    async def day(self, subscriptions: str = "T.*", path: str = "/options", **arguments: Any) -> list[Event]:
        """All events of a client that listens to the whole tape, statuses left out."""
        cluster = path.removeprefix("/")
        start = frozenset({f"{cluster}.{subscriptions.partition('.')[0]}"})
        tape = self.tape(index=cluster == "indices")
        async with (
            self.standin(tape, at_end="close", start_when=start, **arguments) as standin,
            self.client(standin.ws_url + path, subscriptions) as socket,
        ):
            events, _ = await to_the_end(socket)
        return [event for event in events if event["ev"] != "status"]

    async def cut_off(self) -> tuple[list[str], ConnectionClosed]:
        """The statuses a listener to all trades hears until it is cut off, and how it is."""
        async with (
            self.standin(start_when=frozenset({"options.T"})) as standin,
            self.client(standin.ws_url + "/options", "T.*") as socket,
        ):
            events, closed = await to_the_end(socket)
        return statuses(events), closed

    @asynccontextmanager
    async def http(self, *, index: bool = False, **arguments: Any) -> AsyncIterator[Http]:
        """REST after a day that was told to a listener."""
        tape, cluster = self.tape(index=index), "indices" if index else "options"
        channels = "V.*" if index else "T.*"
        start = frozenset({f"{cluster}.{channels[0]}"})
        async with (
            self.standin(tape, start_when=start, **arguments) as standin,
            self.client(f"{standin.ws_url}/{cluster}", channels) as socket,
            aiohttp.ClientSession() as session,
        ):
            listening = asyncio.create_task(to_the_end(socket))
            await asyncio.wait_for(standin.finished.wait(), 30)
            yield Http(standin.rest_url, session)
            listening.cancel()


class Http:
    """Asks REST with a key."""

    def __init__(self, base: str, session: aiohttp.ClientSession) -> None:
        self.base, self._session = base, session

    async def get(self, path: str, **options: Any) -> tuple[int, Any, aiohttp.ClientResponse]:
        """(status, body, response); the body is parsed when it is JSON."""
        headers = {"Authorization": "Bearer demo-key"} | options.pop("headers", {})
        url = path if path.startswith("http") else self.base + path
        async with self._session.get(url, headers=headers, **options) as response:
            is_json = response.content_type == "application/json"
            return response.status, await response.json() if is_json else await response.text(), response

    async def rows(self, path: str) -> Any:
        """The results of a good answer."""
        status, body, _ = await self.get(path)
        assert status == 200, body
        return body["results"]


async def say(socket: ClientConnection, action: str, params: str) -> None:
    """One control message."""
    await socket.send(json.dumps({"action": action, "params": params}))


async def heard(socket: ClientConnection, patience_s: float = PATIENCE_S) -> list[Event]:
    """The events of the next frame."""
    events: list[Event] = json.loads(await asyncio.wait_for(socket.recv(), patience_s))
    assert isinstance(events, list), events
    return events


async def quiet(socket: ClientConnection) -> list[Event]:
    """Everything until nothing comes for a while."""
    events: list[Event] = []
    while True:
        try:
            events += await heard(socket, QUIET_S)
        except TimeoutError:
            return events


async def to_the_end(socket: ClientConnection) -> tuple[list[Event], ConnectionClosed]:
    """Every event until the connection is gone, and how it went."""
    events: list[Event] = []
    while True:
        try:
            events += await heard(socket)
        except ConnectionClosed as closed:
            return events, closed


def statuses(events: list[Event]) -> list[str]:
    """Status codes, in order."""
    return [event["status"] for event in events if event["ev"] == "status"]


def messages(events: list[Event]) -> list[str]:
    """Status messages, in order."""
    return [event["message"] for event in events if event["ev"] == "status"]


def of(events: list[Event], kind: str) -> list[Event]:
    """The events of a kind."""
    return [event for event in events if event["ev"] == kind]


def write_index_tape(base: Path) -> Path:
    """One print of an SPXW call and three minutes of SPX; returns `base`."""
    member = "20210104_spxw_minute_trade_european_call_37000000_20210105.csv"
    _zip(base / "indexoption/spxw/20210104_trade_european.zip", member, "34200000,150000,150000,150000,150000,5\n")
    # Index files keep Chicago's clock: 08:30 there is the open.
    values = "".join(f"{30_600_000 + 60_000 * at},3700,3705,3695,{3700 + at},9\n" for at in range(3))
    _zip(base / "index/spx/20210104_trade.zip", "20210104_spx_minute_trade.csv", values)
    return base


def _zip(path: Path, member: str, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, text)
