"""Debian's Prometheus reads our rules, scrapes a real process and answers about it."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.ports import free_port
from schemas.frames import Lane
from services.config import WarehouseConfig
from services.kafka.settings import KafkaSettings
from services.metrics import CATALOGUE
from tests.support.logs_small import LogBuilder
from tests.support.prometheus import prometheus_binaries
from tests.support.services import ROOT, ServiceProcess
from tests.support.topics import frame_records, put

pytestmark = pytest.mark.services
DEPLOY = ROOT / "deploy" / "prometheus"
TOKEN = "a-token-for-the-test"


@pytest.fixture(scope="module")
def binaries() -> tuple[Path, Path]:
    """prometheus and promtool."""
    found = prometheus_binaries()
    if isinstance(found, str):
        pytest.skip(found)
    return found


def test_promtool_accepts_configuration_and_rules(binaries: tuple[Path, Path]):
    for command in (
        ["check", "rules", DEPLOY / "alerts.yml"],
        ["check", "config", "--syntax-only", DEPLOY / "prometheus.yml"],
    ):
        done = subprocess.run([binaries[1], *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def scraped(
    binaries: tuple[Path, Path], kafka: KafkaSettings, warehouse: WarehouseConfig, tmp_path: Path
) -> Iterator[tuple[str, ServiceProcess]]:
    """A sink that wrote something, and a Prometheus that scrapes it with the committed configuration."""
    builder = LogBuilder()
    put(kafka, frame_records([*builder.opening(), builder.frame(Lane.TRADES, 70)]))
    put(kafka, [("options.trades", 0, b"poison", [])])
    settings = {"kafka.prefix": kafka.prefix, "warehouse.database": warehouse.database, "sink.age_ms_max": 100}
    options = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    arguments = ["sink", "--warehouse", warehouse.url, "--brokers", kafka.brokers, *options]
    environment = {"STRIKEWIRE_HEALTH_TOKEN": TOKEN}
    with ServiceProcess(*arguments, log=tmp_path / "log", environment=environment) as sink:
        config = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())
        (job,) = config["scrape_configs"]
        # The same job, but for where its targets are told from and where the token lies.
        for key in ("dns_sd_configs", "relabel_configs"):
            del job[key]
        target = urllib.parse.urlsplit(sink.ready["metrics"]).netloc
        job["static_configs"] = [{"targets": [target], "labels": {"service": "sink"}}]
        job["authorization"]["credentials_file"] = str(tmp_path / "token")
        (tmp_path / "token").write_text(TOKEN)
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(DEPLOY / "alerts.yml")]
        (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
        port = free_port()
        with (tmp_path / "prometheus.log").open("wb") as log:
            options = [f"--config.file={tmp_path / 'prometheus.yml'}", f"--storage.tsdb.path={tmp_path / 'data'}"]
            command = [binaries[0], *options, f"--web.listen-address=127.0.0.1:{port}"]
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield f"http://127.0.0.1:{port}", sink
        finally:
            process.kill()
            process.wait(10)


def ask(base: str, query: str) -> list[dict[str, Any]]:
    url = f"{base}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return list(json.load(answer)["data"]["result"])
    except (urllib.error.URLError, ConnectionError):
        return []


def test_prometheus_scrapes_what_the_sink_counts(scraped: tuple[str, ServiceProcess]):
    base, sink = scraped
    deadline = time.monotonic() + 60
    wanted = {
        'strikewire_sink_rows_total{service="sink", table="option_trades"}': 70,
        'strikewire_sink_rows_total{table="frames"}': 4,
        'strikewire_dead_letters_total{reason="poison"}': 1,
        'sum(strikewire_sink_lag_records{topic="options.trades"})': 0,
        'up{job="strikewire"}': 1,
    }
    for query, value in wanted.items():
        while not (found := ask(base, query)) or float(found[0]["value"][1]) != value:
            assert time.monotonic() < deadline, f"{query}: {found}, not {value}"
            time.sleep(0.3)
    names = {row["metric"]["__name__"] for row in ask(base, '{__name__=~"strikewire_.+"}')}
    known = set(CATALOGUE)
    for name in names:
        base_name = name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count").removesuffix("_created")
        assert {base_name, f"{base_name}_total"} & known, f"{name} is not in the catalogue"
    with urllib.request.urlopen(f"{base}/api/v1/rules", timeout=5) as answer:
        (group,) = json.load(answer)["data"]["groups"]
    assert all(rule["health"] in ("ok", "unknown") for rule in group["rules"])
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(sink.ready["metrics"], timeout=5)
