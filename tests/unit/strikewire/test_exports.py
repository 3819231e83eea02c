"""What a rule of one's own can import: exactly these names, each documented, and importing them starts nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import strikewire

# A name that goes, or comes, is a change to everybody's rules: CHANGELOG.md says so.
EXPORTS = [
    "BAR_15M", "BAR_1M", "BAR_5M", "BLOCK_CLOSED", "CONTRACT_MINUTE", "LEVELS", "SPLIT_CLOSED", "SWEEP_CLOSED",
    "ClusterFilter", "MarketView", "MinuteFilter", "TriggerKind",
    "Alert", "Bar", "Barriers", "Calendar", "Context", "ContextView", "Contract", "ContractMinute",
    "Contribution", "Cooldown", "DeadLetter", "Detector", "Finding", "FlowCluster", "FlowView", "Frame",
    "GammaView", "GreekRows", "Growth", "Header", "Lane", "Moment", "Outcome", "Parameters", "PriceView",
    "Record", "Session", "Signal", "TickRows", "TradeRows", "Trigger", "TriggerFilter", "View", "Views",
    "Weights", "barriers", "contract_ticker", "contract_words", "direction", "in_session", "money",
    "parse_contract", "rounded", "side_certainty", "symbol_code", "symbol_text", "with_barriers",
]  # fmt: skip

# What would open a socket, a file or an engine sooner or later.
SHELLS = ("aiohttp", "aiokafka", "asyncio", "chdb", "clickhouse_connect", "faust", "redis", "rich", "websockets")


def test_it_exports_exactly_these_names() -> None:
    assert sorted(strikewire.__all__) == sorted(EXPORTS)
    public = {name for name in vars(strikewire) if not name.startswith("_")}
    assert public - set(EXPORTS) == set(), "names that can be imported and were not meant to be"


@pytest.mark.parametrize("name", EXPORTS)
def test_every_export_says_what_it_is(name: str) -> None:
    exported = getattr(strikewire, name)
    assert exported.__doc__, name
    assert exported.__doc__ != getattr(exported.__mro__[1], "__doc__", None) if isinstance(exported, type) else True


def test_importing_it_starts_nothing() -> None:
    program = (
        "import sys, threading, strikewire; "
        f"print([name for name in {SHELLS!r} if name in sys.modules], threading.active_count())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "1"]


def test_type_checkers_find_its_types() -> None:
    assert Path(strikewire.__file__).with_name("py.typed").is_file()
