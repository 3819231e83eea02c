"""The catalogue of metrics: every name, its kind, unit, labels, and what to do when it moves.

Names are `strikewire_<subsystem>_<what>_<unit>[_total]` in base units. Labels are few-valued: topic, lane, detector,
reason; never a contract. `python -m services.runtime.metrics > docs/metrics.md` writes the catalogue, a test guards it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from schemas.decisions import Alert, Signal
from schemas.kinds import Decision, kind_of
from services.core.pipeline import NotReady

__all__ = ["CATALOGUE", "Metrics", "Name", "count_decision", "count_not_ready"]

Name: TypeAlias = Literal[
    "strikewire_gateway_events_total",
    "strikewire_gateway_bytes_total",
    "strikewire_gateway_reconnects_total",
    "strikewire_gateway_repeated_total",
    "strikewire_gateway_backward_total",
    "strikewire_gateway_silences_total",
    "strikewire_gateway_gaps_total",
    "strikewire_gateway_open_gaps",
    "strikewire_gateway_refilling_gaps",
    "strikewire_gateway_subscriptions",
    "strikewire_dead_letters_total",
    "strikewire_log_frames_total",
    "strikewire_log_rows_total",
    "strikewire_log_commit_seconds",
    "strikewire_log_pending_rows",
    "strikewire_sequencer_held_frames",
    "strikewire_sink_rows_total",
    "strikewire_sink_retries_total",
    "strikewire_sink_lag_records",
    "strikewire_sink_insert_seconds",
    "strikewire_hot_state_alerts_total",
    "strikewire_hot_state_available",
    "strikewire_pipeline_step_seconds",
    "strikewire_pipeline_decisions_total",
    "strikewire_pipeline_signals_total",
    "strikewire_pipeline_alerts_total",
    "strikewire_pipeline_not_ready_total",
    "strikewire_alert_latency_seconds",
    "strikewire_alert_negative_latency_total",
    "strikewire_frame_age_seconds",
    "strikewire_agents_partitions",
    "strikewire_agents_lag_records",
    "strikewire_agents_recoveries_total",
    "strikewire_agents_recovery_seconds",
    "strikewire_gateway_unconfirmed_records",
]


class Definition(NamedTuple):
    """One metric. `advice` is for whoever is woken by it."""

    kind: type[Counter] | type[Gauge] | type[Histogram]
    about: str
    labels: tuple[str, ...]
    advice: str
    buckets: tuple[float, ...] = ()


# 1 ms to 30 s: below lies the network, above nobody trades on it any more.
_LATENCY = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
# A frame should take tens of microseconds; at 20 ms it takes as long as it is young.
_STEP = (0.00002, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.02, 0.1)

CATALOGUE: dict[Name, Definition] = {
    "strikewire_gateway_events_total": Definition(
        Counter, "events decoded", ("event",), "flat in a session: look at reconnects and at the feed"
    ),
    "strikewire_gateway_bytes_total": Definition(Counter, "bytes read from the feed", (), "as events"),
    "strikewire_gateway_reconnects_total": Definition(
        Counter, "connections made anew", (), "rising: another program uses the key, or this one is too slow"
    ),
    "strikewire_gateway_repeated_total": Definition(
        Counter, "prints that came twice and were dropped", (), "rising: the feed repeats itself; nothing is doubled"
    ),
    "strikewire_gateway_backward_total": Definition(
        Counter, "prints whose number ran backward, kept", (), "rising: the feed is out of order; nothing is lost"
    ),
    "strikewire_gateway_silences_total": Definition(
        Counter, "connections given up for their silence", (), "rising: half-open sockets, or a halt without a witness"
    ),
    "strikewire_gateway_gaps_total": Definition(
        Counter, "stretches of a channel that were not heard", ("cluster", "reason"),
        "rising: `strikewire tail feed.gaps` shows from when to when, and what was refilled",
    ),
    "strikewire_gateway_open_gaps": Definition(
        Gauge, "channels not heard at present, of a session", (), "above 0 for minutes: see what the gateway says of it"
    ),
    "strikewire_gateway_refilling_gaps": Definition(
        Gauge, "gaps that REST is being asked for", (), "staying above 0: REST is slow or refuses"
    ),
    "strikewire_gateway_subscriptions": Definition(
        Gauge, "pairs desired, acknowledged, refused, open", ("cluster", "state"),
        "acknowledged below desired: the plan or the vendor's limit of quotes",
    ),
    "strikewire_dead_letters_total": Definition(
        Counter, "elements not understood", ("reason",), "rising: `strikewire tail dead.letters` shows them"
    ),
    "strikewire_log_frames_total": Definition(Counter, "frames sequenced", ("lane",), "flat: the gateway stands still"),
    "strikewire_log_rows_total": Definition(Counter, "rows sequenced", ("lane",), "as frames"),
    "strikewire_log_commit_seconds": Definition(
        Histogram, "time to make a batch durable", (), "rising: the disk is slow or full", _LATENCY
    ),
    "strikewire_log_pending_rows": Definition(
        Gauge, "rows that wait for the disk", (), "near its limit: the sockets are being held back"
    ),
    "strikewire_sequencer_held_frames": Definition(
        Gauge, "frames that wait for a predecessor", (), "rising: a lane is missing"
    ),
    "strikewire_sink_rows_total": Definition(Counter, "rows written to the warehouse", ("table",), "flat: see retries"),
    "strikewire_sink_retries_total": Definition(
        Counter, "inserts the warehouse did not take", ("table",), "rising: the warehouse is away, full or behind"
    ),
    "strikewire_sink_lag_records": Definition(
        Gauge, "records on Kafka that are not read yet", ("topic",), "rising: more sinks, or a faster disk"
    ),
    "strikewire_sink_insert_seconds": Definition(
        Histogram, "time of one insert that was taken", (), "rising: the warehouse is behind", _LATENCY
    ),
    "strikewire_hot_state_alerts_total": Definition(
        Counter, "alerts put into hot state", (), "flat while alerts come: see whether it is available"
    ),
    "strikewire_hot_state_available": Definition(
        Gauge, "1 when Redis answers", (), "0: dashboards stand still; alerts and history go on"
    ),
    "strikewire_pipeline_step_seconds": Definition(
        Histogram, "time of one pipeline step", (), "rising: the process has too many partitions", _STEP
    ),
    "strikewire_pipeline_decisions_total": Definition(
        Counter, "decisions of every kind that went out", ("kind",), "flat in a session: see signals"
    ),
    "strikewire_pipeline_signals_total": Definition(
        Counter, "signals", ("detector",), "none for a day: see `strikewire contexts` for what is not ready"
    ),
    "strikewire_pipeline_alerts_total": Definition(
        Counter, "judged signals: `sent` as alerts, or held back for their `score`, a `cooldown`, the `hourly_limit`",
        ("detector", "outcome"), "`sent` far more than usual: the threshold or the market moved",
    ),
    "strikewire_pipeline_not_ready_total": Definition(
        Counter, "triggers that a detector was not asked about, for want of a view: `absent`, or `not_ready`",
        ("detector", "view", "reason"), "all day long: that context is off, or does not get what it needs",
    ),
    "strikewire_alert_latency_seconds": Definition(
        Histogram, "exchange time of the deciding event to delivery", (), "rising: see log and pipeline", _LATENCY
    ),
    "strikewire_alert_negative_latency_total": Definition(
        Counter, "alerts delivered before their exchange time", (), "rising: this machine's clock is behind"
    ),
    "strikewire_frame_age_seconds": Definition(
        Histogram, "age of a frame when it was stepped", (), "rising: Kafka or the agents are behind", _LATENCY
    ),
    "strikewire_agents_partitions": Definition(
        Gauge, "partitions this worker holds", (), "0 everywhere: no group; far apart: add workers or partitions"
    ),
    "strikewire_agents_lag_records": Definition(
        Gauge, "records of the lanes not taken yet", (), "rising: too few workers, or one that stands still"
    ),
    "strikewire_agents_recoveries_total": Definition(
        Counter, "times a partition caught up by replay", ("reason",),
        "`gap`, `stuck` or `silent` rising: the framework's consumer fails",
    ),
    "strikewire_agents_recovery_seconds": Definition(
        Histogram, "time a partition took to catch up", (), "rising: the day's log is long",
        (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0),
    ),
    "strikewire_gateway_unconfirmed_records": Definition(
        Gauge, "records no broker has confirmed", (), "near its limit: the sockets are being held back"
    ),
}  # fmt: skip


class Metrics:
    """The catalogue's metrics on a registry of their own, so that two hosts in one process do not mix."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._by_name: dict[Name, Counter | Gauge | Histogram] = {}
        self._totals: dict[tuple[str, ...], float] = {}
        for name, wanted in CATALOGUE.items():
            more: dict[str, Any] = {"buckets": wanted.buckets} if wanted.buckets else {}
            self._by_name[name] = wanted.kind(name, wanted.about, wanted.labels, registry=self.registry, **more)

    def count(self, name: Name, amount: float = 1, **labels: str) -> None:
        """Add to a counter."""
        metric = self._by_name[name]
        (metric.labels(**labels) if labels else metric).inc(amount)  # type: ignore[union-attr]

    def total(self, name: Name, value: float, **labels: str) -> None:
        """Bring a counter up to a running total that is kept elsewhere."""
        metric = self._by_name[name]
        child = metric.labels(**labels) if labels else metric
        assert isinstance(child, Counter)
        child.inc(max(0.0, value - self._totals.get((name, *labels.values()), 0.0)))
        self._totals[(name, *labels.values())] = value

    def observe(self, name: Name, value: float) -> None:
        """Add an observation to a histogram."""
        self._by_name[name].observe(value)  # type: ignore[union-attr]

    def set(self, name: Name, value: float, **labels: str) -> None:
        """Set a gauge."""
        metric = self._by_name[name]
        (metric.labels(**labels) if labels else metric).set(value)  # type: ignore[union-attr]


def count_decision(metrics: Metrics, decision: Decision, silences: Mapping[str, str]) -> None:
    """Count what was decided, when it goes out; with a signal that became no alert, why (`silences`, by its id)."""
    metrics.count("strikewire_pipeline_decisions_total", kind=kind_of(decision).name)
    if isinstance(decision, Alert):
        metrics.count("strikewire_pipeline_alerts_total", detector=decision.detector, outcome="sent")
    if isinstance(decision, Signal):
        metrics.count("strikewire_pipeline_signals_total", detector=decision.detector)
        if decision.id in silences:
            outcome = silences[decision.id]
            metrics.count("strikewire_pipeline_alerts_total", detector=decision.detector, outcome=outcome)


def count_not_ready(metrics: Metrics, not_ready: Mapping[tuple[str, str, NotReady], int]) -> None:
    """Count the triggers that (detector, view) was silent about, by reason."""
    for (detector, view, reason), count in not_ready.items():
        metrics.count("strikewire_pipeline_not_ready_total", count, detector=detector, view=view, reason=reason)


def document() -> str:
    """The catalogue as a page in Markdown."""
    lines = [
        "# Metrics",
        "",
        "Written by `python -m services.runtime.metrics > docs/metrics.md`; a test compares it with the program.",
        "",
        "Every long-running process serves them on `/metrics`, on a port of its own; what does not concern it stays",
        "away or at zero. Replays feed none of them. Alert rules: `deploy/prometheus/alerts.yml`.",
        "",
        "| metric | kind | labels | what | when it moves |",
        "|---|---|---|---|---|",
    ]
    for name, one in CATALOGUE.items():
        labels = ", ".join(one.labels) or "-"
        lines.append(f"| `{name}` | {one.kind.__name__.lower()} | {labels} | {one.about} | {one.advice} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(document(), end="")
