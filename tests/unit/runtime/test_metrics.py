"""The catalogue of metrics: names, the page made from it."""

from __future__ import annotations

import re
import typing
from pathlib import Path

import pytest
from prometheus_client import Counter, Histogram, generate_latest

from services.core.pipeline import SuppressionReason
from services.runtime.metrics import CATALOGUE, Metrics, document

ROOT = Path(__file__).resolve().parents[3]
# Few values each, so that a busy day does not become a million series.
LABELS = {"topic", "lane", "table", "detector", "view", "reason", "event", "cluster", "state", "outcome", "kind"}


def test_the_page_is_the_catalogue():
    assert (ROOT / "docs" / "metrics.md").read_text() == document(), (
        "run python -m services.runtime.metrics > docs/metrics.md"
    )


def test_the_catalogue_names_every_outcome():
    about = CATALOGUE["strikewire_pipeline_alerts_total"].about
    assert re.findall(r"`(\w+)`", about) == ["sent", *typing.get_args(SuppressionReason)]


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_name_says_subsystem_and_unit_and_has_few_labels(name: str):
    one = CATALOGUE[name]  # type: ignore[index]
    assert re.fullmatch(r"strikewire_[a-z]+(_[a-z]+)+", name)
    assert name.endswith("_total") == (one.kind is Counter)
    if one.kind is Histogram:
        assert name.endswith("_seconds")
        assert list(one.buckets) == sorted(one.buckets)
    assert one.about
    assert one.advice
    assert set(one.labels) <= LABELS, f"{name}: is {one.labels} few-valued? then say so here"


def test_two_hosts_in_one_process_do_not_mix():
    one, other = Metrics(), Metrics()
    one.count("strikewire_sink_rows_total", 5, table="frames")
    other.set("strikewire_sink_lag_records", 3, topic="alerts")
    assert b'strikewire_sink_rows_total{table="frames"} 5.0' in generate_latest(one.registry)
    assert b'table="frames"' not in generate_latest(other.registry)
