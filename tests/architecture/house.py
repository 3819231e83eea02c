"""The plan of the house: which room stands on which floor, which rooms are pure, and where each library lives.

A module belongs to the longest prefix that is listed. Adding a room is adding a line; `checker.py` holds the rules.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = [
    "FLOORS",
    "HOMES",
    "IMPURE_BUILTINS",
    "IMPURE_CALLS",
    "IMPURE_MODULES",
    "NOT_IMPORTED",
    "PURE_EXCEPTIONS",
    "ROOMS",
    "STRANGERS",
    "UNSEEDED_CALLS",
    "Room",
]


class Room(NamedTuple):
    """Where a module stands. A pure room knows only what it is given."""

    floor: int
    pure: bool = False


FLOORS = ("words", "machine", "decisions", "stores and tools", "programs", "commands")
WORDS, MACHINE, DECISIONS, STORES, PROGRAMS, COMMANDS = range(len(FLOORS))

ROOMS: dict[str, Room] = {
    "schemas": Room(WORDS, pure=True),
    "services": Room(WORDS, pure=True),  # the package itself: a docstring
    "services.errors": Room(WORDS, pure=True),
    "services.core": Room(MACHINE, pure=True),
    "services.quant": Room(MACHINE, pure=True),
    "services.contexts": Room(DECISIONS, pure=True),
    "services.detectors": Room(DECISIONS, pure=True),
    "services.scanner": Room(DECISIONS, pure=True),
    "services.gateway": Room(DECISIONS, pure=True),  # the vendor's protocol and the sequencing writer
    "services.gateway.gateway": Room(PROGRAMS),
    "services.gateway.account": Room(STORES),  # a lock file
    "services.gateway.chains": Room(PROGRAMS),
    "services.gateway.gap_keeper": Room(PROGRAMS),
    "services.gateway.inbox": Room(PROGRAMS),
    "services.gateway.poller": Room(PROGRAMS),
    "services.gateway.refill": Room(PROGRAMS),
    "services.gateway.rest": Room(PROGRAMS),
    "services.gateway.sockets": Room(PROGRAMS),
    "services.standin": Room(DECISIONS, pure=True),  # the market, the faults, and the vendor's documents
    "services.standin.portrait.recorded": Room(STORES),
    "services.standin.portrait.report": Room(STORES),
    "services.standin.portrait.charts": Room(STORES),
    "services.standin.portrait.sections": Room(STORES),
    "services.standin.rest.answers": Room(PROGRAMS),
    "services.standin.rest.past": Room(PROGRAMS),
    "services.standin.rest.routes": Room(PROGRAMS),
    "services.standin.server": Room(PROGRAMS),
    "services.standin.sources": Room(STORES),
    "services.standin.tapes": Room(STORES),  # reads the zip files of a tape
    "services.standin.truth_files": Room(STORES),
    "services.standin.websocket.connection": Room(PROGRAMS),
    "services.standin.websocket.door": Room(PROGRAMS),
    "services.chain": Room(STORES),  # reads option chains from files
    "services.config": Room(STORES),
    "services.health": Room(STORES),
    "services.history": Room(STORES),
    "services.kafka": Room(STORES),
    "services.kafka.settings": Room(WORDS, pure=True),
    "services.garbage": Room(STORES),
    "services.locks": Room(STORES),
    "services.logs": Room(STORES),
    "services.metrics": Room(STORES),
    "services.secrets": Room(STORES),
    "services.sinks": Room(STORES),
    "services.wiring": Room(PROGRAMS),
    "services.agents": Room(PROGRAMS),
    "services.embedded": Room(PROGRAMS),
    "services.replay": Room(PROGRAMS),
    "services.chain.command": Room(COMMANDS),
    "services.cli": Room(COMMANDS),
    "services.commands": Room(COMMANDS),
}

# Rooms that may not know each other although their floors would allow it: (who, whom, why).
STRANGERS: tuple[tuple[str, str, str], ...] = (
    ("services.contexts", "services.detectors", "a context knows nobody who judges by it"),
    ("services.contexts", "services.scanner", "a context knows nobody who judges by it"),
    ("services.detectors", "services.scanner", "a detector speaks whether or not anybody listens"),
    ("services.core", "services.quant", "the machine runs rules it does not understand"),
    ("services.gateway", "services.standin", "they know each other by the vendor's protocol only"),
    ("services.standin", "services.gateway", "they know each other by the vendor's protocol only"),
    ("services.standin", "services.contexts", "the market does not know who watches it"),
    ("services.standin", "services.detectors", "the market does not know who watches it"),
    ("services.gateway", "services.contexts", "the gateway sequences and never judges"),
    ("services.gateway", "services.detectors", "the gateway sequences and never judges"),
)

EVERYWHERE = ("schemas", "services")
# Every outside library has one home, so that replacing it is an afternoon. numpy and msgspec are the vocabulary.
HOMES: dict[str, tuple[str, ...]] = {
    "msgspec": EVERYWHERE,
    "numpy": EVERYWHERE,
    "pyarrow": ("schemas.frames", "schemas.layouts", "services.history", "services.sinks"),
    "numba": (
        "services.quant",
        "services.contexts",
        "services.gateway._frames_kernel",
        "services.gateway._quotes_kernel",
        "services.gateway._text_kernel",
        "services.standin.market.kernels",
    ),
    "llvmlite": ("services.quant.jit",),
    "scipy": ("services.quant",),
    "exchange_calendars": ("services.core.calendar",),
    "aiohttp": (
        "services.gateway.rest",
        "services.health",
        "services.history.server",
        "services.standin.rest.routes",
        "services.standin.rest.answers",
        "services.standin.rest.past",
        "services.standin.server",
    ),
    "yarl": ("services.gateway.rest",),  # aiohttp's own URLs
    "websockets": ("services.gateway.sockets", "services.standin.server", "services.standin.websocket"),
    "aiokafka": ("services.agents", "services.kafka", "services.sinks"),
    "faust": ("services.agents",),
    "mode": ("services.agents",),  # what the stream framework is built on
    "redis": ("services.sinks.redis_client",),
    "chdb": ("services.history",),
    "clickhouse_connect": ("services.history",),
    "lz4": ("services.history.server",),
    "prometheus_client": ("services.health", "services.metrics"),
    "rich": ("services.chain.tables", "services.commands", "services.logs"),
    "uvloop": ("services.commands",),
}

# What the outside world comes in by. A pure room is given its time, its bytes and its random numbers.
# fmt: off
IMPURE_MODULES = frozenset([
    "asyncio", "concurrent", "ctypes", "fcntl", "glob", "http", "io", "logging", "multiprocessing", "os", "pathlib",
    "random", "secrets", "select", "selectors", "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess", "sys",
    "tempfile", "threading", "time", "urllib", "uuid", "zipfile",
])
# Calls, by their last two names.
IMPURE_CALLS = frozenset([
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today", "os.getenv", "random.seed", "random.rand",
    "random.randn", "random.randint", "random.random", "random.normal", "random.choice", "random.shuffle",
    "random.permutation", "random.uniform",
])
# fmt: on
# Generators are fine where a seed is given; without one they ask the operating system.
UNSEEDED_CALLS = frozenset(["default_rng", "PCG64", "Philox", "SFC64", "SeedSequence", "Random"])
IMPURE_BUILTINS = frozenset(["open", "input", "print", "breakpoint", "exec", "eval", "__import__"])

# (module, what it uses): why that is no breach.
PURE_EXCEPTIONS: dict[tuple[str, str], str] = {
    ("schemas.topics", "pathlib"): "run as a program it writes the published JSON Schemas",
    ("schemas.topics", "print"): "run as a program it says which files it wrote",
    ("services.errors", "pathlib"): "an error may carry the path it is about",
    ("services.quant.jit", "pathlib"): "compiled code is named after the source it was compiled from",
    ("services.gateway.reconnect", "random"): "the type of the dice that are handed in",
}

# Requirements that nothing imports, and why they are there.
NOT_IMPORTED: dict[str, str] = {
    "chdb-core": "the engine inside chdb, required by name so that its version is ours to pin",
    "orjson": "faust encodes its own records with it where it is installed, several times faster than with json",
}
