"""The plan of the house: which room stands on which floor, which rooms are pure, and where each library lives.

A room is a folder, or a file at the top of `services`; a module belongs to the innermost that is listed, so a folder is
pure or it is not. Adding a room is adding a line; `checker.py` holds the rules.
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
    "STANDIN_KNOWS",
    "STANDIN_USERS",
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
    "services.settings": Room(MACHINE, pure=True),
    "services.market": Room(MACHINE, pure=True),
    "services.contexts": Room(DECISIONS, pure=True),
    "services.detectors": Room(DECISIONS, pure=True),
    "services.scanner": Room(DECISIONS, pure=True),
    "services.gateway": Room(DECISIONS, pure=True),
    "services.gateway.shell": Room(PROGRAMS),
    "services.chain": Room(STORES),  # reads option chains from files
    "services.history": Room(STORES),
    "services.kafka": Room(STORES),
    "services.redis": Room(STORES),
    "services.runtime": Room(STORES),
    "services.sinks": Room(STORES),
    "services.wiring": Room(PROGRAMS),
    "services.agents": Room(PROGRAMS),
    "services.embedded": Room(PROGRAMS),
    "services.replay": Room(PROGRAMS),
    "services.cli": Room(COMMANDS),
    "services.commands": Room(COMMANDS),
    "strikewire": Room(DECISIONS, pure=True),  # what a user imports for a rule of his own
    "standin": Room(DECISIONS, pure=True),  # the package itself, and its errors
    "standin.faults": Room(DECISIONS, pure=True),
    "standin.feed": Room(DECISIONS, pure=True),
    "standin.history": Room(DECISIONS, pure=True),
    "standin.market": Room(DECISIONS, pure=True),
    "standin.protocol": Room(DECISIONS, pure=True),
    "standin.stylized_facts": Room(DECISIONS, pure=True),
    "standin.files": Room(STORES),
    "standin.report": Room(STORES),
    "standin.server": Room(PROGRAMS),
}

# Rooms that may not know each other although their floors would allow it: (who, whom, why).
STRANGERS: tuple[tuple[str, str, str], ...] = (
    ("services.contexts", "services.detectors", "a context knows nobody who judges by it"),
    ("services.contexts", "services.scanner", "a context knows nobody who judges by it"),
    ("services.detectors", "services.scanner", "a detector speaks whether or not anybody listens"),
    ("services.core", "services.quant", "the machine runs rules it does not understand"),
    ("services.gateway", "standin", "they know each other by the vendor's protocol only"),
    ("standin", "services.gateway", "they know each other by the vendor's protocol only"),
    ("services.gateway", "services.contexts", "the gateway sequences and never judges"),
    ("services.gateway", "services.detectors", "the gateway sequences and never judges"),
    ("services.history", "services.gateway", "a store keeps the log and knows nobody who writes it"),
    ("services.kafka", "services.gateway", "a store keeps the log and knows nobody who writes it"),
    ("services.sinks", "services.gateway", "a store keeps the log and knows nobody who writes it"),
    ("services.gateway.decoding", "services.gateway.sequencing", "rows are made before they are numbered"),
)

# What the stand-in may import of ours, anything else being a breach: (who, whom) and why.
STANDIN_KNOWS: dict[tuple[str, str], str] = {
    ("standin", "schemas"): "what a log's row is, and how contracts and symbols are written",
    ("standin", "services.quant"): "option arithmetic, a library that knows no product",
    ("standin", "services.core.calendar"): "sessions and New York's clock are facts of the market",
    ("standin.report", "services.chain.read"): "recorded chains beside the made-up ones, by the readers people have",
    ("standin.report", "services.chain.svg"): "a page's charts",
}
# The only room of the product that opens a stand-in.
STANDIN_USERS = ("services.commands",)

EVERYWHERE = ("schemas", "services", "standin")
# Every outside library has one home, so that replacing it is an afternoon. numpy and msgspec are the vocabulary.
HOMES: dict[str, tuple[str, ...]] = {
    "msgspec": EVERYWHERE,
    "numpy": EVERYWHERE,
    "pyarrow": ("schemas.frames", "schemas.layouts", "services.history", "services.sinks"),
    "numba": (
        "services.quant",
        "services.market",
        "services.contexts",
        "services.gateway.decoding",
        "standin.market.kernels",
    ),
    "llvmlite": ("services.quant.jit",),
    "scipy": ("services.quant",),
    "exchange_calendars": ("services.core.calendar",),
    "aiohttp": (
        "services.gateway.shell.rest_client",
        "services.runtime.health",
        "services.history.server",
        "standin.server",
    ),
    "yarl": ("services.gateway.shell.rest_client",),  # aiohttp's own URLs
    "websockets": ("services.gateway.shell.sockets", "standin.server"),
    "aiokafka": ("services.agents", "services.kafka", "services.sinks"),
    "faust": ("services.agents.app",),
    "mode": ("services.agents.app",),  # what the stream framework is built on
    "redis": ("services.redis.client",),
    "chdb": ("services.history",),
    "clickhouse_connect": ("services.history",),
    "lz4": ("services.history.server",),
    "prometheus_client": ("services.runtime.health", "services.runtime.metrics"),
    "rich": ("services.chain.tables", "services.commands", "services.runtime.logs"),
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
    ("services.errors", "pathlib"): "an error may carry the path it is about",
    ("services.quant.jit", "pathlib"): "compiled code is named after the source it was compiled from",
}

# Requirements that nothing imports, and why they are there.
NOT_IMPORTED: dict[str, str] = {
    "chdb-core": "the engine inside chdb, required by name so that its version is ours to pin",
    "orjson": "faust encodes its own records with it where it is installed, several times faster than with json",
}
