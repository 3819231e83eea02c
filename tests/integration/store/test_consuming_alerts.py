"""The example in docs/consuming-alerts.md is run as it stands there."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from schemas.decisions import canonical
from services.settings.kafka import KafkaSettings
from tests.support.decisions import alert
from tests.support.services import ROOT
from tests.support.topics import decision_records, put

BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "consuming-alerts.md").read_text(), re.DOTALL)


def test_every_example_is_python_and_short():
    assert len(BLOCKS) == 2
    for block in BLOCKS:
        ast.parse(block)
        assert len(block.splitlines()) <= 15


def test_the_plain_example_prints_each_alert_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its client stands in for a broker: the same record is delivered again, and another record says the same."""
    made = [alert("a1", underlying="AAA"), alert("a2", underlying="BBB"), alert("a3", underlying="CCC")]
    read = [(0, made[0]), (1, made[1]), (0, made[0]), (2, made[0]), (1, made[1]), (3, made[2])]
    records = [SimpleNamespace(offset=offset, value=canonical(one)) for offset, one in read]
    client = ModuleType("kafka")
    client.KafkaConsumer = lambda *_, **__: records  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "kafka", client)
    exec(compile(BLOCKS[0], "docs/consuming-alerts.md", "exec"), {})
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["AAA", "BBB", "CCC"]


@pytest.mark.services
def test_the_example_prints_each_alert_once(kafka: KafkaSettings, tmp_path: Path):
    put(kafka, decision_records([alert("a1"), alert("a2"), alert("a1"), alert("a3", partition=1)]))
    program = tmp_path / "consumer.py"
    program.write_text(BLOCKS[1])
    process = subprocess.Popen(
        [sys.executable, program, kafka.brokers, kafka.topic("alerts")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        lines = [process.stdout.readline().split()[0] for _ in range(3)]
        time.sleep(0.5)
    finally:
        process.kill()
    assert sorted(lines) == ["a1", "a2", "a3"]
    assert process.stdout.read() == ""
