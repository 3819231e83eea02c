"""The warehouse's disk is full: the sink waits and says so, and goes on when there is room again."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from schemas.frames import Lane
from services.history.engine import open_remote
from services.runtime.config import WarehouseConfig
from services.settings.kafka import KafkaSettings
from tests.support.logs_small import LogBuilder
from tests.support.services import ServiceProcess
from tests.support.topics import frame_records, put

pytestmark = pytest.mark.services

# A file system of its own in a namespace of its own: no privilege is needed where the kernel lets users make them.
INSIDE = """
mount -t tmpfs -o size=48m tmpfs {disk} && exec {python} -m services.cli warehouse --port 0 --data-dir {disk} --json
"""


class SmallDisk(ServiceProcess):
    """A served warehouse on 48 MB."""

    def __init__(self, disk: Path, log: Path) -> None:
        super().__init__("warehouse", log=log)
        self._disk = disk

    def command(self) -> list[str]:
        script = INSIDE.format(disk=self._disk, python=sys.executable).strip()
        return ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script]

    def on_disk(self, name: str) -> Path:
        """A file on that disk, as this process can reach it."""
        return Path(f"/proc/{self.process.pid}/root{self._disk}") / name


def may_mount(folder: Path) -> bool:
    if shutil.which("unshare") is None:
        return False
    command = ["unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_a_full_disk_is_waited_out_and_nothing_is_lost(kafka: KafkaSettings, tmp_path: Path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if not may_mount(disk):
        pytest.skip("this kernel does not let us mount a small file system")
    builder = LogBuilder()
    put(kafka, frame_records([*builder.opening(), builder.frame(Lane.TRADES, 100)]))
    with SmallDisk(disk, tmp_path / "warehouse.log") as engine:
        url = engine.ready["url"]
        client = open_remote(WarehouseConfig(url=url))

        def rows() -> int:
            return int(client.query("SELECT count() FROM option_trades").result_rows[0][0])

        settings = ["--set", f"kafka.prefix={kafka.prefix}", "--set", "sink.age_ms_max=100"]
        arguments = ["sink", "--warehouse", url, "--brokers", kafka.brokers, *settings]
        with ServiceProcess(*arguments, log=tmp_path / "sink.log") as sink:
            _until(lambda: rows() == 100)
            ballast = engine.on_disk("ballast")
            with pytest.raises(OSError, match="No space left"):
                ballast.write_bytes(b"x" * 60_000_000)
            put(kafka, frame_records([builder.frame(Lane.TRADES, 500) for _ in range(40)]))
            _until(lambda: "the warehouse does not take rows of" in _not_ready(sink))
            assert rows() == 100
            ballast.unlink()
            _until(lambda: rows() == 20_100)
            _until(lambda: _not_ready(sink) == "")
        (distinct,) = client.query("SELECT uniqExact(position) FROM option_trades").result_rows
        assert distinct == (20_100,)


def _not_ready(sink: ServiceProcess) -> str:
    """Why the sink says it is not ready; empty when it is."""
    try:
        with urllib.request.urlopen(sink.ready["metrics"].replace("/metrics", "/ready"), timeout=5):
            return ""
    except urllib.error.HTTPError as error:
        return error.read().decode()


def _until(question, seconds: float = 40) -> None:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s"
        time.sleep(0.2)
