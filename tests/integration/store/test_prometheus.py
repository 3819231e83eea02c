"""Debian's Prometheus reads our rules, scrapes a real process and answers about it."""

from __future__ import annotations

import contextlib
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
from services.runtime.config import WarehouseConfig
from services.runtime.metrics import CATALOGUE
from services.settings.kafka import KafkaSettings
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


@contextlib.contextmanager
def prometheus(binaries: tuple[Path, Path], folder: Path, metrics: dict[str, str]) -> Iterator[str]:
    """A Prometheus that scrapes services (by name, the address of their metrics) with the committed configuration."""
    config = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())
    (job,) = config["scrape_configs"]
    # The same job, but for where its targets are told from and where the token lies.
    for key in ("dns_sd_configs", "relabel_configs"):
        del job[key]
    job["static_configs"] = [
        {"targets": [urllib.parse.urlsplit(url).netloc], "labels": {"service": name}} for name, url in metrics.items()
    ]
    job["authorization"]["credentials_file"] = str(folder / "token")
    (folder / "token").write_text(TOKEN)
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(DEPLOY / "alerts.yml")]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    with (folder / "prometheus.log").open("wb") as log:
        options = [f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
        command = [binaries[0], *options, f"--web.listen-address=127.0.0.1:{port}"]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(10)


@pytest.fixture
def scraped(
    binaries: tuple[Path, Path], kafka: KafkaSettings, warehouse: WarehouseConfig, tmp_path: Path
) -> Iterator[tuple[str, ServiceProcess]]:
    """A sink that wrote something, and a Prometheus that scrapes it."""
    builder = LogBuilder()
    put(kafka, frame_records([*builder.opening(), builder.frame(Lane.TRADES, 70)]))
    put(kafka, [("options.trades", 0, b"poison", [])])
    settings = {"kafka.prefix": kafka.prefix, "warehouse.database": warehouse.database, "sink.age_ms_max": 100}
    options = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    arguments = ["sink", "--warehouse", warehouse.url, "--brokers", kafka.brokers, *options]
    environment = {"STRIKEWIRE_HEALTH_TOKEN": TOKEN}
    with (
        ServiceProcess(*arguments, log=tmp_path / "log", environment=environment) as sink,
        prometheus(binaries, tmp_path, {"sink": sink.ready["metrics"]}) as base,
    ):
        yield base, sink


def ask(base: str, query: str) -> list[dict[str, Any]]:
    url = f"{base}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return list(json.load(answer)["data"]["result"])
    except (urllib.error.URLError, ConnectionError):
        return []


def until(base: str, query: str) -> None:
    """Wait for a query to have an answer, which one with a comparison has when it holds."""
    deadline = time.monotonic() + 60
    while not ask(base, query):
        assert time.monotonic() < deadline, f"never: {query}"
        time.sleep(0.3)


def assert_catalogued(base: str) -> None:
    """Every metric of ours that was scraped is in the catalogue."""
    known = set(CATALOGUE)
    for row in ask(base, 'count by (__name__) ({__name__=~"strikewire_.+"})'):
        name = row["metric"]["__name__"]
        base_name = name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count").removesuffix("_created")
        assert {base_name, f"{base_name}_total"} & known, f"{name} is not in the catalogue"


def test_prometheus_scrapes_what_the_sink_counts(scraped: tuple[str, ServiceProcess]):
    base, sink = scraped
    wanted = {
        'strikewire_sink_rows_total{service="sink", table="option_trades"}': 70,
        'strikewire_sink_rows_total{table="frames"}': 4,
        'strikewire_dead_letters_total{reason="poison"}': 1,
        'sum(strikewire_sink_lag_records{topic="options.trades"})': 0,
        'up{job="strikewire"}': 1,
    }
    for query, value in wanted.items():
        until(base, f"{query} == {value}")
    assert_catalogued(base)
    with urllib.request.urlopen(f"{base}/api/v1/rules", timeout=5) as answer:
        (group,) = json.load(answer)["data"]["groups"]
    assert all(rule["health"] in ("ok", "unknown") for rule in group["rules"])
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(sink.ready["metrics"], timeout=5)


def test_prometheus_scrapes_gateway_and_agents_while_they_judge(
    binaries: tuple[Path, Path], kafka: KafkaSettings, tmp_path: Path
):
    """A made-up market through Kafka, from its first event to its first alert. How old frames and alerts are is counted
    on the wall's clock only, which a made-up market does not have."""
    environment = {"STRIKEWIRE_HEALTH_TOKEN": TOKEN}
    settings = {"kafka.prefix": kafka.prefix, "gateway.partitions": 2}
    common = [
        "--brokers",
        kafka.brokers,
        *(part for pair in settings.items() for part in ("--set", "=".join(map(str, pair)))),
    ]
    with (
        ServiceProcess("agents", *common, log=tmp_path / "agents.log", environment=environment) as agents,
        ServiceProcess(
            "gateway", "--standin", "--seed", "3", "--speed", "20", *common,
            log=tmp_path / "gateway.log", environment=environment,
        ) as gateway,
        prometheus(
            binaries, tmp_path, {"gateway": gateway.ready["metrics"], "agents": agents.ready["metrics"]}
        ) as base,
    ):  # fmt: skip
        for query in (
            'sum(strikewire_gateway_events_total{service="gateway"}) > 1000',
            "strikewire_gateway_unconfirmed_records >= 0",
            'strikewire_agents_partitions{service="agents"} == 2',
            "strikewire_agents_lag_records >= 0",
            "strikewire_sequencer_held_frames >= 0",
            "histogram_quantile(0.9, sum by (le) (strikewire_pipeline_step_seconds_bucket)) < 1",
            'sum(strikewire_pipeline_alerts_total{outcome="sent"}) > 0',
        ):
            until(base, query)
        assert_catalogued(base)
