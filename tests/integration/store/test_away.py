"""The warehouse is away under load: the sink waits with what it has, reads no more than it may hold, and loses nothing.

STRIKEWIRE_TEST_AWAY_S=60 makes it the full minute of the acceptance; every day it is shorter.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from schemas.frames import Lane
from services.history.engine import open_remote
from services.runtime.config import WarehouseConfig
from services.settings.kafka import KafkaSettings
from tests.integration.store.test_sink import Counted, epoch, sink, until
from tests.support.logs_small import LogBuilder
from tests.support.services import ServiceProcess
from tests.support.topics import frame_records, put

pytestmark = pytest.mark.services

AWAY_S = float(os.environ.get("STRIKEWIRE_TEST_AWAY_S", "8"))
ROWS, PAUSE_S = 500, 0.05


class Load(threading.Thread):
    """Writes frames of 500 rows all the time: some thousand rows a second, on both partitions."""

    def __init__(self, kafka: KafkaSettings) -> None:
        super().__init__(daemon=True)
        self._kafka = kafka
        self._builders = [LogBuilder(partition=partition) for partition in (0, 1)]
        self._ended = threading.Event()
        self.rows = 0

    def run(self) -> None:
        put(self._kafka, frame_records([f for one in self._builders for f in one.opening()], epoch()))
        lanes = (Lane.TRADES, Lane.TICKS, Lane.GREEKS)
        number = 0
        while not self._ended.is_set():
            frames = [one.frame(lanes[number % 3], ROWS) for one in self._builders]
            put(self._kafka, frame_records(frames))
            self.rows += ROWS * len(frames)
            number += 1
            time.sleep(PAUSE_S)

    def end(self) -> int:
        """Rows written in all."""
        self._ended.set()
        self.join(30)
        return self.rows


@pytest.mark.slow
@pytest.mark.timeout(300 + 3 * AWAY_S)
def test_the_warehouse_may_be_away_under_load(kafka: KafkaSettings, tmp_path: Path) -> None:
    arguments = ("warehouse", "--data-dir", tmp_path / "d", "--port")
    load = Load(kafka)
    with ServiceProcess(*arguments, 0, log=tmp_path / "w") as first:
        config = WarehouseConfig(url=first.ready["url"])
        port = config.url.rsplit(":", 1)[1].strip("/")
        with sink(kafka, config, tmp_path / "log") as process:
            load.start()
            until(lambda: Counted(open_remote(config)).positions()[0] > 0, True)
            first.kill()
            time.sleep(AWAY_S)
            assert process.process.poll() is None, "the sink ended while the warehouse was away"
            with ServiceProcess(*arguments, port, log=tmp_path / "w"):
                back, written = time.monotonic(), load.rows
                client = open_remote(config)
                until(lambda: Counted(client).positions()[0] >= written, True, 60 + AWAY_S)
                caught_up_s = time.monotonic() - back
                rows = load.end()
                until(Counted(client).positions, (rows, rows), 60 + AWAY_S)
    said = (tmp_path / "log").read_text()
    assert "the warehouse does not take" in said
    assert "the warehouse takes rows of " in said
    print(f"away {AWAY_S:.0f} s with {rows:,} rows written in all; caught up {caught_up_s:.1f} s after it was back")
